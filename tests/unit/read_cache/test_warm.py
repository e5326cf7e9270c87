"""Warming, pins and what goes on in the background."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from unit.read_cache.caching import BLOCK, BUCKET, LARGE, Caching, away, caching, well

from s3d.read_cache.entry import DOUBT
from s3d.read_cache.warm import Progress
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request

PIN = {"TagSet": [{"Key": "s3d.cache", "Value": "pin"}]}


async def warm(it: Caching, prefix: str = "", *, parallel: int = 8, since: float | None = None) -> Progress:
    progress = Progress()
    await it.cache.warm(BUCKET, prefix, since, parallel, progress)
    assert progress.ended
    assert progress.done == progress.listed
    assert progress.done_bytes == progress.bytes
    return progress


async def round_of(it: Caching) -> None:
    """What goes on in the background, once."""
    await it.cache._keeper.round()
    await it.written_down()


async def is_here(it: Caching, key: str, body: bytes) -> bool:
    """Whether it is read right, and without asking the remote for anything."""
    it.remote.seen.clear()
    assert (await it.get(key)).body == body
    return not it.asked()


# Warming.


async def test_what_is_warmed_is_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for key, body in (
            ("a/large", LARGE),
            ("a/small", b"small"),
            ("a/empty", b""),
            ("b", b"other"),
            ("a/ +%é\x01", b"odd"),
        ):
            await it.put(key, body)
        found = await warm(it, "a/")
        assert (found.listed, found.fetched, found.here, found.fetched_bytes) == (4, 4, 0, len(LARGE) + 8)
        assert it.asked("HeadObject") == []
        for key, body in (("a/large", LARGE), ("a/small", b"small"), ("a/empty", b""), ("a/ +%é\x01", b"odd")):
            assert await is_here(it, key, body)
        assert not await is_here(it, "b", b"other")


async def test_a_second_time_costs_one_request(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0.2) as it:
        await it.put("a", LARGE)
        await it.put("b", b"b")
        await warm(it)
        await asyncio.sleep(0.3)
        it.remote.seen.clear()
        found = await warm(it)
        assert (found.here, found.fetched) == (2, 0)
        assert [operation for operation, _ in it.asked()] == ["ListObjectsV2"]
        assert await is_here(it, "a", LARGE)  # and was confirmed


async def test_what_is_here_in_part_is_completed(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", LARGE)
        await it.get("a", Range=f"bytes=0-{2 * BLOCK - 1}")
        await it.written_down()
        it.remote.seen.clear()
        found = await warm(it)
        assert (found.fetched, found.fetched_bytes) == (1, len(LARGE) - 2 * BLOCK)
        assert it.asked("GetObject") == [("GetObject", f"bytes={2 * BLOCK}-{len(LARGE) - 1}")]
        assert await is_here(it, "a", LARGE)


async def test_another_version_is_fetched(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", LARGE)
        await it.put("b", b"b")
        await warm(it)
        await it.put("a", LARGE[::-1])
        found = await warm(it)
        assert (found.fetched, found.here) == (1, 1)
        assert await is_here(it, "a", LARGE[::-1])


async def test_only_what_has_changed_since(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a")
        assert (await warm(it, since=time.time() + 60)).listed == 0
        assert (await warm(it, since=time.time() - 60)).fetched == 1


async def test_so_many_at_a_time(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for number in range(30):
            await it.put(f"{number}", b"x" * 100)
        inner = it.remote.inner

        async def slow(request: S3Request) -> Any:
            await asyncio.sleep(0.01)
            return await inner(request)

        it.remote.inner, it.remote.most = slow, 0  # type: ignore[assignment]
        found = await warm(it, parallel=3)
        assert found.fetched == 30
        assert it.remote.most == 3


async def test_pages(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for number in range(1100):
            await it.put(f"{number:04}", b"")
        assert (await warm(it, parallel=64)).fetched == 1100
        assert len(it.asked("ListObjectsV2")) == 2


async def test_there_is_no_room_for_all(tmp_path: Path) -> None:
    async with caching(tmp_path, max_size=20 * BLOCK) as it:
        for number in range(6):
            await it.put(f"{number}", LARGE)
        found = await warm(it, parallel=1)
        assert (found.fetched, found.no_room) == (3, 3)
        assert it.cache.document()["bytes"] <= 20 * BLOCK
        for number in range(3):  # what was warmed first did not go for what came last
            assert await is_here(it, f"{number}", LARGE)


async def test_what_is_not_kept_by_rule(tmp_path: Path) -> None:
    async with caching(tmp_path, max_object=BLOCK) as it:
        await it.put("large", LARGE)
        await it.put("private", b"x", CacheControl="no-store")
        found = await warm(it)
        assert (found.not_kept, found.fetched, found.failed) == (2, 0, 0)


async def test_what_fails_is_counted_and_does_not_end_it(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a")
        await it.put("b", b"b")

        def fault(request: S3Request) -> None:
            if request.operation == "GetObject" and request.key == "a":
                raise RemoteUnreachable("The remote S3 is away: test")

        it.remote.before = fault
        found = await warm(it)
        assert (found.fetched, found.failed) == (1, 1)
        assert found.error == "bucket/a: The remote S3 is away: test"
        it.remote.before = away("ListObjectsV2")
        with pytest.raises(RemoteUnreachable):
            await warm(it)
        it.remote.before = well
        with pytest.raises(S3Error, match="bucket"):
            await it.cache.warm("no-such-bucket", "", None, 8, Progress())


async def test_a_change_through_here_is_not_taken_back_by_a_list(tmp_path: Path) -> None:
    """The list was asked for before the change, and says the old version."""
    async with caching(tmp_path, max_age=0) as it:
        await it.put("a", LARGE)
        await warm(it)
        entry = it.cache._filling.find((BUCKET, b"a"))
        assert entry is not None
        confirmed = entry.confirmed
        go = asyncio.Event()
        inner = it.remote.inner

        async def slow(request: S3Request) -> Any:
            response = await inner(request)
            if request.operation == "ListObjectsV2":
                await go.wait()
            return response

        it.remote.inner = slow  # type: ignore[assignment]
        warming = asyncio.get_running_loop().create_task(warm(it))
        await asyncio.sleep(0.05)
        tagging = {"Bucket": BUCKET, "Key": "a", "Tagging": {"TagSet": []}}
        it.remote.before = away("PutObjectTagging")
        with pytest.raises(RemoteUnreachable):
            await call(it.cache, "PutObjectTagging", tagging)
        go.set()
        it.remote.before = away("HeadObject", "GetObject")
        assert (await warming).failed == 1
        assert (entry.confirmed, entry.ask) == (confirmed, DOUBT)


# Pins.


async def test_what_is_pinned_is_fetched_and_stays(tmp_path: Path) -> None:
    async with caching(tmp_path, max_size=20 * BLOCK) as it:
        for number in range(8):
            await it.put(f"other/{number}", LARGE)
        await it.put("pinned/1", LARGE)
        await it.cache.pin(BUCKET, "pinned/")
        await it.put("pinned/2", LARGE)
        await round_of(it)
        for _ in range(3):
            for number in range(8):
                await it.get(f"other/{number}")
                await it.written_down()
        assert it.cache.document()["evicted"] > 0
        assert await is_here(it, "pinned/1", LARGE)
        assert await is_here(it, "pinned/2", LARGE)
        assert it.cache.key_document(BUCKET, "pinned/1")["pinned"]  # type: ignore[index]
        assert await it.cache.unpin(BUCKET, "pinned/")
        assert not await it.cache.unpin(BUCKET, "pinned/")
        await it.put("all of it", bytes(19 * BLOCK))
        for _ in range(2):
            assert (await it.get("all of it")).said in ("MISS", "HIT")
            await it.written_down()
        assert not await is_here(it, "pinned/1", LARGE)


async def test_a_pin_begins_at_once_and_survives_a_restart(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a")
        await it.cache.pin(BUCKET, "")
        for _ in range(200):
            await asyncio.sleep(0.01)
            if it.asked("GetObject"):
                break
        await it.written_down()
        assert await is_here(it, "a", b"a")
        assert it.cache.pins() == [{"bucket": BUCKET, "prefix": "", "by": "command"}]
    async with caching(tmp_path, it.remote) as it:
        assert it.cache.pins() == [{"bucket": BUCKET, "prefix": "", "by": "command"}]
        assert it.cache.page("", "", ("", ""), 10)[0]["pinned"]


async def test_marks_that_a_crash_lost_are_set_again(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a")
        await it.get("a")
        await it.cache.pin(BUCKET, "")
        await it.cache._database.change(lambda connection: connection.execute("UPDATE entry SET queue = 0") and None)  # type: ignore[union-attr]
        await round_of(it)
        assert it.cache.page("", "", ("", ""), 10)[0]["pinned"]


async def test_pinned_objects_are_kept_fresh(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("changed", b"old")
        await it.put("deleted", b"old")
        await it.cache.pin(BUCKET, "")
        await round_of(it)
        await it.put("changed", b"new")
        await it.put("added", b"new")
        await call(it.remote.inner, "DeleteObject", {"Bucket": BUCKET, "Key": "deleted"})
        await round_of(it)
        assert await is_here(it, "changed", b"new")
        assert await is_here(it, "added", b"new")
        assert it.cache.key_document(BUCKET, "deleted") is None


async def test_pins_that_do_not_fit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with caching(tmp_path, max_size=8 * BLOCK) as it:
        await it.put("a", LARGE)
        await it.put("b", LARGE)
        await it.cache.pin(BUCKET, "")
        await round_of(it)
        assert it.cache.document()["pinned_without_room"] == 1
        assert "do not fit" in caplog.text
        assert await is_here(it, "a", LARGE)
        await round_of(it)
        assert await is_here(it, "a", LARGE)
        assert (await it.get("b")).body == LARGE
        assert it.cache.document()["bytes"] <= 8 * BLOCK


async def test_a_refresh_that_fails_keeps_what_is_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a")
        await it.cache.pin(BUCKET, "")
        await round_of(it)
        it.remote.before = away()
        await round_of(it)
        assert (await it.get("a")).body == b"a"


# Pins by tags.


async def by_tags(it: Caching) -> list[tuple[str, str]]:
    await it.written_down()
    return [(pin["prefix"], pin["by"]) for pin in it.cache.pins()]


async def test_tags_that_are_set_through_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a")
        await call(it.cache, "PutObjectTagging", {"Bucket": BUCKET, "Key": "a", "Tagging": PIN})
        assert await by_tags(it) == [("a", "object")]
        await round_of(it)
        assert await is_here(it, "a", b"a")
        await call(it.cache, "PutObjectTagging", {"Bucket": BUCKET, "Key": "a", "Tagging": {"TagSet": []}})
        assert await by_tags(it) == []
        put = {"Bucket": BUCKET, "Key": "b", "Tagging": "x=y&s3d.cache=pin"}
        await call(it.cache, "PutObject", put, b"b")
        assert await by_tags(it) == [("b", "object")]
        await call(it.cache, "DeleteObjectTagging", {"Bucket": BUCKET, "Key": "b"})
        assert await by_tags(it) == []
        await call(it.cache, "PutObject", put, b"b")
        await call(it.cache, "PutObject", {"Bucket": BUCKET, "Key": "b"}, b"b")
        assert await by_tags(it) == []
        await call(it.cache, "PutObject", put, b"b")
        await call(it.cache, "DeleteObject", {"Bucket": BUCKET, "Key": "b"})
        assert await by_tags(it) == []
        await call(it.cache, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": PIN})
        assert await by_tags(it) == [("", "bucket")]
        await call(it.cache, "DeleteBucketTagging", {"Bucket": BUCKET})
        assert await by_tags(it) == []


async def test_a_copy_with_tags_of_its_own(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a")
        members = {"Bucket": BUCKET, "Key": "b", "CopySource": f"{BUCKET}/a", "Tagging": "s3d.cache=pin"}
        await call(it.cache, "CopyObject", members | {"TaggingDirective": "REPLACE"})
        assert await by_tags(it) == [("b", "object")]
        await call(it.cache, "CopyObject", members | {"TaggingDirective": "COPY"})
        assert await by_tags(it) == []


async def test_a_version_that_is_deleted_takes_no_pin_along(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        enabled = {"VersioningConfiguration": {"Status": "Enabled"}}
        await call(it.remote.inner, "PutBucketVersioning", {"Bucket": BUCKET, **enabled})
        first = await call(it.cache, "PutObject", {"Bucket": BUCKET, "Key": "a"}, b"first")
        await call(it.cache, "PutObject", {"Bucket": BUCKET, "Key": "a", "Tagging": "s3d.cache=pin"}, b"second")
        await call(it.cache, "DeleteObject", {"Bucket": BUCKET, "Key": "a", "VersionId": first["VersionId"]})
        assert await by_tags(it) == [("a", "object")]


async def test_a_refused_tag_pins_nothing(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        with pytest.raises(Exception, match="404"):
            await call(it.cache, "PutObjectTagging", {"Bucket": BUCKET, "Key": "none", "Tagging": PIN})
        assert await by_tags(it) == []


async def test_tags_that_others_set(tmp_path: Path) -> None:
    async with caching(tmp_path, tags=True) as it:
        await it.put("a", b"a", Tagging="s3d.cache=pin")
        await it.put("b", b"b", Tagging="s3d.cache=true")
        await it.put("c", b"c")
        for key in ("a", "b", "c"):
            await it.get(key)
        assert await by_tags(it) == [("a", "object")]
        assert {r.key for r in it.remote.seen if r.operation == "GetObjectTagging"} == {"a", "b"}
        await call(it.remote.inner, "DeleteObjectTagging", {"Bucket": BUCKET, "Key": "a"})
        await call(it.remote.inner, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": PIN})
        await round_of(it)
        assert await by_tags(it) == [("", "bucket")]
        it.remote.before = away()
        await round_of(it)
        assert await by_tags(it) == [("", "bucket")]
        it.remote.before = well
        await call(it.remote.inner, "DeleteBucketTagging", {"Bucket": BUCKET})
        await round_of(it)
        assert await by_tags(it) == []


async def test_tags_are_not_asked_for_when_they_are_off(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("a", b"a", Tagging="s3d.cache=pin")
        await it.get("a")
        await round_of(it)
        assert it.asked("GetObjectTagging", "GetBucketTagging") == []


# What nobody reads.


async def test_what_nobody_reads_goes(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0.05, stale=0, inactive=0.2) as it:
        for key in ("old", "read", "pinned/1"):
            await it.put(key, b"x")
            await it.get(key)
        await it.cache.pin(BUCKET, "pinned/")
        await round_of(it)
        await asyncio.sleep(0.25)
        await it.get("read")
        await it.written_down()
        it.remote.before = away()
        await round_of(it)
        assert [row["key"] for row in it.cache.page("", "", ("", ""), 10)] == ["pinned/1", "read"]
