"""Reads: from where they are answered, how old that may be, and what the answers say."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from unit.read_cache.caching import BLOCK, BUCKET, LARGE, Got, away, caching, read, request, well

from s3d.read_cache import ask
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response

BODIES = pytest.mark.parametrize("body", [b"", b"small", b"b" * BLOCK, b"c" * (2 * BLOCK), LARGE])


@BODIES
async def test_the_second_time_it_is_here(tmp_path: Path, body: bytes) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", body, ContentType="a/b", Metadata={"m": "1"}, CacheControl="max-age=1")
        first, second = await it.get("k"), await it.get("k")
        assert (first.said, second.said) == ("MISS", "HIT")
        assert first.body == second.body == body
        assert it.asked() == [("GetObject", None)]
        assert second.response.headers["Content-Length"] == str(len(body))
        for name in ("ETag", "Last-Modified", "Content-Type", "x-amz-meta-m", "Cache-Control", "Content-Length"):
            assert first.response.headers[name] == second.response.headers[name]


@BODIES
async def test_heads(tmp_path: Path, body: bytes) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", body, ContentType="a/b")
        first, second = await it.head("k"), await it.head("k")
        assert (first.said, second.said) == ("MISS", "HIT")
        assert second.response.headers["Content-Length"] == str(len(body))
        assert (await it.get("k")).body == body
        assert (await it.get("k")).said == "HIT"
        assert it.asked("HeadObject") == [("HeadObject", None)]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=65535-65536", 65535, 65537),
        ("bytes=100-", 100, len(LARGE)),
        ("bytes=-10", len(LARGE) - 10, len(LARGE)),
        ("bytes=-999999999", 0, len(LARGE)),
        (f"bytes={5 * BLOCK}-999999999", 5 * BLOCK, len(LARGE)),
    ],
)
async def test_ranges(tmp_path: Path, text: str, first: int, last: int) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        for said in ("MISS", "HIT"):
            found = await it.get("k", Range=text)
            assert (found.status, found.said, found.body) == (206, said, LARGE[first:last])
            assert found.response.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(LARGE)}"
        assert len(it.remote.seen) == 1
        assert (await it.get("k")).body == LARGE


@pytest.mark.parametrize("text", ["bytes=999999999-", "bytes=-0"])
async def test_a_range_of_nothing(tmp_path: Path, text: str) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        for _ in range(2):
            assert await refusal(it.get("k", Range=text)) == 416
            await it.head("k")


@pytest.mark.parametrize("text", ["bytes=5-2", "bytes=a-b", "bytes=0-1,4-5", "lines=1-2"])
async def test_what_is_no_range_is_all_of_it(tmp_path: Path, text: str) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        for _ in range(2):
            found = await it.get("k", Range=text)
            assert (found.status, found.body) == (200, LARGE)


async def test_only_missing_blocks_are_fetched(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k", Range=f"bytes={2 * BLOCK}-{2 * BLOCK}")
        assert (await it.get("k")).body == LARGE
        asked = [where for _, where in it.asked("GetObject")]
        assert asked[0] == f"bytes={2 * BLOCK}-{3 * BLOCK - 1}"
        assert sorted(asked[1:], key=str) == [f"bytes=0-{2 * BLOCK - 1}", f"bytes={3 * BLOCK}-{len(LARGE) - 1}"]
        assert all(r.headers["If-Match"] for r in it.remote.seen[1:])


async def test_what_is_old_is_confirmed_with_one_question(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", LARGE)
        await it.get("k")
        found = await it.get("k")
        assert (found.said, found.body) == ("REVALIDATED", LARGE)
        assert it.asked()[1:] == [("HeadObject", None)]
        await it.put("k", b"new")
        assert ((await it.get("k")).body, (await it.head("k")).said) == (b"new", "REVALIDATED")


@pytest.mark.parametrize("body", [b"", b"small", LARGE])
async def test_the_same_bytes_with_other_headers(tmp_path: Path, body: bytes) -> None:
    """The ETag is the same: the bytes are not fetched again, the headers are those that there are now."""
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", body, Metadata={"old": "1", "n": "1"}, CacheControl="max-age=1", Tagging="x=1&y=2")
        first = await it.get("k")
        assert first.response.headers["x-amz-tagging-count"] == "2"
        await it.put("k", body, Metadata={"n": "2"}, ContentType="text/plain")
        found = await it.get("k")
        assert (found.said, found.body, found.response.headers["ETag"]) == (
            "REVALIDATED",
            body,
            first.response.headers["ETag"],
        )
        assert it.asked()[1:] == [("HeadObject", None)]
        for headers in (found.response.headers, (await it.head("k")).response.headers):
            assert (headers["x-amz-meta-n"], headers["Content-Type"]) == ("2", "text/plain")
            assert "x-amz-meta-old" not in headers
            assert "Cache-Control" not in headers
    async with caching(tmp_path, it.remote, max_age=0) as again:
        again.remote.before = away()
        found = await again.get("k")
        assert (found.said, found.body, found.response.headers["x-amz-meta-n"]) == ("STALE", body, "2")


async def test_the_same_bytes_that_are_not_to_be_kept(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await it.put("k", LARGE, CacheControl="no-store")
        assert ((await it.get("k")).said, (await it.get("k")).said) == ("BYPASS", "BYPASS")
        await it.written_down()
        assert it.files() == []


async def test_many_who_ask_are_one_question(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", LARGE)
        it.remote.turn = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(it.get("k")) for _ in range(50)]
            await asyncio.sleep(0.05)
            it.remote.turn.set()
        assert all(reader.result().body == LARGE for reader in readers)
        assert it.asked() == [("GetObject", None)]
        it.remote.turn.clear()
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(it.get("k")) for _ in range(50)]
            await asyncio.sleep(0.05)
            it.remote.turn.set()
        assert {reader.result().said for reader in readers} == {"REVALIDATED"}
        assert it.asked()[1:] == [("HeadObject", None)]


async def test_while_the_remote_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_AWAY_FOR", 0.0)
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", LARGE)
        await it.put("part", LARGE)
        await it.get("k")
        await it.get("part", Range="bytes=0-9")
        it.remote.before = away()
        assert ((await it.get("k")).said, (await it.head("k")).said) == ("STALE", "STALE")
        assert (await it.get("part", Range="bytes=5-6")).said == "STALE"
        for key, members in (("part", {}), ("nothing", {})):
            with pytest.raises(RemoteUnreachable):
                await it.get(key, **members)
        it.remote.before = well
        assert (await it.get("k")).said == "REVALIDATED"


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "ServiceUnavailable"])
async def test_an_answer_that_says_nothing_is_none(tmp_path: Path, code: str) -> None:
    def busy(request: S3Request) -> None:
        raise S3Error(code)

    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", b"body")
        await it.get("k")
        it.remote.before = busy
        assert (await it.get("k")).said == "STALE"
        with pytest.raises(S3Error) as refused:
            await it.get("other")
        assert refused.value.status == 503


async def test_too_old_to_be_served(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0, stale=0.05) as it:
        await it.put("k", b"body")
        await it.get("k")
        it.remote.before = away()
        await asyncio.sleep(0.06)
        with pytest.raises(RemoteUnreachable):
            await it.get("k")


async def test_a_slow_remote_is_not_waited_for(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0, deadline=0.05) as it:
        await it.put("k", b"body")
        await it.get("k")
        it.remote.turn = asyncio.Event()
        assert (await it.get("k")).said == "STALE"
        it.remote.turn.set()
        assert (await it.get("k")).said == "REVALIDATED"


async def test_a_remote_that_gives_no_answer_is_asked_three_times(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        it.remote.before = away()
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(refusal(it.get("k"))) for _ in range(20)]
        assert {reader.result() for reader in readers} == {503}
        assert len(it.remote.seen) == 3


async def refusal(work: Awaitable[Got]) -> int:
    """The status of an error, however it comes."""
    try:
        return (await work).status
    except S3Error as error:
        return error.status


async def test_an_absence_is_remembered_for_a_while(tmp_path: Path) -> None:
    async with caching(tmp_path, negative_age=0.2) as it:
        for _ in range(3):
            assert await refusal(it.get("k")) == 404
        assert len(it.remote.seen) == 1
        assert await refusal(it.head("k")) == 404
        await it.put("k", b"body")
        await asyncio.sleep(0.25)
        assert (await it.get("k")).body == b"body"


async def test_a_missing_bucket_is_not_a_missing_key(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        wanted = request("GetObject", "k")
        wanted.bucket = "nobucket"
        for _ in range(2):
            response = await it.cache(wanted)
            assert b"NoSuchBucket" in await read(response.body)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"PartNumber": 1}, "part"),
        ({"VersionId": "null"}, "version"),
        ({"ExpectedBucketOwner": "123456789012"}, "owner"),
        ({"RequestPayer": "requester"}, "payer"),
    ],
)
async def test_what_goes_past(tmp_path: Path, members: dict[str, Any], reason: str) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body")
        for _ in range(2):
            found = await it.get("k", **members)
            assert (found.said, found.response.headers["x-s3d-cache-reason"]) == ("BYPASS", reason)
        assert len(it.remote.seen) == 2


@pytest.mark.parametrize(
    ("config", "members", "reason"),
    [
        ({"max_object": 3}, {}, "size"),
        ({"max_size": 3}, {}, "size"),
        ({}, {"CacheControl": "private, no-store"}, "no-store"),
    ],
)
async def test_what_is_not_kept(tmp_path: Path, config: dict[str, Any], members: dict[str, Any], reason: str) -> None:
    async with caching(tmp_path, **config) as it:
        await it.put("k", b"body", **members)
        for _ in range(2):
            found = await it.get("k")
            assert (found.said, found.response.headers["x-s3d-cache-reason"]) == ("BYPASS", reason)
            assert found.body == b"body"
        assert it.cache.document()["bytes"] == 0
        assert len(it.remote.seen) == 3  # the second time it is known


async def test_the_version_that_is_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        status = {"Bucket": "bucket", "VersioningConfiguration": {"Status": "Enabled"}}
        await call(it.remote.inner, "PutBucketVersioning", status)
        old = await call(it.remote.inner, "PutObject", {"Bucket": "bucket", "Key": "k"}, b"old")
        await it.put("k", b"new")
        version = (await it.get("k")).response.headers["x-amz-version-id"]
        assert (await it.get("k", VersionId=version)).said == "HIT"
        assert (await it.get("k", VersionId=old["VersionId"])).body == b"old"
        assert (await it.get("k")).body == b"new"


async def test_conditions_are_judged_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body")
        etag = (await it.get("k")).response.headers["ETag"]
        past, future = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        assert (await it.get("k", IfMatch=etag, IfModifiedSince=past)).said == "HIT"
        for members, status in (
            ({"IfNoneMatch": etag}, 304),
            ({"IfMatch": '"other"'}, 412),
            ({"IfUnmodifiedSince": past}, 412),
            ({"IfModifiedSince": future}, 304),
        ):
            with pytest.raises(S3Error) as refused:
                await it.get("k", **members)
            assert (refused.value.status, refused.value.headers["x-s3d-cache"]) == (status, "HIT")
        assert len(it.remote.seen) == 1


@pytest.mark.parametrize("date", ["yesterday", None])
async def test_conditions_on_a_date_that_nobody_knows(tmp_path: Path, date: str | None) -> None:
    """As if they were not there (RFC 9110 sections 13.1.3 and 13.1.4)."""
    async with caching(tmp_path) as it:
        await it.put("k", b"body", CacheControl="max-age=7")
        inner = it.cache._filling.inner

        async def dateless(request: S3Request) -> S3Response:
            response = await inner(request)
            response.headers.popall("Last-Modified", None)
            if date is not None:
                response.headers["Last-Modified"] = date
            response.headers["Vary"] = "Accept"
            return response

        it.cache._filling.inner = dateless
        etag = (await it.get("k")).response.headers["ETag"]
        moment = datetime(2100, 1, 1, tzinfo=UTC)
        for members in ({"IfModifiedSince": moment}, {"IfUnmodifiedSince": datetime(1999, 1, 1, tzinfo=UTC)}):
            found = await it.get("k", **members)
            assert (found.status, found.said) == (200, "HIT")
        with pytest.raises(S3Error) as refused:
            await it.get("k", IfNoneMatch=etag)
        assert refused.value.status == 304
        said = {name: refused.value.headers.get(name) for name in ("ETag", "Last-Modified", "Vary", "Cache-Control")}
        assert said == {"ETag": etag, "Last-Modified": date, "Vary": "Accept", "Cache-Control": "max-age=7"}


async def test_a_condition_on_what_is_not_here_fetches_no_body(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        etag = (await it.remote.inner(request("HeadObject", "k"))).headers["ETag"]
        assert await refusal(it.get("k", IfNoneMatch=etag)) == 304
        assert it.asked() == [("HeadObject", None)]


async def test_headers_can_be_replaced(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body", ContentType="a/b")
        for _ in range(2):
            found = await it.get("k", ResponseContentType="c/d", ResponseContentDisposition="inline")
            assert (found.response.headers["Content-Type"], found.response.headers["Content-Disposition"]) == (
                "c/d",
                "inline",
            )
        assert (await it.get("k")).response.headers["Content-Type"] == "a/b"


async def test_checksums_are_those_of_the_bytes(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE, ChecksumAlgorithm="SHA256")
        name = "x-amz-checksum-sha256"
        await it.get("k", Range="bytes=0-9")
        found = await it.get("k", ChecksumMode="ENABLED")
        assert name in found.response.headers
        assert name in (await it.get("k", ChecksumMode="ENABLED")).response.headers
        assert name not in (await it.get("k", ChecksumMode="ENABLED", Range="bytes=0-9")).response.headers
        assert name not in (await it.get("k")).response.headers
        assert it.asked("HeadObject") == [("HeadObject", None)]


async def test_the_first_404_is_a_miss_and_the_next_a_hit(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        said = []
        for _ in range(2):
            with pytest.raises(S3Error, match="key") as refused:
                await it.get("none")
            said.append(refused.value.headers["x-s3d-cache"])
        assert said == ["MISS", "HIT"]
        assert len(it.asked()) == 1


@pytest.mark.parametrize(
    "members", [{"Range": "bytes=9-2"}, {"Range": "bytes=0-9", "IfRange": '"another"'}], ids=["no range", "If-Range"]
)
async def test_a_range_that_does_not_count_is_the_whole_object_with_its_checksum(
    tmp_path: Path, members: dict[str, str]
) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE, ChecksumAlgorithm="CRC32C")
        assert (await it.get("k", Range="bytes=0-9")).status == 206
        asked = request("GetObject", "k", ChecksumMode="ENABLED", Range=members["Range"])
        if "IfRange" in members:
            asked.headers["If-Range"] = members["IfRange"]
        response = await it.cache(asked)
        assert (response.status, await read(response.body)) == (200, LARGE)
        assert "x-amz-checksum-crc32c" in response.headers


async def test_a_version_that_is_replaced_and_for_which_there_is_no_room(tmp_path: Path) -> None:
    """Its missing blocks go by, and tell that there is another one."""
    async with caching(tmp_path, max_size=8 * BLOCK) as it:
        await it.put("k", LARGE)
        await it.get("k", Range="bytes=0-9")
        await it.put("pinned", os.urandom(7 * BLOCK))
        await it.cache.pin(BUCKET, "pinned")
        await it.cache._keeper.round()
        await it.written_down()
        await it.put("k", LARGE[::-1])
        assert (await it.get("k")).body == LARGE[::-1]


async def test_what_is_counted(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        assert it.cache.document()["byte_hit_ratio"] is None
        await it.put("k", LARGE)
        await it.put("small", b"body")
        for key in ("k", "small", "small", "small"):
            await it.get(key)
        await it.head("small")
        said = it.cache.document()
        figures = {name: said[name] for name in ("hit", "miss", "requests_saved", "bytes_saved", "hit_ratio")}
        assert figures == {"hit": 3, "miss": 2, "requests_saved": 3, "bytes_saved": 8, "hit_ratio": 0.6}
        assert said["byte_hit_ratio"] == round(8 / (len(LARGE) + 4 + 8), 4)
