"""The queue as a Backend beneath the conformance suite: what goes where, and what it says of itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, call
from unit.write_queue.test_engine import LARGE, Faulty

from s3d.local.directory import DirectoryInUse
from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue import backend as module
from s3d.write_queue import uploads
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig
from s3d.write_queue.operation import Operation
from s3d.write_queue.queue import Queue

AT = {"Bucket": "bucket", "Key": "k"}


@pytest.fixture
async def remote() -> Faulty:
    remote = Faulty()
    await remote.inner(codec.build_request("CreateBucket", {"Bucket": "bucket"}))
    return remote


@pytest.fixture
async def queue(tmp_path: Path, remote: Faulty) -> AsyncIterator[WriteQueue]:
    """Paused: what is accepted stays. It knows the bucket."""
    queue = WriteQueue(WriteQueueConfig(tmp_path / "queue", free_space=0, max_wait=0.2, max_age=0.01), remote)
    await queue.open()
    await call(queue, "PutObject", {"Bucket": "bucket", "Key": "known"}, b"known")
    await queue.flush(10)
    queue.pause()
    yield queue
    await queue.close()


def away(request: S3Request) -> None:
    raise RemoteUnreachable("The remote S3 is away: test")


async def test_a_second_process_is_refused(queue: WriteQueue, tmp_path: Path, remote: Faulty) -> None:
    other = WriteQueue(WriteQueueConfig(tmp_path / "queue"), remote)
    with pytest.raises(DirectoryInUse):
        await other.open()
    await other.close()


@pytest.mark.parametrize(
    ("operation", "members", "headers"),
    [
        ("PutObject", {}, {"If-None-Match": "*"}),
        ("PutObject", {}, {"x-amz-object-lock-legal-hold": "ON"}),
        ("PutObject", {}, {"x-amz-server-side-encryption-customer-algorithm": "AES256"}),
        ("DeleteObject", {"VersionId": "null"}, {}),
        ("GetObject", {"VersionId": "null"}, {}),
        ("GetObjectAcl", {}, {}),
    ],
)
async def test_what_only_the_remote_can_judge_waits_for_the_key(
    queue: WriteQueue, remote: Faulty, operation: str, members: dict[str, Any], headers: dict[str, str]
) -> None:
    await call(queue, "PutObject", AT, b"pending")
    request = codec.build_request(operation, AT | members)
    request.headers.extend(headers)
    with pytest.raises(RemoteUnreachable, match="paused"):
        await queue(request)
    seen = len(remote.seen)
    queue.resume()
    await queue(request)
    pushed, sent = [r for r in remote.seen[seen:] if r.operation in (operation, "PutObject")][:2]
    assert pushed.body == b"pending"
    assert sent.operation == operation


async def test_headers_that_the_store_does_not_have_go_to_the_remote(queue: WriteQueue, remote: Faulty) -> None:
    request = codec.build_request("PutObject", AT)
    request.body = b"x"
    request.headers["x-amz-server-side-encryption"] = "AES256"
    request.headers["x-amz-expected-bucket-owner"] = "123456789012"
    assert (await queue(request)).status == 200
    (operation,) = queue.of_key("bucket", "k")
    assert dict(operation.header_list()).keys() >= {"x-amz-server-side-encryption", "x-amz-expected-bucket-owner"}


async def test_a_damaged_body_is_not_served(
    queue: WriteQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await call(queue, "PutObject", AT, LARGE)
    (file,) = (tmp_path / "queue" / "bodies").glob("*/*")
    file.write_bytes(LARGE[:-1] + b"?")
    with pytest.raises(S3Error, match="InternalError"):
        await queue(codec.build_request("GetObject", AT))
    assert [operation.state for operation in queue.of_key("bucket", "k")] == ["failed"]
    assert "damaged" in caplog.text
    caplog.clear()


async def test_the_state_of_what_failed(queue: WriteQueue, remote: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(request: S3Request) -> None:
        if request.operation == "PutObject":
            raise S3Error("AccessDenied")

    await call(queue, "PutObject", AT, b"x")
    remote.before = refuse
    queue.resume()
    assert await queue.flush(10) == 0
    assert (await queue(codec.build_request("HeadObject", AT))).headers["x-s3d-state"] == "failed"
    assert queue.document()["states"] == {"failed": {"count": 1, "bytes": 1}}
    remote.before = lambda request: None
    assert await queue.retry(queue.page("failed", 0, 9)) == 1
    assert await queue.flush(10) == 0
    assert queue.page(None, 0, 9) == []
    caplog.clear()


async def test_a_part_that_makes_the_upload_larger_than_the_queue(tmp_path: Path, remote: Faulty) -> None:
    queue = WriteQueue(WriteQueueConfig(tmp_path / "queue", max_size=100, free_space=0), remote)
    await queue.open()
    try:
        begun = await call(queue, "CreateMultipartUpload", AT)
        part = {**AT, "UploadId": begun["UploadId"]}
        await call(queue, "UploadPart", {**part, "PartNumber": 1}, b"x" * 90)
        with pytest.raises((Refused, S3Error), match="EntityTooLarge"):
            await call(queue, "UploadPart", {**part, "PartNumber": 2}, b"x" * 11)
        await call(queue, "AbortMultipartUpload", part)
        assert queue.document()["bytes"] == 0
    finally:
        await queue.close()


async def test_a_part_copied_from_the_remote(queue: WriteQueue, remote: Faulty) -> None:
    begun = await call(queue, "CreateMultipartUpload", AT)
    part = {**AT, "UploadId": begun["UploadId"], "PartNumber": 1}
    copied = await call(queue, "UploadPartCopy", {**part, "CopySource": "bucket/known", "CopySourceRange": "bytes=1-3"})
    document = {"Parts": [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]}
    await call(queue, "CompleteMultipartUpload", {**AT, "UploadId": begun["UploadId"], "MultipartUpload": document})
    response = await queue(codec.build_request("GetObject", AT))
    assert response.body == b"now"
    queue.resume()
    assert await queue.flush(10) == 0
    assert await remote.stored("k") == b"now"


async def test_a_part_copied_from_what_is_pushed_between_two_looks(
    queue: WriteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call(queue, "PutObject", {"Bucket": "bucket", "Key": "source"}, b"pending")
    look = uploads.local_source

    async def late(*asked: Any) -> Operation | None:
        found = await look(*asked)
        queue.resume()
        assert await queue.flush(10) == 0
        return found

    monkeypatch.setattr("s3d.write_queue.uploads.local_source", late)
    begun = await call(queue, "CreateMultipartUpload", AT)
    part = {**AT, "UploadId": begun["UploadId"], "PartNumber": 1, "CopySource": "bucket/source"}
    copied = await call(queue, "UploadPartCopy", part)
    etag = hashlib.md5(b"pending", usedforsecurity=False).hexdigest()
    assert copied["CopyPartResult"]["ETag"].strip('"') == etag


@pytest.mark.parametrize("is_written_anew", [False, True])
@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("GetObject", AT),
        ("HeadObject", AT),
        ("GetObjectTagging", AT),
        ("PutObjectTagging", {**AT, "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        ("CopyObject", {"Bucket": "bucket", "Key": "copy", "CopySource": "bucket/k"}),
        ("UploadPartCopy", {"Bucket": "bucket", "Key": "parts", "PartNumber": 1, "CopySource": "bucket/k"}),
    ],
)
async def test_what_was_there_all_the_time(
    queue: WriteQueue, monkeypatch: pytest.MonkeyPatch, operation: str, members: Any, *, is_written_anew: bool
) -> None:
    """It is pushed between two looks, and is accepted anew before the third."""
    await call(queue, "PutObject", AT, b"first")
    if operation == "UploadPartCopy":
        begun = await call(queue, "CreateMultipartUpload", {"Bucket": "bucket", "Key": "parts"})
        members = members | {"UploadId": begun["UploadId"]}
    answer = Queue.answer

    async def late(self: Queue, *asked: Any) -> S3Response:
        monkeypatch.setattr(Queue, "answer", answer)
        queue.resume()
        assert await queue.flush(10) == 0
        queue.pause()
        try:
            return await answer(self, *asked)
        except S3Error:
            if is_written_anew:
                await call(queue, "PutObject", AT, b"second")
            raise

    monkeypatch.setattr(Queue, "answer", late)
    found = await call(queue, operation, members)
    assert Queue.answer is answer
    if operation == "GetObject":
        assert found["Body"] == (b"second" if is_written_anew else b"first")
    if operation == "PutObjectTagging":
        assert (await call(queue, "GetObjectTagging", AT))["TagSet"] == members["Tagging"]["TagSet"]


async def test_lists_of_buckets_while_the_remote_is_away(queue: WriteQueue, remote: Faulty) -> None:
    remote.before = away
    with pytest.raises(RemoteUnreachable):
        await queue(codec.build_request("ListBuckets", {}))
    remote.before = lambda request: None
    await queue(codec.build_request("ListBuckets", {}))
    await call(queue, "DeleteObject", AT)  # the next commit keeps the list
    remote.before = away
    stale = await queue(codec.build_request("ListBuckets", {}))
    assert (stale.status, stale.headers["x-s3d-stale"]) == (200, "true")
    assert isinstance(stale.body, bytes)
    assert b"<Name>bucket</Name>" in stale.body
    with pytest.raises(RemoteUnreachable):
        await queue(codec.build_request("HeadBucket", {"Bucket": "other"}))


async def test_a_bucket_with_something_pending_is_not_empty(queue: WriteQueue, remote: Faulty) -> None:
    await remote.inner(codec.build_request("DeleteObject", {"Bucket": "bucket", "Key": "known"}))
    await call(queue, "PutObject", AT, b"x")
    with pytest.raises(S3Error, match="BucketNotEmpty"):
        await queue(codec.build_request("DeleteBucket", {"Bucket": "bucket"}))
    await call(queue, "DeleteObject", AT)
    queue.resume()
    assert (await queue(codec.build_request("DeleteBucket", {"Bucket": "bucket"}))).status == 204
    with pytest.raises((Refused, S3Error), match="NoSuchBucket"):
        await call(queue, "PutObject", AT, b"x")


@pytest.mark.parametrize("accept", [False, True])
async def test_a_bucket_that_was_never_asked_for(tmp_path: Path, remote: Faulty, *, accept: bool) -> None:
    how = "accept" if accept else "refuse"
    queue = WriteQueue(
        WriteQueueConfig(tmp_path / "q", free_space=0, unknown_buckets=how, offline_list="local"), remote
    )
    await queue.open()
    try:
        remote.before = away
        if not accept:
            with pytest.raises(RemoteUnreachable):
                await queue(codec.build_request("PutObject", AT))
            return
        await call(queue, "PutObject", AT, b"x")
        response = await queue(codec.build_request("ListObjectsV2", {"Bucket": "bucket"}))
        assert response.headers["x-s3d-partial"] == "true"
        assert isinstance(response.body, bytes)
        assert b"<Key>k</Key>" in response.body
        remote.before = lambda request: None
        assert await queue.flush(10) == 0
        assert await remote.stored("k") == b"x"
    finally:
        await queue.close()


async def test_operations_that_are_too_old_are_warned_of(
    tmp_path: Path, remote: Faulty, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.01)
    queue = WriteQueue(WriteQueueConfig(tmp_path / "q", free_space=0, max_age=0.05), remote)
    await queue.open()
    queue.pause()
    await call(queue, "PutObject", AT, b"x")
    async with asyncio.timeout(10):
        while "older than S3D_WRITE_QUEUE_MAX_AGE" not in caplog.text:
            await asyncio.sleep(0.01)
    await queue.close()
    caplog.clear()


async def test_an_export(queue: WriteQueue, tmp_path: Path) -> None:
    await call(queue, "PutObject", {**AT, "Key": "../../x", "Metadata": {"m": "1"}, "Tagging": "t=v"}, LARGE)
    await call(queue, "DeleteObject", AT)
    assert await queue.export(queue.page(None, 0, 9), tmp_path / "out") == 2
    bodies = list((tmp_path / "out").glob("*.body"))
    assert [path.read_bytes() for path in bodies] == [LARGE]
    text = bodies[0].with_suffix(".json").read_text()
    assert '"key": "../../x"' in text
    assert '"t": "v"' in text
    assert len(list((tmp_path / "out").iterdir())) == 3


async def test_deletes_with_conditions_wait_for_all_their_keys(queue: WriteQueue, remote: Faulty) -> None:
    keys = [f"k{number}" for number in range(20)]
    for key in keys:
        await call(queue, "PutObject", {"Bucket": "bucket", "Key": key}, key.encode())
    found = await call(queue, "HeadObject", {"Bucket": "bucket", "Key": "k0"})
    entries: list[dict[str, Any]] = [{"Key": key} for key in keys]
    entries[0]["ETag"] = found["ETag"]
    members = {"Bucket": "bucket", "Delete": {"Objects": entries}}
    with pytest.raises(RemoteUnreachable, match="paused"):
        await call(queue, "DeleteObjects", members)
    queue.resume()
    deleted = await call(queue, "DeleteObjects", members)
    assert sorted(entry["Key"] for entry in deleted["Deleted"]) == sorted(keys)
    assert [r.operation for r in remote.seen if r.operation in ("PutObject", "DeleteObjects")][-1] == "DeleteObjects"
    assert list(queue.of_key("bucket", "k19")) == []


async def test_who_waits_hears_of_a_drop(queue: WriteQueue) -> None:
    await call(queue, "PutObject", AT, b"pending")
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        flushing = tasks.create_task(queue.flush(None))
        await asyncio.sleep(0.05)
        assert not flushing.done()
        assert await queue.drop(queue.page(None, 0, 9)) == 1
    assert flushing.result() == 0


async def test_a_request_that_goes_straight_hears_of_a_drop(tmp_path: Path, remote: Faulty) -> None:
    def refuse(request: S3Request) -> None:
        if request.body == b"refused":
            raise S3Error("OperationAborted")

    remote.before = refuse
    queue = WriteQueue(WriteQueueConfig(tmp_path / "other", free_space=0, max_wait=60), remote)
    await queue.open()
    try:
        await call(queue, "PutObject", AT, b"refused")
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            while not queue.page(None, 0, 9)[0].next_attempt:
                await asyncio.sleep(0.01)
            straight = tasks.create_task(call(queue, "PutObject", AT | {"IfNoneMatch": "*"}, b"straight"))
            await asyncio.sleep(0.05)
            assert not straight.done()
            await queue.drop(queue.page(None, 0, 9))
        assert await remote.stored("k") == b"straight"
    finally:
        await queue.close()
