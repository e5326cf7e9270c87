"""Bodies: immutable bytes, small ones as rows of the database, large ones as files beside it.

    incoming/NAME       a file that is being written, or was written and whose row is not yet known to be committed
    bodies/XX/NAME      a file with a row; XX are the first two digits of NAME, which is random: keys never get near paths

The row decides. A file is written and synced in ``incoming`` first, then its row is committed, then it is renamed; who
reads looks in both places. A body that loses its last reference loses its row and gets one in ``trash`` in the same
transaction; the file goes after the commit, unless somebody still reads it. So at any instant every file is either
one with a row, or in ``incoming``, or in ``trash``, and recovery looks at nothing else (docs/crash-table.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from s3d.local.database import Connection, Database
from s3d.local.directory import CannotOpen, make, sync_directory
from s3d.local.errors import refused
from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, ResponseBody

log = logging.getLogger("s3d.local")

TABLES = """
CREATE TABLE body (
    id INTEGER PRIMARY KEY,
    refs INTEGER NOT NULL,      -- how many objects and parts have these bytes: a copy shares them
    size INTEGER NOT NULL,      -- bytes
    md5 BLOB NOT NULL,          -- 16 bytes; what fsck compares with
    file TEXT,                  -- name of the file; NULL: the bytes are in `data`
    data BLOB
);
CREATE INDEX body_file ON body(file) WHERE file IS NOT NULL;   -- recovery and fsck go from a file to its row
CREATE TABLE trash (
    file TEXT PRIMARY KEY       -- to be removed: its body has no row any more
) WITHOUT ROWID;
"""
"""What a database with bodies must have; part of the first migration of each store."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One body as a piece of what a client reads: ``data`` or a file of ``size`` bytes."""

    size: int
    file: str | None
    data: bytes | None


class Bodies:
    """The files of one store, and the rows that go with them."""

    def __init__(self, directory: Path, database: Database) -> None:
        self.incoming = directory / "incoming"
        self._directory = directory / "bodies"
        self.database = database
        self._pins: Counter[str] = Counter()
        self._skipped = False  # files in `trash` that somebody reads
        self._sweep_again = False
        self._sweeper: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Makes the directories and recovers. Raises CannotOpen, OSError."""
        make(self.incoming)
        make(self._directory)
        if self.incoming.stat().st_dev != self._directory.stat().st_dev:  # no file could be renamed
            raise CannotOpen(f"{self.incoming} and {self._directory} are on two file systems: put them on one")
        self._recover()

    async def close(self) -> None:
        """Finishes removing files. To be called when no request goes on any more."""
        with contextlib.suppress(S3Error):  # the disk fails, and that was logged; closing goes on
            await self.database.flush()  # changes whose clients were cut off can let go of bodies, too
        if self._sweeper is not None:
            await self._sweeper

    def path(self, file: str) -> Path:
        """Where a file with a row is in the end."""
        return self._directory / file[:2] / file

    def place(self, file: str) -> None:
        """Brings the file of a row from ``incoming`` to where it is in the end. Raises OSError."""
        try:
            os.rename(self.incoming / file, self.path(file))
        except FileNotFoundError:  # the first in its directory
            self.path(file).parent.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._directory)
            os.rename(self.incoming / file, self.path(file))

    # Rows: for functions inside a transaction.

    def share(self, connection: Connection, body: int) -> None:
        """One more reference."""
        connection.execute("UPDATE body SET refs = refs + 1 WHERE id = ?", (body,))

    def release(self, connection: Connection, body: int | None) -> None:
        """One reference less; the last takes the body with it. None is no body."""
        if body is None:
            return
        gone = connection.execute("DELETE FROM body WHERE id = ? AND refs = 1 RETURNING file", (body,)).fetchone()
        if gone is None:
            connection.execute("UPDATE body SET refs = refs - 1 WHERE id = ?", (body,))
        elif gone[0] is not None:
            connection.execute("INSERT OR IGNORE INTO trash VALUES (?)", gone)
            self.sweep()

    # Reading.

    def open_file(self, file: str) -> int:
        """A descriptor for reading. Raises FileNotFoundError if the body was removed, or is damaged."""
        path = self.path(file)
        for candidate in (path, self.incoming / file, path):  # it may be renamed between the first two looks
            try:
                return os.open(candidate, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
        raise FileNotFoundError(file)

    def read(self, segments: Sequence[Segment], offset: int, length: int) -> ResponseBody:
        """``length`` bytes from ``offset`` on of the bodies one after the other. Raises FileNotFoundError.

        What is read stays readable until the end, also when the object is overwritten or deleted meanwhile.
        """
        wanted = list(_cut(segments, offset, length))
        if not wanted:
            return b""
        if len(wanted) == 1:
            segment, start, size = wanted[0]
            if segment.file is None:
                assert segment.data is not None  # noqa: S101  # a body is one or the other
                return segment.data[start : start + size] if size < segment.size else segment.data
            return FileRange(os.fdopen(self.open_file(segment.file), "rb", 0), start, size)
        files = [segment.file for segment, _, _ in wanted if segment.file is not None]
        self._pins.update(files)
        return _Chain(self, wanted, files)

    def unpin(self, files: Iterable[str]) -> None:
        """Lets go of files that `read` kept."""
        self._pins.subtract(files)
        self._pins = +self._pins
        if self._skipped:
            self.sweep()

    # Removing.

    def sweep(self) -> None:
        """Removes the files in ``trash``, after the transaction that is going on."""
        self._sweep_again = True
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        while self._sweep_again:
            self._sweep_again = False
            try:
                await self.database.flush()  # what put them there is durable after this
            except S3Error:
                return  # the disk fails, and that was logged; the next start removes them
            try:
                rows = self.database.reader.execute("SELECT file FROM trash").fetchall()
            except sqlite3.Error as error:
                refused(error, "looking for files to remove")
                return
            unread = [file for (file,) in rows if not self._pins[file]]
            self._skipped = len(unread) < len(rows)
            removed = await asyncio.to_thread(self._remove, unread)
            if removed:
                self.database.change_later(partial(_forget, files=removed))

    def _remove(self, files: Iterable[str]) -> list[str]:
        removed = []
        for file in files:
            try:
                self.path(file).unlink(missing_ok=True)
                (self.incoming / file).unlink(missing_ok=True)
            except OSError as error:
                log.warning("a file could not be removed", extra={"file": file, "error": str(error)})
            else:
                removed.append(file)
        return removed

    # Start.

    def _recover(self) -> None:
        """Brings files and rows together after whatever ended the last process."""
        reader = self.database.reader
        trash = [file for (file,) in reader.execute("SELECT file FROM trash")]
        adopted = orphans = 0
        for name in os.listdir(self.incoming):
            if reader.execute("SELECT 1 FROM body WHERE file = ?", (name,)).fetchone():
                self.place(name)
                adopted += 1
            else:
                with contextlib.suppress(FileNotFoundError):  # a thread of the process before was about to remove it
                    os.unlink(self.incoming / name)
                orphans += 1
        removed = self._remove(trash)
        if trash:
            self.database.change_later(partial(_forget, files=removed))
        if adopted or orphans or trash:
            found = {"renamed": adopted, "unfinished": orphans, "removed": len(trash)}
            log.info("recovered the files of the last run", extra=found)


def _forget(connection: Connection, files: Iterable[str]) -> None:
    connection.executemany("DELETE FROM trash WHERE file = ?", [(file,) for file in files])


def _cut(segments: Sequence[Segment], offset: int, length: int) -> Iterable[tuple[Segment, int, int]]:
    """What of each segment is in the range: segment, offset in it, bytes."""
    position, end = 0, offset + length
    for segment in segments:
        first, last = max(offset, position), min(end, position + segment.size)
        if first < last:
            yield segment, first - position, last - first
        position += segment.size
        if position >= end:
            return


class _Chain(AsyncGenerator[bytes | memoryview | FileRange, None]):
    """Several bodies as one: files are opened one at a time, and kept from removal until the end or `aclose`.

    Not a generator function, because ``aclose`` of one that was never started would let go of nothing.
    """

    def __init__(self, bodies: Bodies, wanted: Sequence[tuple[Segment, int, int]], files: list[str]) -> None:
        self._bodies = bodies
        self._wanted = iter(wanted)
        self._files = files

    async def asend(self, value: None) -> bytes | memoryview | FileRange:
        try:
            segment, start, size = next(self._wanted)
        except StopIteration:
            await self.aclose()
            raise StopAsyncIteration from None
        if segment.file is None:
            assert segment.data is not None  # noqa: S101  # a body is one or the other
            return memoryview(segment.data)[start : start + size]
        try:
            handle = self._bodies.open_file(segment.file)
        except FileNotFoundError as error:
            await self.aclose()
            log.error("the file of a body is missing", extra={"file": segment.file})
            raise S3Error("InternalError", "A part of the object's body is missing.") from error
        except OSError as error:  # too many open files; the disk fails
            await self.aclose()
            raise refused(error, "opening a body") from error
        return FileRange(os.fdopen(handle, "rb", 0), start, size)

    async def athrow(self, *error: Any) -> bytes | memoryview | FileRange:
        await self.aclose()
        raise error[0]

    async def aclose(self) -> None:
        files, self._files, self._wanted = self._files, [], iter(())
        if files:
            self._bodies.unpin(files)
