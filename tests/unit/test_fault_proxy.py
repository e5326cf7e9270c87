"""The proxy that stands for a bad link: what it lets through, what it breaks, what it counts."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from e2e.waiting import wait_until
from fault_proxy import FaultProxy

SIZE = 300_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def do_GET(self) -> None:
        self._answer(b"a" * SIZE)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) == int(self.headers["Content-Length"]):
            self.bodies.append(body)
            self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not into the output of the tests."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections break here."""


@pytest.fixture
def bodies() -> list[bytes]:
    return []


@pytest.fixture
def proxy(bodies: list[bytes]) -> Iterator[FaultProxy]:
    handler = type("Storing", (Handler,), {"bodies": bodies})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with FaultProxy(f"http://127.0.0.1:{server.server_port}").running() as proxy:
            yield proxy
        server.shutdown()
        thread.join()


def ask(proxy: FaultProxy, method: str = "GET", body: bytes | None = None, path: str = "/") -> bytes:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=30)
    try:
        connection.request(method, path, body)
        return connection.getresponse().read()
    finally:
        connection.close()


def until_it_breaks(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(1 << 16):
            found += data
    return found


def test_everything_passes_and_is_counted(proxy: FaultProxy, bodies: list[bytes]) -> None:
    assert ask(proxy) == b"a" * SIZE
    assert ask(proxy, "PUT", b"b" * SIZE, "/k") == b""
    assert bodies == [b"b" * SIZE]
    assert proxy.requests == [b"GET / HTTP/1.1", b"PUT /k HTTP/1.1"]
    assert proxy.connections == 2
    assert all(SIZE < count < SIZE + 1000 for count in proxy.bytes.values())


@pytest.mark.parametrize(("mode", "error"), [("refuse", ConnectionResetError), ("closed", ConnectionRefusedError)])
def test_away_and_back(proxy: FaultProxy, mode: str, error: type[OSError]) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0), timeout=30) as is_open:
        wait_until(lambda: proxy.connections == 1)
        proxy.set(mode)
        with pytest.raises(ConnectionResetError):
            is_open.recv(1)
    with pytest.raises(error):
        ask(proxy)
    proxy.set("pass")
    assert ask(proxy) == b"a" * SIZE


def test_silence(proxy: FaultProxy, bodies: list[bytes]) -> None:
    proxy.set("silent")
    thread = threading.Thread(target=ask, args=(proxy, "PUT", b"x"))
    thread.start()
    wait_until(lambda: len(proxy.requests) == 1)
    assert thread.is_alive()
    assert bodies == []
    proxy.set("pass")
    thread.join()
    assert bodies == [b"x"]


def test_what_is_delayed_is_under_way_together(proxy: FaultProxy, bodies: list[bytes]) -> None:
    """A link that is a queue takes all of it before it delivers the first byte."""
    proxy.slow(delay=3600)
    with socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0), timeout=30) as connection:
        body = b"x" * (4 << 20)
        connection.sendall(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: proxy.bytes["request"] > len(body))
    assert bodies == []


def test_a_delay_each_way(proxy: FaultProxy) -> None:
    proxy.slow(delay=0.05)
    began = time.monotonic()
    assert ask(proxy) == b"a" * SIZE
    assert time.monotonic() - began >= 0.1


def test_all_connections_share_the_rate(proxy: FaultProxy) -> None:
    proxy.slow(rate=2_000_000)
    threads = [threading.Thread(target=ask, args=(proxy,)) for _ in range(2)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 2 * SIZE / 2_000_000


@pytest.mark.parametrize("after", [0, 10, 100_000])
def test_an_answer_is_cut(proxy: FaultProxy, bodies: list[bytes], after: int) -> None:
    proxy.cut("answer", after)
    with socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert len(until_it_breaks(connection)) == after
    assert ask(proxy) == b"a" * SIZE
    assert proxy.cuts == 1


def test_a_lost_answer_is_that_of_a_request_that_was_served(proxy: FaultProxy, bodies: list[bytes]) -> None:
    proxy.cut_answers(1, "PUT")
    assert ask(proxy) == b"a" * SIZE
    with pytest.raises(ConnectionResetError):
        ask(proxy, "PUT", b"1")
    assert bodies == [b"1"]
    ask(proxy, "PUT", b"2")
    assert bodies == [b"1", b"2"]


def test_a_request_is_cut(proxy: FaultProxy, bodies: list[bytes]) -> None:
    proxy.cut("request", 100_000, match="PUT /large", times=2)
    for _ in range(2):
        ask(proxy, "PUT", b"small", "/large")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            ask(proxy, "PUT", b"x" * SIZE, "/large")
    ask(proxy, "PUT", b"x" * SIZE, "/large")
    assert bodies == [b"small", b"small", b"x" * SIZE]
    assert proxy.cuts == 2


def test_with_probability_until_it_heals(proxy: FaultProxy) -> None:
    proxy.cut("answer", 0, times=1000, probability=0.5)
    failed = 0
    for _ in range(60):
        try:
            ask(proxy)
        except ConnectionResetError:
            failed += 1
    assert failed == proxy.cuts
    assert 10 < failed < 50
    proxy.heal()
    for _ in range(10):
        ask(proxy)
    assert proxy.cuts == failed
