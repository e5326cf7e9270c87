"""Tags of objects and buckets while they change: docs/filters.md."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from conformance.calling import Refused, call
from unit.read_cache.caching import BUCKET, Caching, caching
from unit.read_cache.test_admission import is_kept, state, tag, tag_bucket, tagging
from unit.write_queue.pushing import until

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response


class Held:
    """A remote whose first answer to an operation is held up."""

    def __init__(self, it: Caching, operation: str) -> None:
        self._inner, it.cache._known._inner = it.cache._known._inner, self
        self._operation = operation
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: S3Request) -> S3Response:
        response = await self._inner(request)
        if request.operation == self._operation and not self.asked.is_set():
            self.asked.set()
            await self.go_on.wait()
        return response


async def test_an_older_answer_does_not_undo_newer_tags_of_an_object(tmp_path: Path) -> None:
    async with caching(tmp_path, tags=True, only="bucket/*[tag:t!=x]") as it:
        await it.put("k", b"body")
        await tag(it, "k", t="1")
        held = Held(it, "GetObjectTagging")
        task = asyncio.get_running_loop().create_task(it.cache._known.object((BUCKET, b"k")))
        await held.asked.wait()
        members = {"Bucket": BUCKET, "Key": "k", "Tagging": tagging(s3d__cache="false")}
        await call(it.cache, "PutObjectTagging", members)
        held.go_on.set()
        assert await task == {"s3d.cache": "false"}
        assert await state(it, "k") == ("BYPASS", "tag")


async def test_an_older_answer_does_not_undo_newer_tags_of_a_bucket(tmp_path: Path) -> None:
    async with caching(tmp_path, tags=True, only="bucket[tag:b!=x]/*") as it:
        await it.put("k", b"body")
        await tag_bucket(it, b="1")
        held = Held(it, "GetBucketTagging")
        task = asyncio.get_running_loop().create_task(it.cache._known.bucket(BUCKET))
        await held.asked.wait()
        await call(it.cache, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": tagging(s3d__cache="false")})
        held.go_on.set()
        assert await task == {"s3d.cache": "false"}
        assert await state(it, "k") == ("BYPASS", "tag")


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("of_bucket", [True, False])
async def test_a_change_of_which_nobody_knows_whether_it_was_done(
    tmp_path: Path, answers: bool, of_bucket: bool
) -> None:
    text = "bucket[tag:t!=x]/*" if of_bucket else "bucket/*[tag:t!=x]"
    async with caching(tmp_path, tags=True, only=text) as it:
        await it.put("k", b"body")
        assert await is_kept(it, "k")
        inner = it.cache._changes._filling.inner

        async def unclear(request: S3Request) -> S3Response:
            response = await inner(request)
            if not request.operation.endswith("Tagging") or request.method != "PUT":
                return response
            if answers:
                return S3Response(503)
            raise RemoteUnreachable("the answer is lost")

        it.cache._changes._filling.inner = unclear
        change = codec.build_request(
            "PutBucketTagging" if of_bucket else "PutObjectTagging",
            {"Bucket": BUCKET, **({} if of_bucket else {"Key": "k"}), "Tagging": tagging(t="x")},
        )
        with contextlib.suppress(S3Error):
            await it.cache(change)
        assert await state(it, "k") == ("BYPASS", "filter")


async def test_buckets_that_are_not_there_are_not_asked_for_again(tmp_path: Path) -> None:
    async with caching(tmp_path, tags=True) as it:
        for number in range(3):
            with pytest.raises(Refused, match="NoSuchBucket"):
                await call(it.cache, "GetObject", {"Bucket": f"none{number}", "Key": "k"})
        await it.put("k", b"body")
        await it.get("k")
        assert it.cache._tagged.buckets() == [BUCKET]
        await call(it.remote.inner, "DeleteObject", {"Bucket": BUCKET, "Key": "k"})
        await call(it.remote.inner, "DeleteBucket", {"Bucket": BUCKET})
        await it.cache._tagged.learn_bucket(BUCKET)
        assert it.cache._tagged.buckets() == []


async def test_tags_that_were_not_known_and_are_none(tmp_path: Path) -> None:
    """It was kept before there was a filter that wants a tag."""
    async with caching(tmp_path, tags=True) as it:
        await it.put("k", b"body")
        assert await is_kept(it, "k")
        it.cache._known._objects.clear()  # as a restart does
        await it.only("bucket/*[tag:public]")
        assert it.cache._filling.find((BUCKET, b"k")) is not None
        assert await it.cache._known.object((BUCKET, b"k")) == {}
        await until(lambda: it.cache._filling.find((BUCKET, b"k")) is None)
