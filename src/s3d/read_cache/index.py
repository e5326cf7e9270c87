"""The rows of the cache: which versions are here, and which blocks of them.

The database says what a start finds. Everything that is written goes in the order of the calls; only what a change of an
object takes back is waited for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3d.local.block_files import BlockFiles, checksum
from s3d.local.database import Connection, Database
from s3d.read_cache.entry import ASK, DOUBT, Entry, Key, whole_data
from s3d.read_cache.room import Row
from s3d.s3.errors import S3Error
from s3d.standalone.listing import behind

log = logging.getLogger("s3d.read_cache")

CAME, USED, PINNED = 0, 1, 2
"""Queues: what came lately, what was used again, what does not go."""

_FIND = """
SELECT id, etag, size, headers, whole, confirmed, ask, file, data, crc, stored FROM entry WHERE bucket = ? AND key = ?
"""
_MOVE = """
UPDATE entry SET queue = 1, position = (SELECT coalesce(max(position), 0) + 1 FROM entry WHERE queue = 1)
WHERE id = ? AND queue < 2
"""
_PAGE = """
SELECT id, bucket, key, stored, position, size, etag, confirmed, ask, queue FROM entry
WHERE (bucket, key) >= (?, ?) AND (bucket, key) < (?, ?) AND (bucket, key) <> (?, ?) ORDER BY bucket, key LIMIT ?
"""
_BEHIND_BUCKETS = "\x7f"
"""Behind every name of a bucket."""
_OF_KEY = "DELETE FROM entry WHERE bucket = ? AND key = ? RETURNING id, file"
_OF_ID = "DELETE FROM entry WHERE id = ? RETURNING id, file"
_ADD = """
INSERT INTO entry (id, bucket, key, etag, size, headers, whole, confirmed, ask, stored, file, data, crc, queue, position)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM entry WHERE queue = ?))
"""


@dataclass(frozen=True, slots=True)
class Listed(Row):
    """An entry as it is listed."""

    size: int
    etag: str
    confirmed: float
    ask: int
    queue: int


class Index:
    """Of one database. ``files`` are removed with their rows."""

    def __init__(self, database: Database, files: BlockFiles) -> None:
        self._database = database
        self._files = files
        self._distrust: dict[str, float] = {}
        self._last_id = 0
        self.stored = 0
        """Bytes of all entries; ``count``: how many there are."""
        self.count = 0

    def open(self) -> None:
        """Reads what is there. Raises sqlite3.Error."""
        reader = self._database.reader
        self._distrust = dict(reader.execute("SELECT bucket, until FROM distrust"))
        self._last_id = reader.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0]
        query = "SELECT coalesce(sum(stored), 0), count(*) FROM entry INDEXED BY entry_order"
        self.stored, self.count = reader.execute(query).fetchone()

    # Reading.

    def find(self, at: Key) -> tuple[Entry, int] | None:
        """The entry of a key, and how many bytes its row says are here: what is damaged is not. Raises sqlite3.Error, and
        for a row that makes no sense ValueError, TypeError, OverflowError."""
        row = self._database.reader.execute(_FIND, at).fetchone()
        if row is None:
            return None
        number, etag, size, headers, whole, confirmed, ask, file, data, crc, stored = row
        entry = Entry(*at, etag, size, [(name, value) for name, value in json.loads(headers)], bool(whole))
        entry.id, entry.file, entry.data = number, file, data
        entry.confirmed = confirmed
        is_distrusted = confirmed <= self._distrust.get(entry.bucket, 0.0)
        entry.ask = ask or (ASK if is_distrusted else 0)
        if data is not None and not whole_data(entry, crc):
            log.warning("an object in the cache is damaged and is fetched again", extra={"bucket": entry.bucket})
            entry.data = None
        if file is not None:
            entry.known(self._database.reader.execute("SELECT number, crc FROM block WHERE entry = ?", (number,)))
        return entry, stored

    def has(self, at: Key) -> bool:
        """Whether there is a row of a key, also one that is about to go. Raises sqlite3.Error."""
        query = "SELECT 1 FROM entry WHERE bucket = ? AND key = ?"
        return self._database.reader.execute(query, at).fetchone() is not None

    def known_files(self, names: Sequence[str]) -> set[str]:
        """Which of these files have a row."""
        query = "SELECT file FROM entry WHERE file IN (SELECT value FROM json_each(?))"
        return {file for (file,) in self._database.reader.execute(query, (json.dumps(names),))}

    def inactive(self, before: float, limit: int) -> list[Row]:
        """Entries that the remote did not confirm since ``before`` (seconds since 1970) and that are not pinned. Raises
        sqlite3.Error."""
        query = "SELECT id, bucket, key, stored, position FROM entry WHERE confirmed < ? AND queue < 2 LIMIT ?"
        return [Row(*row) for row in self._database.reader.execute(query, (before, limit))]

    def pinned(self) -> tuple[int, int]:
        """Pinned entries, and bytes of them that are here. Raises sqlite3.Error."""
        query = "SELECT count(*), coalesce(sum(stored), 0) FROM entry INDEXED BY entry_order WHERE queue = 2"
        files, stored = self._database.reader.execute(query).fetchone()
        return files, stored

    def totals(self, bucket: str) -> tuple[int, int]:
        """Entries of a bucket that have bytes, and how many bytes. Raises sqlite3.Error."""
        query = "SELECT count(*), coalesce(sum(stored), 0) FROM entry WHERE bucket = ? AND stored > 0"
        files, stored = self._database.reader.execute(query, (bucket,)).fetchone()
        return files, stored

    def page(self, bucket: str, prefix: bytes, after: Key, limit: int) -> list[Listed]:
        """Entries behind ``after`` in the order of bucket and key: of all buckets (""), of one, or of what is below a
        prefix in it. Raises sqlite3.Error."""
        first = max(after, (bucket, prefix))
        last = (bucket, behind(prefix)) if bucket else (_BEHIND_BUCKETS, b"")
        rows = self._database.reader.execute(_PAGE, (*first, *last, *after, limit))
        return [Listed(*row) for row in rows]

    # Writing. Each returns when it is durable.

    async def add(self, entry: Entry, queue: int) -> None:
        """An entry with what is here of it, in place of the one of the same key."""

        def change(connection: Connection) -> None:
            if entry.gone:
                return
            self._remove(connection, _OF_KEY, entry.at)
            crc = None if entry.data is None else checksum(entry.data)
            headers = json.dumps(entry.headers)
            described = (*entry.at, entry.etag, entry.size, headers, entry.whole, entry.confirmed, entry.ask)
            self._last_id += 1  # never given twice, also if this transaction fails
            row = (self._last_id, *described, entry.stored(), entry.file, entry.data, crc, queue, queue)
            connection.execute(_ADD, row)
            entry.id = self._last_id
            if entry.file is not None:
                self._insert_blocks(connection, entry, entry.numbered(0, entry.count))

        await self._database.change(change, soon=False)

    async def describe(self, entry: Entry, *, soon: bool = False) -> None:
        """Its headers, and when the remote confirmed it."""

        def change(connection: Connection) -> None:
            update = "UPDATE entry SET headers = ?, whole = ?, confirmed = ?, ask = ? WHERE id = ?"
            described = (json.dumps(entry.headers), entry.whole, entry.confirmed, entry.ask, entry.id)
            connection.execute(update, described)

        await self._database.change(change, soon=soon)

    async def keep(self, entry: Entry, blocks: Iterable[tuple[int, int]]) -> None:
        """More of it is here: number and checksum of blocks of its file, or none and its ``data``."""
        blocks = list(blocks)

        def change(connection: Connection) -> None:
            if entry.gone or entry.id is None:
                return
            self._insert_blocks(connection, entry, blocks)
            crc = None if entry.data is None else checksum(entry.data)
            update = "UPDATE entry SET stored = ?, file = ?, data = ?, crc = ? WHERE id = ?"
            connection.execute(update, (entry.stored(), entry.file, entry.data, crc, entry.id))

        await self._database.change(change, soon=False)

    async def lose(self, entry: Entry, numbers: Iterable[int]) -> None:
        """These blocks are damaged."""
        rows = [(entry.id, number) for number in numbers]

        def change(connection: Connection) -> None:
            connection.executemany("DELETE FROM block WHERE entry = ? AND number = ?", rows)
            connection.execute("UPDATE entry SET stored = ? WHERE id = ?", (entry.stored(), entry.id))

        await self._database.change(change, soon=False)

    async def unconfirm(self, keys: Sequence[Key]) -> None:
        """Whatever is known of these keys is to be confirmed before it is used."""
        update = "UPDATE entry SET ask = ? WHERE bucket = ? AND key = ?"
        rows = [(DOUBT, *at) for at in keys]
        await self._database.change(lambda connection: connection.executemany(update, rows) and None)

    async def remove(self, keys: Sequence[Key]) -> None:
        """The entries of these keys go, with their bytes."""

        def change(connection: Connection) -> None:
            for at in keys:
                self._remove(connection, _OF_KEY, at)

        await self._database.change(change)

    async def distrust(self, bucket: str) -> None:
        """All that was confirmed of a bucket up to now is to be confirmed again."""
        until = time.time()
        insert = "INSERT OR REPLACE INTO distrust VALUES (?, ?)"
        await self._database.change(lambda connection: connection.execute(insert, (bucket, until)) and None)
        self._distrust[bucket] = until

    async def remove_all(self, rows: Iterable[Row], *, soon: bool = False) -> None:
        """Entries go, with their bytes."""

        def change(connection: Connection) -> None:
            for row in rows:
                self._remove(connection, _OF_ID, (row.id,))

        await self._database.change(change, soon=soon)

    async def promote(self, entry: Entry) -> None:
        """From queue 0 to the end of queue 1."""

        def change(connection: Connection) -> None:
            connection.execute(f"{_MOVE} AND queue = 0", (entry.id,))

        await self._database.change(change, soon=False)

    async def move(self, rows: Iterable[Row]) -> None:
        """To the end of queue 1, in this order."""
        numbers = [(row.id,) for row in rows]
        await self._database.change(lambda connection: connection.executemany(_MOVE, numbers) and None, soon=False)

    def reader(self) -> Connection:
        """For SELECT."""
        return self._database.reader

    def _remove(self, connection: Connection, delete: str, parameters: Sequence[object]) -> None:
        removed = connection.execute(delete, parameters).fetchall()
        for number, file in removed:
            connection.execute("DELETE FROM block WHERE entry = ?", (number,))
            if file is not None:
                asyncio.get_running_loop().run_in_executor(None, self._files.remove, file)

    def _insert_blocks(self, connection: Connection, entry: Entry, blocks: Iterable[tuple[int, int]]) -> None:
        rows = ((entry.id, number, crc) for number, crc in blocks)
        connection.executemany("INSERT OR REPLACE INTO block VALUES (?, ?, ?)", rows)


def logged(error: S3Error) -> None:
    """A background change that the disk did not take: what is lost is fetched again."""
    log.warning("the cache cannot write its database", extra={"error": error.message})
