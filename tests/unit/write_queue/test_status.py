"""What the queue says of a key, of a bucket and of itself; and an audit that is cut off."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.calling import call
from unit.write_queue.test_backend import away
from unit.write_queue.test_engine import Faulty

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.write_queue import status as module
from s3d.write_queue.audit import Wanted
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

BUCKET = "bucket"


@pytest.fixture
async def remote() -> Faulty:
    remote = Faulty()
    await remote.inner(codec.build_request("CreateBucket", {"Bucket": BUCKET}))
    return remote


@pytest.fixture
async def queue(tmp_path: Path, remote: Faulty) -> AsyncIterator[WriteQueue]:
    """Paused; it knows the bucket, in which it has pushed ``known``."""
    queue = WriteQueue(WriteQueueConfig(tmp_path / "queue", free_space=0), remote)
    await queue.open()
    await put(queue, "known", b"known")
    await queue.flush(10)
    queue.pause()
    yield queue
    await queue.close()


async def put(queue: WriteQueue, key: str, body: bytes = b"body") -> None:
    await call(queue, "PutObject", {"Bucket": BUCKET, "Key": key}, body)


async def delete(queue: WriteQueue, key: str) -> None:
    await call(queue, "DeleteObject", {"Bucket": BUCKET, "Key": key})


def refuse(request: S3Request) -> None:
    if request.operation in ("PutObject", "DeleteObject"):
        raise S3Error("AccessDenied")


async def change(queue: WriteQueue, statement: str, *parameters: object) -> None:
    """Of the rows, as nothing else does it."""
    database = queue._queue.store.database
    await database.change(lambda connection: connection.execute(statement, parameters) and None)


async def push(queue: WriteQueue) -> None:
    queue.resume()
    await queue.flush(10)
    queue.pause()


async def test_a_key_that_waits(queue: WriteQueue) -> None:
    await put(queue, "k", b"12345")
    document = queue.key_document(BUCKET, "k")
    assert (document["bucket"], document["key"], document["state"]) == (BUCKET, "k", "pending")
    assert (document["deleted"], document["count"], document["last_pushed"]) == (False, 1, None)
    (operation,) = document["operations"]
    assert (operation["operation"], operation["state"], operation["size"]) == ("put", "pending", 5)
    assert abs(operation["accepted"] - time.time()) < 60
    assert (operation["attempts"], operation["next_attempt"], operation["error"]) == (0, None, None)


async def test_a_key_that_was_pushed(queue: WriteQueue) -> None:
    document = queue.key_document(BUCKET, "known")
    assert (document["state"], document["deleted"], document["operations"]) == ("remote", False, [])
    last = document["last_pushed"]
    assert (last["operation"], last["size"], last["version_id"]) == ("put", 5, None)
    assert last["etag"] == hashlib.md5(b"known").hexdigest()
    assert abs(last["at"] - time.time()) < 60


async def test_a_key_of_which_nothing_is_known(queue: WriteQueue) -> None:
    document = queue.key_document(BUCKET, "other")
    assert (document["state"], document["deleted"], document["count"]) == ("unknown", False, 0)
    assert document["last_pushed"] is None


async def test_a_delete_that_waits(queue: WriteQueue) -> None:
    await delete(queue, "known")
    document = queue.key_document(BUCKET, "known")
    assert (document["state"], document["deleted"]) == ("pending", True)
    assert document["last_pushed"]["operation"] == "put"
    await push(queue)
    document = queue.key_document(BUCKET, "known")
    assert (document["state"], document["deleted"]) == ("remote", True)


async def test_a_key_that_failed(queue: WriteQueue, remote: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    remote.before = refuse
    await put(queue, "k")
    await push(queue)
    document = queue.key_document(BUCKET, "k")
    assert document["state"] == "failed"
    assert document["operations"][0]["error"]["code"] == "AccessDenied"
    assert document["operations"][0]["attempts"] == 1
    await put(queue, "k", b"later")
    document = queue.key_document(BUCKET, "k")
    assert document["state"] == "pending"
    shown = [(operation["state"], operation["superseded"]) for operation in document["operations"]]
    assert shown == [("failed", True), ("pending", False)]
    caplog.clear()


async def test_tags_that_wait_for_an_object_of_the_remote(queue: WriteQueue) -> None:
    columns = "bucket, key, kind, state, accepted, size, headers"
    row = ("bucket", b"known", "tag", "pending", 1, 0, "[]")
    await change(queue, f"INSERT INTO operation ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
    document = queue.key_document(BUCKET, "known")
    assert (document["state"], document["deleted"], document["last_pushed"]["operation"]) == ("pending", False, "put")


async def test_a_key_with_many_operations(
    queue: WriteQueue, remote: Faulty, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_SHOWN", 2)
    remote.before = refuse
    for _ in range(3):
        await put(queue, "k")
        await push(queue)
    document = queue.key_document(BUCKET, "k")
    assert (len(document["operations"]), document["count"]) == (2, 3)
    caplog.clear()


async def test_keys_are_bytes(queue: WriteQueue) -> None:
    for key in ("a/../b", "a//", "\udcff", "ü"):
        await put(queue, key)
        assert queue.key_document(BUCKET, key)["state"] == "pending"
    assert queue.key_document(BUCKET, "\udcff")["key"] == "\\xff"
    assert queue.key_document(BUCKET, "b")["state"] == "unknown"


@pytest.mark.parametrize(("bucket", "shown"), [("\udcff", "\\xff"), ("ü", "ü")])
async def test_no_bucket_has_such_a_name(queue: WriteQueue, bucket: str, shown: str) -> None:
    assert queue.key_document(bucket, "known") == {
        "bucket": shown,
        "key": "known",
        "state": "unknown",
        "deleted": False,
        "operations": [],
        "count": 0,
        "last_pushed": None,
    }
    assert (queue.bucket_document(bucket)["bucket"], queue.bucket_document(bucket)["known"]) == (shown, False)


async def test_a_bucket(queue: WriteQueue, remote: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    remote.before = refuse
    await put(queue, "failed", b"123")
    await push(queue)
    await put(queue, "k1", b"12")
    await put(queue, "k2", b"1")
    await change(queue, "UPDATE operation SET accepted = 1 WHERE state = 'failed'")
    document = queue.bucket_document(BUCKET)
    assert document["states"] == {"failed": {"count": 1, "bytes": 3}, "pending": {"count": 2, "bytes": 3}}
    assert (document["bucket"], document["known"], document["waiting"]) == (BUCKET, True, 2)
    assert document["versioning"] == "never"
    assert abs(document["asked"] - time.time()) < 60
    oldest = queue.key_document(BUCKET, "k1")["operations"][0]["accepted"]
    assert abs(document["oldest_age"] - (time.time() - oldest)) < 5
    caplog.clear()


async def test_another_bucket(queue: WriteQueue) -> None:
    await put(queue, "k")
    document = queue.bucket_document("other")
    assert (document["known"], document["versioning"], document["asked"]) == (False, None, None)
    assert (document["states"], document["waiting"], document["oldest_age"]) == ({}, 0, None)


async def test_the_oldest(queue: WriteQueue, remote: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    assert queue.document()["oldest"] is None
    remote.before = away
    await put(queue, "k1")
    await put(queue, "k2")
    queue.resume()
    async with asyncio.timeout(10):
        while (oldest := queue.document()["oldest"])["error"] is None:
            await asyncio.sleep(0.01)
    assert (oldest["key"], oldest["error"]["code"]) == ("k1", "ServiceUnavailable")
    assert oldest["attempts"] >= 1
    caplog.clear()


async def test_an_audit_ends_with_the_queue(tmp_path: Path, remote: Faulty) -> None:
    queue = WriteQueue(WriteQueueConfig(tmp_path / "q", free_space=0), remote)
    await queue.open()
    await put(queue, "k")
    await queue.flush(10)
    assert [checked.status for checked in (await queue.audit(Wanted())).checked] == ["same"]
    remote.turn = asyncio.Event()
    page = asyncio.get_running_loop().create_task(queue.audit(Wanted()))
    while not remote.under_way:
        await asyncio.sleep(0)
    await queue.close()
    with pytest.raises(asyncio.CancelledError):
        await page
    assert not remote.under_way
