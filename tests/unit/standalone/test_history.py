"""The versions of a key against a list of them, which is what S3 describes."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.local.database import Connection
from s3d.standalone import bucket as buckets
from s3d.standalone import history
from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import Bucket
from s3d.standalone.fsck import check
from s3d.standalone.store import Store
from s3d.standalone.version import Version, new_version_id

backend, directory, store = opened.backend, opened.directory, opened.store
KEY = b"key"


def version(bucket: Bucket, etag: str) -> Version:
    return Version(bucket.id, KEY, 0, None, 5, 0, etag, None, None, "[]")


async def change(store: Store, function: Any) -> Any:
    return await store.database.change(lambda connection: function(connection, buckets.find(connection, BUCKET)))


async def put(store: Store, etag: str) -> str:
    """The id of the new version."""

    def function(connection: Connection, bucket: Bucket) -> str:
        new = version(bucket, etag)
        history.put(connection, store.bodies, bucket, new, history.current(connection, bucket, KEY))
        return new.version_id

    return str(await change(store, function))


async def delete(store: Store) -> str | None:
    def function(connection: Connection, bucket: Bucket) -> str | None:
        marker = history.delete(connection, store.bodies, bucket, KEY, 6)
        return None if marker is None else marker.version_id

    found: str | None = await change(store, function)
    return found


async def remove(store: Store, version_id: str) -> None:
    def function(connection: Connection, bucket: Bucket) -> None:
        found = history.find(connection, bucket, KEY, version_id)
        assert found is not None
        history.remove(connection, store.bodies, bucket, found)

    await change(store, function)


async def versioning(store: Store, status: str | None) -> None:
    await change(store, lambda c, b: c.execute("UPDATE bucket SET versioning = ?", (status,)).rowcount)


async def seen(store: Store) -> list[tuple[str, str]]:
    """Id and ETag of all versions, newest first; of a marker "". What is found by id is the same."""

    def function(connection: Connection, bucket: Bucket) -> list[tuple[str, str]]:
        current = history.current(connection, bucket, KEY)
        rows = connection.execute(
            "SELECT coalesce(version, 'null'), etag, marker FROM noncurrent WHERE key = ? ORDER BY seq DESC", (KEY,)
        ).fetchall()
        found = [(current.version_id, current.etag)] if current else []
        found += [(version_id, etag) for version_id, etag, _ in rows]
        for version_id, etag in found:
            one = history.find(connection, bucket, KEY, version_id)
            assert one is not None
            assert (one.version_id, one.etag, one.marker) == (version_id, etag, etag == "")
        latest = history.latest(connection, bucket, KEY)
        assert (latest.version_id if latest else None) == (found[0][0] if found else None)
        assert (current is None) == (not found or found[0][1] == "")
        return found

    result: list[tuple[str, str]] = await change(store, function)
    return result


async def test_without_versions(store: Store) -> None:
    assert await put(store, "a") == "null"
    assert await put(store, "b") == "null"
    assert await seen(store) == [("null", "b")]
    assert await delete(store) is None
    assert await delete(store) is None
    assert await seen(store) == []


async def test_removing_the_null_version_of_a_bucket_without_versions(store: Store) -> None:
    await put(store, "a")
    await remove(store, "null")
    assert await seen(store) == []


async def test_enabled(store: Store) -> None:
    await put(store, "null")
    await versioning(store, "Enabled")
    first, marker, second = await put(store, "a"), await delete(store), await put(store, "b")
    assert marker is not None
    assert await seen(store) == [(second, "b"), (marker, ""), (first, "a"), ("null", "null")]
    await remove(store, second)
    assert await seen(store) == [(marker, ""), (first, "a"), ("null", "null")]
    await remove(store, first)
    await remove(store, marker)
    assert await seen(store) == [("null", "null")]


async def test_suspended_has_one_null_version(store: Store) -> None:
    await versioning(store, "Enabled")
    first = await put(store, "a")
    await versioning(store, "Suspended")
    assert await put(store, "b") == "null"
    assert await put(store, "c") == "null"
    assert await seen(store) == [("null", "c"), (first, "a")]
    assert await delete(store) == "null"
    assert await delete(store) == "null"
    assert await seen(store) == [("null", ""), (first, "a")]
    await versioning(store, "Enabled")
    second = await put(store, "d")
    await versioning(store, "Suspended")
    assert await put(store, "e") == "null"
    assert await seen(store) == [("null", "e"), (second, "d"), (first, "a")]


async def test_a_clock_that_goes_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await versioning(store, "Enabled")
    first = await put(store, "a")
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    second, marker, third = await put(store, "b"), await delete(store), await put(store, "c")
    assert await seen(store) == [(third, "c"), (marker, ""), (second, "b"), (first, "a")]


async def test_an_id_of_another_version_of_the_same_order(store: Store) -> None:
    await versioning(store, "Enabled")
    await put(store, "a")

    def function(connection: Connection, bucket: Bucket) -> Version | None:
        current = history.current(connection, bucket, KEY)
        assert current is not None
        return history.find(connection, bucket, KEY, new_version_id(current.seq))

    assert await change(store, function) is None


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_of_operations(backend: Standalone, store: Store, directory: Path, seed: int) -> None:
    chance = random.Random(seed)
    model: list[tuple[str, str]] = []
    status = chance.choice([None, "Enabled"])
    await versioning(store, status)
    for number in range(120):
        match chance.choice(["put", "put", "delete", "remove", "remove", "status"]):
            case "put" | "delete" as kind:
                etag = "" if kind == "delete" else f"e{number}"
                version_id = await delete(store) if kind == "delete" else await put(store, etag)
                if status != "Enabled":
                    model = [entry for entry in model if entry[0] != "null"]
                if version_id is not None:
                    model.insert(0, (version_id, etag))
            case "remove" if model:
                gone = chance.choice(model)
                await remove(store, gone[0])
                model.remove(gone)
            case "status" if status is not None:
                status = "Suspended" if status == "Enabled" else "Enabled"
                await versioning(store, status)
        assert await seen(store) == model
    await change(store, lambda c, b: c.execute("UPDATE object SET etag = 'd41d8cd98f00b204e9800998ecf8427e'").rowcount)
    query = "UPDATE noncurrent SET etag = 'd41d8cd98f00b204e9800998ecf8427e' WHERE NOT marker"
    await change(store, lambda c, b: c.execute(query).rowcount)
    await backend.close()
    problems: list[str] = []
    check(directory, problems.append)
    assert problems == []
    await backend.open()
