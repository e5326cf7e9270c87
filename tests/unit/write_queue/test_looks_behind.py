"""Looks at the remote that must not mistake one change for another of the same key."""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path

import pytest
from unit.write_queue.opened import BUCKET
from unit.write_queue.pushing import LOST, until, versions
from unit.write_queue.test_engine import once, running

from s3d.s3 import codec
from s3d.s3.message import S3Request


async def test_a_put_that_was_tagged_meanwhile_is_not_sent_again(tmp_path: Path) -> None:
    """The answer to a put is lost, and tags are accepted before anybody looks: what is there is that put."""
    async with running(tmp_path, versioning="Enabled") as it:
        it.remote.after = once(LOST, "PutObject")
        operation = await it.queue.put("k", b"bytes", x_amz_tagging="a=1")
        it.engine.wake()
        await until(lambda: it.remote.names("PutObject"))
        tagging = {"TagSet": [{"Key": "t", "Value": "1"}]}
        await it.queue.do("PutObjectTagging", {"Key": "k", "Tagging": tagging})
        assert [o.kind for o in it.queue.journal.of_key(BUCKET, operation.key)] == ["put", "tag"]
        it.engine.wake()
        await it.drained()
        assert it.remote.names("PutObject") == ["k"]
        assert await versions(it) == 1


@pytest.mark.parametrize("there", [True, False])
async def test_a_delete_that_was_not_done_is_sent(tmp_path: Path, there: bool) -> None:
    """Where there are versions each delete makes a marker: none stands for another, and neither does nothing at all."""
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        if there:
            await it.queue.put("k")
            await it.queue.do("DeleteObject", {"Key": "k"})
        await it.queue.do("DeleteObject", {"Key": "k"})
        deletes: list[str] = []

        def fault(request: S3Request) -> None:
            if request.operation == "DeleteObject":
                deletes.append(request.key or "")
                if len(deletes) == 1 + there:
                    raise LOST

        it.remote.before = fault
        it.engine.start()
        await it.drained()
        assert await versions(it, "DeleteMarkers") == 1 + there


@pytest.mark.parametrize("declared", [True, False])
async def test_equal_bytes_with_another_checksum_are_another_object(tmp_path: Path, declared: bool) -> None:
    """What the client declares is part of the object; the algorithm that a server chooses by itself is not."""
    body = b"bytes"
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    async with running(tmp_path, start=False) as it:
        put = codec.build_request("PutObject", {"Bucket": BUCKET, "Key": "k"})
        put.body = body
        put.headers["x-amz-checksum-crc32"] = base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()
        await it.remote.inner(put)
        it.remote.before = once(LOST, "PutObject")
        await it.queue.put("k", body, **({"x_amz_checksum_sha256": sha256} if declared else {}))
        it.engine.start()
        await it.drained()
        head = codec.build_request("HeadObject", {"Bucket": BUCKET, "Key": "k", "ChecksumMode": "ENABLED"})
        found = (await it.remote.inner(head)).headers
        assert found.get("x-amz-checksum-sha256") == (sha256 if declared else None)
        assert len(it.remote.names("PutObject")) == 1 + declared
