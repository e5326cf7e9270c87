"""Restarts and damage: what is here is what it was, or is fetched again."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.read_cache.caching import BLOCK, BUCKET, LARGE, Caching, away, caching

from s3d.local.directory import CannotOpen, DirectoryInUse
from s3d.read_cache.backend import ReadCache
from s3d.read_cache.config import ReadCacheConfig

BODIES = {"empty": b"", "small": b"small", "block": b"b" * BLOCK, "large": LARGE}


async def test_a_restart(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for key, body in BODIES.items():
            await it.put(key, body, Metadata={"m": "\u00e9"})
            await it.get(key)
    async with caching(tmp_path, it.remote) as again:
        again.remote.before = away()
        for key, body in BODIES.items():
            found = await again.get(key)
            assert (found.said, found.body) == ("HIT", body)
            assert found.response.headers["x-amz-meta-m"] == "\u00e9"


async def test_a_crash(tmp_path: Path) -> None:
    """What was not written down is not here; what was is; files without a row go."""
    copy = tmp_path / "copy"
    async with caching(tmp_path / "cache") as it:
        for key, body in BODIES.items():
            await it.put(key, body)
            await it.get(key)
        await it.written_down()
        stray = it.files()[0].with_name("00" * 16)
        stray.write_bytes(b"?")
        shutil.copytree(tmp_path / "cache", copy)
    async with caching(copy, it.remote) as again:
        for key, body in BODIES.items():
            assert (await again.get(key)).body == body
        assert again.asked() == it.asked()
        for _ in range(200):
            if len(again.files()) == 1:
                break
            await asyncio.sleep(0.01)
        assert [path.name for path in again.files()] != [stray.name]


def flipped(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(2 * BLOCK + 5)
        byte = file.read(1)[0]
        file.seek(2 * BLOCK + 5)
        file.write(bytes([byte ^ 1]))


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def shortened(path: Path) -> None:
    os.truncate(path, 3 * BLOCK)


@pytest.mark.parametrize("harm", [flipped, zeroed, shortened, Path.unlink])
@pytest.mark.parametrize("restart", [False, True])
async def test_damaged_files(tmp_path: Path, harm: Callable[[Path], None], *, restart: bool) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await it.written_down()
        if not restart:
            harm(it.files()[0])
            await _is_whole_again(it)
    if restart:
        harm(it.files()[0])
        async with caching(tmp_path, it.remote) as again:
            await _is_whole_again(again)


async def test_damage_between_two_gaps(tmp_path: Path) -> None:
    """What was here is compared with its checksum, though the fetches to its left and right change the file, too."""
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k", Range=f"bytes={2 * BLOCK}-{2 * BLOCK + 9}")
        await it.written_down()
        await asyncio.sleep(0.05)  # a file's time of change is not exact
        flipped(it.files()[0])
        assert (await it.get("k")).body == LARGE


async def _is_whole_again(it: Caching) -> None:
    assert (await it.get("k", Range=f"bytes={2 * BLOCK}-{3 * BLOCK}")).body == LARGE[2 * BLOCK : 3 * BLOCK + 1]
    assert (await it.get("k")).body == LARGE
    await it.written_down()
    found = await it.get("k")
    assert (found.said, found.body) == ("HIT", LARGE)
    assert it.cache.document()["bytes"] == len(LARGE)


async def test_damaged_rows(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for key, body in BODIES.items():
            await it.put(key, body)
            await it.get(key)
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE entry SET data = x'00' || substr(data, 2) WHERE data IS NOT NULL")
        database.execute("UPDATE block SET crc = crc + 1 WHERE number = 1")
    async with caching(tmp_path, it.remote) as again:
        for key, body in BODIES.items():
            assert (await again.get(key)).body == body


@pytest.mark.parametrize("content", [b"", b"no database", os.urandom(50_000)])
async def test_a_damaged_database(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
    (tmp_path / "cache.db").write_bytes(content)
    async with caching(tmp_path, it.remote) as again:
        assert (await again.get("k")).said == "MISS"
        assert (await again.get("k")).said == "HIT"
    assert ("begins empty" in caplog.text) == bool(content)


async def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("CREATE TABLE theirs (x)")
    theirs = tmp_path / "blocks" / "ab" / "theirs"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    cache = ReadCache(ReadCacheConfig(tmp_path), None)  # type: ignore[arg-type]
    with pytest.raises(CannotOpen, match="another program"):
        await cache.open()
    await cache.close()
    with sqlite3.connect(tmp_path / "cache.db") as database:
        assert database.execute("SELECT count(*) FROM theirs").fetchone() == (0,)
    (tmp_path / "cache.db").unlink()
    async with caching(tmp_path) as it:
        await it.cache._tasks[0]
    assert theirs.exists()


async def test_a_database_that_fails_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reads go on without it."""
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await it.written_down()
        it.cache._filling._entries.clear()
        it.cache._database.reader.execute("PRAGMA query_only = OFF")  # type: ignore[union-attr]
        it.cache._database.reader.execute("DROP TABLE entry")  # type: ignore[union-attr]
        for _ in range(2):
            assert (await it.get("k")).body == LARGE
        assert "cannot be read" in caplog.text


async def test_one_process_at_a_time(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        other = ReadCache(ReadCacheConfig(tmp_path), it.remote)
        with pytest.raises(DirectoryInUse):
            await other.open()
        await other.close()


async def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = ReadCache(ReadCacheConfig(tmp_path / "file" / "cache"), None)  # type: ignore[arg-type]
    with pytest.raises(CannotOpen):
        await cache.open()
    await cache.close()


async def test_no_descriptor_is_left(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for number in range(20):
            await it.put(f"k{number}", LARGE)
            await it.get(f"k{number}")
            await it.get(f"k{number}", Range="bytes=5-100000")
        await it.cache.purge(BUCKET, "")
        for number in range(20):
            await it.get(f"k{number}")
    assert opened(tmp_path) == []


def opened(directory: Path) -> list[str]:
    """Files below it that this process has open."""
    paths = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return [path for path in paths if path.startswith(str(directory))]
