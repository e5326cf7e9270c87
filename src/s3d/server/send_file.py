"""From a file to the client: by sendfile(2), which does not take the bytes through this process.

    one at a time       sendfile on the event loop, one slice per turn, so that other connections have theirs
    several, or cold    the same call in a worker thread: so that they share the processors, since the disk is waited for
    TLS, no sendfile    read in a worker thread, write

When the socket is full, the next few bytes are read and written in the usual way: the transport then waits for room, and
all that is known of slow and lost clients holds here too (`s3d.server.flow`).
"""

from __future__ import annotations

import asyncio
import errno
import os
from asyncio import Transport
from collections.abc import Callable

from aiohttp.web import BaseRequest

from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange
from s3d.server import flow

# 100 MiB to a client on the other core, CPU seconds here: nginx 0.030, slices on the loop 0.034 (256 KiB), 0.031 (512 KiB
# and more), 0.060 in threads. Half a MiB holds up others for some 0.2 ms. 16 such clients at once, two processors, times as
# fast as nginx: 0.83 on the loop, 1.14 in threads.
_SLICE = 1 << 19  # bytes
_COLD_SLICE = 1 << 22  # bytes; the socket rarely has room for more
_STOPPER = 1 << 14  # bytes that wait in the transport until the socket has room
_PIECE = 1 << 18  # bytes of a read
_SMALL = 1 << 16  # bytes: up to here one write of head and body is cheaper than two calls
_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # of this file system, socket or kernel

Count = Callable[[int], None]
"""Is told how many more bytes of the body went out."""


def read_small(head: bytes, body: FileRange) -> bytearray | None:
    """``head``, and behind it all bytes of a small part of a file if they are in memory, so that reading does not wait for
    the disk."""
    if body.length > _SMALL or not hasattr(os, "RWF_NOWAIT"):
        return None
    data = bytearray(len(head) + body.length)
    data[: len(head)] = head
    try:
        read = os.preadv(body.file.fileno(), [memoryview(data)[len(head) :]], body.offset, os.RWF_NOWAIT)
    except OSError:  # not in memory; not on this file system; an error that shows again
        return None
    return data if read == body.length else None


async def send_file(http: BaseRequest, body: FileRange, idle: float, count: Count) -> None:
    """Sends a part of a file after what was written before; does not close the file.

    Raises ConnectionError if the client goes or takes nothing for the idle time (seconds), and InternalError if the file
    is shorter or cannot be read.
    """
    transport = http.transport
    position, end = body.offset, body.offset + body.length
    try:
        if transport is not None and _takes_files(transport):
            await flow.until_empty(http, idle)
            with _under_way:
                position = await _send(http, body.file.fileno(), position, end, idle, count)
        await _copy(http, body.file.fileno(), position, end, idle, count)
    except ConnectionError:
        raise
    except OSError as error:
        raise S3Error("InternalError", f"a file could not be read while it was sent: {error.strerror}") from error


def _takes_files(transport: Transport) -> bool:
    return hasattr(os, "sendfile") and transport.get_extra_info("sslcontext") is None


class _UnderWay:
    """How many files are being sent: a context manager around each."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> None:
        self.number += 1

    def __exit__(self, *error: object) -> None:
        self.number -= 1


_under_way = _UnderWay()


async def _send(http: BaseRequest, file: int, position: int, end: int, idle: float, count: Count) -> int:
    """Sends by sendfile, and returns how far it came: to the end, or to where this file does not go that way."""
    while position < end:
        transport = http.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        socket = transport.get_extra_info("socket").fileno()
        try:
            if _under_way.number == 1 and _in_memory(file, position, min(_SLICE, end - position)):
                sent, stopper = _push(socket, file, position, min(_SLICE, end - position))
            else:
                sent, stopper = await _push_in_thread(socket, file, position, min(_COLD_SLICE, end - position))
        except OSError as error:
            if error.errno in _NO_SENDFILE:
                return position
            raise
        if stopper is None:
            await asyncio.sleep(0)
        else:
            flow.write(http, stopper)
            await flow.until_empty(http, idle)
            sent += len(stopper)
        position += sent
        count(sent)
    return position


def _push(socket: int, file: int, position: int, length: int) -> tuple[int, bytes | None]:
    """Sends what the socket has room for. Returns how much that was, and what follows if it was less than ``length``."""
    try:
        sent = os.sendfile(socket, file, position, length)
    except BlockingIOError:
        sent = 0
    if sent == length:
        return sent, None
    return sent, _read(file, position + sent, min(_STOPPER, length - sent))


async def _push_in_thread(socket: int, file: int, position: int, length: int) -> tuple[int, bytes | None]:
    """As `_push`, on duplicates of the descriptors: if this is cancelled, their numbers may soon mean something else."""
    own_socket = os.dup(socket)
    try:
        own_file = os.dup(file)
    except OSError:  # too many open files
        os.close(own_socket)
        raise

    def push() -> tuple[int, bytes | None]:
        try:
            return _push(own_socket, own_file, position, length)
        finally:
            os.close(own_socket)
            os.close(own_file)

    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, push))


def _in_memory(file: int, position: int, length: int) -> bool:
    """Whether the first and the last byte can be had without waiting for the disk. (That asks it to read ahead, too.)"""
    try:
        for where in (position, position + length - 1):
            os.preadv(file, [bytearray(1)], where, os.RWF_NOWAIT)
    except (OSError, AttributeError):  # on the disk; not on this file system; not on this system
        return False
    return True


async def _copy(http: BaseRequest, file: int, position: int, end: int, idle: float, count: Count) -> None:
    """Reads and writes, in pieces."""
    while position < end:
        piece = await asyncio.to_thread(_read, file, position, min(_PIECE, end - position))
        flow.write(http, piece)
        position += len(piece)
        count(len(piece))
        if http.protocol.writing_paused:
            await flow.until_resumed(http, idle)


def _read(file: int, position: int, length: int) -> bytes:
    data = os.pread(file, length, position)
    if not data:
        raise S3Error("InternalError", "a file became shorter while it was sent")
    return data
