"""Limits: what goes to make room, and what does not."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from pathlib import Path

import pytest
from conformance.calling import call
from unit.read_cache.caching import BLOCK, BUCKET, Caching, caching, read, request

KIB = 1024


async def fill(it: Caching, *keys: str, size: int = 10 * KIB) -> None:
    """Each is at the remote, and read once."""
    for key in keys:
        await it.put(key, b"x" * size)
        await it.get(key)
        await it.written_down()


def here(it: Caching) -> set[str]:
    """Keys of which there are bytes."""
    return {entry["key"] for entry in it.cache.page("", "", ("", ""), 1000) if entry["cached"]}


async def test_bytes(tmp_path: Path) -> None:
    async with caching(tmp_path, max_size=100 * KIB) as it:
        await fill(it, *(f"k{number:02}" for number in range(30)))
        document = it.cache.document()
        assert 80 * KIB <= document["bytes"] <= 100 * KIB
        assert document["files"] == len(here(it)) == document["bytes"] // (10 * KIB)
        assert document["evicted"] == 30 - document["files"]
        assert here(it) >= {"k29", "k28"}


async def test_objects(tmp_path: Path) -> None:
    async with caching(tmp_path, max_files=5) as it:
        await fill(it, *(f"k{number:02}" for number in range(12)))
        assert len(here(it)) == it.cache.document()["files"] == 5


async def test_files_go_with_their_entries(tmp_path: Path) -> None:
    async with caching(tmp_path, max_size=10 * BLOCK) as it:
        await fill(it, *(f"k{number}" for number in range(9)), size=3 * BLOCK)
        await asyncio.sleep(0.1)
        assert len(it.files()) == len(here(it)) <= 3


async def test_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with caching(tmp_path, free_space=50 * KIB) as it:
        free = [1000 * KIB]
        monkeypatch.setattr("s3d.read_cache.room._LOOK_AT_DISK", -1.0)
        it.cache._filling.room._hands = _with_free(it, free)
        await fill(it, "a", "b", "c")
        free[0] = 45 * KIB
        await it.put("d", b"x" * 10 * KIB)
        assert (await it.get("d")).said == "MISS"
        await it.written_down()
        assert "d" in here(it)
        assert len(here(it)) < 4
        free[0] = 0
        await it.put("e", b"x" * 10 * KIB)
        assert (await it.get("e")).body == b"x" * 10 * KIB
        assert "e" not in here(it)


def _with_free(it: Caching, free: list[int]) -> object:
    return dataclasses.replace(it.cache._filling.room._hands, free=lambda: free[0])


async def test_a_scan_leaves_what_is_used(tmp_path: Path) -> None:
    """What is read once, however much it is, passes by what is read again and again."""
    async with caching(tmp_path, max_size=100 * KIB) as it:
        hot = [f"hot{number}" for number in range(5)]
        await fill(it, *hot)
        for _ in range(3):
            for key in hot:
                await it.get(key)
        for start in range(0, 100, 10):
            await fill(it, *(f"scan{number:03}" for number in range(start, start + 10)))
            for key in hot:
                assert (await it.get(key)).said == "HIT", key


async def test_what_comes_back_stays_longer(tmp_path: Path) -> None:
    async with caching(tmp_path, max_size=100 * KIB) as it:
        await fill(it, "k", *(f"a{number}" for number in range(15)))
        assert "k" not in here(it)
        await it.get("k")
        await it.written_down()
        await fill(it, *(f"b{number}" for number in range(15)))
        assert "k" in here(it)


async def test_what_is_read_stays_readable(tmp_path: Path) -> None:
    body = random.Random(1).randbytes(8 * BLOCK)
    async with caching(tmp_path, max_size=10 * BLOCK) as it:
        await it.put("k", body)
        await it.get("k")
        await it.written_down()
        response = await it.cache(request("GetObject", "k"))
        await it.cache.purge(BUCKET, "")
        await fill(it, "other", size=9 * BLOCK)
        assert await read(response.body) == body


async def test_what_is_being_read_does_not_go(tmp_path: Path) -> None:
    async with caching(tmp_path, max_size=10 * BLOCK) as it:
        await it.put("k", b"k" * 8 * BLOCK)
        await it.put("other", b"o" * 8 * BLOCK)
        response = await it.cache(request("GetObject", "k"))
        found = await it.get("other")  # there is no room: it goes by
        assert found.body == b"o" * 8 * BLOCK
        assert await read(response.body) == b"k" * 8 * BLOCK
        await it.written_down()
        assert here(it) == {"k"}
        assert it.cache.document()["bytes"] == 8 * BLOCK


async def test_accounts_are_right_after_everything(tmp_path: Path) -> None:
    chosen = random.Random(2)
    async with caching(tmp_path, max_size=60 * BLOCK, max_files=20) as it:
        for number in range(40):
            await it.put(f"k{number}", chosen.randbytes(chosen.randrange(1, 6 * BLOCK)))
        for _ in range(300):
            key = f"k{chosen.randrange(40)}"
            match chosen.randrange(6):
                case 0:
                    await it.get(key)
                case 1:
                    await it.get(key, Range=f"bytes={chosen.randrange(9)}-{chosen.randrange(10, 99)}")
                case 2:
                    await it.head(key)
                case 3:
                    await it.cache.purge(BUCKET, key)
                case 4:
                    await call(it.cache, "PutObject", {"Bucket": BUCKET, "Key": key}, chosen.randbytes(2 * BLOCK))
                case _:
                    await it.get(key)
        await it.written_down()
        room, document = it.cache._filling.room, it.cache.document()
        entries = it.cache.page("", "", ("", ""), 1000)
        assert document["bytes"] == sum(entry["cached"] for entry in entries) <= 60 * BLOCK
        assert document["files"] == len(entries) <= 20
        assert room.reserved == 0
        assert not room._going
    async with caching(tmp_path, it.remote) as again:
        assert again.cache.document()["bytes"] == document["bytes"]
        assert again.cache.document()["files"] == document["files"]
