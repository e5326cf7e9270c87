"""Opening the sockets of a listener: every address of a host name, one port, errors in a sentence.

An event loop's own way to listen on ``localhost`` gives IPv4 and IPv6 two ports when asked for any free one, and fails
where the machine has only one of the two.
"""

from __future__ import annotations

import errno
import socket

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
"""The name has an address of a family that this machine does not speak (``::1`` without IPv6)."""
_REASONS = {
    errno.EADDRINUSE: "the port is in use: stop the process that has it, or use another port",
    errno.EACCES: "no permission for this port: use one from 1024 on",
    errno.EADDRNOTAVAIL: "this is not an address of this machine",
}
_PORT_TRIES = 10

_Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class CannotListen(Exception):
    """A listener cannot be opened; the text says why and what to do. The cause is ``__cause__``."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port = host, port
        super().__init__(f"cannot listen on {f'[{host}]' if ':' in host else host}:{port}: {reason}")


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Bound sockets (not yet listening) on every address of the host, all with the same port. Port 0: any free one.

    Raises CannotListen. The caller owns the sockets.
    """
    addresses = _resolve(host, port)
    for tries_left in reversed(range(_PORT_TRIES)):
        try:
            return _bind_all(addresses, port)
        except OSError as error:
            if port == 0 and error.errno == errno.EADDRINUSE and tries_left:
                continue  # the port was free for one family only
            raise CannotListen(host, port, _REASONS.get(error.errno or 0) or error.strerror or str(error)) from error
    raise AssertionError("the last try returns or raises")


def port_of(sockets: list[socket.socket]) -> int:
    """The port that they share."""
    port: int = sockets[0].getsockname()[1]
    return port


def _resolve(host: str, port: int) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotListen(host, port, f"the name is not known here: {error.strerror or error}") from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind_all(addresses: list[_Address], port: int) -> list[socket.socket]:
    """A socket for each address that this machine has; at least one. After an error none is left open."""
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in addresses:
            try:
                sockets.append(_bound(family, (address[0], port, *address[2:])))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
            else:
                port = port_of(sockets)
        if not sockets and absent is not None:
            raise absent
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def _bound(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # restart without waiting for TIME_WAIT
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
        listener.bind(address)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
