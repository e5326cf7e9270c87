"""Which buckets there are: a remote that raises its errors means the same as one that answers them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from conformance.calling import call
from unit.write_queue.opened import opened
from unit.write_queue.pushing import until
from unit.write_queue.test_engine import Faulty

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig
from s3d.write_queue.known_buckets import KnownBuckets


@pytest.mark.parametrize("raises", [True, False])
async def test_a_bucket_that_does_not_say_whether_it_has_versions(tmp_path: Path, raises: bool) -> None:
    async def remote(request: S3Request) -> S3Response:
        if request.operation == "HeadBucket":
            return S3Response(200)
        if raises:
            raise S3Error("AccessDenied")
        return S3Response(403)

    async with opened(tmp_path) as queue:
        await KnownBuckets(queue.store, remote, take_for_granted=False).require("other")
        assert queue.journal.versioning("other") is None
        assert queue.journal.versioning("bucket") is None


async def test_a_bucket_that_was_deleted_is_forgotten(tmp_path: Path) -> None:
    store = Standalone(StandaloneConfig(tmp_path / "remote", ("other",)))
    await store.open()
    async with opened(tmp_path / "queue") as queue:
        buckets = KnownBuckets(queue.store, store, take_for_granted=False)
        await buckets.require("other")
        await call(store, "DeleteBucket", {"Bucket": "other"})
        await buckets.refresh("other")
        assert "other" not in buckets
        with pytest.raises(S3Error, match="bucket does not exist"):
            await buckets.require("other")
    await store.close()


async def test_a_clock_that_was_ahead_does_not_keep_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, ahead = time.time, [365 * 86400.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    remote = Faulty()
    await remote.inner(codec.build_request("CreateBucket", {"Bucket": "bucket"}))
    queue = WriteQueue(WriteQueueConfig(tmp_path / "queue", free_space=0), remote)
    await queue.open()
    try:
        await call(queue, "PutObject", {"Bucket": "bucket", "Key": "k"}, b"1")
        await queue.flush(5)
        ahead[0] = 0.0
        remote.seen.clear()
        await call(queue, "PutObject", {"Bucket": "bucket", "Key": "k"}, b"2")
        await until(lambda: any(request.operation == "GetBucketVersioning" for request in remote.seen))
    finally:
        await queue.close()
