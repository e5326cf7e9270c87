"""Taking in a body: one pass over the bytes for the digests and the disk, and nothing is visible before it is whole.

    small (up to `INLINE` bytes)   hashed on the event loop; goes into the database with its row
    large                          one thread writes, one hashes, in batches of 1 MiB; then synced, then its row is made

Memory: two batches, whatever the size.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from s3d.local.bodies import Bodies
from s3d.local.database import Connection
from s3d.local.directory import sync, sync_directory
from s3d.local.errors import refused
from s3d.s3.checksums import Algorithm, Hasher
from s3d.s3.errors import S3Error
from s3d.s3.message import Body, RequestBody

T = TypeVar("T")

log = logging.getLogger("s3d.local")

INLINE = 1 << 16
"""Bytes up to which a body is a row: a file costs two syncs of its own, a row shares that of the commit."""
_BATCH = 1 << 20  # bytes a thread works on at a time: some 2 ms against 0.05 ms for the way there
_WRITE_BACK = 8 << 20  # bytes after which the disk begins to write: 100 MiB are durable in 0.19 s instead of 0.22 s
_VECTOR = 512  # buffers a writev takes; the kernel's limit is 1024 (IOV_MAX)


class NewBody:
    """A body that is durable and has no row yet. An asynchronous context manager: what was not handed over by `change`
    is removed at its end."""

    def __init__(self, bodies: Bodies, size: int, md5: bytes, digests: dict[str, bytes]) -> None:
        self.size = size
        self.md5 = md5
        self.digests = digests
        """By `Algorithm.name`, those that were asked for."""
        self.data: bytes | None = None
        self.file: str | None = None
        self._bodies = bodies
        self._handed_over = False

    async def change(self, function: Callable[[Connection, int | None], T]) -> T:
        """`Database.change` with the id of the new row, which is made in the same transaction (None for a body of no
        bytes, which has no row). If that does not come about, the body is removed."""
        self._handed_over = True
        return await self._bodies.database.change(
            lambda connection: function(connection, self._insert(connection)), self._settled
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if not self._handed_over:
            self._settled(False)

    def _insert(self, connection: Connection) -> int | None:
        if not self.size:
            return None
        row = (self.size, self.md5, self.file, self.data)
        return connection.execute(
            "INSERT INTO body (refs, size, md5, file, data) VALUES (1, ?, ?, ?, ?)", row
        ).lastrowid

    def _settled(self, committed: bool) -> None:
        """Puts the file where it belongs, or removes it."""
        if self.file is None:
            return
        written = self._bodies.incoming / self.file
        if not committed:  # by a thread: for a file of some GiB it takes long
            asyncio.get_running_loop().run_in_executor(None, _remove, written)
            return
        try:  # at once: who lets go of the body looks for the file here and there, and must not miss it
            self._bodies.place(self.file)
        except OSError as error:  # readers find it where it is; the next start puts it right
            log.warning("a file could not be moved", extra={"file": self.file, "error": str(error)})


async def receive(bodies: Bodies, body: RequestBody, algorithms: Sequence[Algorithm] = ()) -> NewBody:
    """Takes in the whole body, and with it the digests of these algorithms.

    Errors: those of the body; IncompleteBody; SlowDown and InternalError of the disk.
    """
    digests: dict[str, Hasher] = {algorithm.name: algorithm.new() for algorithm in algorithms}
    hashers = _Hashers(digests)
    if not isinstance(body, bytes) and body.length <= INLINE:
        length, body = body.length, b"".join([piece async for piece in body])
        if len(body) != length:
            raise S3Error("IncompleteBody")
    if isinstance(body, bytes) and len(body) <= INLINE:
        hashers.update([body])
        new = hashers.new_body(bodies, len(body))
        new.data = body
        return new
    file = _File(bodies.incoming)
    try:
        if isinstance(body, bytes):
            await _take(file, hashers, [body])
        else:
            await _write(file, hashers, body)
        await asyncio.to_thread(file.finish)
    except BaseException as error:
        asyncio.get_running_loop().run_in_executor(None, file.discard)  # behind a batch that is still being written
        if isinstance(error, OSError):
            raise refused(error, "writing a body") from error
        raise
    new = hashers.new_body(bodies, file.size)
    new.file = file.name
    return new


async def _write(file: _File, hashers: _Hashers, body: Body) -> None:
    """While threads work on one batch, the next one arrives."""
    batch: list[bytes] = []
    batched = total = 0
    running: asyncio.Future[Any] | None = None
    async for piece in body:
        batch.append(piece)
        batched += len(piece)
        if batched >= _BATCH:
            total += batched
            if running is not None:
                await running
            running = _take(file, hashers, batch)
            running.add_done_callback(_look)
            batch, batched = [], 0
    if running is not None:
        await running
    await _take(file, hashers, batch)
    if total + batched != body.length:
        raise S3Error("IncompleteBody")


def _take(file: _File, hashers: _Hashers, batch: list[bytes]) -> asyncio.Future[Any]:
    """Writes and hashes at the same time: 100 MiB take 0.06 s and 0.16 s."""
    run = asyncio.get_running_loop().run_in_executor
    return asyncio.gather(run(None, file.write, batch), run(None, hashers.update, batch))


def _look(written: asyncio.Future[Any]) -> None:
    """Without this asyncio complains of an error that nobody waited for, since that of the sender came first."""
    if not written.cancelled():
        written.exception()


class _Hashers:
    """MD5, which is the ETag and what fsck compares with, and the digests that were asked for."""

    def __init__(self, digests: dict[str, Hasher]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._digests = digests

    def update(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._md5.update(piece)
            for hasher in self._digests.values():
                hasher.update(piece)

    def new_body(self, bodies: Bodies, size: int) -> NewBody:
        digests = {name: hasher.digest() for name, hasher in self._digests.items()}
        return NewBody(bodies, size, self._md5.digest(), digests)


class _File:
    """A file in ``incoming``. Its methods run in threads, one at a time."""

    def __init__(self, directory: Path) -> None:
        self.name = secrets.token_hex(16)
        self.size = 0
        self._begun = 0
        self._directory = directory
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._over = False

    def write(self, pieces: list[bytes]) -> None:
        with self._lock:
            if self._over:  # discarded while this waited for its turn
                return
            if self._handle is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._handle = os.open(self._directory / self.name, flags, 0o600)
            for start in range(0, len(pieces), _VECTOR):
                self.size += _write_all(self._handle, pieces[start : start + _VECTOR])
            if self.size - self._begun >= _WRITE_BACK:
                self._write_back()

    def finish(self) -> None:
        """Makes the bytes and the name durable."""
        with self._lock:
            assert self._handle is not None  # noqa: S101  # something was written
            sync(self._handle)
            handle, self._handle = self._handle, None
            os.close(handle)
            sync_directory(self._directory)

    def _write_back(self) -> None:
        """Lets the disk begin while the rest arrives, so that the sync in the end finds little to do. On Linux this advice
        about dirty pages starts their writing and drops nothing (mm/fadvise.c)."""
        assert self._handle is not None  # noqa: S101  something was written
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._handle, self._begun, self.size - self._begun, os.POSIX_FADV_DONTNEED)
        self._begun = self.size

    def discard(self) -> None:
        with self._lock:
            self._over = True
            handle, self._handle = self._handle, None
            try:
                if handle is not None:
                    os.close(handle)
            except OSError as error:  # of a write that came late: the file goes all the same
                log.warning("a file could not be closed", extra={"file": self.name, "error": str(error)})
            _remove(self._directory / self.name)


def _remove(path: Path) -> None:
    """Removes a file without a row; what stays is removed by the next start."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("a file could not be removed", extra={"file": path.name, "error": str(error)})


def _write_all(handle: int, pieces: list[bytes]) -> int:
    """Writes all of the pieces; writev(2) may take less than it is given. Bytes."""
    size = sum(map(len, pieces))
    written = os.writev(handle, pieces)
    if written < size:
        rest = memoryview(b"".join(pieces))
        while written < size:
            written += os.write(handle, rest[written:])
    return size
