"""The process that evaluates a policy, seen from the daemon. See `worker`.

rego-cpp is a shared library of C++. As regopy 1.5 ships it, loading time zones or writing a file breaks the heap of a
process that has loaded other libraries before (``free(): invalid pointer``), and an evaluation cannot be interrupted. In
a process of its own it takes nothing with it, and can be ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from s3d.local.directory import CannotOpen
from s3d.policy.answer import NoAnswer

_SECRET = ("AWS_", "S3_", "S3D_")
"""A policy can read the environment (``opa.runtime``): the settings are not its business."""
_START = 30.0  # seconds: it takes 0.1
_END = 2.0  # seconds in which it answers what it was asked


class Ended(NoAnswer):
    """The process ended: another one may answer. ``begun``: it was at this question, which may be why."""

    def __init__(self, *, begun: bool = False) -> None:
        self.begun = begun
        super().__init__("the engine ended")


class _Link(asyncio.Protocol):
    """Answers come in the order of the questions: the first that waits is the one that is evaluated. ``kill`` is called
    when that takes longer than ``timeout`` (seconds)."""

    def __init__(self, timeout: float, kill: Callable[[], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._timeout = timeout
        self._kill = kill
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._rest = b""

    @property
    def is_in_vain(self) -> bool:
        """Whether something is evaluated, and nobody waits for any of it any more."""
        return bool(self._waiting) and all(answer.done() for answer in self._waiting)

    def ask(self, line: bytes) -> asyncio.Future[bytes]:
        assert self.transport is not None, "it has ended"  # noqa: S101  whoever asks looks
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        if len(self._waiting) == 1:
            self._next()
        self.transport.write(line)
        return answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._is_over or not lines:
            return
        for line in lines:
            answer = self._waiting.popleft()
            if not answer.done():  # whoever asked gave up
                answer.set_result(line)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if not self._is_over:
            self._fail_first(Ended(begun=True))
        while self._waiting:
            self._fail(self._waiting.popleft(), Ended())

    def _next(self) -> None:
        """The evaluation of the first that waits begins."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._too_long) if self._waiting else None

    def _too_long(self) -> None:
        self._fail_first(NoAnswer(f"the policy takes longer than {self._timeout:g} s"))
        self._kill()

    def _fail_first(self, error: NoAnswer) -> None:
        """The one that is evaluated is the last of this process."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            self._fail(self._waiting.popleft(), error)

    def _fail(self, answer: asyncio.Future[bytes], error: NoAnswer) -> None:
        if not answer.done():
            answer.set_exception(error)


class Engine:
    """Starts the process. ``timeout``: seconds for an evaluation, from its beginning; the process is ended then. Raises
    CannotOpen if the policy cannot be used, or no process be started."""

    def __init__(self, path: Path, timeout: float) -> None:
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:
            raise _not_started(path, error) from error
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603  our own program
                    [sys.executable, "-P", "-m", "s3d.policy.worker", str(path)],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env={name: value for name, value in os.environ.items() if not name.startswith(_SECRET)},
                    start_new_session=True,  # Ctrl-C on the daemon's terminal is not meant for it
                )
        except OSError as error:
            self._socket.close()
            raise _not_started(path, error) from error
        self._timeout = timeout
        self._link: _Link | None = None
        self._linking: asyncio.Task[None] | None = None
        self._ended = False
        try:
            _value(self._first_line(path))
        except NoAnswer as error:
            self.kill()
            self._process.wait()
            self._socket.close()
            raise CannotOpen(str(error)) from error

    @property
    def ended(self) -> bool:
        """Whether it answers no more questions."""
        return self._ended or (self._link is not None and self._link.transport is None)

    async def evaluate(self, document: dict[str, Any]) -> object:
        """What the policy says of an input document. Raises NoAnswer, Ended."""
        link = self._link or await self._linked()
        if self.ended:
            raise Ended
        return _value(await link.ask(json.dumps(document).encode() + b"\n"))

    def kill(self) -> None:
        """Ends it at once."""
        self._ended = True
        self._process.kill()

    async def close(self) -> None:
        """Ends it when it has answered what it was asked."""
        self._ended = True
        if self._linking is not None:
            await self._linking
        if self._link is None:
            self._socket.close()
        elif self._link.is_in_vain:
            self._process.kill()
        elif self._link.transport is not None:
            self._link.transport.write_eof()
        await asyncio.to_thread(self._wait)
        if self._link is not None and self._link.transport is not None:
            self._link.transport.close()

    async def _linked(self) -> _Link:
        """In a task: whoever asks first may give up meanwhile, and that would close the socket."""
        if self._linking is None:
            self._linking = asyncio.get_running_loop().create_task(self._connect())
        await asyncio.shield(self._linking)
        return cast("_Link", self._link)

    async def _connect(self) -> None:
        make = partial(_Link, self._timeout, self.kill)
        _, self._link = await asyncio.get_running_loop().create_unix_connection(make, sock=self._socket)

    def _wait(self) -> None:
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _first_line(self, path: Path) -> bytes:
        """Raises NoAnswer."""
        self._socket.settimeout(_START)
        line = b""
        try:
            while not line.endswith(b"\n"):
                data = self._socket.recv(1 << 16)
                if not data:
                    raise NoAnswer(f"the policy {path} cannot be used: the engine ended with {self._process.wait()}")
                line += data
        except TimeoutError as error:
            raise NoAnswer(f"the policy {path} cannot be used: it takes longer than {_START:g} s") from error
        except OSError as error:
            raise NoAnswer(f"the policy {path} cannot be used: the engine ended ({error})") from error
        self._socket.setblocking(False)
        return line


def _not_started(path: Path, error: OSError) -> CannotOpen:
    return CannotOpen(f"the policy {path} cannot be used: its engine cannot be started ({error})")


def _value(line: bytes) -> object:
    """Raises NoAnswer."""
    try:
        answer = json.loads(line)
    except RecursionError as error:
        raise NoAnswer("a value is nested too deeply") from error
    if "error" in answer:
        raise NoAnswer(answer["error"])
    return answer["value"]
