"""One line per request, and the counters of the status page."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("s3d.access")


_SOON = 0.1  # seconds
_TOGETHER = 64
"""Lines at a time: half a millisecond on the event loop."""

_ids: list[str] = []


def new_request_id() -> str:
    """An id in the form of S3's own: 16 hexadecimal digits, random."""
    if not _ids:
        digits = os.urandom(8 * 256).hex().upper()  # one call of the system for many ids
        _ids.extend(digits[start : start + 16] for start in range(0, len(digits), 16))
    return _ids.pop()


@dataclass(slots=True)
class Exchange:
    """One request and its answer, as far as they are known."""

    request_id: str
    client: str | None
    method: str
    started: float = field(default_factory=time.perf_counter)
    operation: str = "Unknown"
    bucket: str | None = None
    key: str | None = None
    access_key: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    status: int = 0
    error: str | None = None
    """S3 code of an answer that s3d made itself, or ``ClientClosed`` / ``RemoteClosed`` for one that broke off."""
    state: str | None = None
    remote_request_id: str | None = None
    user_agent: str | None = None
    ended: float = 0.0
    """Seconds since 1970."""
    seconds: float = 0.0
    """How long it took."""


class AccessLog:
    """Writes the line and keeps the counts: requests by status class, in flight, bytes of bodies both ways.

    Lines are made together, some time after their requests: between two requests one costs 37 us, among its like 12,
    because then the processor has the code at hand.
    """

    def __init__(self) -> None:
        self._waiting: list[Exchange] = []
        self._classes = [0] * 6
        self._in_flight = 0
        self._bytes_in = 0
        self._bytes_out = 0

    def begin(self) -> None:
        """A request head arrived."""
        self._in_flight += 1

    def end(self, exchange: Exchange) -> None:
        """The answer was written, or broke off."""
        self._in_flight -= 1
        self._classes[exchange.status // 100 if 100 <= exchange.status < 600 else 0] += 1
        self._bytes_in += exchange.bytes_in
        self._bytes_out += exchange.bytes_out
        if log.isEnabledFor(logging.INFO):
            exchange.ended, exchange.seconds = time.time(), time.perf_counter() - exchange.started
            self._waiting.append(exchange)
            if len(self._waiting) == 1:
                asyncio.get_running_loop().call_later(_SOON, self.write)
            elif len(self._waiting) >= _TOGETHER:
                self.write()

    def write(self) -> None:
        """Writes the lines that wait."""
        waiting, self._waiting = self._waiting, []
        for exchange in waiting:
            log.handle(AccessRecord(_fields(exchange), exchange.ended))

    def document(self) -> dict[str, Any]:
        """For the status page. Bytes are of bodies, without heads and framing."""
        classes = {f"{number}xx": count for number, count in enumerate(self._classes) if number > 1}
        return {
            "in_flight": self._in_flight,
            "answered": classes,
            "broken_off": self._classes[0],
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
        }


class AccessRecord(logging.LogRecord):
    """A record of the log. ``fields`` are those of the request, which are attributes as well; what of them is unknown is
    left out. There is one for every request: the constructor of logging's own takes three times as long."""

    def __init__(self, fields: dict[str, Any], created: float) -> None:
        self.__dict__ = {**_BLANK, **fields, "fields": fields, "created": created, "msecs": created % 1 * 1000}


_BLANK = logging.LogRecord(log.name, logging.INFO, __file__, 0, "request", None, None).__dict__


def _fields(exchange: Exchange) -> dict[str, Any]:
    known = {
        "request_id": exchange.request_id,
        "method": exchange.method,
        "operation": exchange.operation,
        "status": exchange.status,
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
        "seconds": round(exchange.seconds, 6),
    }
    for name in _OPTIONAL:
        if (value := getattr(exchange, name)) is not None:
            known[name] = value
    if exchange.client is not None:
        known["remote"] = exchange.client
    return known


_OPTIONAL = ("bucket", "key", "state", "error", "access_key", "remote_request_id", "user_agent")
