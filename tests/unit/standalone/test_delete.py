"""DeleteObject and DeleteObjects beneath the conformance suite: what they leave in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, call
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.standalone import delete
from s3d.standalone.backend import Standalone
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store
AT = {"Bucket": BUCKET, "Key": "k"}
LARGE = b"l" * 300_000


async def delete_many(backend: Standalone, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await call(backend, "DeleteObjects", {"Bucket": BUCKET, "Delete": {"Objects": list(entries), **more}})


def files(directory: Path) -> list[Path]:
    return [path for path in (directory / "bodies").rglob("*") if path.is_file()]


async def test_a_delete_leaves_nothing(backend: Standalone, store: Store, directory: Path) -> None:
    await call(backend, "PutObject", AT, LARGE)
    assert len(files(directory)) == 1
    assert await call(backend, "DeleteObject", AT) == {}
    await store.bodies.close()
    assert files(directory) == []
    assert store.reader.execute("SELECT (SELECT count(*) FROM object), (SELECT count(*) FROM body)").fetchone() == (
        0,
        0,
    )
    assert await call(backend, "DeleteObject", AT) == {}


async def test_a_condition_that_fails_leaves_all(backend: Standalone) -> None:
    await call(backend, "PutObject", AT, b"x")
    with pytest.raises(Refused, match="PreconditionFailed"):
        await call(backend, "DeleteObject", AT | {"IfMatch": '"y"'})
    assert (await call(backend, "GetObject", AT))["Body"] == b"x"


async def test_many_take_few_commits(backend: Standalone, store: Store) -> None:
    for number in range(250):
        await call(backend, "PutObject", AT | {"Key": f"k{number}"}, b"x")
    statements: list[str] = []
    store.database._writer.set_trace_callback(statements.append)
    answer = await delete_many(backend, *[{"Key": f"k{number}"} for number in range(250)])
    store.database._writer.set_trace_callback(None)
    assert [entry["Key"] for entry in answer["Deleted"]] == [f"k{number}" for number in range(250)]
    assert statements.count("COMMIT") == 3


async def test_what_fails_is_listed_and_the_rest_deleted(backend: Standalone, store: Store) -> None:
    for key in "abc":
        await call(backend, "PutObject", AT | {"Key": key}, b"x")
    answer = await delete_many(
        backend, {"Key": "a"}, {"Key": "b", "ETag": '"y"'}, {"Key": "c", "VersionId": "x"}, {"Key": "absent"}
    )
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a", "absent"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [
        ("b", "PreconditionFailed"),
        ("c", "NoSuchVersion"),
    ]
    assert store.reader.execute("SELECT key FROM object ORDER BY key").fetchall() == [(b"b",), (b"c",)]


async def test_quiet_lists_only_errors(backend: Standalone) -> None:
    await call(backend, "PutObject", AT, b"x")
    answer = await delete_many(backend, {"Key": "k"}, {"Key": "l" * 1025}, Quiet=True)
    assert "Deleted" not in answer
    assert [entry["Code"] for entry in answer["Errors"]] == ["KeyTooLongError"]


async def test_versions(backend: Standalone) -> None:
    await call(backend, "PutBucketVersioning", {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}})
    put = (await call(backend, "PutObject", AT, b"x"))["VersionId"]
    (marked,) = (await delete_many(backend, {"Key": "k"}))["Deleted"]
    assert marked["DeleteMarker"] is True
    marker = marked["DeleteMarkerVersionId"]
    (removed,) = (await delete_many(backend, {"Key": "k", "VersionId": marker}))["Deleted"]
    assert removed == {"Key": "k", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker}
    assert (await call(backend, "GetObject", AT))["VersionId"] == put
    assert await call(backend, "DeleteObject", AT | {"VersionId": put}) == {"VersionId": put}


@pytest.mark.parametrize("count", [0, 1001])
async def test_too_few_or_too_many(backend: Standalone, count: int) -> None:
    with pytest.raises(Refused, match="MalformedXML"):
        await delete_many(backend, *[{"Key": str(number)} for number in range(count)])


async def test_many_objects_of_many_parts_go_in_steps(
    backend: Standalone, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have their turn between: a hundred objects can have a million parts."""
    monkeypatch.setattr(delete, "_ROWS", 3)
    keys = [f"k{number}" for number in range(5)]
    for key in keys:
        await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, b"x")
    changes = 0
    change = backend._store.database.change

    async def counted(*arguments: Any) -> Any:
        nonlocal changes
        changes += 1
        return await change(*arguments)

    monkeypatch.setattr(backend._store.database, "change", counted)
    objects = [{"Key": key} for key in [*keys, "none"]]
    answer = await call(backend, "DeleteObjects", {"Bucket": bucket, "Delete": {"Objects": objects}})
    assert [entry["Key"] for entry in answer["Deleted"]] == [*keys, "none"]
    assert changes == 3
    assert "Contents" not in await call(backend, "ListObjects", {"Bucket": bucket})
