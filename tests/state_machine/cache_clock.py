"""The time of a run: it stands still until a rule lets it pass, so that ages are exact, and a run can be repeated."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import pkgutil
import selectors
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

import s3d.read_cache
from s3d.local.database import Connection, Database, connect

_MODEL = ("buckets", "copies", "deletes", "multipart", "objects")
"""Modules of the model that look at a clock."""
_SHORT = 1.0
"""Seconds of a pause that is not waited for."""


class Clock:
    """In place of the module ``time``."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def date(self) -> datetime:
        return datetime.fromtimestamp(int(self.now), UTC)


class Loop(asyncio.SelectorEventLoop):
    """Everything happens in one thread, in one order; deadlines end when as much time was let pass."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(_Selector(self))
        self._clock_resolution = 0.001  # a time of day is rounded
        self._clock = clock
        self.skipped = 0.0
        """Seconds of short pauses: nobody's age."""
        self._quiet: asyncio.Future[None] | None = None

    def time(self) -> float:
        return self._clock.now + self.skipped

    async def quiet(self) -> None:
        """Returns when nothing is left to be done before time passes."""
        self._quiet = self.create_future()
        await self._quiet

    def is_quiet(self) -> bool:
        """Nothing is left to be done; whether somebody waited for that."""
        found, self._quiet = self._quiet, None
        if found is not None:
            found.set_result(None)
        return found is not None

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """A few turns later, and also if nobody waits any more: as a thread does it."""
        future = self.create_future()
        self.call_soon(self.call_soon, _run, future, function, arguments)
        return future


class _Selector(selectors.SelectSelector):
    """Is asked when the loop has nothing to do."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= _SHORT:
            self._loop.skipped += timeout
        else:
            assert self._loop.is_quiet(), "nobody answers, and nobody is waited for"
        return super().select(0)


class _Thread:
    """Of a database: commits in the thread of the loop. In place of the queue, too."""

    def __init__(self, target: Any, **_: object) -> None:
        self._database: Any = target.__self__

    def start(self) -> None:
        self._database._commits = self

    def join(self) -> None:
        """It never runs."""

    def put(self, batch: object) -> None:
        if batch is not None:
            asyncio.get_running_loop().call_soon(self._commit, iter((batch, None)))

    def _commit(self, batches: Any) -> None:
        self._database._commits = SimpleNamespace(get=lambda: next(batches))
        Database._commit(self._database)
        self._database._commits = self


def _run(future: asyncio.Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        result = function(*arguments)
    except Exception as error:
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


def _unsynced(path: Any) -> Connection:
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")  # what is copied was never on a disk
    return connection


def install(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """For the cache, its database and the model. Names of files are those of the last run."""
    numbers = itertools.count()
    names = SimpleNamespace(token_hex=lambda size: f"{next(numbers):0{2 * size}x}")
    monkeypatch.setattr("s3d.local.block_files.secrets", names)
    monkeypatch.setattr("s3d.local.database.threading", SimpleNamespace(Thread=_Thread))
    monkeypatch.setattr("s3d.local.database.connect", _unsynced)
    for found in pkgutil.iter_modules(s3d.read_cache.__path__):
        module = importlib.import_module(f"s3d.read_cache.{found.name}")
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", clock)
    for name in _MODEL:
        monkeypatch.setattr(f"model.{name}.now", clock.date)
    monkeypatch.setattr("model.multipart.MINIMUM_PART", 1)
