"""The read cache as a Backend: reads of objects from here, changes noted, everything else handed on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

from s3d.local.block_files import BlockFiles
from s3d.local.database import Database
from s3d.local.directory import CannotOpen, Lock, make
from s3d.read_cache.ask import Asker
from s3d.read_cache.changes import CannotRemember, change, changes_objects
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.filling import Filling
from s3d.read_cache.index import Index, Listed
from s3d.read_cache.reads import Reads
from s3d.read_cache.rules import READS
from s3d.read_cache.schema import MIGRATIONS
from s3d.s3.backend import Backend
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.version import key_bytes, key_text

log = logging.getLogger("s3d.read_cache")

_DATABASE = "cache.db"
_RANGES = 100
"""Of an object that are shown."""
_PAGE = 256
"""Entries that are removed at a time."""


class ReadCache:
    """The cache in one directory. One process at a time, one event loop."""

    def __init__(self, config: ReadCacheConfig, inner: Backend) -> None:
        self._config = config
        self._inner = inner
        self._lock = Lock(config.directory)
        self._database: Database | None = None
        self._index: Index
        self._filling: Filling
        self._asker: Asker
        self._reads: Reads
        self._sweep: asyncio.Task[None] | None = None
        self._is_off = False

    async def __call__(self, request: S3Request) -> S3Response:
        if self._database is None or self._is_off or not (request.bucket or "").isascii():  # no bucket has such a name
            return await self._inner(request)
        if request.operation in READS:
            return await self._reads.read(request)
        if changes_objects(request):
            try:
                return await change(self._filling, self._asker, request)
            except CannotRemember as error:
                self._give_up(error)
        return await self._inner(request)

    async def open(self) -> None:
        """Takes the directory and what is in it; asks no remote. A database that is damaged is put aside. Raises
        CannotOpen, DirectoryInUse."""
        directory = self._config.directory
        files = BlockFiles(directory / "blocks")
        try:
            make(directory)
            self._lock.take()
            files.open()
            database, index = self._opened(directory / _DATABASE, files)
        except OSError as error:
            raise CannotOpen(f"the directory {directory} cannot be used ({error}): choose another one") from error
        self._database, self._index = database, index
        self._filling = Filling(self._config, self._inner, files, index)
        self._asker = Asker(self._config, self._filling)
        self._reads = Reads(self._config, self._filling, self._asker)
        self._sweep = asyncio.get_running_loop().create_task(self._remove_unknown(files, index))

    def _opened(self, path: Path, files: BlockFiles) -> tuple[Database, Index]:
        """What is there, or a new one. Raises CannotOpen, OSError."""
        for fresh in (False, True):
            database = Database(path, MIGRATIONS)
            index = Index(database, files)
            try:
                if fresh:
                    _put_aside(path)
                database.open()
                index.open()
            except (CannotOpen, sqlite3.Error) as error:
                is_damaged = isinstance(error.__cause__ or error, sqlite3.Error)  # else it is another program's
                if fresh or not is_damaged:
                    raise CannotOpen(str(error)) from error
                log.error("the cache begins empty: its database cannot be used", extra={"error": str(error)})
            else:
                return database, index
        raise AssertionError

    async def close(self) -> None:
        """Ends what goes on, and lets go of the directory. Also after an `open` that failed."""
        if self._database is not None:
            if self._sweep is not None:
                self._sweep.cancel()
                await asyncio.gather(self._sweep, return_exceptions=True)
            await self._asker.close()
            await self._filling.close()
            await self._database.close()
            self._database = None
        self._lock.release()

    def _give_up(self, error: CannotRemember) -> None:
        """Without its database the cache cannot keep its promises: it is off, and the next start begins empty."""
        if not self._is_off:
            self._is_off = True
            log.error("the read cache is off until the next start: its disk fails", extra={"error": str(error)})
            with contextlib.suppress(OSError):
                _put_aside(self._config.directory / _DATABASE)

    def document(self) -> dict[str, Any]:
        """For the status page. Sizes in bytes."""
        counts, room = self._reads.counts, self._filling.room
        answered = counts.hit + counts.revalidated + counts.stale + counts.miss
        return {
            "off": self._is_off,
            "bytes": room.stored,
            "files": room.count,
            "max_size": self._config.max_size,
            "max_files": self._config.max_files,
            "hit": counts.hit,
            "revalidated": counts.revalidated,
            "stale": counts.stale,
            "miss": counts.miss,
            "bypass": counts.bypass,
            "hit_ratio": round((answered - counts.miss) / answered, 4) if answered else None,
            "bytes_saved": counts.bytes_saved,
            "evicted": room.evicted,
        }

    def bucket_document(self, bucket: str) -> dict[str, Any]:
        """What is here of a bucket. Sizes in bytes."""
        files, stored = self._index.totals(bucket) if bucket.isascii() else (0, 0)
        return {"files": files, "bytes": stored}

    def key_document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """What is here of an object: the first hundred ranges [first byte, last byte]; None: nothing. Times in Unix
        seconds."""
        entry = self._filling.find((bucket, key_bytes(key))) if bucket.isascii() else None
        if entry is None:
            return None
        return {
            "size": entry.size,
            "cached": entry.stored(),
            "etag": entry.etag.strip('"'),
            "confirmed": round(entry.confirmed, 3),
            "ask": entry.ask,
            "hits": entry.hits,
            "ranges": list(itertools.islice(entry.ranges(), _RANGES)),
        }

    def page(self, bucket: str, prefix: str, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
        """Entries behind ``after`` (bucket, key) in order: of all buckets (""), or below a prefix of one."""
        rows = self._index.page(bucket, key_bytes(prefix), (after[0], key_bytes(after[1])), limit)
        return [_shown(row) for row in rows]

    async def purge(self, bucket: str, prefix: str) -> int:
        """Removes entries: all of them (""), or those below a prefix of a bucket. How many. S3Error."""
        removed, after = 0, ("", b"")
        self._asker.invalidate_all()
        while rows := self._index.page(bucket, key_bytes(prefix), after, _PAGE):
            await self._filling.purge(rows)
            removed += len(rows)
            after = rows[-1].at
        return removed

    async def _remove_unknown(self, files: BlockFiles, index: Index) -> None:
        try:
            removed = await files.remove_unknown(index.known_files)
        except (OSError, sqlite3.Error) as error:
            log.warning("files of the last run could not be looked at", extra={"error": str(error)})
            return
        if removed:
            log.info("removed files of the last run that nobody knows", extra={"files": removed})


def _shown(row: Listed) -> dict[str, Any]:
    """An entry for people. Sizes in bytes, times in Unix seconds."""
    return {
        "bucket": row.bucket,
        "key": key_text(row.key),
        "size": row.size,
        "cached": row.stored,
        "etag": row.etag.strip('"'),
        "confirmed": round(row.confirmed, 3),
        "ask": bool(row.ask),
    }


def _put_aside(path: Path) -> None:
    """For who wants to know what was the matter, or mistook the directory."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{path}.damaged{suffix}")
