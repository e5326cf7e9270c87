"""Sparse files in blocks, each with a checksum: bytes that can be fetched again.

Nothing is synced: after a power cut the checksum tells what is there. Names are random; keys never get near paths.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from awscrt import checksums

from s3d.local.directory import make

log = logging.getLogger("s3d.local")

BLOCK = 1 << 16
"""Bytes of a block; the last one of an object may be shorter."""

_NAME = re.compile("[0-9a-f]{32}")
_PIECE = 1 << 20  # bytes that are read at a time


def blocks_of(size: int) -> int:
    """How many blocks so many bytes are in."""
    return -(-size // BLOCK)


def checksum(data: bytes | memoryview) -> int:
    """The CRC-32C that a block is compared with."""
    return int(checksums.crc32c(data, 0))


class BlockFiles:
    """The files below one directory. Methods may be called from threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._created: set[str] | None = set()  # until those of the last run were looked at

    def open(self) -> None:
        """Makes the directory. Raises OSError."""
        make(self._directory)

    def create(self) -> tuple[str, int]:
        """The name of a new file, and a descriptor of it. Raises OSError."""
        name = secrets.token_hex(16)
        if self._created is not None:
            self._created.add(name)
        path, flags = self._path(name), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return name, os.open(path, flags, 0o600)
        except FileNotFoundError:  # the first in its directory
            path.parent.mkdir(mode=0o700, exist_ok=True)
            return name, os.open(path, flags, 0o600)

    def reopen(self, name: str) -> int:
        """A descriptor of a file that is there. Raises OSError."""
        return os.open(self._path(name), os.O_RDWR | os.O_CLOEXEC)

    def remove(self, name: str) -> None:
        """Also if it is not there. Who has it open can read on."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            log.warning("a file could not be removed", extra={"file": name, "error": str(error)})

    async def remove_unknown(self, known: Callable[[Sequence[str]], set[str]]) -> int:
        """Removes the files of the last run that ``known`` does not give back, directory by directory. How many those were.
        OSError."""
        removed = 0
        for directory in await asyncio.to_thread(os.listdir, self._directory):
            if not (self._directory / directory).is_dir():
                continue
            names = await asyncio.to_thread(os.listdir, self._directory / directory)
            ours = [name for name in names if _NAME.fullmatch(name)]
            unknown = set(ours) - known(ours) - (self._created or set()) if ours else ()
            for name in unknown:
                await asyncio.to_thread(self.remove, name)
            removed += len(unknown)
        self._created = None
        return removed

    def free(self) -> int:
        """Bytes that are left on the disk for who is not root. OSError."""
        disk = os.statvfs(self._directory)
        return disk.f_bavail * disk.f_frsize

    def _path(self, name: str) -> Path:
        return self._directory / name[:2] / name


def write_blocks(handle: int, first: int, data: bytes) -> list[int]:
    """Writes whole blocks (but for the last of an object) from block ``first`` on; their checksums. Raises OSError."""
    view = memoryview(data)
    written = 0
    while written < len(data):
        written += os.pwrite(handle, view[written:], first * BLOCK + written)
    return [checksum(view[start : start + BLOCK]) for start in range(0, len(data), BLOCK)]


async def write(handle: int, first: int, data: bytes) -> list[int]:
    """`write_blocks` in a thread, which goes on if nobody waits any more: with a descriptor of its own."""
    return await _in_thread(write_blocks, handle, first, data)


async def damaged(handle: int, first: int, size: int, expected: Sequence[int]) -> list[int]:
    """The same for `damaged_blocks`."""
    return await _in_thread(damaged_blocks, handle, first, size, expected)


async def copy(source: int, first: int, size: int, handle: int, block: int) -> None:
    """So many bytes from the ``first`` block on of a file, to another one, from ``block`` on. Raises OSError."""
    own = os.dup(source)

    def run(handle: int) -> list[int]:
        with os.fdopen(own, "rb", 0) as file:
            for position in range(0, size, _PIECE):
                data = os.pread(file.fileno(), min(_PIECE, size - position), first * BLOCK + position)
                write_blocks(handle, block + position // BLOCK, data)
        return []

    await _in_thread(run, handle)


async def _in_thread(function: Callable[..., list[int]], handle: int, *arguments: object) -> list[int]:
    own = os.dup(handle)

    def run() -> list[int]:
        try:
            return function(own, *arguments)
        finally:
            os.close(own)

    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, run))


def damaged_blocks(handle: int, first: int, size: int, expected: Sequence[int]) -> list[int]:
    """Numbers of those blocks from ``first`` on that have another checksum than expected; ``size``: bytes of the object.
    What cannot be read is damaged."""
    damaged = []
    end = min((first + len(expected)) * BLOCK, size)
    position = first * BLOCK
    while position < end:
        try:
            data = memoryview(os.pread(handle, min(_PIECE, end - position), position))
        except OSError:
            data = memoryview(b"")
        for start in range(position, min(position + _PIECE, end), BLOCK):
            number = start // BLOCK
            block = data[start - position : start - position + BLOCK]
            if len(block) != min(BLOCK, size - start) or checksum(block) != expected[number - first]:
                damaged.append(number)
        position += _PIECE
    return damaged
