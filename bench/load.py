"""The load generator: a process of its own, one epoll loop, raw sockets with keep-alive.

Requests come ready signed, and large bodies leave by sendfile(2). Answers go into one buffer per connection that is used
again and again; what is large and not to be verified is dropped by the kernel. A small request costs 10 to 30 us of CPU
here: 90,000 GETs of 4 KiB a second from nginx on the other processor, a little more than wrk gets, and several times what
any S3 server does. The result has what it used. Each answer's status, length and ETag are verified, and the content of
every 32nd.

Reads pickled `job.Job`s from stdin and writes a pickled `job.Outcome` for each to stdout, until stdin ends.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import select
import socket
import sys
import time
from array import array
from typing import BinaryIO
from urllib.parse import urlsplit

import procfs
from job import Job, Outcome, Prepared

_KEPT = 5 << 18  # bytes of the buffer of a connection: answers up to this size (1.25 MiB) can be whole in memory
_FIRST = 64 << 10  # bytes per read as long as the header is not complete, and of answers that are kept in any case
_DIGESTED = 256 << 10  # bytes per read of what is hashed, few enough to stay in the processor's cache
_DROPPED = 1 << 20  # bytes per read of what nobody looks at
_VERIFY_EVERY = 32  # the 32nd, the 64th, ... of a connection: at 100 MiB hashing would take longer than the transfer
_SINK = memoryview(bytearray(_DROPPED))  # one for all connections
_SILENCE = 60  # seconds without anything to read or write
_FIELDS = re.compile(rb"\r\n(content-length|etag|transfer-encoding|connection): *([^\r\n]*)", re.IGNORECASE)


class WrongAnswer(Exception):
    """An answer that is not the expected one; the text says in what."""


class Connection:
    """One kept-alive connection with one request at a time."""

    def __init__(self, job: Job, files: dict[str, BinaryIO]) -> None:
        address = urlsplit(job.url)
        self._address = (address.hostname, address.port)
        self._files = files
        self._view = memoryview(bytearray(_KEPT))
        self._buffer = self._view.obj
        self.socket = self._connect()
        self.answers = 0
        self.started = 0

    def _connect(self) -> socket.socket:
        connected = socket.create_connection(self._address, timeout=_SILENCE)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setblocking(False)
        return connected

    def start(self, request: Prepared) -> bool:
        """Starts sending; the same result as `send`."""
        self.request = request
        self._head = request.head + request.small_body if request.small_body else request.head
        self._head_sent = self._body_sent = 0
        self._filled = self._received = 0  # bytes in the buffer; bytes of the answer's body
        self._head_end = 0
        self._digest = None
        self.started = time.perf_counter_ns()
        return self.send()

    def send(self) -> bool:
        """Sends what the socket takes. True when the whole request is out."""
        request = self.request
        try:
            while self._head_sent < len(self._head):
                self._head_sent += self.socket.send(self._head[self._head_sent :])
            if request.body is not None:
                file = self._files[str(request.body)].fileno()
                while self._body_sent < request.body_length:
                    at, rest = request.body_offset + self._body_sent, request.body_length - self._body_sent
                    self._body_sent += os.sendfile(self.socket.fileno(), file, at, rest)
        except BlockingIOError:
            return False
        return True

    def receive(self, *, verify: bool) -> bool:
        """Reads what is there. True when the answer is complete and right. Raises WrongAnswer."""
        while True:
            keep = self._keeps(verify=verify)
            try:
                if keep:
                    end = _KEPT if self._head_end else self._filled + _FIRST
                    count = self.socket.recv_into(self._view[self._filled : end])
                elif self._digest is not None:
                    count = self.socket.recv_into(_SINK[:_DIGESTED])
                else:  # the kernel drops it without copying it, tcp(7): so that the server is measured, not this process
                    count = self.socket.recv_into(_SINK, _DROPPED, socket.MSG_TRUNC)
            except BlockingIOError:
                return False
            if not count:
                raise WrongAnswer(f"connection closed within an answer: {bytes(self._view[: self._filled])[:300]!r}")
            if keep:
                self._filled += count
                if not self._head_end and not self._parse_head(verify=verify):
                    continue
                self._received = self._filled - self._head_end
            else:
                self._received += count
                if self._digest is not None:
                    self._digest.update(_SINK[:count])
            if self._complete():
                self._check(verify=verify)
                return True

    def _keeps(self, *, verify: bool) -> bool:
        """Whether what comes next goes into the connection's buffer."""
        if not self._head_end or self._chunked or self._whole <= _FIRST:
            return True
        return self._whole <= _KEPT and (verify or self.request.keys is not None)

    def _parse_head(self, *, verify: bool) -> bool:
        end = self._buffer.find(b"\r\n\r\n", 0, self._filled)
        if end < 0:
            return False
        self._head_end = end + 4
        self._status = int(self._buffer[9:12])
        fields = {name.lower(): value for name, value in _FIELDS.findall(self._buffer, 0, end)}
        self._etag = fields.get(b"etag", b"").decode("latin-1").strip('"')
        self._closes = fields.get(b"connection", b"").lower() == b"close"
        self._chunked = b"chunked" in fields.get(b"transfer-encoding", b"")
        self._length = int(fields.get(b"content-length", b"0"))
        self._whole = self._head_end + self._length
        if self._whole > _KEPT and verify:
            self._digest = hashlib.md5(self._view[self._head_end : self._filled])
        return True

    def _complete(self) -> bool:
        if not self._chunked:
            return self._received >= self._length
        if self._filled == _KEPT:
            raise WrongAnswer("a chunked answer that is larger than the buffer")
        return self._buffer.endswith(b"0\r\n\r\n", self._head_end, self._filled)

    def _check(self, *, verify: bool) -> None:
        """Raises WrongAnswer when the answer is not what the request expects."""
        expected, self.answers = self.request, self.answers + 1
        small = self._whole <= _KEPT
        body = bytes(self._view[self._head_end : self._filled]) if small and (verify or expected.keys) else b""
        if self._chunked:
            body = _unchunk(bytes(self._view[self._head_end : self._filled]))
            self._received = len(body)
        facts = [("status", expected.status, self._status), ("length", expected.length, self._received)]
        facts.append(("ETag", expected.etag, self._etag))
        if expected.keys is not None:
            facts.append(("number of keys", expected.keys, body.count(b"<Key>")))
        if verify and expected.md5 is not None:
            digest = hashlib.md5(body) if small else self._digest
            facts.append(("MD5 of the body", expected.md5, digest.hexdigest() if digest else "not computed"))
        for name, wanted, got in facts:
            if wanted is not None and wanted != got:
                start = bytes(self._view[: min(self._filled, 300)])
                raise WrongAnswer(f"{name} is {got!r}, not {wanted!r}; the answer starts {start!r}")

    def reopen_if_closed(self) -> bool:
        """A new connection when the server said that it closes this one; True when it did."""
        if self._closes:
            self.socket.close()
            self.socket = self._connect()
        return self._closes


def _unchunk(framed: bytes) -> bytes:
    """The content of a body in chunked transfer coding without extensions or trailers (RFC 9112 section 7.1)."""
    parts: list[bytes] = []
    at = 0
    while True:
        line_end = framed.index(b"\r\n", at)
        size = int(framed[at:line_end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(framed[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2


class Run:
    """One job: the check before it, then the timed loop."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.files: dict[str, BinaryIO] = {
            str(request.body): request.body.open("rb") for request in job.requests if request.body is not None
        }
        self.connections = [Connection(job, self.files) for _ in range(job.connections)]
        self.poll = select.epoll()
        self.by_fd: dict[int, tuple[int, Connection]] = {}
        for index, connection in enumerate(self.connections):
            self._register(index, connection)
        self.latencies = array("q")

    def close(self) -> None:
        self.poll.close()
        for connection in self.connections:
            connection.socket.close()
        for file in self.files.values():
            file.close()

    def _register(self, index: int, connection: Connection) -> None:
        self.by_fd[connection.socket.fileno()] = (index, connection)
        self.poll.register(connection.socket.fileno(), select.EPOLLIN)

    def check(self) -> None:
        """Sends the first requests one after the other and verifies every byte of the answers."""
        for request in self.job.requests[: self.job.check_first]:
            self._start(self.connections[0], request)
            self._turn_until_idle(1, verify_all=True)

    def timed(self) -> tuple[float, dict[str, float]]:
        """Runs the job: seconds, and CPU seconds by process."""
        before = self._cpu()
        self.latencies = array("q")
        start = time.perf_counter_ns()
        self.ends = start + int(self.job.seconds * 1e9)
        self.turns = [0] * len(self.connections)
        self.unsent = iter(self.job.requests)
        busy = 0
        for index, connection in enumerate(self.connections):
            if request := self._next(index, start, 1):
                self._start(connection, request)
                busy += 1
        self._turn_until_idle(busy, repeat=True)
        seconds = (time.perf_counter_ns() - start) / 1e9
        after = self._cpu()
        return seconds, {name: after[name] - before[name] for name in after}

    def _cpu(self) -> dict[str, float]:
        servers = {name: procfs.cpu_seconds(pid) for name, pid in self.job.processes.items()}
        return servers | {"generator": time.process_time()}

    def _next(self, index: int, now: int, busy: int) -> Prepared | None:
        """What a connection sends next; None when the run is over. ``busy`` counts it among the busy ones."""
        if self.job.once:
            return next(self.unsent, None)
        if now >= self.ends and len(self.latencies) + busy > self.job.minimum:
            return None
        turn, self.turns[index] = self.turns[index], self.turns[index] + 1
        return self.job.requests[(index + turn * len(self.connections)) % len(self.job.requests)]

    def _start(self, connection: Connection, request: Prepared) -> None:
        if not connection.start(request):
            self.poll.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _turn_until_idle(self, busy: int, *, repeat: bool = False, verify_all: bool = False) -> None:
        """Serves the sockets until no request is under way; with ``repeat``, new ones are started until time is up."""
        while busy:
            events = self.poll.poll(_SILENCE)
            if not events:
                raise WrongAnswer(f"nothing to read or write for {_SILENCE} s")
            for fd, event in events:
                index, connection = self.by_fd[fd]
                if event & select.EPOLLOUT and connection.send():
                    self.poll.modify(fd, select.EPOLLIN)
                if not event & ~select.EPOLLOUT:
                    continue
                verify = verify_all or connection.answers % _VERIFY_EVERY == _VERIFY_EVERY - 1
                if not connection.receive(verify=verify):
                    continue
                now = time.perf_counter_ns()
                self.latencies.append(now - connection.started)
                if connection.reopen_if_closed():
                    del self.by_fd[fd]
                    self._register(index, connection)
                if repeat and (following := self._next(index, now, busy)):
                    self._start(connection, following)
                else:
                    busy -= 1


def run(job: Job) -> Outcome:
    """Does one job. A wrong answer or a broken connection ends it; the outcome says so."""
    try:
        current = Run(job)
        try:
            current.check()
            seconds, cpu = current.timed()
        finally:
            current.close()
    except (WrongAnswer, OSError) as error:
        return Outcome(array("q"), 0.0, wrong=f"{type(error).__name__}: {error}")
    return Outcome(current.latencies, seconds, cpu)


def main() -> None:
    while True:
        try:
            job: Job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(run(job), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
