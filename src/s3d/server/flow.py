"""Flow control towards one client: how much waits for it, and when to give it up."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from array import array
from asyncio import Transport, timeout

from aiohttp.web import BaseRequest

WRITE_BUFFER = 1 << 19
"""Bytes that wait for the client before whoever writes is paused."""


def write(http: BaseRequest, data: bytes | memoryview) -> None:
    """Writes on the connection of a request. Raises ConnectionResetError if it is gone."""
    transport = http.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has gone")
    transport.write(data)


async def until_resumed(http: BaseRequest, idle: float) -> None:
    """Waits for the client to read on. One that takes nothing at all for the idle time (seconds) is given up, and with it
    what waits behind it: a connection to the remote, a file. Raises ConnectionError if the client is gone."""
    transport = http.transport
    waiting = unsent(transport) if transport else 0
    while transport is not None and http.protocol.writing_paused:
        try:
            async with timeout(idle):
                await http.writer.drain()
        except TimeoutError:
            before, waiting = waiting, unsent(transport)
            if waiting >= before:
                raise give_up(transport) from None
        transport = http.transport


async def until_empty(http: BaseRequest, idle: float) -> None:
    """Waits until all that was written has gone to the kernel. Raises ConnectionError if the client is gone."""
    transport = http.transport
    if transport is not None and transport.get_write_buffer_size():
        transport.set_write_buffer_limits(high=0)
        await until_resumed(http, idle)
        if not transport.is_closing():
            transport.set_write_buffer_limits(high=WRITE_BUFFER)


def unsent(transport: Transport) -> int:
    """Bytes that the client has not taken: ours, and the kernel's, whose buffer of some MB would hide for minutes that a
    player takes 16 kB a second. (TIOCOUTQ, tcp(7): what is not acknowledged.)"""
    queued = array("i", [0])
    with contextlib.suppress(OSError):  # not on every system
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + queued[0]


def give_up(transport: Transport) -> ConnectionResetError:
    """Ends the connection to a client that takes nothing; the error says why."""
    transport.abort()
    return ConnectionResetError("the client has stopped reading")


def reset(transport: Transport) -> None:
    """Ends the connection with RST. ``abort`` alone lets the kernel end it in order."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
