"""Multipart uploads that become entries as they are sent."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, call
from unit.read_cache.caching import BLOCK, BUCKET, Caching, Reticent, away, caching, request, well

from s3d.read_cache import uploads
from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable

PART = 80 * BLOCK
"""S3's smallest that is not the last."""
PARTS = [os.urandom(PART), os.urandom(PART), os.urandom(BLOCK + 17)]


async def begin(it: Caching, key: str = "k", **members: Any) -> str:
    return str((await call(it.cache, "CreateMultipartUpload", {"Bucket": BUCKET, "Key": key, **members}))["UploadId"])


async def send(it: Caching, upload: str, number: int, body: bytes, **members: Any) -> str:
    part = {"Bucket": BUCKET, "Key": "k", "UploadId": upload, "PartNumber": number, **members}
    return str((await call(it.cache, "UploadPart", part, body))["ETag"])


async def complete(it: Caching, upload: str, etags: dict[int, str]) -> None:
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(etags.items())]
    members = {"Bucket": BUCKET, "Key": "k", "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    await call(it.cache, "CompleteMultipartUpload", members)


async def is_kept(it: Caching, body: bytes) -> bool:
    """Whether the object is read right, and without asking the remote for bytes."""
    it.remote.seen.clear()
    assert (await it.get("k")).body == body
    return not it.asked("GetObject")


def nothing_is_left(it: Caching) -> bool:
    """Reserved room, and files of uploads."""
    return it.cache._filling.room.reserved == 0 and not it.cache._uploads._uploads


async def test_tags_of_an_upload(tmp_path: Path) -> None:
    """Known since it was created, or asked for with one byte if somebody else has created it."""
    async with caching(tmp_path, inner=Reticent()) as it:
        upload = await begin(it, Tagging="a=1&b=2")
        await complete(it, upload, {1: await send(it, upload, 1, PARTS[0])})
        it.remote.seen.clear()
        assert (await it.get("k")).response.headers["x-amz-tagging-count"] == "2"
        assert it.asked() == [("HeadObject", None)]
        members = {"Bucket": BUCKET, "Key": "k", "Tagging": "a=1&b=2&c=3"}
        upload = str((await call(it.remote.inner, "CreateMultipartUpload", members))["UploadId"])
        await complete(it, upload, {1: await send(it, upload, 1, PARTS[0])})
        it.remote.seen.clear()
        assert (await it.get("k")).response.headers["x-amz-tagging-count"] == "3"
        assert it.asked() == [("HeadObject", None), ("GetObject", "bytes=0-0")]


@pytest.mark.parametrize("order", [(1, 2, 3), (2, 1, 3), (1, 3, 2), (3, 1, 2), (3, 2, 1), (2, 3, 1)])
async def test_parts_become_an_entry(tmp_path: Path, order: tuple[int, ...]) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in order}
        await complete(it, upload, etags)
        assert await is_kept(it, b"".join(PARTS))
        assert nothing_is_left(it)
        await it.written_down()
        assert it.cache.document()["bytes"] == sum(map(len, PARTS))
    async with caching(tmp_path, it.remote) as it:
        assert await is_kept(it, b"".join(PARTS))
        assert len(it.files()) == 1


@pytest.mark.parametrize("order", [(3, 1, 2), (3, 2, 1)])
async def test_the_last_part_comes_first_and_has_whole_blocks(tmp_path: Path, order: tuple[int, ...]) -> None:
    bodies = [*PARTS[:2], os.urandom(3 * BLOCK)]
    async with caching(tmp_path) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, bodies[number - 1]) for number in order}
        await complete(it, upload, etags)
        assert await is_kept(it, b"".join(bodies))
        assert nothing_is_left(it)
        await it.written_down()
    async with caching(tmp_path, it.remote) as it:
        await it.cache._tasks[0]
        assert len(it.files()) == 1
        assert await is_kept(it, b"".join(bodies))


async def test_parts_that_are_sent_at_a_time(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        found = await asyncio.gather(*(send(it, upload, number, body) for number, body in enumerate(PARTS, 1)))
        await complete(it, upload, dict(enumerate(found, 1)))
        assert await is_kept(it, b"".join(PARTS))


async def test_a_part_that_is_sent_again(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in (1, 2, 3)}
        etags[2] = await send(it, upload, 2, PARTS[0])
        await complete(it, upload, etags)
        assert await is_kept(it, PARTS[0] + PARTS[0] + PARTS[2])


async def test_a_part_that_fails_the_second_time_is_not_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in (1, 2, 3)}
        it.remote.before = away("UploadPart")
        with pytest.raises(RemoteUnreachable):
            await send(it, upload, 2, PARTS[0])
        it.remote.before = well
        await complete(it, upload, etags)
        assert not await is_kept(it, b"".join(PARTS))
        assert nothing_is_left(it)


async def test_a_part_that_fails_again_and_again_takes_no_more_room(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        it.remote.before = away("UploadPart")
        for _ in range(3):
            with pytest.raises(RemoteUnreachable):
                await send(it, upload, 1, PARTS[0])
            assert it.cache._filling.room.reserved == PART


async def test_the_same_part_twice_at_a_time_is_not_kept(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in (1, 3)}
        found = await asyncio.gather(*(send(it, upload, 2, PARTS[1]) for _ in range(2)))
        await complete(it, upload, etags | {2: found[0]})
        assert not await is_kept(it, b"".join(PARTS))
        assert nothing_is_left(it)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param((PART, PART + BLOCK, 5), id="several sizes"),
        pytest.param((PART + BLOCK, PART, 5), id="smaller in the middle"),
        pytest.param((PART + 1, PART + 1, 5), id="not whole blocks"),
    ],
)
async def test_other_sizes_are_fetched(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        bodies = [os.urandom(size) for size in sizes]
        etags = {number: await send(it, upload, number, body) for number, body in enumerate(bodies, 1)}
        await complete(it, upload, etags)
        assert not await is_kept(it, b"".join(bodies))
        assert nothing_is_left(it)


async def test_a_single_part_may_have_any_size(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        await complete(it, upload, {1: await send(it, upload, 1, PARTS[2])})
        assert await is_kept(it, PARTS[2])


async def test_numbers_with_a_gap_and_parts_that_are_left_out(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        await complete(it, upload, {number: await send(it, upload, number, PARTS[number % 3]) for number in (1, 3)})
        assert not await is_kept(it, PARTS[1] + PARTS[0])
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in (1, 2, 3)}
        del etags[3]
        await complete(it, upload, etags)
        assert not await is_kept(it, PARTS[0] + PARTS[1])
        assert nothing_is_left(it)


async def test_a_part_that_came_another_way(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in (1, 2, 3)}
        part = {"Bucket": BUCKET, "Key": "k", "UploadId": upload, "PartNumber": 1}
        etags[1] = str((await call(it.remote.inner, "UploadPart", part, PARTS[1]))["ETag"])
        await complete(it, upload, etags)
        assert not await is_kept(it, PARTS[1] + PARTS[1] + PARTS[2])


async def test_what_is_aborted_or_refused_leaves_nothing(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        await send(it, upload, 1, PARTS[0])
        assert it.cache._filling.room.reserved == PART
        await call(it.cache, "AbortMultipartUpload", {"Bucket": BUCKET, "Key": "k", "UploadId": upload})
        assert nothing_is_left(it)
        with pytest.raises(Refused, match="upload"):
            await send(it, "no-such-upload", 1, PARTS[0])
        assert nothing_is_left(it)
        await send(it, await begin(it), 1, PARTS[0])
    async with caching(tmp_path, it.remote) as it:
        await it.cache._tasks[0]
        assert it.files() == []


async def test_uploads_that_nobody_completes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_MOST", 2)
    async with caching(tmp_path) as it:
        begun = [await begin(it) for _ in range(3)]
        for upload in begun:
            await send(it, upload, 1, PARTS[0])
        assert [upload for _, _, upload in it.cache._uploads._uploads] == begun[1:]
        monkeypatch.setattr(uploads, "_IDLE", 0.0)
        it.cache._uploads.sweep()
        assert nothing_is_left(it)


async def test_a_complete_that_fails_may_be_repeated(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in (1, 2, 3)}
        it.remote.before = away("CompleteMultipartUpload")
        with pytest.raises(RemoteUnreachable):
            await complete(it, upload, etags)
        it.remote.before = well
        await complete(it, upload, etags)
        assert await is_kept(it, b"".join(PARTS))


async def test_there_is_no_room(tmp_path: Path) -> None:
    async with caching(tmp_path, max_size=PART + 5 * BLOCK) as it:
        upload = await begin(it)
        etags = {number: await send(it, upload, number, PARTS[number - 1]) for number in (1, 2, 3)}
        await complete(it, upload, etags)
        assert nothing_is_left(it)
        assert (await it.cache(request("HeadObject", "k"))).headers["Content-Length"] == str(sum(map(len, PARTS)))


async def test_a_customers_key_is_not_kept(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        asked = codec.build_request(
            "UploadPart",
            {"Bucket": BUCKET, "Key": "k", "UploadId": "u", "PartNumber": 1, "SSECustomerAlgorithm": "AES256"},
        )
        asked.body = PARTS[0]
        it.remote.before = away()
        with pytest.raises(RemoteUnreachable):
            await it.cache(asked)
        assert nothing_is_left(it)
