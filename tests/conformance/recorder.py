"""A TCP server that keeps the very bytes of each request and answers with an empty 200."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass

ANSWER = b'HTTP/1.1 200 OK\r\nETag: "recorded"\r\nContent-Length: 0\r\n\r\n'


@dataclass(frozen=True)
class Recorded:
    """One request as it was on the wire. ``body`` still has its framing."""

    request_line: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def target(self) -> bytes:
        return self.request_line.split(b" ")[1]

    def all(self, name: str) -> list[bytes]:
        """The values of a header field."""
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def names(self) -> set[str]:
        return {name.decode().lower() for name, _ in self.fields}


class Recorder(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.requests: list[Recorded] = []

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def only(self) -> Recorded:
        """The one request that came since the last call."""
        (request,) = self.requests
        self.requests.clear()
        return request


class _Connection(socketserver.StreamRequestHandler):
    server: Recorder

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                self.server.requests.append(self._request(line))
                self.wfile.write(ANSWER)

    def _request(self, line: bytes) -> Recorded:
        fields = []
        while (field := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = field.rstrip(b"\r\n").partition(b":")
            fields.append((name, value.strip(b" ")))
        head = Recorded(line.rstrip(b"\r\n"), fields, b"")
        length = int((head.all("Content-Length") or [b"0"])[0])
        body = self.rfile.read(length) if not head.all("Transfer-Encoding") else self._chunks()
        return Recorded(head.request_line, fields, body)

    def _chunks(self) -> bytes:
        """A chunked body with its framing."""
        data = b""
        while True:
            line = self.rfile.readline()
            data += line + self.rfile.read(int(line.split(b";")[0], 16) + 2)
            if line.startswith(b"0"):
                return data


@contextlib.contextmanager
def recorder() -> Iterator[Recorder]:
    """Runs until the end of the block, in a thread."""
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
