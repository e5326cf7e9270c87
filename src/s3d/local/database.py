"""A SQLite database with group commit.

    change(function) ──> waiting ──> BEGIN; each in a savepoint ──> COMMIT in a thread ──> results
                            ^                                          │
                            └───────── whatever came meanwhile ────────┘

Functions run on the event loop, one after the other: a few statements on cached pages are cheaper than the way to a
thread, and code between two awaits is a critical section. Only COMMIT leaves the loop, because it waits for the disk; all
that arrives meanwhile shares the next one. A result is handed out after its COMMIT, never before.

Reads use a connection of their own and see what is committed: WAL lets them go on during a COMMIT.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from s3d.local.directory import CannotOpen
from s3d.local.errors import refused
from s3d.s3.errors import S3Error

T = TypeVar("T")
Connection = sqlite3.Connection

_CHECKPOINT = 8000
"""Pages of 4 KiB in the write-ahead log before they are moved into the database: 32 MB. SQLite's 1000 costs a quarter of
the throughput of 4 KiB bodies."""
_CACHE_KIB = 16384
_BATCH = 256
"""Changes in one transaction at most: about 10 ms on the event loop."""
_APPLICATION_ID = 0x73336420  # "s3d "


@dataclass(slots=True)
class _Change:
    function: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    settled: Callable[[bool], None] | None
    result: Any = None
    error: BaseException | None = None


class Database:
    """One file. To be opened, used and closed in one event loop."""

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self._path = path
        self._migrations = migrations
        self._waiting: deque[_Change] = deque()
        self._later: list[Callable[[Connection], Any]] = []
        self._busy = False
        self._idle = asyncio.Event()
        self._commits: queue.SimpleQueue[list[_Change] | None] = queue.SimpleQueue()
        self.reader: Connection
        """For SELECT; sees what is committed."""

    def open(self) -> None:
        """Opens the file, makes it and brings its tables up to date. Raises CannotOpen."""
        try:
            self._writer = connect(self._path)
            migrate(self._writer, self._path, self._migrations)
            self.reader = connect(self._path)
            self.reader.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise CannotOpen(f"the database {self._path} cannot be used ({error}): run s3d fsck on it") from error
        self._loop = asyncio.get_running_loop()
        self._idle.set()
        self._thread = threading.Thread(target=self._commit, name="s3d-commit", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Waits for what was given to it, writes what waits for a next commit, and closes the file."""
        if self._later:
            await self.flush()
        await self._idle.wait()
        self._commits.put(None)
        await asyncio.to_thread(self._thread.join)
        self.reader.close()
        self._writer.close()  # the last connection: SQLite moves the log into the database and removes it

    async def change(self, function: Callable[[Connection], T], settled: Callable[[bool], None] | None = None) -> T:
        """What ``function`` gives, once everything that it did is durable.

        It gets a connection inside a transaction and must not await, commit or keep the connection. What it raises comes
        out here, and nothing of what it did stays. ``settled`` is called with whether the change is durable, whatever
        becomes of who waits here. Raises S3Error (SlowDown, InternalError) when the disk fails: then it may or may
        not have happened, as with any answer that is lost.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Change(function, future, settled))
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._begin)  # those that come in this turn of the loop share the commit
        return await future

    async def flush(self) -> None:
        """Returns when all that was given before is durable."""
        await self.change(_nothing)

    def change_later(self, function: Callable[[Connection], Any]) -> None:
        """Runs ``function`` in the next transaction that there is anyway, at the latest in `close`. It must not raise."""
        self._later.append(function)

    def _begin(self) -> None:
        """Runs what waits, in one transaction, and hands that to the thread."""
        batch: list[_Change] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            while self._waiting and len(batch) < _BATCH:
                batch.append(self._waiting.popleft())
                self._run(batch[-1])
            while self._later:
                self._later.pop()(self._writer)
        except sqlite3.Error as error:  # of the transaction as a whole: the changes up to here are undone
            batch.extend(self._waiting)
            self._waiting.clear()
            self._done(batch, error)
            return
        self._commits.put(batch)

    def _run(self, change: _Change) -> None:
        """One change, in a savepoint. Raises sqlite3.Error if the transaction cannot go on."""
        execute = self._writer.execute
        execute("SAVEPOINT change")
        try:
            change.result = change.function(self._writer)
        except Exception as error:  # handed to who waits for it
            if isinstance(error, sqlite3.Error) and not self._writer.in_transaction:
                raise  # SQLite has rolled back all of it (a full disk)
            change.error = error
            execute("ROLLBACK TO change")
        execute("RELEASE change")

    def _commit(self) -> None:
        """The thread."""
        while (batch := self._commits.get()) is not None:
            error: sqlite3.Error | None = None
            try:
                self._writer.execute("COMMIT")
            except sqlite3.Error as failure:
                error = failure
            self._loop.call_soon_threadsafe(self._done, batch, error)

    def _done(self, batch: list[_Change], error: sqlite3.Error | None) -> None:
        """Hands out the results of a transaction, and begins the next."""
        failure: S3Error | None = None
        if error is not None:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            failure = refused(error, "committing")
        for change in batch:
            if failure is not None and (change.error is None or isinstance(change.error, S3Error)):
                change.error = failure
            if change.settled is not None:
                change.settled(change.error is None)
            if change.future.done():  # cancelled: nobody waits
                continue
            if change.error is not None:
                change.future.set_exception(_as_s3(change.error))
            else:
                change.future.set_result(change.result)
        if self._waiting:
            self._begin()
        else:
            self._busy = False
            self._idle.set()


def _nothing(connection: Connection) -> None:
    """A change that changes nothing."""


def _as_s3(error: BaseException) -> BaseException:
    return refused(error, "changing the database") if isinstance(error, sqlite3.Error) else error


def connect(path: Path) -> Connection:
    """A connection in autocommit mode with the settings that durability needs. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # each commit syncs the log; NORMAL would only at a checkpoint
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def migrate(connection: Connection, path: Path, migrations: Sequence[str]) -> None:
    """Brings the tables from their version (``user_version``) up to the last: each step is one transaction. Raises
    CannotOpen for a file of another program or of a later version."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if (application or tables) and application != _APPLICATION_ID:
        raise CannotOpen(f"{path} is a database of another program: choose another directory")
    if version > len(migrations):
        raise CannotOpen(f"{path} was written by a later version of s3d: use that, or choose another directory")
    for number, script in enumerate(migrations[version:], version + 1):
        identity = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {number};"
        connection.executescript(f"BEGIN IMMEDIATE; {script} {identity} COMMIT;")
