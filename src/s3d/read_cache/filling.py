"""Entries in memory, and the fetches that fill them: one entry for each key, whoever asks."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from s3d.local.block_files import BLOCK, BlockFiles
from s3d.read_cache.answers import TAG_COUNT
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.entry import ASK, DOUBT, Entry, Key
from s3d.read_cache.fetch import Fetch, Files
from s3d.read_cache.index import CAME, PINNED, USED, Index, logged
from s3d.read_cache.room import Hands, Room, Row
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response

log = logging.getLogger("s3d.read_cache")

_TAGGING = "x-amz-tagging-"
"""Headers that say something of tags: some servers have one for each."""
_MEMORY = 32 << 20
"""Bytes of entries that nobody reads, but may soon: with their small bodies and open files."""


class Filling:
    """What is known of keys, and what is being fetched."""

    def __init__(
        self, config: ReadCacheConfig, inner: Backend, files: BlockFiles, index: Index, pinned: Callable[[Key], bool]
    ) -> None:
        self.inner = inner
        self._is_pinned = pinned
        self.fetched: Callable[[Entry, S3Response], None] = lambda _entry, _response: None
        """Is told of answers of the remote to a GetObject."""
        self.files = files
        self.largest = config.largest
        """Bytes of the largest object that is kept."""
        hands = Hands(index.reader, files.free, self.is_in_use, self.evict, self.move)
        self.room = Room(config, hands, index.stored, index.count)
        self._index = index
        self._max_size = config.max_size
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._weights: dict[Key, int] = {}
        self._memory = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._fetching: set[asyncio.Task[None]] = set()  # of those
        self._to = Files(inner, files, index, self.drop, self._came, self._fetched)

    async def close(self) -> None:
        """Ends fetches, waits for what is being written down, and lets go of files."""
        self._is_closing = True
        for task in list(self._fetching):
            task.cancel()
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        for entry in self._entries.values():
            entry.close()
        self._entries.clear()

    # Entries.

    def find(self, at: Key) -> Entry | None:
        """The entry of a key. A database that is damaged has none."""
        entry = self._entries.get(at)
        if entry is not None:
            self._entries.move_to_end(at)
            return entry
        try:
            found = self._index.find(at)
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
            log.error("the database of the cache cannot be read", extra={"error": str(error)})
            return None
        if found is None or self.room.is_forgotten(found[0]):  # its row is about to be removed
            return None
        entry, stored = found
        self.room.changed(entry.stored() - stored)
        self._remember(entry)
        return entry

    def adopt(self, entry: Entry) -> None:
        """A version that the remote has just confirmed: it replaces the one of its key."""
        self._forget(entry.at)
        self._remember(entry)
        self.room.add(entry)
        queue = PINNED if self._is_pinned(entry.at) else USED if self.room.comes_back(entry.at) else CAME
        self.spawn(self._index.add(entry, queue), entry)

    def describe(self, entry: Entry) -> None:
        """Its headers, or when it was confirmed, have changed."""
        if not entry.gone:
            self.spawn(self._index.describe(entry), entry)

    async def drop(self, entry: Entry) -> None:
        """It is not the remote's any more."""
        if not entry.gone:
            self._forget(entry.at)
            entry.gone = True
            await self._quietly(self._index.remove([entry.at]))

    async def remove(self, keys: Iterable[Key]) -> None:
        """Whatever there is of these keys goes, durably. S3Error, sqlite3.Error."""
        found = self._of_rows(keys)
        for at in found:
            self.find(at)  # what only has a row counts, too
            self._forget(at)
        if found:
            await self._index.remove(found)

    async def count_tags(self, at: Key, count: int) -> None:
        """The object of a key has so many tags from now on, durably. S3Error, sqlite3.Error."""
        entry = self.find(at)
        if entry is not None:
            headers = [(name, value) for name, value in entry.headers if not name.lower().startswith(_TAGGING)]
            entry.headers = [*headers, *([(TAG_COUNT, str(count))] if count else [])]
            await self._index.describe(entry, soon=True)

    async def unconfirm(self, keys: Iterable[Key]) -> None:
        """Whatever there is of these keys is to be confirmed before it is used, durably. S3Error, sqlite3.Error."""
        found = self._of_rows(keys)
        for at in found:
            if (entry := self._entries.get(at)) is not None:
                entry.ask = DOUBT
        if found:
            await self._index.unconfirm(found)

    def _of_rows(self, keys: Iterable[Key]) -> list[Key]:
        """Those of which there is something, in memory or as a row."""
        return [at for at in keys if at in self._entries or self._index.has(at)]

    async def distrust(self, bucket: str) -> None:
        """The same for a bucket."""
        for entry in self._entries.values():
            if entry.bucket == bucket:
                entry.ask = entry.ask or ASK
        await self._index.distrust(bucket)

    def release(self, entry: Entry) -> None:
        """Somebody has read it."""
        if self._entries.get(entry.at) is entry:
            self._weigh(entry)
        else:  # gone, or not remembered any more
            entry.close()

    def lost(self, entry: Entry, numbers: Iterable[int]) -> None:
        """These blocks are damaged."""
        before = entry.stored()
        entry.lost(numbers)
        if entry.gone:
            return
        self.room.changed(entry.stored() - before)
        self.spawn(self._index.lose(entry, numbers), entry)

    async def purge(self, rows: Sequence[Row]) -> None:
        """They go, durably. S3Error."""
        self._forget_rows(rows)
        await self._index.remove_all(rows, soon=True)

    def evict(self, rows: Sequence[Row]) -> None:
        """Their rows are to be removed to make room."""
        self._forget_rows(rows)
        self.spawn(self._index.remove_all(rows))

    def _forget_rows(self, rows: Iterable[Row]) -> None:
        for row in rows:
            entry = self._entries.get(row.at)
            if entry is not None and entry.id == row.id:
                self._forget(row.at)
            else:
                self.room.gone(row)

    def keep_longer(self, entry: Entry) -> None:
        """As if it had been used again."""
        if not entry.gone:
            self.spawn(self._index.promote(entry), entry)

    def could_take(self, at: Key, size: int) -> bool:
        """Whether there is room for so many bytes of a key beside what is pinned."""
        pinned = self._index.pinned()[1] if self._is_pinned(at) else 0
        return pinned + size <= self._max_size

    def move(self, rows: Sequence[Row]) -> None:
        """They were used: they stay longer."""
        self.spawn(self._move(rows))

    async def _move(self, rows: Sequence[Row]) -> None:
        try:
            await self._index.move(rows)
        finally:
            self.room.settled(rows)

    def is_in_use(self, at: Key) -> bool:
        """Whether somebody reads or fetches it, or it is pinned."""
        entry = self._entries.get(at)
        return (entry is not None and bool(entry.readers or entry.busy)) or self._is_pinned(at)

    # Fetches.

    def fetch(
        self, entry: Entry, first: int, last: int, response: S3Response | None = None, *, ahead: bool = False
    ) -> Fetch | None:
        """Begins to fetch blocks; None: there is no room for them. ``ahead``: before anybody wants them."""
        size = min(last * BLOCK, entry.size) - first * BLOCK
        if self._is_closing or not self.room.make(entry.at, size):
            return None
        fetch = Fetch(self._to, entry, first, last, ahead=ahead)
        task = self.spawn(self._run(fetch, response, size), entry)
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)
        return fetch

    async def _run(self, fetch: Fetch, response: S3Response | None, size: int) -> None:
        try:
            await fetch.run(response)
        finally:
            self.room.release(size - fetch.taken)

    def _fetched(self, entry: Entry, response: S3Response) -> None:
        self.fetched(entry, response)

    def _came(self, entry: Entry, size: int) -> None:
        self.room.release(size)
        if not entry.gone:
            self.room.changed(size)
            self._weigh(entry)

    def spawn(self, work: Coroutine[Any, Any, None], entry: Entry | None = None) -> asyncio.Task[None]:
        """Runs in the background; what the disk does not take is lost, and told. ``entry`` stays in memory meanwhile."""
        if entry is not None:
            entry.busy += 1
        task = asyncio.get_running_loop().create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, entry))
        return task

    def _ended(self, task: asyncio.Task[None], entry: Entry | None) -> None:
        self._tasks.discard(task)
        if entry is not None:
            entry.busy -= 1
            self.release(entry)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except S3Error as error:
            logged(error)
        except Exception:
            log.exception("the read cache met a defect, and goes on")

    # Memory.

    def _remember(self, entry: Entry) -> None:
        self._entries[entry.at] = entry
        self._weigh(entry)

    def _weigh(self, entry: Entry) -> None:
        if self._entries.get(entry.at) is not entry:
            return
        weight = entry.weight()
        self._memory += weight - self._weights.get(entry.at, 0)
        self._weights[entry.at] = weight
        if self._memory > _MEMORY:
            self._shrink()

    def _shrink(self) -> None:
        for at, entry in list(self._entries.items()):
            if self._memory <= _MEMORY * 3 // 4:
                return
            if not entry.readers and not entry.busy:
                self._let_go(at)
                entry.close()

    def _forget(self, at: Key) -> None:
        entry = self._entries.get(at)
        if entry is not None:
            entry.gone = True
            self._let_go(at)
            self.room.forget(entry)
            entry.close()
            if entry.file is not None:  # with its row, or before it has one
                asyncio.get_running_loop().run_in_executor(None, self.files.remove, entry.file)

    def _let_go(self, at: Key) -> None:
        del self._entries[at]
        self._memory -= self._weights.pop(at, 0)
