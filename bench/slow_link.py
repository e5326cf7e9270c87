"""A link with a delay in front of a server, as a process of its own: each byte arrives half the round trip later, each way.

The delay does not cost throughput: what is under way is a queue. Prints its port and runs until its standard input ends;
then it prints how many bytes came from the server.

python bench/slow_link.py http://127.0.0.1:8333 0.05
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import uvloop


@contextlib.contextmanager
def slow_link(target: str, round_trip: float) -> Iterator[str]:
    """The URL of the server behind the delay, of so many seconds."""
    with counting_link(target, round_trip) as (url, _):
        yield url


@contextlib.contextmanager
def counting_link(target: str, round_trip: float) -> Iterator[tuple[str, Callable[[], int]]]:
    """The same, and a function that ends it and gives the bytes that came from the server."""
    command = [sys.executable, __file__, target, str(round_trip)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}", lambda: int(process.communicate()[0])
        if process.poll() is None:
            process.communicate()


class End(asyncio.Protocol):
    """One end of a connection through the link. What it receives leaves at the other end some time later."""

    def __init__(self, delay: float, received: list[int] | None = None) -> None:
        self._delay = delay
        self._received = [0] if received is None else received
        self._late: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self.other: End | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream's
        while self._late:
            self.transport.write(self._late.popleft())

    def data_received(self, data: bytes) -> None:
        self._received[0] += len(data)
        self._loop.call_later(self._delay, self._forward, data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._loop.call_later(self._delay, self._end)

    def _forward(self, data: bytes) -> None:
        other = self.other
        if other is not None and other.transport is not None:
            if not other.transport.is_closing():
                other.transport.write(data)
        elif other is not None:
            other._late.append(data)

    def _end(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


async def main(target: str, round_trip: float) -> None:
    address = urlsplit(target)
    loop = asyncio.get_running_loop()
    connecting: set[asyncio.Task[object]] = set()
    received = [0]

    def accept() -> End:
        near, far = End(round_trip / 2), End(round_trip / 2, received)
        near.other, far.other = far, near
        task: asyncio.Task[object] = loop.create_task(
            loop.create_connection(lambda: far, address.hostname, address.port)
        )
        connecting.add(task)
        task.add_done_callback(connecting.discard)
        return near

    server = await loop.create_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(received[0])


if __name__ == "__main__":
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main(sys.argv[1], float(sys.argv[2])))
