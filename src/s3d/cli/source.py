"""What `put` reads from: a file of known size, read at positions, or a stream whose end nobody knows.

Both give the body in pieces that can be sent again, each with its CRC64NVME, without the object ever being in memory.
"""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from awscrt import checksums as crt

from s3d.cli.errors import Failure
from s3d.cli.worker import Worker
from s3d.s3.errors import S3Error
from s3d.s3.message import Body, body_length

_BLOCK = 1 << 20
_IN_MEMORY = 32 << 20  # bytes: the late parts of a very long stream are gigabytes and go through a temporary file


@dataclass(frozen=True, slots=True)
class FileSlice:
    """``length`` bytes of a file from ``offset`` on, as a `s3d.s3.message.Body` that can be sent again."""

    file: BinaryIO
    offset: int
    length: int
    replayable: bool = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        position, end = self.offset, self.offset + self.length
        while position < end:
            block = await asyncio.to_thread(os.pread, self.file.fileno(), min(_BLOCK, end - position), position)
            if not block:
                raise S3Error("IncompleteBody", "The file became shorter while it was read.")
            position += len(block)
            yield block


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the object that can be sent more than once, and their CRC64NVME."""

    body: bytes | Body
    crc: int

    @property
    def length(self) -> int:
        return body_length(self.body)

    @property
    def checksum(self) -> str:
        return encode(self.crc)

    def close(self) -> None:
        """Gives back what the piece occupies."""


@dataclass(frozen=True, slots=True)
class SpooledPiece(Piece):
    """A piece that has a temporary file of its own."""

    def close(self) -> None:
        assert isinstance(self.body, FileSlice)  # noqa: S101  see StreamSource
        self.body.file.close()


class Source(Protocol):
    """Gives pieces in order."""

    size: int | None
    """Bytes of the whole; None: unknown."""

    async def read(self, length: int) -> Piece:
        """The next ``length`` bytes, fewer at the end, none after it. Raises Failure when the input is not readable."""
        ...

    def check_unchanged(self) -> None:
        """Raises Failure when what was read cannot have been one state of the input."""
        ...


class FileSource:
    """A regular file from its current position on, for example that of ``put < file``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        self._state = self._look()
        self._end = max(self._offset, os.fstat(file.fileno()).st_size)
        self.size: int | None = self._end - self._offset

    async def read(self, length: int) -> Piece:
        offset, length = self._offset, min(length, self._end - self._offset)
        self._offset += length
        crc = await asyncio.to_thread(_crc_of_file, self._file.fileno(), offset, length)
        return Piece(FileSlice(self._file, offset, length), crc)

    def check_unchanged(self) -> None:
        if self._look() != self._state:
            raise Failure(f"{self._file.name} changed while it was read.")

    def _look(self) -> tuple[int, int]:
        state = os.fstat(self._file.fileno())
        return state.st_size, state.st_mtime_ns


class StreamSource:
    """A pipe, a terminal, a device: read once, each piece kept until it has been sent."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._worker = Worker()
        self.size: int | None = None

    async def read(self, length: int) -> Piece:
        return await self._worker.submit(lambda: _read_piece(self._file.fileno(), length))

    def check_unchanged(self) -> None:
        """A stream passes once."""


def open_source(file: BinaryIO) -> FileSource | StreamSource:
    """The source for an open file, whatever kind of file it is."""
    return FileSource(file) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else StreamSource(file)


def encode(crc: int) -> str:
    """A CRC64NVME as S3 writes it."""
    return base64.b64encode(crc.to_bytes(8, "big")).decode()


def combine(pieces: list[tuple[int, int]]) -> int:
    """The CRC64NVME of the whole from those of its (crc, length) pieces in order."""
    whole = 0
    for crc, length in pieces:
        whole = crt.combine_crc64nvme(whole, crc, length)
    return whole


def _read_piece(descriptor: int, length: int) -> Piece:
    """Blocks until the bytes are there or the stream ends."""
    if length > _IN_MEMORY:
        return _spool(descriptor, length)
    buffer = bytearray()
    while len(buffer) < length and (block := os.read(descriptor, min(_BLOCK, length - len(buffer)))):
        buffer += block
    data = bytes(buffer)
    return Piece(data, crt.crc64nvme(data))


def _spool(descriptor: int, length: int) -> Piece:
    file = tempfile.TemporaryFile(prefix="s3d-put-", buffering=0)  # noqa: SIM115  the piece closes it
    crc = written = 0
    while written < length and (block := os.read(descriptor, min(_BLOCK, length - written))):
        file.write(block)
        crc = crt.crc64nvme(block, crc)
        written += len(block)
    return SpooledPiece(FileSlice(file, 0, written), crc)


def _crc_of_file(descriptor: int, offset: int, length: int) -> int:
    """Raises Failure when the file has become shorter."""
    crc, end = 0, offset + length
    while offset < end:
        block = os.pread(descriptor, min(_BLOCK, end - offset), offset)
        if not block:
            raise Failure("The file became shorter while it was read.")
        crc = crt.crc64nvme(block, crc)
        offset += len(block)
    return crc
