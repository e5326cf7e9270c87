"""What must hold of what is left, and what does."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from conformance.calling import Refused, answer
from e2e.cache_crash.rig import BUCKET, opened
from e2e.queue_crash.remote import Remote

from s3d.local.block_files import BLOCK
from s3d.read_cache.backend import ReadCache
from s3d.read_cache.index import PINNED
from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error

KEYS = ("small", "large", "other", "tagged", "new", "aborted", "none")
_RANGES = (None, "bytes=0-9", f"bytes={BLOCK - 5}-{2 * BLOCK + 5}", "bytes=-7")
_SEEN = ("ETag", "ContentType", "ContentLength", "ContentRange", "Metadata")

Answers = dict[str, Any]


async def seen(backend: Backend, key: str) -> Answers:
    """What a client is told of an object, asked in several ways."""
    found: Answers = {}
    for operation in ("HeadObject", "GetObject"):
        for where in _RANGES if operation == "GetObject" else (None,):
            members = {"Bucket": BUCKET, "Key": key} | ({"Range": where} if where else {})
            try:
                _, got = await answer(backend, codec.build_request(operation, members))
                said: Any = {name: got.get(name) for name in _SEEN if name in got}
                if "Body" in got:
                    said["Body"] = hashlib.md5(got["Body"]).hexdigest()
            except (Refused, S3Error) as error:
                said = error.code
            found[f"{operation} {where}"] = said
    return found


async def look(
    directory: Path,
    remote: Remote,
    older: dict[str, list[Answers]],
    pins: list[list[dict[str, str]]],
    *,
    aside: bool = False,
) -> list[str]:
    """What is wrong. ``older``: what may still be told of keys that somebody else has changed; ``pins``: what may be
    pinned; ``aside``: whether a damaged database was there and may have been put aside."""
    wrong: list[str] = []
    for age in (3600.0, 0.0, 3600.0):
        cache = await opened(directory, remote, max_age=age)
        await cache._tasks[0]  # files of the last run are looked at
        if cache.pins() not in pins:
            wrong.append(f"pinned is {cache.pins()}, not {pins}")
        for key in KEYS:
            right = [await seen(remote, key)] + (older.get(key, []) if age else [])
            for asked, got in (await seen(cache, key)).items():
                if got not in [found[asked] for found in right]:
                    wrong.append(f"{asked} of {key}, with an age of {age:g} s: {got}, not {right[0][asked]}")
        await _settled(cache)
        wrong += _account(cache, directory) + await _marks(cache, directory)
        await cache.close()
    if not aside and (directory / "cache.db.damaged").exists():
        wrong.append("the database was damaged")
    return wrong


async def _settled(cache: ReadCache) -> None:
    filling = cache._filling
    while filling._tasks:
        await asyncio.wait(list(filling._tasks))


async def _marks(cache: ReadCache, directory: Path) -> list[str]:
    """What is pinned does not go to make room, and nothing else; the cache sees to it in the background."""
    wrong: list[str] = []
    for _ in range(100):
        with closing(sqlite3.connect(directory / "cache.db")) as database:
            rows = database.execute("SELECT bucket, key, queue FROM entry").fetchall()
        wrong = [
            f"{key!r} is in queue {queue}, and pinned are {cache.pins()}"
            for bucket, key, queue in rows
            if (queue == PINNED) != cache._pins.covers((bucket, key))
        ]
        if not wrong:
            break
        await asyncio.sleep(0.01)
    return wrong


def _account(cache: ReadCache, directory: Path) -> list[str]:
    """The figures are those of what is there, and each file belongs to an entry."""
    document = cache.document()
    with closing(sqlite3.connect(directory / "cache.db")) as database:
        rows = database.execute("SELECT id, size, stored, file, data FROM entry").fetchall()
        blocks: dict[int, set[int]] = {}
        for entry, number in database.execute("SELECT entry, number FROM block"):
            blocks.setdefault(entry, set()).add(number)
    wrong = []
    for number, size, stored, file, data in rows:
        here = (
            len(data or b"")
            if file is None
            else sum(min(BLOCK, size - block * BLOCK) for block in blocks.get(number, ()))
        )
        if here != stored:
            wrong.append(f"a row says that {stored} bytes are here, and {here} are")
    if blocks.keys() - {row[0] for row in rows}:
        wrong.append("there are blocks of no entry")
    counted, there = (document["bytes"], document["files"]), (sum(row[2] for row in rows), len(rows))
    if counted != there:
        wrong.append(f"{counted} bytes and objects are counted, {there} are there")
    names = {path.name for path in (directory / "blocks").glob("*/*") if path.is_file()}
    known = {row[3] for row in rows if row[3] is not None}
    if names != known:
        wrong.append(f"files without rows: {names - known}; rows without files: {known - names}")
    return wrong
