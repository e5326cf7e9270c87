"""Opening the sockets of a listener."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from peers import free_port

from s3d.server import sockets
from s3d.server.sockets import CannotListen, open_sockets, port_of


@contextlib.contextmanager
def opened(host: str, port: int = 0) -> Iterator[list[socket.socket]]:
    listeners = open_sockets(host, port)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def test_any_free_port() -> None:
    with opened("127.0.0.1") as listeners:
        assert len(listeners) == 1
        assert port_of(listeners) > 0
        assert not listeners[0].getblocking()


def two_families(monkeypatch: pytest.MonkeyPatch, *others: tuple[socket.AddressFamily, tuple[Any, ...]]) -> None:
    found = [(socket.AF_INET, ("127.0.0.1", 0)), *others]
    answer = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer + answer)


def test_all_addresses_share_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    two_families(monkeypatch, (socket.AF_INET, ("127.0.0.2", 0)))
    with opened("localhost") as listeners:
        assert [listener.getsockname()[0] for listener in listeners] == ["127.0.0.1", "127.0.0.2"]
        assert len({listener.getsockname()[1] for listener in listeners}) == 1


def test_another_port_where_the_first_is_free_on_one_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    two_families(monkeypatch, (socket.AF_INET, ("127.0.0.2", 0)))
    bound, failures = sockets._bound, iter([errno.EADDRINUSE, errno.EADDRINUSE])

    def busy(family: socket.AddressFamily, address: tuple[object, ...]) -> Any:
        if address[0] == "127.0.0.2" and (number := next(failures, None)):
            raise OSError(number, "in use")
        return bound(family, address)

    monkeypatch.setattr(sockets, "_bound", busy)
    with opened("localhost") as listeners:
        assert len(listeners) == 2


def test_an_address_that_this_machine_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    two_families(monkeypatch, (socket.AF_INET, ("192.0.2.1", 0)))  # TEST-NET-1, RFC 5737
    with opened("localhost") as listeners:
        assert [listener.getsockname()[0] for listener in listeners] == ["127.0.0.1"]


def test_errors_say_what_to_do() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0: this is not an address of this machine"):
        open_sockets("192.0.2.1", 0)
    with pytest.raises(CannotListen, match=r"cannot listen on no\.invalid:1: the name is not known here"):
        open_sockets("no.invalid", 1)
    with opened("127.0.0.1") as listeners:
        listeners[0].listen()
        port = port_of(listeners)
        with pytest.raises(CannotListen, match="the port is in use: stop the process that has it") as caught:
            open_sockets("127.0.0.1", port)
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)


def test_a_failure_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    two_families(monkeypatch, (socket.AF_INET, ("127.0.0.2", 0)))
    with socket.socket() as other:
        port = free_port()  # no connection of another test can have it on 127.0.0.1
        other.bind(("127.0.0.2", port))
        other.listen()
        with pytest.raises(CannotListen):
            open_sockets("localhost", port)
        with socket.socket() as again:
            again.bind(("127.0.0.1", port))


def test_no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> Any:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(sockets, "_bound", forbidden)
    with pytest.raises(
        CannotListen, match=r"cannot listen on \[::1\]:80: no permission for this port: use one from 1024"
    ):
        open_sockets("::1", 80)
