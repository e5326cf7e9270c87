"""A TCP proxy in front of a server that fails as told: the link between an edge device and its remote.

Modes, each for connections that are open as well: ``pass``; ``refuse``, everything is reset; ``closed``, as that, and
nobody listens; ``silent``, connections are accepted and nothing moves. Beside them the link can be slow (`FaultProxy.slow`)
and break in the middle of requests and answers (`FaultProxy.cut`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

_PIECE = 1 << 16
_UNDER_WAY = 256
"""Pieces of a direction of a connection that are under way at most: 16 MiB, or 320 MB/s with a delay of 50 ms."""
_RESET = struct.pack("ii", 1, 0)

Way = Literal["request", "answer"]


@dataclass
class _Cut:
    way: Way
    after: int
    match: bytes
    times: int
    probability: float


class FaultProxy:
    """Runs in a thread of its own. ``url`` is where it listens; ``connections`` counts them, ``requests`` are the first
    lines of those that came to it, ``cuts`` how many it broke, ``bytes`` what was read of requests and of answers."""

    def __init__(self, server: str, *, seed: int = 0) -> None:
        address = urlsplit(server)
        self._server = (address.hostname or "", address.port or 80)
        self._random = random.Random(seed)
        self._mode = "pass"
        self._cuts: list[_Cut] = []
        self._loop = asyncio.new_event_loop()
        self._moving = asyncio.Event()
        self._moving.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._free_at: dict[Way, float] = {"request": 0.0, "answer": 0.0}
        self.delay = 0.0
        self.rate: float | None = None
        self.connections = 0
        self.requests: list[bytes] = []
        self.cuts = 0
        self.bytes: dict[Way, int] = {"request": 0, "answer": 0}
        self.url = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultProxy]:
        """Until the end of the context."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            self._call(self._set("pass"))
            self.url = f"http://127.0.0.1:{self._port}"
            yield self
        finally:
            self._call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def set(self, mode: str) -> None:
        """From now on."""
        self._call(self._set(mode))

    def slow(self, *, delay: float = 0.0, rate: float | None = None) -> None:
        """From now on every byte arrives ``delay`` seconds later, each way, which costs no throughput; all connections
        together move ``rate`` bytes per second each way (None: all that there is)."""
        self.delay, self.rate = delay, rate

    def cut(self, way: Way, after: int, *, match: str = "", times: int = 1, probability: float = 1.0) -> None:
        """Resets the connection once ``after`` bytes, from its first line on, of a request or of its answer went through.

        Concerns the requests with ``match`` in their first line, each with that probability, until it happened ``times``
        times. A message that is not longer than ``after`` passes.
        """
        self._call(self._add(_Cut(way, after, match.encode(), times, probability)))

    def cut_answers(self, count: int, method: str) -> None:
        """The next requests with that method reach the server; their answers do not come back. Replaces all cuts."""
        self.heal()
        self.cut("answer", 0, match=f"{method} /", times=count)

    def heal(self) -> None:
        """Nothing is cut any more."""
        self._call(self._add(None))

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _add(self, cut: _Cut | None) -> None:
        self._cuts = [*self._cuts, cut] if cut else []

    async def _close(self) -> None:
        await self._set("closed")
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _set(self, mode: str) -> None:
        assert mode in ("pass", "refuse", "closed", "silent"), mode
        self._mode = mode
        if mode == "silent":
            self._moving.clear()
        else:
            self._moving.set()
        if mode == "closed" and self._listener is not None:
            self._listener.close()
            self._listener = None
        elif mode != "closed" and self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=1 << 20)
            self._port = self._listener.sockets[0].getsockname()[1]
        if mode in ("refuse", "closed"):
            for writer in list(self._writers):
                _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._mode in ("refuse", "closed"):
            _reset(writer)
            return
        try:
            from_server, to_server = await asyncio.open_connection(*self._server)
        except OSError:
            _reset(writer)
            return
        if self._mode in ("refuse", "closed"):  # since the look above
            _reset(writer)
            _reset(to_server)
            return
        ends = (writer, to_server)
        self._writers.update(ends)
        end: Callable[[asyncio.StreamWriter], None] = _reset
        try:
            await self._join(reader, writer, from_server, to_server)
            end = asyncio.StreamWriter.close  # both have ended, and get what is still on its way
        except* OSError:
            pass
        finally:
            self._writers.difference_update(ends)
            for one in ends:
                end(one)

    async def _join(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        """Until both sides have ended, or one broke."""
        answers = _Direction(self, "answer", from_server, writer)
        requests = _Direction(self, "request", reader, to_server, answers)
        async with asyncio.TaskGroup() as group:
            for direction in (requests, answers):
                group.create_task(direction.read())
                group.create_task(direction.write())

    async def room(self, way: Way, size: int) -> None:
        """Returns when the last of so many bytes has passed the link."""
        if self.rate is not None:
            now = self._loop.time()
            self._free_at[way] = max(now, self._free_at[way]) + size / self.rate
            await asyncio.sleep(self._free_at[way] - now)
        await self._moving.wait()

    def piece(self) -> int:
        """How many bytes pass at a time, so that connections share a slow link."""
        return _PIECE if self.rate is None else max(1, min(_PIECE, int(self.rate / 50)))

    def begun(self, line: bytes) -> _Cut | None:
        """A request with that first line. What is to happen to it."""
        self.requests.append(line)
        for cut in self._cuts:
            if cut.times and cut.match in line and self._random.random() < cut.probability:
                return cut
        return None

    def broken(self, cut: _Cut) -> bool:
        """Whether it happens now: others may have used it up."""
        if cut not in self._cuts or not cut.times:
            return False
        cut.times -= 1
        self.cuts += 1
        return True


class _Direction:
    """One way of one connection. What is read is written later; what is between is a queue."""

    def __init__(
        self,
        proxy: FaultProxy,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: _Direction | None = None,
    ) -> None:
        self._proxy = proxy
        self._way: Way = way
        self._reader = reader
        self._writer = writer
        self._answers = answers
        self._late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)
        self._cut: _Cut | None = None
        self._passed = 0
        writer.transport.set_write_buffer_limits(0)  # drain: all of it is with the system, and no reset takes it back

    def begin(self, cut: _Cut | None) -> None:
        """A message begins."""
        self._cut = cut if cut is not None and cut.way == self._way else None
        self._passed = 0

    async def read(self) -> None:
        loop = asyncio.get_running_loop()
        data = b"_"
        while data:
            data = await self._reader.read(_PIECE)
            self._proxy.bytes[self._way] += len(data)
            if self._answers is not None:
                self._look(data, self._answers)
            await self._late.put((loop.time() + self._proxy.delay, data))

    def _look(self, data: bytes, answers: _Direction) -> None:
        """Clients here send no request before the last answer is there, so one begins where a piece does."""
        line = data.partition(b"\r\n")[0]
        if line.endswith(b" HTTP/1.1"):
            cut = self._proxy.begun(line)
            self.begin(cut)
            answers.begin(cut)

    async def write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._late.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                await self._proxy.room(self._way, 0)
                self._writer.write_eof()
                return
            size = self._proxy.piece()
            for start in range(0, len(data), size):
                await self._forward(data[start : start + size])

    async def _forward(self, data: bytes) -> None:
        await self._proxy.room(self._way, len(data))
        is_interim = self._way == "answer" and data.startswith(b"HTTP/1.1 100 ")
        cut, rest = self._cut, data
        if cut is not None and not is_interim and self._passed + len(data) > cut.after and self._proxy.broken(cut):
            rest = data[: cut.after - self._passed]
        self._writer.write(rest)
        await self._writer.drain()
        if len(rest) < len(data):
            raise ConnectionResetError
        self._passed += 0 if is_interim else len(data)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
