"""What is held and what goes, while something else happens: docs/filters.md."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, answer, call
from unit.write_queue.pushing import until
from unit.write_queue.test_decisions import BUCKET, Queue, opened, put, tagging

from s3d.filters.match import Filters
from s3d.filters.rules import Rules
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Queue]:
    async with opened(tmp_path / "queue") as it:
        yield it


class SlowCommits:
    """Each COMMIT takes 0.2 s, as on a disk under load."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def get(self) -> Any:
        return self._inner.get()

    def put(self, batch: object) -> None:
        if batch is None:
            self._inner.put(batch)
        else:
            threading.Timer(0.2, self._inner.put, (batch,)).start()


@pytest.mark.parametrize("state", ["held", "pending"])
async def test_rules_that_change_while_a_put_is_committed(it: Queue, state: str) -> None:
    it.queue.pause()
    if state == "pending":
        it.only("bucket/good/*")
    assert it.queue._open is not None
    database = it.queue._open.store.database
    await it.call("PutObject", "good/first", b"x")
    database._commits = SlowCommits(database._commits)  # type: ignore[assignment]
    task = asyncio.get_running_loop().create_task(it.call("PutObject", "a", b"x"))

    def is_written() -> bool:
        return bool(database._writer.execute("SELECT count(*) FROM operation").fetchone()[0] == 2)

    await until(is_written)
    assert not task.done()
    it.rules.replace(Rules(upload=Filters.of("bucket/good/*") if state == "held" else None))
    await it.queue.decide_again()
    await task
    assert it.states()["a"] == state


class SlowTags:
    """A remote whose answers about tags of buckets are held up."""

    def __init__(self, it: Queue) -> None:
        assert it.queue._open is not None
        self.buckets = it.queue._open.buckets
        self._inner, self.buckets._inner = self.buckets._inner, self
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: S3Request) -> S3Response:
        response = await self._inner(request)
        if request.operation == "GetBucketTagging" and not self.asked.is_set():
            self.asked.set()
            await self.go_on.wait()
        return response


async def test_an_older_answer_does_not_undo_newer_tags_of_a_bucket(it: Queue) -> None:
    await it.tag_bucket(s3d__upload="true")
    await it.call("PutObject", "a", b"x")
    assert await it.drained() == ["a"]
    slow = SlowTags(it)
    slow.buckets._asked[BUCKET] = 1.0  # long ago: it is asked again behind the next request
    await it.call("PutObject", "a", b"y")
    await slow.asked.wait()
    await it.tag_bucket(s3d__upload="false")
    await it.call("PutObject", "secret", b"x")
    assert it.states()["secret"] == "held"
    slow.go_on.set()
    await until(lambda: not slow.buckets._asking)
    assert slow.buckets.tags(BUCKET) == {"s3d.upload": "false"}
    assert it.states()["secret"] == "held"


async def test_tags_that_are_set_while_a_bucket_is_asked_for_the_first_time(it: Queue) -> None:
    slow = SlowTags(it)
    task = asyncio.get_running_loop().create_task(it.call("PutObject", "a", b"y"))
    await slow.asked.wait()
    await it.tag_bucket(s3d__upload="false")
    slow.go_on.set()
    await task
    assert it.states() == {"a": "held"}


async def test_a_remote_that_is_away_takes_no_tags_from_a_bucket(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", unknown_buckets="accept") as it:
        await it.tag_bucket(s3d__upload="false")
        await it.call("PutObject", "a", b"x")
        assert it.queue._open is not None
        buckets = it.queue._open.buckets
        buckets._asked[BUCKET] = 1.0
        it.remote.away = True
        await buckets.look_again(BUCKET)
        assert buckets.tags(BUCKET) == {"s3d.upload": "false"}


async def test_a_bucket_that_was_away_for_a_while_is_looked_at_again(
    it: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    it.only("bucket[tag:site=hamburg]/*")
    await it.call("PutObject", "a", b"x")
    assert it.states() == {"a": "held"}
    await call(it.remote.inner, "DeleteBucket", {"Bucket": BUCKET})
    monkeypatch.setattr("s3d.write_queue.known_buckets._AGE", 0.0)
    assert it.queue._open is not None
    buckets = it.queue._open.buckets
    deciding = asyncio.get_running_loop().create_task(it.queue._deciding.keep_up(buckets, 0.02))
    try:
        await until(lambda: BUCKET not in buckets)
        await call(it.remote.inner, "CreateBucket", {"Bucket": BUCKET})
        await call(it.remote.inner, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": tagging({"site": "hamburg"})})
        await until(lambda: it.states().get("a") != "held")
    finally:
        deciding.cancel()
        await asyncio.gather(deciding, return_exceptions=True)


async def test_nobody_waits_for_what_is_held_by_new_tags(it: Queue) -> None:
    it.queue.pause()
    await it.call("PutObject", "a", b"x")
    task = asyncio.get_running_loop().create_task(it.queue.flush(60))
    await asyncio.sleep(0.05)
    request = codec.build_request("PutObjectTagging", {"Bucket": BUCKET, "Key": "a", "Tagging": tagging(HELD)})
    response, _ = await answer(it.queue, request)
    assert response.headers["x-s3d-state"] == "held"
    async with asyncio.timeout(5):
        assert await task == 0


HELD = {"s3d__upload": "false"}


async def test_what_is_held_by_new_tags_needs_room(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", held_size=150) as it:
        it.queue.pause()
        await it.call("PutObject", "a", b"x" * 100)
        await it.call("PutObject", "b", b"x" * 100)
        await it.tag("a", **HELD)
        with pytest.raises(Refused, match="SlowDown"):
            await it.tag("b", **HELD)
        assert it.states() == {"a": "held", "b": "pending"}
        await it.tag("a", **HELD, other="tag")  # it is held already


async def test_copies_of_what_is_held_make_no_room_for_others(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", max_size=1000, max_wait=0.05) as it:
        it.queue.pause()
        it.only("bucket/public/*")
        await it.call("PutObject", "a", b"x" * 900)
        for number in range(5):
            await it.call("CopyObject", f"copy{number}", CopySource=f"{BUCKET}/a")
        await it.call("PutObject", "public/1", b"y" * 1000)
        with pytest.raises(Refused, match="SlowDown"):
            await it.call("PutObject", "public/2", b"y")
        assert it.queue._open is not None
        for operation in it.queue.page("held", 0, 99):
            await it.queue.drop([operation])
        assert it.queue._open.journal.held() == (0, 0)
        assert it.queue._open.journal.used() == it.queue._open.journal.usage() == (1000, 1)


@pytest.mark.parametrize(
    ("text", "members", "goes"),
    [
        ("bucket/public/*", {}, False),
        ("bucket/copy", {}, True),
        ("bucket/*[hdr:content-length<3]", {}, False),
        ("bucket/*[hdr:content-length<5]", {}, True),
        ("bucket/*[hdr:content-type=text/plain]", {}, True),
        ("bucket/*[hdr:content-type=text/plain]", {"MetadataDirective": "REPLACE", "ContentType": "a/b"}, False),
        ("bucket/*[hdr:content-type=a/b]", {"MetadataDirective": "REPLACE", "ContentType": "a/b"}, True),
        ("bucket/*[hdr:x-amz-storage-class=STANDARD_IA]", {"StorageClass": "STANDARD_IA"}, True),
        ("bucket/*[hdr:x-amz-storage-class=STANDARD_IA]", {}, False),
        ("bucket/*[md:a=1]", {}, True),
        ("bucket/*[tag:of=source]", {}, True),
        ("bucket/*[tag:of=source]", {"TaggingDirective": "REPLACE", "Tagging": "of=copy"}, False),
        ("bucket/*[tag:of=copy]", {"TaggingDirective": "REPLACE", "Tagging": "of=copy"}, True),
        (None, {"TaggingDirective": "REPLACE", "Tagging": "s3d.upload=false"}, False),
        (None, {}, True),
    ],
)
async def test_a_copy_of_what_is_at_the_remote(it: Queue, text: str | None, members: Any, goes: bool) -> None:
    own = {"ContentType": "text/plain", "Metadata": {"a": "1"}, "Tagging": "of=source"}
    await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": "source", **own}, b"1234")
    if text is not None:
        it.only(text)
    outcome = contextlib.nullcontext() if goes else pytest.raises(Refused, match="AccessDenied")
    with outcome:
        await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/source", **members)
    assert ("copy" in await it.drained()) == goes


@pytest.mark.parametrize(
    ("tags", "members", "goes"),
    [
        ("", {}, False),
        ("s3d.upload=true", {}, True),
        ("s3d.upload=true", {"TaggingDirective": "REPLACE", "Tagging": "a=b"}, False),
        ("", {"TaggingDirective": "REPLACE", "Tagging": "s3d.upload=true"}, True),
    ],
)
async def test_a_copy_into_a_bucket_that_holds(it: Queue, tags: str, members: Any, goes: bool) -> None:
    """The object's own tag has the last word: also that of the source, if it is copied."""
    await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": "source", "Tagging": tags}, b"1234")
    await it.tag_bucket(s3d__upload="false")
    with contextlib.nullcontext() if goes else pytest.raises(Refused, match="AccessDenied"):
        await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/source", **members)
    assert ("copy" in await it.drained()) == goes


async def test_a_condition_in_a_bucket_that_holds(it: Queue) -> None:
    """Also if it is the first that is heard of the bucket."""
    tagging = {"TagSet": [{"Key": "s3d.upload", "Value": "false"}]}
    await call(it.remote.inner, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": tagging})
    with pytest.raises(Refused, match="AccessDenied"):
        await it.call("PutObject", "x", b"x", IfNoneMatch="*")
    await it.call("PutObject", "x", b"x", IfNoneMatch="*", Tagging="s3d.upload=true")


async def test_a_copy_of_what_has_tags_that_nobody_may_see(it: Queue) -> None:
    await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": "source", "Tagging": "of=source"}, b"1234")

    def refuse(request: S3Request) -> None:
        if request.operation == "GetObjectTagging":
            raise S3Error("AccessDenied")

    it.remote.before = refuse
    it.only("bucket/*[tag:of=source]")
    with pytest.raises(Refused, match="may have to be held back"):
        await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/source")
    it.only("bucket/copy")
    await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/source")


@pytest.mark.parametrize("tags", [{}, {"TaggingDirective": "REPLACE", "Tagging": "a=1&a=2"}])
async def test_a_copy_of_what_is_not_there(it: Queue, tags: Any) -> None:
    it.only("bucket/public/*")
    with pytest.raises(Refused, match="NoSuchKey"):
        await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/source", **tags)


async def test_a_copy_with_wrong_tags(it: Queue) -> None:
    await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": "source"}, b"1234")
    with pytest.raises(Refused, match="InvalidArgument"):
        await it.call("CopyObject", "x", CopySource=f"{BUCKET}/source", TaggingDirective="REPLACE", Tagging="a=1&a=2")
    assert "x" not in await it.drained()


@pytest.mark.parametrize("text", ["bucket/*[hdr:content-length<1kB]", "bucket/*[hdr:content-length>=1kB]"])
async def test_the_length_of_an_upload_that_only_the_remote_can_take(it: Queue, text: str) -> None:
    """It is not known when it begins."""
    it.only(text)
    with pytest.raises(Refused, match="AccessDenied: This object may have to be held back"):
        await it.call("CreateMultipartUpload", "big", ServerSideEncryption="aws:kms")


async def test_a_delete_is_as_urgent_as_its_bucket(it: Queue) -> None:
    it.queue.pause()
    await it.call("PutObject", "x", b"x")
    await it.tag_bucket(s3d__priority="9", s3d__deadline="1m")
    await it.call("PutObject", "a", b"x")
    await it.call("DeleteObject", "b")
    assert [operation.priority for operation in it.queue.page(None, 0, 99)] == [9, 9, 9]
    dues = [operation.due - operation.accepted for operation in it.queue.page(None, 0, 99)]
    assert dues == pytest.approx([60, 60, 60])


@pytest.mark.parametrize("operation", ["PutObject", "DeleteObject"])
async def test_what_waits_before_a_usual_one_of_its_key_is_not_slower(it: Queue, operation: str) -> None:
    versioning = {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}}
    await call(it.remote.inner, "PutBucketVersioning", versioning)
    it.queue.pause()
    await answer(it.queue, put("a", x_amz_tagging="s3d.priority=0"))
    assert [operation.priority for operation in it.queue.page(None, 0, 99)] == [0]
    await it.call(operation, "a")
    assert [operation.priority for operation in it.queue.page(None, 0, 99)] == [5, 5]


@pytest.mark.parametrize("bucket", ["b\udcff", "b\u00fc"])
@pytest.mark.parametrize("operation", ["PutObject", "DeleteObject", "GetObject", "PutBucketTagging", "CopyObject"])
async def test_a_bucket_that_can_have_no_such_name(it: Queue, bucket: str, operation: str) -> None:
    members = {"Tagging": tagging({"a": "b"})} if operation == "PutBucketTagging" else {"Key": "k"}
    if operation == "CopyObject":
        members |= {"CopySource": "bucket/k"}
        await it.call("PutObject", "k", b"x")
    request = codec.build_request(operation, {"Bucket": BUCKET, **members})
    request.bucket = bucket
    with pytest.raises(Refused, match=r"NoSuchBucket|InvalidBucketName|NoSuchKey"):
        await answer(it.queue, request)


@pytest.mark.parametrize("puts_off", [True, False])
async def test_tags_do_not_wait_behind_what_is_held(it: Queue, puts_off: bool) -> None:
    """It was begun, tagged, and not sent after all; then it is held."""
    it.queue.pause()
    await it.call("PutObject", "a", b"x")
    assert it.queue._open is not None
    journal = it.queue._open.journal
    (operation,) = it.queue.page(None, 0, 9)
    assert await journal.begin(operation)
    await it.tag("a", some="tag")
    assert [o.kind for o in it.queue.page(None, 0, 9)] == ["put", "tag"]
    if puts_off:
        await journal.put_off(operation, {}, 0.0, ambiguous=False)
    else:
        journal.not_sent(operation)
        await it.queue._open.store.database.flush()
    it.only("bucket/other")
    await it.queue.decide_again()
    assert it.states() == {"a": "held"}
    it.queue.resume()
    assert await it.queue.flush(10) == 0
    it.rules.upload = None
    await it.queue.decide_again()
    assert await it.drained() == ["a"]
    tags = await call(it.remote.inner, "GetObjectTagging", {"Bucket": BUCKET, "Key": "a"})
    assert tags["TagSet"] == [{"Key": "some", "Value": "tag"}]
