"""A body taken in whole: in memory up to a limit, else in a temporary file that has no name and dies with its handle.

Nothing here is durable or needs to be: no answer was given for it yet.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import IO

from s3d.s3.errors import S3Error
from s3d.s3.message import RequestBody

log = logging.getLogger("s3d.server")

_BATCH = 1 << 20  # bytes a call into a worker thread writes or reads


class SpooledBody:
    """A body in a temporary file. ``close()`` gives the room back."""

    replayable = True

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file = file
        self.length = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        position = 0
        while position < self.length:
            piece = await asyncio.to_thread(os.pread, self._file.fileno(), _BATCH, position)
            if not piece:
                raise S3Error("InternalError", "A temporary file has become shorter.")
            position += len(piece)
            yield piece

    def close(self) -> None:
        """Removes the file."""
        self._file.close()


async def spool(source: AsyncIterable[bytes], directory: Path | None, *, in_memory: int) -> RequestBody:
    """Takes all of ``source``: as ``bytes`` up to ``in_memory`` of them, else as a `SpooledBody`.

    Errors: those of the source; SlowDown when the disk has no room (nothing was accepted, so nothing is lost).
    """
    file: IO[bytes] | None = None
    batch: list[bytes] = []
    written = waiting = 0
    try:
        async for piece in source:
            batch.append(piece)
            waiting += len(piece)
            if waiting >= _BATCH and written + waiting > in_memory:
                file = await asyncio.to_thread(_append, file, batch, directory)
                written, waiting, batch = written + waiting, 0, []
        if file is None and waiting <= in_memory:
            return b"".join(batch)
        file = await asyncio.to_thread(_append, file, batch, directory)
        return SpooledBody(file, written + waiting)
    except BaseException as error:
        if file is not None:
            _discard(file)
        if isinstance(error, OSError):
            log.error("no room for a request body", extra={"directory": str(directory), "error": str(error)})
            message = "The daemon has no room on its disk for this request's body."
            raise S3Error("SlowDown", message, headers={"Retry-After": "30"}) from error
        raise


def _append(file: IO[bytes] | None, batch: list[bytes], directory: Path | None) -> IO[bytes]:
    """Writes the batch, into a new file where there is none yet; the file, with nothing left in its buffer."""
    opened = file or _open(directory)
    try:
        opened.writelines(batch)
        opened.flush()
    except OSError:
        _discard(opened)
        raise
    return opened


def _open(directory: Path | None) -> IO[bytes]:
    """In the given directory, or in the system's if that one is gone: losing it must not stop the gateway."""
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=directory)
        except OSError as error:
            log.warning("the local directory cannot be used", extra={"directory": str(directory), "error": str(error)})
    return tempfile.TemporaryFile()


def _discard(file: IO[bytes]) -> None:
    try:
        file.close()
    except OSError as error:
        log.warning("a temporary file did not close", extra={"error": str(error)})
