"""Blocks of one version: damage is found whatever is written next to it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from unit.read_cache.caching import BLOCK, BUCKET, LARGE, caching
from unit.write_queue.pushing import until

from s3d.local.block_files import damaged
from s3d.read_cache import body


async def test_damage_before_a_fetch_into_the_same_file(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k", Range="bytes=0-9")
        await it.written_down()
        with it.files()[0].open("r+b") as file:
            file.write(bytes(byte ^ 1 for byte in LARGE[:10]))
        await it.get("k", Range=f"bytes={3 * BLOCK}-{3 * BLOCK}")
        await it.written_down()
        assert (await it.get("k", Range="bytes=0-9")).body == LARGE[:10]


async def test_damage_during_a_fetch_into_the_same_file(tmp_path: Path) -> None:
    """It cannot be told from what the fetch does to the file."""
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k", Range="bytes=0-9")
        await it.written_down()
        entry = it.cache._filling.find((BUCKET, b"k"))
        assert entry is not None
        assert entry.handle is not None
        with entry.writing(), it.files()[0].open("r+b") as file:
            file.write(bytes(byte ^ 1 for byte in LARGE[:10]))
        assert (await it.get("k", Range="bytes=0-9")).body == LARGE[:10]


async def test_a_file_that_changes_while_it_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of one reader says nothing about what another one has seen since."""
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await it.written_down()
    go_on, checks = asyncio.Event(), 0

    async def slow(*_: object) -> list[int]:
        nonlocal checks
        checks += 1
        if checks == 1:
            await go_on.wait()
            return []
        return await damaged(*_)  # type: ignore[arg-type]

    async with caching(tmp_path, it.remote) as again:
        monkeypatch.setattr(body, "damaged", slow)
        first = asyncio.get_running_loop().create_task(again.get("k", Range="bytes=0-9"))
        await until(lambda: checks == 1)
        await asyncio.sleep(0.05)  # a file's time of change is not exact
        with again.files()[0].open("r+b") as file:
            file.write(bytes(byte ^ 1 for byte in LARGE[:10]))
        entry = again.cache._filling.find((BUCKET, b"k"))
        assert entry is not None
        entry.unchecked(1, 2, time.time())
        go_on.set()
        await first
        assert (await again.get("k", Range="bytes=0-9")).body == LARGE[:10]
