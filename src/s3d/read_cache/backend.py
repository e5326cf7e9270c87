"""The read cache as a Backend: reads of objects from here, changes noted, everything else handed on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import sqlite3
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from s3d.filters.facts import Facts, facts_of
from s3d.filters.rules import Rules
from s3d.local.block_files import BlockFiles
from s3d.local.database import Database
from s3d.local.directory import CannotOpen, Lock, make, sync_directory
from s3d.read_cache import explain
from s3d.read_cache.admission import Admission
from s3d.read_cache.answers import described
from s3d.read_cache.ask import Asker
from s3d.read_cache.changes import CannotRemember, Changes, changes_objects
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.entry import Key
from s3d.read_cache.fetch import ask, discard
from s3d.read_cache.filling import Filling
from s3d.read_cache.index import PINNED, Index, Listed
from s3d.read_cache.keeper import Keeper
from s3d.read_cache.known_tags import KnownTags
from s3d.read_cache.pins import BY_COMMAND, Pin, Pins
from s3d.read_cache.reads import Reads
from s3d.read_cache.rules import READS
from s3d.read_cache.schema import MIGRATIONS
from s3d.read_cache.tags import Tagged
from s3d.read_cache.uploads import Uploads
from s3d.read_cache.warm import Progress, Warmer
from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
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

    def __init__(self, config: ReadCacheConfig, inner: Backend, rules: Rules | None = None) -> None:
        self._config = config
        self._rules = rules or Rules()
        self._inner = inner
        self._lock = Lock(config.directory)
        self._database: Database | None = None
        self._index: Index
        self._filling: Filling
        self._asker: Asker
        self._reads: Reads
        self._changes: Changes
        self._uploads: Uploads
        self._pins: Pins
        self._known: KnownTags
        self._tagged: Tagged
        self._warmer: Warmer
        self._keeper: Keeper
        self._tasks: list[asyncio.Task[None]] = []
        self._is_off = False

    async def __call__(self, request: S3Request) -> S3Response:
        if self._database is None or self._is_off or not (request.bucket or "").isascii():  # no bucket has such a name
            return await self._inner(request)
        if request.operation in READS:
            response = await self._reads.read(request)
            if response.status < 400:
                self._tagged.seen(request.bucket or "")
            if explain.WHY in request.headers:
                response.headers[explain.WHY] = await self._why(request, response)
            return response
        if request.operation == "CreateMultipartUpload":
            return await self._uploads.create(request)
        if request.operation == "UploadPart":
            return await self._uploads.part(request)
        if request.operation == "AbortMultipartUpload":
            self._uploads.abort(request)
        if changes_objects(request):
            try:
                return await self._changes.change(request)
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
            database, index, pins = self._opened(directory / _DATABASE, files)
        except OSError as error:
            raise CannotOpen(f"the directory {directory} cannot be used ({error}): choose another one") from error
        self._database, self._index = database, index
        config = self._config
        self._filling = filling = Filling(config, self._inner, files, index, pins.covers)
        self._known = known = KnownTags(self._inner)
        known.changed = self._retagged
        admission = Admission(self._rules, known, pins)
        self._asker = asker = Asker(config, filling, admission)
        self._pins, self._tagged = pins, Tagged(config, filling, pins, known)
        self._reads = Reads(config, filling, asker, self._tagged)
        self._uploads = uploads = Uploads(filling, admission)
        filling.fetched = self._tagged.fetched
        self._changes = Changes(filling, asker, uploads, self._tagged)
        self._warmer = Warmer(config, filling, asker)
        self._keeper = Keeper(config, filling, index, pins, self._tagged, uploads, asker, self._warmer)
        pins.changed = self._keeper.wake
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._remove_unknown(files, index)), loop.create_task(self._keeper.run())]
        if self._rules.cache is not None:  # it may be another one now
            filling.spawn(_alone(self._decide_all_again("")))

    def _opened(self, path: Path, files: BlockFiles) -> tuple[Database, Index, Pins]:
        """What is there, or a new one. Raises CannotOpen, OSError."""
        for fresh in (False, True):
            database = Database(path, MIGRATIONS)
            index = Index(database, files)
            pins = Pins(database, index)
            try:
                if fresh:
                    _put_aside(path)
                database.open()
                index.open()
                pins.open()
            except (CannotOpen, sqlite3.Error) as error:
                is_damaged = isinstance(error.__cause__ or error, sqlite3.Error)  # else it is another program's
                if fresh or not is_damaged:
                    raise CannotOpen(str(error)) from error
                log.error("the cache begins empty: its database cannot be used", extra={"error": str(error)})
            else:
                return database, index, pins
        raise AssertionError

    async def close(self) -> None:
        """Ends what goes on, and lets go of the directory. Also after an `open` that failed."""
        if self._database is not None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._asker.close()
            self._uploads.close()
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
                sync_directory(self._config.directory)

    def document(self) -> dict[str, Any]:
        """For the status page. Sizes in bytes."""
        counts, room = self._reads.counts, self._filling.room
        answered = counts.hit + counts.revalidated + counts.stale + counts.miss
        wanted = counts.bytes_saved + counts.bytes_missed
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
            "byte_hit_ratio": round(counts.bytes_saved / wanted, 4) if wanted else None,
            "requests_saved": counts.hit + counts.stale,
            "bytes_saved": counts.bytes_saved,
            "evicted": room.evicted,
            "pins": len(self._pins.prefixes()) + len(self._pins.objects()),
            "pinned_without_room": self._keeper.no_room,
            "pinned_not_fetched": self._keeper.failed,
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
            "ask": bool(entry.ask),
            "pinned": self._pins.covers(entry.at),
            "hits": entry.hits,
            "ranges": list(itertools.islice(entry.ranges(), _RANGES)),
        }

    async def explain(self, known: Facts) -> dict[str, Any]:
        """Whether an object like that is kept, and why. The tags of its bucket are asked for if they are needed."""
        at = known.bucket, key_bytes(known.key)
        tags = await self._known.bucket(known.bucket) if self._rules.cache is not None else None
        known = replace(known, bucket_tags=tags or self._known.of_bucket(known.bucket))
        said = await self._rules.ask("GetObject", known)
        return explain.of_object(self._rules, known, said, pinned=self._pins.is_wanted(at))

    def bucket_tags(self, bucket: str) -> Mapping[str, str] | None:
        """As they are known."""
        return self._known.of_bucket(bucket)

    def object_tags(self, bucket: str, key: str) -> Mapping[str, str] | None:
        """As they are known."""
        return self._known.of_object((bucket, key_bytes(key)))

    async def _why(self, request: S3Request, response: S3Response) -> str:
        at = request.bucket or "", key_bytes(request.key or "")
        size = described(response).size or 0
        tags, of_bucket = self._known.of_object(at), self._known.of_bucket(at[0])
        known = facts_of(request.bucket or "", request.key or "", size, response.headers.items(), tags, of_bucket)
        said = await self._rules.ask("GetObject", known, request.source_address)
        return explain.of_answer(self._rules, known, response, said, pinned=self._pins.is_wanted(at))

    async def explain_here(self, bucket: str, key: str) -> dict[str, Any]:
        """Whether the object that the remote has is kept, and why. S3Error: there is none, or the remote is away."""
        at = bucket, key_bytes(key)
        entry = self._filling.find(at)
        if entry is None:
            head = codec.build_request("HeadObject", {"Bucket": bucket, "Key": key})
            response = await ask(self._inner, head)
            await discard(response)
            if response.status != 200:
                raise S3Error("NoSuchKey" if response.status == 404 else "ServiceUnavailable")
            found = described(response)
            headers, size = found.headers, found.size or 0
        else:
            headers, size = entry.headers, entry.size
        return await self.explain(facts_of(bucket, key, size, headers, await self._known.object(at), None))

    def page(self, bucket: str, prefix: str, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
        """Entries behind ``after`` (bucket, key) in order: of all buckets (""), or below a prefix of one."""
        rows = self._index.page(bucket, key_bytes(prefix), (after[0], key_bytes(after[1])), limit)
        return [_shown(row) for row in rows]

    async def pin(self, bucket: str, prefix: str) -> None:
        """Pins what is below a prefix; it is fetched in the background. S3Error."""
        await self._pins.add(Pin(bucket, key_bytes(prefix), BY_COMMAND))

    async def unpin(self, bucket: str, prefix: str) -> bool:
        """The reverse; False: there was no such pin. S3Error."""
        return await self._pins.remove(Pin(bucket, key_bytes(prefix), BY_COMMAND))

    def pins(self) -> list[dict[str, str]]:
        """What is pinned, and by what."""
        found = [*self._pins.prefixes(), *self._pins.objects()]
        return [{"bucket": pin.bucket, "prefix": key_text(pin.prefix), "by": pin.kind} for pin in found]

    async def warm(self, bucket: str, prefix: str, since: float | None, parallel: int, progress: Progress) -> None:
        """Fetches what is below a prefix and not here. S3Error."""
        await self._warmer.warm(bucket, key_bytes(prefix), progress, since=since, parallel=parallel)

    async def purge(self, bucket: str, prefix: str) -> int:
        """Removes entries: all of them (""), or those below a prefix of a bucket. How many. S3Error."""
        removed, after = 0, ("", b"")
        self._asker.invalidate_all()
        while rows := self._index.page(bucket, key_bytes(prefix), after, _PAGE):
            await self._filling.purge(rows)
            removed += len(rows)
            after = rows[-1].at
        return removed

    async def decide_again(self, bucket: str = "") -> int:
        """The rules have changed, or the tags of a bucket: what may not be here any more goes. How many objects went.
        S3Error."""
        self._asker.invalidate_all()
        return await self._decide_all_again(bucket)

    async def _decide_all_again(self, bucket: str) -> int:
        removed, after = 0, ("", b"")
        while rows := self._index.page(bucket, b"", after, _PAGE):
            for row in rows:
                removed += await self._decide_again(row.at)
                await asyncio.sleep(0)
            after = rows[-1].at
        if removed:
            log.info("objects may not be in the cache any more, and are removed", extra={"objects": removed})
        return removed

    async def _decide_again(self, at: Key) -> bool:
        """Whether it went."""
        entry = self._filling.find(at)
        if entry is None or await self._asker.admission.still(at, entry.headers, entry.size):
            return False
        await self._filling.drop(entry)
        return True

    def _retagged(self, bucket: str, key: bytes | None, is_change: bool) -> None:
        """An object or a bucket has other tags than were known. ``is_change`` False: it has none, and nobody knew; what is
        on its way was decided with that."""
        if key is None:
            self._filling.spawn(_alone(self.decide_again(bucket) if is_change else self._decide_all_again(bucket)))
        else:
            self._asker.forget((bucket, key))
            self._filling.spawn(_alone(self._decide_again((bucket, key))))

    async def _remove_unknown(self, files: BlockFiles, index: Index) -> None:
        try:
            removed = await files.remove_unknown(index.known_files)
        except (OSError, sqlite3.Error) as error:
            log.warning("files of the last run could not be looked at", extra={"error": str(error)})
            return
        if removed:
            log.info("removed files of the last run that nobody knows", extra={"files": removed})


async def _alone(work: Coroutine[Any, Any, object]) -> None:
    """For work whose result nobody wants."""
    await work


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
        "pinned": row.queue == PINNED,
    }


def _put_aside(path: Path) -> None:
    """For who wants to know what was the matter, or mistook the directory."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{path}.damaged{suffix}")
