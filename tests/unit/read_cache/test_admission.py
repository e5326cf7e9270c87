"""Which objects may be in the cache: docs/filters.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from unit.read_cache.caching import BLOCK, BUCKET, LARGE, Caching, away, caching, well
from unit.read_cache.test_warm import warm

PART = 5 << 20


async def state(it: Caching, key: str, body: bytes = b"body") -> tuple[str, str | None]:
    """What a read says of the cache, and why."""
    got = await it.get(key)
    assert got.body == body
    await it.written_down()
    return got.said, got.response.headers.get("x-s3d-cache-reason")


async def is_kept(it: Caching, key: str, body: bytes = b"body") -> bool:
    """Whether it is here after it was read."""
    await state(it, key, body)
    said, _ = await state(it, key, body)
    assert said in ("HIT", "BYPASS")
    return said == "HIT"


def tagging(**tags: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": name.replace("__", "."), "Value": value} for name, value in tags.items()]}


async def tag(it: Caching, key: str, **tags: str) -> None:
    """At the remote, behind the cache's back."""
    await call(it.remote.inner, "PutObjectTagging", {"Bucket": BUCKET, "Key": key, "Tagging": tagging(**tags)})


async def tag_bucket(it: Caching, **tags: str) -> None:
    await call(it.remote.inner, "PutBucketTagging", {"Bucket": BUCKET, "Tagging": tagging(**tags)})


async def test_what_the_filter_excludes_by_name_goes_by(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.only("bucket/good/* !bucket/good/not*")
        for key in ("good/a", "good/not", "bad/a"):
            await it.put(key, b"body")
        assert await is_kept(it, "good/a")
        it.remote.seen.clear()
        assert await state(it, "bad/a") == ("BYPASS", "filter")
        assert await state(it, "good/not") == ("BYPASS", "filter")
        assert it.asked() == [("GetObject", None)] * 2  # one request each
        assert it.cache.document()["files"] == 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("bucket/*[hdr:content-type='video/*']", True),
        ("bucket/*[hdr:content-type='audio/*']", False),
        ("bucket/*[hdr:content-length<5]", True),
        ("bucket/*[hdr:content-length<4]", False),
        ("bucket/*[md:camera=7]", True),
        ("bucket/*[md:camera!=7]", False),
        ("bucket/*[tag:hot=yes]", True),
        ("!bucket/*[tag:hot]", False),
        ("bucket[tag:site=hamburg]", True),
        ("bucket[tag:site=berlin]/*", False),
        ("bucket/*[hdr:x-amz-storage-class=STANDARD]", True),
    ],
)
@pytest.mark.parametrize("first", ["GetObject", "HeadObject"])
async def test_what_a_filter_sees(tmp_path: Path, text: str, kept: bool, first: str) -> None:
    async with caching(tmp_path) as it:
        await tag_bucket(it, site="hamburg")
        await it.put("k", b"body", ContentType="video/mp4", Metadata={"camera": "7"}, Tagging="hot=yes")
        await it.only(text)
        if first == "HeadObject":
            await it.head("k")
        assert await is_kept(it, "k") is kept


async def test_a_range_of_what_is_not_kept(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.only("bucket/*[hdr:content-length<100]")
        got = await it.get("k", Range=f"bytes={BLOCK}-{BLOCK + 9}")
        assert (got.status, got.said, got.body) == (206, "BYPASS", LARGE[BLOCK : BLOCK + 10])


async def test_what_is_here_goes_when_the_filter_changes(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for key in ("a/1", "b/1"):
            await it.put(key, b"body")
            assert await is_kept(it, key)
        await it.only("bucket/a/*")
        await it.written_down()
        assert it.cache.document()["files"] == 1
        assert await state(it, "a/1") == ("HIT", None)
        assert await state(it, "b/1") == ("BYPASS", "filter")
        await it.only("bucket/b/*")
        assert await state(it, "a/1") == ("BYPASS", "filter")
        assert await is_kept(it, "b/1")


async def test_after_a_restart_too(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body")
        assert await is_kept(it, "k")
    async with caching(tmp_path, it.remote, only="bucket/other") as it:
        await it.written_down()
        assert it.cache.document()["files"] == 0
        assert await state(it, "k") == ("BYPASS", "filter")


async def test_tags_decide_over_the_filter(tmp_path: Path) -> None:
    async with caching(tmp_path, tags=True) as it:
        await it.only("bucket/good/*")
        await it.put("good/a", b"body", Tagging="s3d.cache=false")
        await it.put("bad/a", b"body", Tagging="s3d.cache=true")
        await it.put("bad/b", b"body", Tagging="s3d.cache=pin")
        assert not await is_kept(it, "good/a")
        assert (await state(it, "good/a"))[1] == "tag"
        for key in ("bad/a", "bad/b"):
            await state(it, key)  # its tags are learnt
            assert await is_kept(it, key)


async def test_tags_that_change(tmp_path: Path) -> None:
    async with caching(tmp_path, tags=True) as it:
        await it.put("k", b"body")
        assert await is_kept(it, "k")
        members = {"Bucket": BUCKET, "Key": "k"}
        await call(it.cache, "PutObjectTagging", members | {"Tagging": tagging(s3d__cache="false")})
        assert await state(it, "k") == ("BYPASS", "tag")
        await call(it.cache, "DeleteObjectTagging", members)
        assert await is_kept(it, "k")
        members = {"Bucket": BUCKET}
        await call(it.cache, "PutBucketTagging", members | {"Tagging": tagging(s3d__cache="false")})
        await it.written_down()
        assert it.cache.document()["files"] == 0
        assert await state(it, "k") == ("BYPASS", "tag")
        await call(it.cache, "DeleteBucketTagging", members)
        await it.written_down()
        assert await is_kept(it, "k")


async def test_tags_that_somebody_else_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at again with the version."""
    async with caching(tmp_path, max_age=0) as it:
        await it.only("bucket/*[tag:hot=yes]")
        await it.put("k", b"body", Tagging="hot=yes")
        await state(it, "k")
        assert (await state(it, "k"))[0] == "REVALIDATED"
        await tag(it, "k", hot="no")
        assert (await state(it, "k"))[0] == "REVALIDATED"  # they are five minutes old at most
        monkeypatch.setattr("s3d.read_cache.known_tags._AGE", 0.0)
        assert await state(it, "k") == ("BYPASS", "filter")
        assert it.cache.document()["files"] == 0


async def test_tags_that_cannot_be_learnt(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.only("bucket/*[tag:hot=yes] bucket/any/*")
        await it.put("k", b"body", Tagging="hot=yes")
        await it.put("any/k", b"body")
        it.remote.before = away("GetObjectTagging")
        assert not await is_kept(it, "k")
        assert await is_kept(it, "any/k")
        it.remote.before = well
        it.cache._asker.invalidate_all()  # a minute later
        assert await is_kept(it, "k")


async def test_what_is_here_stays_while_tags_are_not_known(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body", Tagging="hot=yes")
        assert await is_kept(it, "k")
        it.remote.before = away()
        await it.only("bucket/*[tag:hot=yes]")
        assert await state(it, "k") == ("HIT", None)


async def test_what_is_written_is_kept_if_it_may_be(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.only("bucket/good/*[hdr:content-type='video/*'] bucket/tagged/*[tag:hot]")
        for key, members in (
            ("good/a", {"ContentType": "video/mp4"}),
            ("good/b", {"ContentType": "text/plain"}),
            ("bad/a", {"ContentType": "video/mp4"}),
            ("tagged/a", {"Tagging": "hot=1"}),
            ("tagged/b", {}),
        ):
            await call(it.cache, "PutObject", {"Bucket": BUCKET, "Key": key, **members}, b"body")
        await it.written_down()
        here = [row["key"] for row in it.cache.page(BUCKET, "", ("", ""), 10)]
        assert here == ["good/a", "tagged/a"]


async def test_an_upload_is_kept_if_it_may_be(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.only("bucket/good/* !bucket/*[hdr:content-length>8MiB]")
        for key, size, kept in (("good/a", PART, True), ("good/b", 2 * PART, False), ("bad/a", PART, False)):
            made = await call(it.cache, "CreateMultipartUpload", {"Bucket": BUCKET, "Key": key})
            at = {"Bucket": BUCKET, "Key": key, "UploadId": made["UploadId"]}
            parts = []
            for number in range(size // PART):
                part = await call(it.cache, "UploadPart", at | {"PartNumber": number + 1}, b"p" * PART)
                parts.append({"ETag": part["ETag"], "PartNumber": number + 1})
            await call(it.cache, "CompleteMultipartUpload", at | {"MultipartUpload": {"Parts": parts}})
            await it.head(key)
            assert await is_kept(it, key, b"p" * size) is kept


async def test_a_pin_by_command_is_stronger(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body")
        await it.only("bucket/other")
        assert not await is_kept(it, "k")
        await it.cache.pin(BUCKET, "k")
        assert await is_kept(it, "k")
        await it.cache.decide_again()
        assert await state(it, "k") == ("HIT", None)
        await it.cache.unpin(BUCKET, "k")
        assert await it.cache.decide_again() == 1


async def test_warming_leaves_out_what_may_not_be_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for key in ("good/a", "bad/a"):
            await it.put(key, b"body")
        await it.only("bucket/good/*")
        it.remote.seen.clear()
        progress = await warm(it)
        assert (progress.fetched, progress.not_kept) == (1, 1)
        assert [r.key for r in it.remote.seen if r.operation == "GetObject"] == ["good/a"]
