"""Short forms of what the state machine of the queue has found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.calling import call, refused
from model.checksums import checksum
from unit.write_queue.test_engine import Faulty

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable
from s3d.s3.message import S3Request
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

AT = {"Bucket": "bucket", "Key": "k"}
BODY = b"0123456789"


@pytest.fixture
async def remote() -> Faulty:
    remote = Faulty()
    await remote.inner(codec.build_request("CreateBucket", {"Bucket": "bucket"}))
    await call(remote, "PutObject", {"Bucket": "bucket", "Key": "there"}, BODY)
    return remote


@pytest.fixture
async def queue(tmp_path: Path, remote: Faulty) -> AsyncIterator[WriteQueue]:
    """Paused: what is accepted stays."""
    queue = WriteQueue(WriteQueueConfig(tmp_path / "queue", free_space=0, max_wait=0.2), remote)
    await queue.open()
    queue.pause()
    yield queue
    await queue.close()


async def test_a_part_copied_from_the_remote_has_the_checksum_of_its_upload(queue: WriteQueue) -> None:
    asked = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "COMPOSITE"}
    upload = {**AT, "UploadId": (await call(queue, "CreateMultipartUpload", {**AT, **asked}))["UploadId"]}
    members = {"PartNumber": 1, "CopySource": "bucket/there", "CopySourceRange": "bytes=2-5"}
    copied = (await call(queue, "UploadPartCopy", {**upload, **members}))["CopyPartResult"]
    assert copied["ChecksumCRC32"] == checksum("CRC32", BODY[2:6])
    part = {"PartNumber": 1, "ETag": copied["ETag"], "ChecksumCRC32": copied["ChecksumCRC32"]}
    await call(queue, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": [part]}})
    assert (await call(queue, "GetObject", AT))["Body"] == BODY[2:6]


@pytest.mark.parametrize("wanted", ["bytes=5-20", "bytes=10-20", "bytes=2-", "x"])
async def test_a_part_copied_from_the_remote_lies_within_its_source(queue: WriteQueue, wanted: str) -> None:
    upload = {**AT, "UploadId": (await call(queue, "CreateMultipartUpload", AT))["UploadId"]}
    members = {"PartNumber": 1, "CopySource": "bucket/there", "CopySourceRange": wanted}
    with refused(400, "InvalidArgument", elements={"ArgumentName": "x-amz-copy-source-range"}):
        await call(queue, "UploadPartCopy", {**upload, **members})
    assert not (await call(queue, "ListParts", upload)).get("Parts")


async def test_a_part_copied_from_a_delete_marker_is_refused_as_by_s3(queue: WriteQueue, remote: Faulty) -> None:
    status = {"VersioningConfiguration": {"Status": "Enabled"}}
    await call(remote, "PutBucketVersioning", {"Bucket": "bucket", **status})
    marker = (await call(remote, "DeleteObject", {"Bucket": "bucket", "Key": "there"}))["VersionId"]
    upload = {**AT, "UploadId": (await call(queue, "CreateMultipartUpload", AT))["UploadId"]}
    with refused(400, "InvalidRequest"):
        source = f"bucket/there?versionId={marker}"
        await call(queue, "UploadPartCopy", {**upload, "PartNumber": 1, "CopySource": source})


@pytest.mark.parametrize("asked", [None, "SHA1"])
async def test_a_copy_arrives_with_its_checksum(queue: WriteQueue, remote: Faulty, asked: str | None) -> None:
    await call(queue, "PutObject", {**AT, "ChecksumSHA256": checksum("SHA256", BODY)}, BODY)
    members = {"CopySource": "bucket/k", "ChecksumAlgorithm": asked} if asked else {"CopySource": "bucket/k"}
    await call(queue, "CopyObject", {"Bucket": "bucket", "Key": "copy", **members})
    queue.resume()
    assert await queue.flush(10) == 0
    found = await call(remote, "HeadObject", {"Bucket": "bucket", "Key": "copy", "ChecksumMode": "ENABLED"})
    algorithm = asked or "SHA256"
    assert found[f"Checksum{algorithm}"] == checksum(algorithm, BODY)


async def test_a_bucket_that_was_not_deleted_is_still_known(queue: WriteQueue, remote: Faulty) -> None:
    await call(queue, "PutObject", AT, BODY)
    queue.resume()
    await queue.flush(10)
    with refused(409, "BucketNotEmpty"):
        await call(queue, "DeleteBucket", {"Bucket": "bucket"})

    def away(request: S3Request) -> None:
        raise RemoteUnreachable("The remote S3 is away: test")

    remote.before = away
    await call(queue, "PutObject", AT, BODY)
