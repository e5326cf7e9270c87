"""The read cache in front of a remote that fails: opens it, sends, and has every answer judged.

    clients ──> ReadCache ──> Remote (the model, faults, histories)
                                ^── a second writer

Requests are tasks: they wait where the remote waits, and bodies are read piece by piece, while other rules go on.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.calling import respond
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant
from model.store import Object
from state_machine.cache_bodies import close, pieces_of
from state_machine.cache_clock import Clock, Loop
from state_machine.cache_oracle import STATE, Begun, Oracle
from state_machine.cache_remote import BUCKET, Remote

from s3d.read_cache.backend import ReadCache
from s3d.read_cache.config import ReadCacheConfig
from s3d.s3 import codec
from s3d.s3.errors import S3Error, error_response
from s3d.s3.message import S3Request, S3Response

Members = dict[str, Any]

CONFIGS = st.fixed_dictionaries(
    {
        "max_age": st.sampled_from((0.0, 10.0, 10.0, 100.0)),
        "stale": st.sampled_from((0.0, 100.0, 1000.0, 1000.0)),
        "negative_age": st.sampled_from((0.0, 5.0)),
        "max_size": st.sampled_from((450_000, 1_000_000, 1 << 30, 1 << 30, 1 << 30)),
        "max_files": st.sampled_from((2, 100, 100, 100)),
        "max_object": st.sampled_from((None, None, 300_000)),
        "tags": st.booleans(),
    }
)
DEADLINE = 50.0
"""Of a question: so long that only time that is let pass ends it."""


@dataclass(eq=False)
class Reading:
    """A read of a client, from the question to the last byte."""

    request: S3Request
    begun: Begun
    task: asyncio.Task[S3Response]
    response: S3Response | None = None
    bodies: list[bytes] = field(default_factory=list)
    """Those that the answer may have, of which it is one."""
    pieces: AsyncGenerator[bytes, None] | None = None
    step: asyncio.Task[bytes | None] | None = None
    received: bytes = b""
    place: int = 0
    """The length of the history when the answer came."""
    is_spoiled: bool = False
    """Somebody damaged files while they were sent."""
    is_broken: bool = False


class Defects(logging.Handler):
    """What the cache reports of itself: what must not be, and how often it says what."""

    def __init__(self, said: Counter[str]) -> None:
        super().__init__(logging.INFO)
        self.found: list[str] = []
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said[record.getMessage()] += 1
        if record.exc_info:
            self.found.append(self.format(record))


class CacheMachine(RuleBasedStateMachine):
    """Sends and judges. ``directory`` is for all runs."""

    directory: Path
    clock: Clock
    places = itertools.count(1)
    came: Counter[str]
    """What came up in all runs: states of answers, what the log says, and what else rules note."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=lambda: Loop(self.clock))
        self.loop = self.runner.get_loop()
        self.remote = Remote(self.clock)
        self.place = self.directory / f"{next(self.places)}"
        self.numbers = itertools.count(1)
        self.readings: list[Reading] = []
        self.changes: dict[asyncio.Task[S3Response], tuple[str, tuple[str, ...]]] = {}
        self.others: set[asyncio.Task[Any]] = set()
        """What people have the cache do: warm, pin."""
        self.turns: int | None = None
        """How far what is sent comes before the machine crashes; None: as far as it can."""
        self.is_damaged = False
        self.defects = Defects(self.came)
        logging.getLogger("s3d").addHandler(self.defects)

    def begin(self, config: Members, versioning: str) -> None:
        """With an empty cache in front of an empty bucket."""
        self.config = ReadCacheConfig(self.place, free_space=0, deadline=DEADLINE, **config)
        self.run(self._prepare(versioning))
        self.oracle = Oracle(self.remote, self.config)
        self.cache = self.opened()

    async def _prepare(self, versioning: str) -> None:
        await self.remote.model(codec.build_request("CreateBucket", {"Bucket": BUCKET}))
        if versioning:
            members = {"Bucket": BUCKET, "VersioningConfiguration": {"Status": versioning}}
            await self.remote.model(codec.build_request("PutBucketVersioning", members))

    def opened(self) -> ReadCache:
        cache = ReadCache(self.config, self.remote)
        self.run(cache.open())
        self.most = max(self.config.max_size, cache.document()["bytes"])  # nothing goes before there is need of room
        return cache

    def shut(self) -> None:
        """As at the end of the daemon: what it said of itself is what is on the disk."""
        self.run(self.loop.quiet())
        self.run(self.cache.close())
        said = self.cache.document()
        reserved = self.cache._filling.room.reserved
        assert not reserved, f"room for {reserved} bytes is reserved, though nothing is on its way"
        self.came["evicted"] += said["evicted"]
        left = _open_below(self.place)
        assert not left, f"files are still open: {left}"
        with closing(sqlite3.connect(self.place / "cache.db")) as connection:
            rows = connection.execute("SELECT stored, file FROM entry").fetchall()
        if not self.is_damaged:
            stored, count = sum(size for size, _ in rows), len(rows)
            assert (said["bytes"], said["files"]) == (stored, count), f"{said}, but there are {stored} bytes of {count}"
        unknown = {path.name for path in self.place.glob("blocks/*/*")} - {name for _, name in rows}
        assert not unknown, f"files that no row has: {unknown}"

    @invariant()
    def is_sound(self) -> None:
        self.came["steps"] += 1
        assert not self.defects.found, self.defects.found
        if hasattr(self, "cache"):
            size = self.cache.document()["bytes"]
            assert 0 <= size <= self.most, f"{size} bytes are kept"

    def teardown(self) -> None:
        try:
            if hasattr(self, "cache"):
                self.finish_well()
                self.shut()
                self.came.update(self.oracle.states)
                assert not self.defects.found, self.defects.found
        finally:
            logging.getLogger("s3d").removeHandler(self.defects)
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.runner.close()
            shutil.rmtree(self.place, ignore_errors=True)

    # Requests.

    def send(self, request: S3Request) -> None:
        """A change through the cache."""
        request.request_id = f"change-{next(self.numbers)}"
        keys = self.keys_of(request)
        for key in keys:
            self.oracle.change_begins(key)
        task = self.loop.create_task(self._change(request, keys))
        self.changes[task] = request.request_id, keys
        self.go_on()

    async def _change(self, request: S3Request, keys: tuple[str, ...]) -> S3Response:
        try:
            return await _answered(self.cache, request)
        finally:
            for key in keys:
                self.oracle.note(key)

    def keys_of(self, request: S3Request) -> tuple[str, ...]:
        if request.key is not None:
            return (request.key,)
        if request.operation != "DeleteObjects":
            return tuple(self.remote.histories)
        assert isinstance(request.body, bytes)
        members = codec.parse_request(request, request.body)
        return tuple(entry["Key"] for entry in members["Delete"]["Objects"])

    def ask(self, request: S3Request) -> Reading:
        """A read through the cache, to its answer if that is not held back."""
        request.request_id = f"read-{next(self.numbers)}"
        begun = self.oracle.begin(request.key or "", is_busy=bool(self.others or self.pins()))
        task = self.loop.create_task(_answered(self.cache, request))
        reading = Reading(request, begun, task)
        self.readings.append(reading)
        self.go_on()
        return reading

    def go_on(self) -> None:
        """As far as everything comes that is under way."""
        self.run(self.loop.quiet() if self.turns is None else _turns(self.turns))
        for task in [task for task in self.changes if task.done()]:
            self._changed(task)
        for reading in [reading for reading in self.readings if reading.response is None and reading.task.done()]:
            self._arrived(reading)
        for task in [task for task in self.others if task.done()]:
            self.others.remove(task)
            task.result()
        waiting = bool(self.changes or self.others) or any(reading.response is None for reading in self.readings)
        assert self.remote.gates or self.turns is not None or not waiting, "nobody answers, and nobody is waited for"

    def _changed(self, task: asyncio.Task[S3Response]) -> None:
        number, keys = self.changes.pop(task)
        response = task.result()
        well = response.status < 300 and not codec.is_error(response.body if isinstance(response.body, bytes) else b"")
        if response.status >= 500:
            assert self.remote.is_in_trouble(float("-inf")), f"{response.status}, though nothing was ever the matter"
        for key in keys:
            self.oracle.change_ends(key, self.remote.done.get(number, {}).get(key) if well else None)

    def _arrived(self, reading: Reading) -> None:
        self.came["answers"] += 1
        self.oracle.reading[reading.begun.key] -= 1
        reading.response = response = reading.task.result()
        reading.place = len(self.remote.history(reading.begun.key))
        found = self.oracle.judge(reading.begun, reading.request, response)
        reading.bodies = [self._body(reading.request, one) for one in found]
        if response.status >= 300 or reading.request.operation == "HeadObject":
            assert isinstance(response.body, bytes)
            self.readings.remove(reading)
            return
        reading.pieces = pieces_of(response.body)

    def _body(self, request: S3Request, one: Object | None) -> bytes:
        body = self.oracle.expected(request, one).body
        assert isinstance(body, bytes)
        return body

    # Bodies.

    def step(self, reading: Reading) -> bool:
        """One more piece, if it is there; whether there was one."""
        if reading.pieces is None:
            return False
        if reading.step is None:
            reading.step = self.loop.create_task(_next(reading.pieces))
        self.run(self.loop.quiet())
        if not reading.step.done():
            assert self.remote.gates, self._wrong(reading, "does not go on")
            return False
        task, reading.step = reading.step, None
        try:
            piece = task.result()
        except S3Error as error:
            self._broke_off(reading, error)
            return False
        if piece is None:
            is_right = reading.received in reading.bodies or self._is_passed_short(reading)
            assert reading.is_spoiled or is_right, self._wrong(reading, "has ended")
            self.readings.remove(reading)
            return False
        reading.received += piece
        fits = any(body.startswith(reading.received) for body in reading.bodies)
        assert reading.is_spoiled or fits, self._wrong(reading, "goes on otherwise")
        return True

    def _is_passed_short(self, reading: Reading) -> bool:
        """Whether it went past the cache, and the remote's body was short: the server notices that."""
        assert reading.response is not None
        return reading.response.headers.get(STATE) == "BYPASS" and self.remote.faults > reading.begun.faults

    def _broke_off(self, reading: Reading, error: S3Error) -> None:
        changed = len(self.remote.history(reading.begun.key)) > reading.begun.place + 1
        troubled = self.remote.faults > reading.begun.faults or self.remote.is_in_trouble(reading.begun.time - 1)
        assert changed or troubled, f"{self._wrong(reading, 'has broken off')}: {error}"
        self.readings.remove(reading)
        reading.is_broken = True

    def _wrong(self, reading: Reading, what: str) -> str:
        assert reading.response is not None
        said = reading.response.headers.get(STATE)
        lengths = [len(body) for body in reading.bodies]
        return f"the body of {reading.begun.key} ({said}) {what} after {len(reading.received)} bytes of {lengths}"

    def leave(self, reading: Reading) -> None:
        """The client goes away."""
        if reading.response is None:
            self.oracle.reading[reading.begun.key] -= 1
        self.readings.remove(reading)
        self.run(_left(reading))

    def finish_all(self) -> None:
        """To the last byte, as far as nothing holds it back."""
        self.go_on()
        for reading in list(self.readings):
            while self.step(reading):
                pass

    def finish_well(self) -> None:
        """With nothing the matter any more: everything that is under way is answered."""
        self.remote.heal()
        self.finish_all()
        self.remote.heal()  # what was on its way to be held back
        self.finish_all()
        assert not self.readings, "nothing is held back, but answers are open"

    def pins(self) -> bool:
        """Whether the cache may ask the remote of its own accord."""
        return bool(self.cache.document()["pins"])

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)


async def _answered(cache: ReadCache, request: S3Request) -> S3Response:
    """As the server makes one of what is raised."""
    try:
        return await respond(cache, request)
    except S3Error as error:
        return error_response(error, resource="/", request_id="", head=request.method == "HEAD")


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def _next(pieces: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(pieces, None)


async def _left(reading: Reading) -> None:
    for task in (reading.task, reading.step):
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
    if reading.pieces is not None:
        await reading.pieces.aclose()
        await close(reading.response)
    elif not reading.task.cancelled():
        await close(reading.task.result())


def _open_below(directory: Path) -> list[str]:
    """Files below a directory that this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue  # that of the listing
        if target.startswith(f"{directory}/"):
            found.append(target)
    return found
