"""What is held and what goes: docs/filters.md."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, answer, call
from unit.write_queue.pushing import until
from unit.write_queue.test_engine import Faulty

from s3d.filters.match import Filters
from s3d.filters.rules import Rules
from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

BUCKET = "bucket"
PART = 5 << 20


class Queue:
    """A queue in front of the model, and what tests look at."""

    def __init__(self, directory: Path, **named: Any) -> None:
        self.remote = Faulty()
        self.rules = Rules()
        self._directory, self._named = directory, named

    async def start(self) -> None:
        config = WriteQueueConfig(self._directory, free_space=0, **({"max_wait": 0.3} | self._named))
        self.queue = WriteQueue(config, self.remote, self.rules)
        await self.queue.open()

    async def again(self) -> None:
        """Stops and starts."""
        await self.queue.close()
        await self.start()

    def only(self, text: str) -> None:
        self.rules.upload = Filters.of(text)

    async def call(self, operation: str, key: str | None = None, body: bytes | None = None, **members: Any) -> Any:
        return await call(self.queue, operation, {"Bucket": BUCKET, **({"Key": key} if key else {}), **members}, body)

    async def tag(self, key: str, **tags: str) -> None:
        await self.call("PutObjectTagging", key, Tagging=tagging(tags))

    async def tag_bucket(self, **tags: str) -> None:
        await self.call("PutBucketTagging", Tagging=tagging(tags))

    async def read(self, key: str) -> tuple[bytes, str]:
        """Body and state."""
        response, members = await answer(self.queue, codec.build_request("GetObject", {"Bucket": BUCKET, "Key": key}))
        return members["Body"], response.headers.get("x-s3d-state", "remote")

    def states(self) -> dict[str, str]:
        return {o.key.decode(): o.state for o in self.queue.page(None, 0, 1000)}

    async def drained(self) -> list[str]:
        """The keys of objects at the remote."""
        assert await self.queue.flush(10) == 0
        found = await call(self.remote.inner, "ListObjectsV2", {"Bucket": BUCKET})
        return [entry["Key"] for entry in found.get("Contents") or []]


def tagging(tags: dict[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": name.replace("__", "."), "Value": value} for name, value in tags.items()]}


@contextlib.asynccontextmanager
async def opened(directory: Path, **named: Any) -> AsyncIterator[Queue]:
    it = Queue(directory, **named)
    await call(it.remote.inner, "CreateBucket", {"Bucket": BUCKET})
    await it.start()
    try:
        yield it
    finally:
        await it.queue.close()


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Queue]:
    async with opened(tmp_path / "queue") as it:
        yield it


async def test_what_the_filter_excludes_is_held(it: Queue) -> None:
    it.only("bucket/good/*")
    await it.call("PutObject", "good/a", b"a")
    response, _ = await answer(it.queue, put("bad/b"))
    assert response.headers["x-s3d-state"] == "held"
    assert await it.drained() == ["good/a"]
    assert it.states() == {"bad/b": "held"}
    assert await it.read("bad/b") == (b"body", "held")
    listed = await it.call("ListObjectsV2")
    assert [entry["Key"] for entry in listed["Contents"]] == ["bad/b", "good/a"]


def put(key: str, body: bytes = b"body", **headers: str) -> S3Request:
    request = codec.build_request("PutObject", {"Bucket": BUCKET, "Key": key})
    request.body = body
    for name, value in headers.items():
        request.headers[name.replace("_", "-")] = value
    return request


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("bucket/*[hdr:content-type='video/*']", True),
        ("bucket/*[hdr:content-type='audio/*']", False),
        ("bucket/*[hdr:content-length<5]", True),
        ("bucket/*[hdr:content-length<4]", False),
        ("bucket/*[md:camera=7]", True),
        ("bucket/*[md:camera!=7]", False),
        ("bucket/*[tag:release=yes]", True),
        ("!bucket/*[tag:release=yes]", False),
        ("bucket/*[hdr:cache-control=no-cache][hdr:x-amz-storage-class=STANDARD_IA]", True),
        ("bucket[tag:site]", False),
        ("other", False),
    ],
)
async def test_what_a_filter_sees(it: Queue, text: str, goes: bool) -> None:
    it.only(text)
    request = put(
        "k",
        content_type="video/mp4",
        x_amz_meta_camera="7",
        x_amz_tagging="release=yes",
        cache_control="no-cache",
        x_amz_storage_class="STANDARD_IA",
    )
    assert (await it.queue(request)).status == 200
    assert await it.drained() == (["k"] if goes else [])


async def test_it_is_let_go_by_its_tags(it: Queue) -> None:
    it.only("bucket/*[tag:release=yes]")
    await it.call("PutObject", "k", b"body")
    await it.tag("k", release="no")
    assert await it.drained() == []
    await it.tag("k", release="yes")
    assert await it.drained() == ["k"]
    found = await call(it.remote.inner, "GetObjectTagging", {"Bucket": BUCKET, "Key": "k"})
    assert found["TagSet"] == [{"Key": "release", "Value": "yes"}]


async def test_what_waits_is_held_by_its_tags(it: Queue) -> None:
    it.queue.pause()
    it.only("!bucket/*[tag:draft]")
    await it.call("PutObject", "k", b"body")
    await it.tag("k", draft="")
    assert it.states() == {"k": "held"}
    it.queue.resume()
    assert await it.drained() == []
    await it.call("DeleteObjectTagging", "k")
    assert await it.drained() == ["k"]


@pytest.mark.parametrize("versioning", ["Enabled", None])
async def test_a_later_change_replaces_what_is_held(it: Queue, versioning: str | None) -> None:
    if versioning:
        status = {"VersioningConfiguration": {"Status": versioning}}
        await call(it.remote.inner, "PutBucketVersioning", {"Bucket": BUCKET, **status})
    it.only("bucket/*[tag:go]")
    await it.call("PutObject", "k", b"first")
    await it.call("PutObject", "k", b"second", Tagging="go=1")
    assert await it.drained() == ["k"]
    assert await it.read("k") == (b"second", "remote")
    versions = await call(it.remote.inner, "ListObjectVersions", {"Bucket": BUCKET})
    assert len(versions["Versions"]) == 1
    await it.call("PutObject", "d", b"first")
    await it.call("DeleteObject", "d")
    assert await it.drained() == ["k"]
    assert it.states() == {}
    assert it.queue.document()["bytes"] == 0


@pytest.mark.parametrize("versioning", ["Enabled", None])
async def test_what_is_held_replaces_nothing_at_the_remote(it: Queue, versioning: str | None) -> None:
    """What was acknowledged before it arrives; a deleted object does not come back."""
    if versioning:
        status = {"VersioningConfiguration": {"Status": versioning}}
        await call(it.remote.inner, "PutBucketVersioning", {"Bucket": BUCKET, **status})
    for key in ("deleted", "put", "both"):
        await it.call("PutObject", key, b"old")
    await it.drained()
    it.queue.pause()
    await it.call("DeleteObject", "deleted")
    await it.call("PutObject", "put", b"new")
    await it.call("DeleteObject", "both")
    await it.call("PutObject", "both", b"new")
    it.only("other")
    for key in ("deleted", "put", "both"):
        await it.call("PutObject", key, b"held")
    it.queue.resume()
    assert await it.drained() == ["both", "put"]
    assert [await it.remote.stored(key) for key in ("deleted", "put", "both")] == [None, b"new", b"new"]
    assert [await it.read(key) for key in ("deleted", "put", "both")] == [(b"held", "held")] * 3
    assert await it.queue.drop(it.queue.page("held", 0, 9)) == 3
    with pytest.raises(Refused, match="NoSuchKey"):
        await it.read("deleted")
    assert (await it.read("put"))[0] == b"new"


async def test_behind_what_is_being_pushed(it: Queue) -> None:
    """What is held waits for nobody, and nobody for it."""
    await it.call("PutObject", "known", b"x")
    await it.drained()
    it.remote.turn = asyncio.Event()
    await it.call("PutObject", "k", b"first")
    await until(lambda: it.remote.under_way)
    it.only("bucket/*[tag:go]")
    await it.call("PutObject", "k", b"second")
    await it.call("PutObject", "k", b"third")
    assert [o.state for o in it.queue.of_key(BUCKET, "k")] == ["pushing", "held"]
    it.remote.turn.set()
    assert await it.drained() == ["k", "known"]
    assert await it.read("k") == (b"third", "held")
    await it.tag("k", go="1")
    await it.drained()
    assert await it.read("k") == (b"third", "remote")


async def test_a_reserved_tag_overrides(it: Queue) -> None:
    it.only("bucket/good/*")
    await it.call("PutObject", "good/a", b"a", Tagging="s3d.upload=false")
    await it.call("PutObject", "bad/b", b"b", Tagging="s3d.upload=true")
    await it.call("PutObject", "bad/c", b"c", Tagging="s3d.upload=perhaps")
    assert await it.drained() == ["bad/b"]
    assert it.states() == {"good/a": "held", "bad/c": "held"}


async def test_the_tags_of_the_bucket(it: Queue) -> None:
    await it.call("PutObject", "first", b"1")
    await it.drained()
    await it.tag_bucket(s3d__upload="false")
    await it.call("PutObject", "second", b"2")
    await it.call("PutObject", "third", b"3", Tagging="s3d.upload=true")
    assert await it.drained() == ["first", "third"]
    it.remote.before = lost("PutBucketTagging")
    with pytest.raises(RemoteUnreachable):
        await it.tag_bucket()
    it.remote.before = lambda request: None
    assert await it.drained() == ["first", "third"]  # nothing is known to have changed
    await it.call("DeleteBucketTagging")
    assert await it.drained() == ["first", "second", "third"]


def lost(operation: str) -> Any:
    def fault(request: S3Request) -> None:
        if request.operation == operation:
            raise RemoteUnreachable("test")

    return fault


async def test_tags_of_the_bucket_that_somebody_else_set(it: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    it.only("bucket[tag:site=hamburg]")
    await it.call("PutObject", "k", b"1")
    assert await it.drained() == []
    await call(it.remote.inner, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": tagging({"site": "hamburg"})})
    monkeypatch.setattr("s3d.write_queue.known_buckets._AGE", 0.0)
    await it.call("PutObject", "l", b"2")
    await until(lambda: not it.states())
    assert await it.drained() == ["k", "l"]


async def test_held_objects_wait_for_tags_of_the_bucket_that_nobody_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.write_queue.backend._LOOK", 0.05)
    async with opened(tmp_path / "queue") as it:
        it.only("bucket[tag:site=hamburg]")
        await it.call("PutObject", "k", b"1")
        await call(it.remote.inner, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": tagging({"site": "hamburg"})})
        monkeypatch.setattr("s3d.write_queue.known_buckets._AGE", 0.0)
        await until(lambda: not it.states())
        assert await it.drained() == ["k"]


async def test_tags_of_the_bucket_that_are_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.write_queue.backend._LOOK", 0.05)
    async with opened(tmp_path / "queue", unknown_buckets="accept") as it:
        await call(it.remote.inner, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": tagging({"site": "hamburg"})})
        it.only("bucket[tag:site=hamburg] bucket/any/*")
        gone = [True]

        def away(request: S3Request) -> None:
            if gone[0]:
                raise RemoteUnreachable("test")

        it.remote.before = away
        await it.call("PutObject", "k", b"1")
        await it.call("PutObject", "any/k", b"2")
        assert it.states() == {"k": "held", "any/k": "pending"}
        await it.again()
        assert it.states()["k"] == "held"
        gone[0] = False
        await until(lambda: not it.states())
        assert await it.drained() == ["any/k", "k"]


async def test_a_remote_that_refuses_the_question_for_tags(it: Queue) -> None:
    def refuse(request: S3Request) -> None:
        if request.operation == "GetBucketTagging":
            raise S3Error("AccessDenied")

    it.remote.before = refuse
    it.only("bucket[tag:site!=hamburg]")
    await it.call("PutObject", "k", b"1")
    assert await it.drained() == ["k"]


async def test_it_is_decided_again_when_the_rules_change(it: Queue) -> None:
    it.queue.pause()
    for key in ("a/1", "a/2", "b/1"):
        await it.call("PutObject", key, b"body")
    it.only("bucket/a/*")
    assert await it.queue.decide_again() == 1
    assert it.states() == {"a/1": "pending", "a/2": "pending", "b/1": "held"}
    it.only("bucket/b/*")
    assert await it.queue.decide_again() == 3
    assert await it.queue.decide_again() == 0
    it.queue.resume()
    assert await it.drained() == ["b/1"]
    it.rules.upload = None
    assert await it.queue.decide_again("elsewhere") == 0
    assert await it.queue.decide_again(BUCKET) == 2
    assert await it.drained() == ["a/1", "a/2", "b/1"]


async def test_a_version_that_was_replaced_is_not_decided_again(it: Queue) -> None:
    """It was accepted as one that goes, and would stand in the way of the next."""
    status = {"VersioningConfiguration": {"Status": "Enabled"}}
    await call(it.remote.inner, "PutBucketVersioning", {"Bucket": BUCKET, **status})
    it.queue.pause()
    await it.call("PutObject", "k", b"first")
    await it.call("PutObject", "k", b"second")
    it.only("bucket/other")
    assert await it.queue.decide_again() == 1
    assert [o.state for o in it.queue.of_key(BUCKET, "k")] == ["pending", "held"]
    it.queue.resume()
    assert await it.drained() == ["k"]
    assert await it.read("k") == (b"second", "held")


async def test_what_is_held_survives_a_restart(it: Queue) -> None:
    it.only("bucket/*[tag:go]")
    await it.call("PutObject", "k", b"body")
    await it.again()
    assert it.states() == {"k": "held"}
    assert await it.read("k") == (b"body", "held")
    await it.tag("k", go="1")
    assert await it.drained() == ["k"]


async def test_rules_that_changed_between_two_runs(it: Queue) -> None:
    it.queue.pause()
    it.only("bucket/a/*")
    for key in ("a/1", "b/1"):
        await it.call("PutObject", key, b"body")
    it.remote.before = lost("PutObject")
    it.only("bucket/b/*")
    await it.again()
    assert it.states()["a/1"] == "held"
    it.remote.before = lambda request: None
    assert await it.drained() == ["b/1"]
    it.rules.upload = None
    await it.again()
    assert await it.drained() == ["a/1", "b/1"]


async def test_an_upload_is_held_as_a_whole(it: Queue) -> None:
    it.only("bucket/*[hdr:content-length<5MiB] bucket/*[tag:go]")
    made = await it.call("CreateMultipartUpload", "k")
    upload = {"UploadId": made["UploadId"]}
    parts = []
    for number, body in ((1, b"p" * PART), (2, b"q")):
        part = await it.call("UploadPart", "k", body, PartNumber=number, **upload)
        parts.append({"ETag": part["ETag"], "PartNumber": number})
    await it.call("CompleteMultipartUpload", "k", MultipartUpload={"Parts": parts}, **upload)
    assert it.states() == {"k": "held"}
    assert await it.drained() == []
    held = it.queue.document()["states"]["held"]
    assert held == {"count": 1, "bytes": PART + 1}
    await it.tag("k", go="1")
    assert await it.drained() == ["k"]


async def test_copies_of_what_is_held(it: Queue) -> None:
    it.only("bucket/good/*")
    await it.call("PutObject", "bad/a", b"body", Tagging="a=b")
    await it.call("CopyObject", "good/a", CopySource=f"{BUCKET}/bad/a")
    await it.call("CopyObject", "bad/b", CopySource=f"{BUCKET}/bad/a")
    assert await it.drained() == ["good/a"]
    assert it.states() == {"bad/a": "held", "bad/b": "held"}


# Limits.


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
async def test_a_copy_of_what_the_remote_does_not_tell_about(it: Queue, code: str) -> None:
    it.only("bucket/*[tag:kind=x]")
    await call(it.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": "a", "Tagging": "kind=x"}, b"x")
    for operation in ("HeadObject", "GetObjectTagging"):

        def fail(request: S3Request, operation: str = operation) -> None:
            if request.operation == operation:
                raise S3Error(code)

        it.remote.before = fail
        with pytest.raises(Refused, match="ServiceUnavailable"):
            await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/a")
    it.remote.before = lambda request: None
    await it.call("CopyObject", "copy", CopySource=f"{BUCKET}/a")


async def test_held_objects_do_not_block_the_others(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", max_size=100, max_files=2, held_size=150, held_files=3) as it:
        it.only("bucket/good/*")
        for key in ("bad/a", "bad/b", "bad/c"):
            await it.call("PutObject", key, b"x" * 50)
        with pytest.raises(Refused, match=r"SlowDown.*The room for held objects is full"):
            await it.call("PutObject", "bad/d", b"x")
        await it.call("PutObject", "good/a", b"x" * 100)
        assert await it.drained() == ["good/a"]
        await it.call("PutObject", "bad/a", b"")  # replaces: its room comes back
        await it.call("DeleteObject", "bad/b")
        await it.call("PutObject", "bad/d", b"x" * 100)
        assert it.queue.document()["states"]["held"] == {"count": 3, "bytes": 150}


async def test_what_waits_does_not_block_what_is_held(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", max_size=100, max_files=2) as it:
        it.queue.pause()
        it.only("bucket/good/*")
        await it.call("PutObject", "good/a", b"x" * 100)
        with pytest.raises(Refused, match=r"SlowDown.*The write queue is full"):
            await it.call("PutObject", "good/b", b"x")
        await it.call("PutObject", "bad/a", b"x" * 1000)  # larger than the queue may be: it cannot go straight
        assert it.states() == {"good/a": "pending", "bad/a": "held"}


async def test_what_is_let_go_counts_among_those_that_wait(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", max_size=100, max_files=2) as it:
        it.queue.pause()
        it.only("bucket/good/*")
        await it.call("PutObject", "bad/a", b"x" * 90)
        it.rules.upload = None
        await it.queue.decide_again()
        with pytest.raises(Refused, match=r"SlowDown.*The write queue is full"):
            await it.call("PutObject", "good/b", b"x" * 11)


# What only the remote can answer.


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("PutObject", {"IfNoneMatch": "*"}),
        ("PutObject", {"SSECustomerAlgorithm": "AES256"}),
        ("CreateMultipartUpload", {"SSECustomerAlgorithm": "AES256"}),
    ],
)
async def test_straight_to_the_remote_goes_only_what_may_go(it: Queue, operation: str, members: dict[str, Any]) -> None:
    it.only("bucket/good/*")
    with pytest.raises(Refused, match=r"AccessDenied.*held back"):
        await it.call(operation, "bad/a", **members)
    assert it.remote.names(operation) == []
    with contextlib.suppress(Refused):  # the model knows no customer's keys
        await it.call(operation, "good/a", **members)
    assert it.remote.names(operation) == ["good/a"]


@pytest.mark.parametrize(
    ("operation", "members"), [("GetObjectAcl", {}), ("GetObject", {"VersionId": "null"}), ("ListObjectVersions", {})]
)
async def test_the_remote_does_not_know_what_is_held(it: Queue, operation: str, members: dict[str, Any]) -> None:
    it.only("bucket/good/*")
    await it.call("PutObject", "bad/a", b"a")
    with pytest.raises(Refused, match=r"ServiceUnavailable.*held back"):
        await it.call(operation, None if operation == "ListObjectVersions" else "bad/a", **members)


async def test_a_condition_of_an_upload_that_is_held(it: Queue) -> None:
    it.only("bucket/good/*")
    made = await it.call("CreateMultipartUpload", "bad/a")
    upload = {"UploadId": made["UploadId"]}
    part = await it.call("UploadPart", "bad/a", b"body", PartNumber=1, **upload)
    document = {"MultipartUpload": {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}}
    with pytest.raises(Refused, match=r"AccessDenied.*held back"):
        await it.call("CompleteMultipartUpload", "bad/a", IfNoneMatch="*", **document, **upload)
    await it.call("CompleteMultipartUpload", "bad/a", **document, **upload)
    assert it.states() == {"bad/a": "held"}


# Which goes first.


async def order(it: Queue) -> list[str]:
    """Pushes all, one after the other; the keys in the order of their arrival."""
    it.queue.resume()
    await it.drained()
    return it.remote.names("PutObject")


async def test_priority_and_deadline(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", workers=1) as it:
        await it.call("HeadBucket")
        it.queue.pause()
        for key, tags in (
            ("a", ""),
            ("b", "s3d.priority=9"),
            ("c", "s3d.deadline=1h"),
            ("d", "s3d.deadline=90s"),
            ("e", "s3d.priority=0"),
            ("f", "s3d.priority=11&s3d.deadline=soon"),
            ("g", "s3d.priority=9&s3d.deadline=2h"),
        ):
            await it.call("PutObject", key, b"x", **({"Tagging": tags} if tags else {}))
        assert await order(it) == ["g", "b", "d", "c", "a", "f", "e"]


async def test_priority_by_the_bucket_and_by_new_tags(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", workers=1) as it:
        await it.call("PutObject", "known", b"x")
        await it.drained()
        await it.tag_bucket(s3d__priority="3")
        it.queue.pause()
        for key in ("a", "b", "c"):
            await it.call("PutObject", key, b"x")
        await it.tag("c", s3d__priority="8")
        await it.tag("b", s3d__priority="4")
        assert [o.priority for o in it.queue.page(None, 0, 9)] == [3, 4, 8]
        assert (await order(it))[1:] == ["c", "b", "a"]


async def test_one_that_comes_while_others_are_looked_up(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", workers=1) as it:
        await it.call("PutObject", "known", b"x")
        await it.drained()
        it.remote.turn = asyncio.Event()
        for number in range(10):
            await it.call("PutObject", f"{number}", b"x")
        await until(lambda: it.remote.under_way)
        await it.call("PutObject", "urgent", b"x", Tagging="s3d.priority=9")
        it.remote.turn.set()
        await it.drained()
        assert it.remote.names("PutObject").index("urgent") <= 4  # one is being sent, and one is begun


async def test_what_is_before_an_urgent_one_of_its_key_is_as_urgent(tmp_path: Path) -> None:
    async with opened(tmp_path / "queue", workers=1) as it:
        status = {"VersioningConfiguration": {"Status": "Enabled"}}
        await call(it.remote.inner, "PutBucketVersioning", {"Bucket": BUCKET, **status})
        await it.call("HeadBucket")
        it.queue.pause()
        for number in range(5):
            await it.call("PutObject", f"{number}", b"x")
        await it.call("PutObject", "b", b"first")
        await it.call("PutObject", "b", b"second", Tagging="s3d.priority=9")
        arrived = await order(it)
        assert arrived[0] == "b"
        assert arrived.index("b", 1) <= 3  # what is begun ahead goes in between
        assert await it.read("b") == (b"second", "remote")
