"""Blocks of one version: damage is found whatever is written next to it."""

from __future__ import annotations

from pathlib import Path

from unit.read_cache.caching import BLOCK, LARGE, caching


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
