"""Entries in memory: changes when the disk fails, and descriptors."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from unit.read_cache.caching import BUCKET, LARGE, caching
from unit.read_cache.test_reads import refusal

from s3d.read_cache import filling
from s3d.s3.errors import S3Error

AT = {"Bucket": BUCKET, "Key": "k"}


async def full(*_: Any, **__: Any) -> None:
    raise S3Error("SlowDown")


async def test_a_change_after_a_removal_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        await it.written_down()
        monkeypatch.setattr(it.cache._index, "remove_all", full)
        it.cache._filling.evict(it.cache._index.page(BUCKET, b"", ("", b""), 9))
        await it.written_down()
        await call(it.cache, "DeleteObject", AT)
    async with caching(tmp_path, it.remote) as again:
        assert await refusal(again.get("k")) == 404


async def test_a_change_when_the_database_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        await it.written_down()
        it.cache._filling._let_go((BUCKET, b"k"))
        with monkeypatch.context() as broken:
            broken.setattr(it.cache._index, "find", fails)
            await call(it.cache, "DeleteObject", AT)
        assert await refusal(it.get("k")) == 404


async def test_a_disk_that_fails_after_the_remote_took_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        await it.written_down()
        monkeypatch.setattr(it.cache._index, "remove", full)
        await call(it.cache, "PutObject", AT, b"new")


def _open_files(directory: Path) -> int:
    links = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return sum(os.readlink(link).startswith(str(directory / "blocks")) for link in links if link.is_symlink())


async def test_hits_do_not_open_files_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "_MEMORY", 10 << 17)
    async with caching(tmp_path) as it:
        for number in range(40):
            await it.put(f"k{number}", LARGE)
            await it.get(f"k{number}")
    async with caching(tmp_path, it.remote) as again:
        for number in range(40):
            assert (await again.get(f"k{number}")).said == "HIT"
        assert _open_files(tmp_path) <= 12
