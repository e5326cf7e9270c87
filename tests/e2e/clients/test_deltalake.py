"""delta-rs: a table whose commits are conditional writes (If-None-Match), so that two writers can never both win one."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

pytestmark = pytest.mark.peer

ROUNDS = 6


@pytest.fixture
def options(endpoint: str, credentials: dict[str, str]) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": credentials["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credentials["aws_secret_access_key"],
        "AWS_REGION": credentials["region_name"],
        "conditional_put": "etag",
    }


def _rows(writer: int, first: int, count: int) -> pa.Table:
    return pa.table({"writer": pa.array([writer] * count), "number": pa.array(range(first, first + count))})


def _read(table: str, options: dict[str, str]) -> list[tuple[int, int]]:
    rows = pa.table(DeltaTable(table, storage_options=options).to_pyarrow_table()).to_pylist()
    return sorted((row["writer"], row["number"]) for row in rows)


def test_write_append_delete_and_vacuum(options: dict[str, str], remote: Any, bucket: str) -> None:
    table = f"s3://{bucket}/tables/one"
    write_deltalake(table, _rows(0, 0, 50_000), storage_options=options)
    write_deltalake(table, _rows(0, 50_000, 1_000), mode="append", storage_options=options)
    assert _read(table, options) == [(0, number) for number in range(51_000)]
    delta = DeltaTable(table, storage_options=options)
    assert delta.version() == 1
    delta.delete("number >= 50")
    delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert _read(table, options) == [(0, number) for number in range(50)]
    delta.create_checkpoint()
    keys = [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]]
    assert "tables/one/_delta_log/_last_checkpoint" in keys


def test_two_writers_at_once(options: dict[str, str], remote: Any, bucket: str) -> None:
    table = f"s3://{bucket}/tables/two"
    write_deltalake(table, _rows(0, 0, 10), storage_options=options)
    failures: list[Exception] = []
    start = threading.Barrier(2)

    def write(writer: int) -> None:
        try:
            start.wait()
            for number in range(ROUNDS):
                write_deltalake(table, _rows(writer, number * 10, 10), mode="append", storage_options=options)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    expected = [(0, number) for number in range(10)]
    expected += [(writer, number) for writer in (1, 2) for number in range(ROUNDS * 10)]
    assert _read(table, options) == expected
    assert DeltaTable(table, storage_options=options).version() == 2 * ROUNDS
    commits = remote.list_objects_v2(Bucket=bucket, Prefix="tables/two/_delta_log/0")["Contents"]
    assert len(commits) == 2 * ROUNDS + 1
