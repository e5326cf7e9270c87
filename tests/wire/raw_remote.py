"""A remote that is a script: what each connection reads and writes, byte for byte, in the same process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from multidict import CIMultiDict
from wire.rig import DATE, PATIENCE, Client, connected, serving

from s3d.remote.backend import Remote
from s3d.remote.config import RemoteConfig
from s3d.remote.credentials import Static
from s3d.s3.sigv4 import Credentials
from s3d.server.listener import Server

CREDENTIALS = Credentials("AKID", "secret")


@dataclass
class Seen:
    """One request head as it arrived."""

    line: str
    headers: CIMultiDict[str]

    @property
    def length(self) -> int:
        return int(self.headers.get("Content-Length", "0"))


@dataclass
class Conversation:
    """One connection, from the remote's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Seen] = field(default_factory=list)
    body: bytes = b""
    """What came of the body of the last request."""
    ended: bool = False
    """The other side closed."""

    async def request(self) -> Seen:
        """Reads a request, its body too."""
        seen = await self.head()
        self.body = await self.reader.readexactly(seen.length)
        return seen

    async def head(self) -> Seen:
        """Reads a request head."""
        data = await self.reader.readuntil(b"\r\n\r\n")
        line, *fields = data[:-4].decode("utf-8", "surrogateescape").split("\r\n")
        headers = CIMultiDict([(name, value) for name, _, value in (text.partition(": ") for text in fields)])
        self.requests.append(Seen(line, headers))
        return self.requests[-1]

    async def rest(self) -> None:
        """Reads until the other side closes."""
        self.body = b""
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(1 << 16):
                self.body += data
        self.ended = True

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def reset(self) -> None:
        """Ends the connection with RST."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Conversation], Awaitable[None]]

OK = f'HTTP/1.1 200 OK\r\nDate: {DATE}\r\nETag: "e"\r\nContent-Length: 5\r\n\r\nhello'.encode()


async def well(talk: Conversation) -> None:
    """Answers every request on the connection."""
    while True:
        seen = await talk.request()
        talk.send(OK if not seen.line.startswith("HEAD") else OK.removesuffix(b"hello"))
        await talk.writer.drain()


def says(answer: bytes) -> Script:
    """Answers every request with these bytes, and leaves the connection open."""

    async def script(talk: Conversation) -> None:
        while True:
            await talk.request()
            talk.send(answer)

    return script


def says_and_closes(answer: bytes) -> Script:
    """Answers one request with these bytes and closes."""

    async def script(talk: Conversation) -> None:
        await talk.request()
        talk.send(answer)

    return script


class RawRemote:
    """Listens; the n-th connection follows the n-th script, further ones the last."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._server: asyncio.Server | None = None
        self.talks: list[Conversation] = []

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def requests(self) -> list[Seen]:
        return [seen for talk in self.talks for seen in talk.requests]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=1 << 22)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for _ in range(5):  # turns of the loop, for connections that are just being accepted
            await asyncio.sleep(0)
        for talk in self.talks:
            talk.writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await talk.writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(len(self.talks), len(self._scripts) - 1)]
        talk = Conversation(reader, writer)
        self.talks.append(talk)
        try:
            await script(talk)
        except (asyncio.IncompleteReadError, ConnectionError):
            talk.ended = True
        writer.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once the condition holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.005)


@dataclass
class Stack:
    """The remote, s3d in front of it, and a client's connection to that."""

    raw: RawRemote
    remote: Remote
    server: Server
    client: Client

    async def is_well(self) -> None:
        """Asserts that a new client gets the right answer, twice on one connection: the pool holds nothing bad.

        A test's own time-outs for the remote may be so short that a busy machine misses one: 503 is asked again.
        """
        async with connected(self.server.port) as client:
            right = tries = 0
            while right < 2:
                client.send(b"GET /well/key HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = await client.answer()
                tries += 1
                if answer.status == 503 and tries < 10:
                    await asyncio.sleep(0.1)
                    continue
                assert (answer.status, answer.body) == (200, b"hello")
                right += 1


@contextlib.asynccontextmanager
async def stack(
    *scripts: Script, response_timeout: float = PATIENCE, idle_timeout: float = PATIENCE, client_idle: float = PATIENCE
) -> AsyncIterator[Stack]:
    """s3d in front of a remote whose connections follow the scripts."""
    raw = RawRemote(*scripts)
    await raw.start()
    config = RemoteConfig(
        f"http://127.0.0.1:{raw.port}",
        "us-east-1",
        response_timeout=response_timeout,
        idle_timeout=idle_timeout,
        connect_timeout=1,
    )
    try:
        async with (
            Remote(config, Static(CREDENTIALS)) as remote,
            serving(remote, idle=client_idle) as server,
            connected(server.port) as client,
        ):
            yield Stack(raw, remote, server, client)
    finally:
        await raw.stop()
