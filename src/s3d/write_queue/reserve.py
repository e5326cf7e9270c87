"""Space on the disk that nobody uses until the journal needs it.

Pushing makes room, but has to be written down before it does. On a disk that is full to the last byte that would never
happen, and what the queue itself has filled would stay full for ever. So while less than 1 GiB is left, a file is kept
that is given up when a commit finds no room. Then the log of the database is moved into the database, which may take as
much room as the log has, and makes room for the log. Until there is room for the file again no body is taken in: what it
gave is the journal's alone.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("s3d.write_queue")

_LEAST, _MOST = 8 << 20, 64 << 20
_PLENTY = 1 << 30
_PAGE = 4096
"""Bytes of a page of the database."""
_PIECE = 1 << 20
_LOOK_AGAIN = 0.1
"""Seconds in which no disk takes 1 GiB."""


class Reserve:
    """A file at ``path``, in a directory that is there: a sixteenth of its disk, at least 8 MiB and at most 64 MiB."""

    def __init__(self, path: Path) -> None:
        disk = os.statvfs(path.parent)
        pieces = disk.f_blocks * disk.f_frsize // 16 // _PIECE
        self._path = path
        self._size = min(max(pieces * _PIECE, _LEAST), _MOST)
        self._is_there = False
        self._plenty_until = 0.0

    @property
    def log_pages(self) -> int:
        """How long the log of the database may become, so that it fits in: half as long."""
        return self._size // 2 // _PAGE

    def give(self) -> None:
        """Gives it up."""
        self._is_there = False
        self._plenty_until = 0.0
        with contextlib.suppress(OSError):
            self._path.unlink()
            log.warning(
                "the disk is full: no body is accepted until what waits has been pushed, or there is room again"
            )

    def keep(self, inside: Callable[[], int]) -> bool:
        """Makes it where the disk becomes full, and anew if it was given up and there is room for twice as much. Whether it
        is there, or can be done without: there is room in plenty, or enough ``inside`` the database, which does not become
        smaller."""
        now = time.monotonic()
        if self._is_there or now < self._plenty_until:
            return True
        with contextlib.suppress(OSError):
            if (room := self._room()) >= _PLENTY:
                self._plenty_until = now + _LOOK_AGAIN
                return True
            self._is_there = self._is_whole() or self._made()
            return self._is_there or inside() + room >= 2 * self._size
        return False

    def _is_whole(self) -> bool:
        """Also that of the last run."""
        return self._path.exists() and self._path.stat().st_size == self._size

    def _room(self) -> int:
        """Bytes that are left on the disk for who is not root."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def _made(self) -> bool:
        if self._room() < 2 * self._size:
            return False
        with self._path.open("wb", buffering=0) as file:
            if hasattr(os, "posix_fallocate"):  # at once: this is on the event loop
                os.posix_fallocate(file.fileno(), 0, self._size)
            else:
                self._write(file)
        return self._is_whole()

    def _write(self, file: io.FileIO) -> None:
        piece = os.urandom(_PIECE)  # of zeros a file system may keep nothing at all
        for _ in range(self._size // _PIECE):
            file.write(piece)
