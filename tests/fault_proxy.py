"""A TCP proxy in front of a server that fails as told: the link between an edge device and its remote.

Modes, each for connections that are open as well: ``pass``; ``refuse``, everything is reset; ``silent``, nothing moves.
Beside them `FaultProxy.cut_answers` lets the next requests reach the server and resets in the place of their answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

_PIECE = 1 << 16
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Runs in a thread of its own. ``url`` is where it listens; ``connections`` counts them, ``requests`` the heads of
    requests that came to it by method."""

    def __init__(self, server: str) -> None:
        address = urlsplit(server)
        self._server = (address.hostname or "", address.port or 80)
        self._mode = "pass"
        self._cuts = 0
        self._method = b""
        self._loop = asyncio.new_event_loop()
        self._moving = asyncio.Event()
        self._moving.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.requests: list[bytes] = []
        self.url = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultProxy]:
        """Until the end of the context."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            self._call(self._listen())
            yield self
        finally:
            self._call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def set(self, mode: str) -> None:
        """From now on."""
        self._call(self._set(mode))

    def cut_answers(self, count: int, method: str) -> None:
        """The next requests with that method reach the server; their answers do not come back."""
        self._cuts, self._method = count, method.encode() + b" "

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        self._listener.close()
        await self._set("refuse")

    async def _set(self, mode: str) -> None:
        self._mode = mode
        if mode == "silent":
            self._moving.clear()
        else:
            self._moving.set()
        if mode == "refuse":
            for writer in list(self._writers):
                _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._mode == "refuse":
            _reset(writer)
            return
        try:
            from_server, to_server = await asyncio.open_connection(*self._server)
        except OSError:
            _reset(writer)
            return
        both = (writer, to_server)
        self._writers.update(both)
        cut = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, to_server, cut, is_request=True))
                group.create_task(self._pump(from_server, writer, cut, is_request=False))
        except* OSError:
            pass
        finally:
            for one in both:
                self._writers.discard(one)
                _reset(one)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event, *, is_request: bool
    ) -> None:
        while data := await reader.read(_PIECE):
            await self._moving.wait()
            if is_request:
                self._see(data, cut)
            elif cut.is_set():
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    def _see(self, data: bytes, cut: asyncio.Event) -> None:
        line = data.partition(b"\r\n")[0]
        if line.endswith(b"HTTP/1.1"):
            self.requests.append(line)
            if self._cuts and line.startswith(self._method):
                self._cuts -= 1
                cut.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
