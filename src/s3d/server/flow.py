"""Flow control towards one client: how much waits for it, and when to give it up."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from array import array
from asyncio import Transport, get_running_loop

from aiohttp.web import BaseRequest

WRITE_BUFFER = 1 << 19
"""Bytes that wait for the client before whoever writes is paused."""


def write(http: BaseRequest, data: bytes | bytearray | memoryview) -> None:
    """Writes on the connection of a request. Raises ConnectionResetError if it is gone."""
    transport = http.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has gone")
    transport.write(data)


async def until_resumed(http: BaseRequest, idle: float) -> None:
    """Waits for the client to read on. One that takes nothing at all for the idle time (seconds) is given up, and with it
    what waits behind it: a connection to the remote, a file. Raises ConnectionResetError then, and may if it is gone."""
    transport = http.transport
    if transport is None or not http.protocol.writing_paused:
        return
    patience = _Patience(transport, idle)
    try:
        await http.writer.drain()
    finally:
        patience.timer.cancel()
    if patience.over:
        raise ConnectionResetError("the client has stopped reading")


class _Patience:
    """Looks once in each idle time whether the client took something, and ends the connection if not.

    It is no time-out around the wait: one that is over cancels what aiohttp (3.14) waits for, and then waits for it again.
    """

    def __init__(self, transport: Transport, idle: float) -> None:
        self._transport = transport
        self._idle = idle
        self._waiting = unsent(transport)
        self._loop = get_running_loop()
        self.timer = self._loop.call_later(idle, self._look)
        self.over = False

    def _look(self) -> None:
        before, self._waiting = self._waiting, unsent(self._transport)
        if self._waiting < before:
            self.timer = self._loop.call_later(self._idle, self._look)
        else:
            self.over = True
            self._transport.abort()


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
    with contextlib.suppress(OSError, ValueError):  # not on every system; the socket is closed
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + queued[0]


def reset(transport: Transport) -> None:
    """Ends the connection with RST. ``abort`` alone lets the kernel end it in order."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
