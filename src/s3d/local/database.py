"""A SQLite database with group commit.

    change(function) ──> waiting ──> BEGIN; each in a savepoint ──> COMMIT in a thread ──> results
                            ^                                          │
                            └───────── whatever came meanwhile ────────┘

A change that can wait (``soon=False``) shares the commit of one that cannot, while these come one after the other: so a
client that writes all the time does not wait for commits of others in between.

Functions run on the event loop, one after the other: a few statements on cached pages are cheaper than the way to a
thread, and code between two awaits is a critical section. Only COMMIT leaves the loop, because it waits for the disk; all
that arrives meanwhile shares the next one. A result is handed out after its COMMIT, never before.

Reads use a connection of their own and see what is committed: WAL lets them go on during a COMMIT.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from s3d.local.directory import CannotOpen
from s3d.local.errors import is_no_room, refused
from s3d.s3.errors import S3Error

T = TypeVar("T")
Connection = sqlite3.Connection

log = logging.getLogger("s3d.local")

_PAGE = 4096
"""Bytes of a page of the file."""
_CHECKPOINT = 8000
"""Pages in the write-ahead log before they are moved into the database: 32 MB. SQLite's 1000 costs a quarter of
the throughput of 4 KiB bodies."""
_CACHE_KIB = 16384
_MAPPED = 2 << 30
"""Bytes of the file that are read by mapping instead of read(2), at most; SQLite is built with this limit. In a bucket of
200,000 objects it halves what a GET of a cold row costs more than one of a hot row. It counts as resident memory, though it
is the system's file cache. A disk that cannot read a page ends the process (SIGBUS) instead of failing one request."""
_BATCH = 256
"""Changes in one transaction at most: about 10 ms on the event loop."""
_ROWS = 5000
"""Changed rows after which a transaction takes no further change: about 60 ms on the event loop."""
_TOGETHER = 0.003
"""Seconds after a commit that somebody waited for, in which another such is expected: changes that can wait share it."""
_APPLICATION_ID = 0x73336420  # "s3d "


@dataclass(slots=True)
class _Change:
    function: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    settled: Callable[[bool], None] | None
    soon: bool
    result: Any = None
    error: BaseException | None = None


class Database:
    """One file. To be opened, used and closed in one event loop. ``log_pages``: how many pages the write-ahead log may
    have before they are moved into the database; ``full`` is called when the disk is, to make room."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        log_pages: int | None = None,
        full: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._migrations = migrations
        self._log_pages = _CHECKPOINT if log_pages is None else min(log_pages, _CHECKPOINT)
        self._full = full
        self._waiting: deque[_Change] = deque()
        self._later: list[Callable[[Connection], Any]] = []
        self._unsure: list[Callable[[bool], None]] = []  # `settled` of what a failed COMMIT may have written after all
        self._busy = False
        self._next_urgent = 0.0  # until when somebody is expected to wait for another change, as the loop's clock goes
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._commits: queue.SimpleQueue[list[_Change] | None] = queue.SimpleQueue()
        self.reader: Connection
        """For SELECT; sees what is committed."""

    def open(self) -> None:
        """Opens the file, makes it and brings its tables up to date. Raises CannotOpen."""
        opened: list[Connection] = []
        with usable(self._path), contextlib.ExitStack() as failed:
            _make(self._path)
            check_identity(self._path, len(self._migrations))
            for _ in range(2):
                opened.append(failed.enter_context(contextlib.closing(connect(self._path))))
                migrate(opened[0], self._migrations)
            opened[0].execute(f"PRAGMA wal_autocheckpoint = {self._log_pages}")
            opened[1].execute("PRAGMA query_only = ON")
            failed.pop_all()
        self._writer, self.reader = opened
        self._loop = asyncio.get_running_loop()
        self._idle.set()
        self._thread = threading.Thread(target=self._commit, name="s3d-commit", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Waits for what was given to it, writes what waits for a next commit, and closes the file."""
        if self._later or self._waiting:
            with contextlib.suppress(S3Error):  # the disk fails, and that was logged; closing goes on
                await self.flush()
        await self._idle.wait()
        self._commits.put(None)
        await asyncio.to_thread(self._thread.join)
        self.reader.close()
        self._writer.close()  # the last connection: SQLite moves the log into the database and removes it

    async def change(
        self,
        function: Callable[[Connection], T],
        settled: Callable[[bool], None] | None = None,
        *,
        soon: bool = True,
    ) -> T:
        """What ``function`` gives, once everything that it did is durable.

        It gets a connection inside a transaction and must not await, commit or keep the connection. What it raises comes
        out here, and nothing of what it did stays. ``settled`` is called with whether the change is durable, whatever
        becomes of who waits here. Raises S3Error (SlowDown, InternalError) when the disk fails: then it may or may
        not have happened, as with any answer that is lost, and ``settled`` is called when that is known: after the next
        COMMIT, else by nobody, and the next start finds out. ``soon``: not to wait for others to share its commit.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Change(function, future, settled, soon))
        self._idle.clear()
        if not self._busy and self._is_time():
            self._busy = True
            self._loop.call_soon(self._begin)  # those that come in this turn of the loop share the commit
        return await future

    async def flush(self) -> None:
        """Returns when all that was given before is durable."""
        await self.change(_nothing)

    def unused(self) -> int:
        """Bytes of the file that hold nothing, and are used before it grows."""
        pages: int = self.reader.execute("PRAGMA freelist_count").fetchone()[0]
        return pages * _PAGE

    def change_later(self, function: Callable[[Connection], Any]) -> None:
        """Runs ``function`` in the next transaction that there is anyway, at the latest in `close`; if that
        fails it is not run again. It must not raise."""
        self._later.append(function)

    def _is_time(self) -> bool:
        """Whether what waits is to be committed now; else a timer does it."""
        if self._next_urgent > self._loop.time() and not any(change.soon for change in self._waiting):
            self._timer = self._timer or self._loop.call_at(self._next_urgent, self._begin_waiting)
            return False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return True

    def _begin_waiting(self) -> None:
        self._timer = None
        if not self._busy and self._waiting:
            self._busy = True
            self._begin()

    def _begin(self) -> None:
        """Runs what waits, in one transaction, and hands that to the thread."""
        batch: list[_Change] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            if self._unsure:  # a commit writes nothing if nothing changed; this one must (`_done`)
                self._writer.execute(f"PRAGMA user_version = {len(self._migrations)}")
            full = self._writer.total_changes + _ROWS
            while self._waiting and len(batch) < _BATCH and self._writer.total_changes < full:
                batch.append(self._waiting.popleft())
                self._run(batch[-1])
            while self._later:
                self._later.pop()(self._writer)
        except sqlite3.Error as error:  # of the transaction as a whole: the changes up to here are undone
            batch.extend(self._waiting)
            self._waiting.clear()
            self._done(batch, error, began=False)
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

    def _done(self, batch: list[_Change], error: sqlite3.Error | None, *, began: bool = True) -> None:
        """Hands out the results of a transaction, and begins the next.

        A COMMIT that failed (at the sync of the log) may be found in the log by the next start all the same, unless a
        later one was written over it: until then what it would need is kept. ``began``: whether it came to a COMMIT.
        """
        failure: S3Error | None = None
        if error is not None:
            self._roll_back()
            failure = refused(error, "committing")
        else:
            self._settle_unsure()
        if any(isinstance(each, sqlite3.Error) and is_no_room(each) for each in (error, *(c.error for c in batch))):
            self._make_room()
        for change in batch:
            unsure = failure is not None and began and change.error is None
            if failure is not None and (change.error is None or isinstance(change.error, S3Error)):
                change.error = failure
            if change.settled is not None and unsure:
                self._unsure.append(change.settled)
            elif change.settled is not None:
                change.settled(change.error is None)
            if change.future.done():  # cancelled: nobody waits
                continue
            if change.error is not None:
                change.future.set_exception(_as_s3(change.error))
            else:
                change.future.set_result(change.result)
        if any(change.soon for change in batch):
            self._next_urgent = self._loop.time() + _TOGETHER
        if self._waiting and self._is_time():
            self._begin()
            return
        self._busy = False
        if not self._waiting:
            self._idle.set()

    def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error as error:  # the next BEGIN fails, too, and leads here again
            log.error("a transaction could not be rolled back", extra={"error": str(error)})

    def _make_room(self) -> None:
        """What can be done here for those who try again."""
        self._full()
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _settle_unsure(self) -> None:
        unsure, self._unsure = self._unsure, []
        for settled in unsure:
            settled(False)


@contextlib.contextmanager
def usable(path: Path) -> Iterator[None]:
    """What SQLite does not do inside is CannotOpen. For the start: later it is the error of one request."""
    try:
        yield
    except sqlite3.Error as error:
        raise CannotOpen(f"the database {path} cannot be used ({error}): run s3d fsck on it") from error


def _make(path: Path) -> None:
    """An empty file for its owner's eyes only, if there is none: it has the bytes of small objects. SQLite gives the log
    the same permissions. Raises CannotOpen."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise CannotOpen(f"the database {path} cannot be used ({error.strerror}): choose another directory") from error


@contextlib.contextmanager
def unchanging(connection: Connection) -> Iterator[None]:
    """Everything read inside is of one moment. Nothing inside may await."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _nothing(connection: Connection) -> None:
    """A change that changes nothing."""


def _as_s3(error: BaseException) -> BaseException:
    return refused(error, "changing the database") if isinstance(error, sqlite3.Error) else error


def connect(path: Path) -> Connection:
    """A connection in autocommit mode with the settings that durability needs. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # each commit syncs the log; NORMAL would only at a checkpoint
    connection.execute("PRAGMA fullfsync = ON")  # macOS: see s3d.local.directory.sync
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
    connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def check_identity(path: Path, known: int) -> int:
    """The version of the tables; 0: there are none. Raises CannotOpen for a file of another program or of a version after
    ``known``, before anything is changed in it; sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA fullfsync = ON")  # closing it may move a log that a crash left into the database
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if (application or tables) and application != _APPLICATION_ID:
        raise CannotOpen(f"{path} is a database of another program: choose another directory")
    if version > known:
        raise CannotOpen(f"{path} was written by a later version of s3d: use that, or choose another directory")
    return int(version)


def migrate(connection: Connection, migrations: Sequence[str]) -> None:
    """Brings the tables from their version (``user_version``) up to the last: each step is one transaction. Raises
    sqlite3.Error."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(migrations[version:], version + 1):
        identity = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {number};"
        connection.executescript(f"BEGIN IMMEDIATE; {script} {identity} COMMIT;")
