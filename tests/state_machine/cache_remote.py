"""The remote of the cache: the reference model, with faults as planned, and a history of every key.

A request is carried out at one instant, when all of its body is here. What it did is in the history then, whatever becomes
of the answer.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field

from model.memory import Memory
from model.store import Object
from state_machine.cache_clock import Clock

from s3d.read_cache.answers import TAG_COUNT
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import FileRange, S3Request, S3Response

BUCKET = "bucket"
LOST = "The remote S3 gave no answer: a test."

UNREACHED, UNANSWERED, OVERLOADED, BROKEN = "unreached", "unanswered", "overloaded", "broken"
"""No connection; carried out, but the answer is lost; SlowDown; InternalError."""
LATE_UNANSWERED = "late, unanswered"
"""Carried out when it is told to, and the answer is lost."""
CUT, SHORT = "cut", "short"
"""The body of the answer breaks off in the middle, with an error or without one."""
SLOW, SLOW_ANSWER, STALLED = "slow", "slow answer", "stalled"
"""What waits until it is told to go on: the request, its answer, the middle of the body of that."""
RANGELESS = "rangeless"
"""No fault: servers may answer a range with the whole object."""
KINDS = (UNREACHED, UNANSWERED, LATE_UNANSWERED, OVERLOADED, BROKEN, CUT, SHORT, SLOW, SLOW_ANSWER, STALLED, RANGELESS)
_SAID = {OVERLOADED: "SlowDown", BROKEN: "InternalError"}
READS = ("GetObject", "HeadObject")
_CHANGES = ("PutObject", "DeleteObject", "DeleteObjects", "CopyObject", "CompleteMultipartUpload", "PutObjectTagging")
"""These and reads fail as it is planned; parts, lists and what the cache asks of its own accord only if all is away."""
_PIECE = 50_000  # not a block


@dataclass(frozen=True)
class Version:
    """What was at a key from ``since`` on, until the next one; None: nothing."""

    since: float
    object: Object | None


@dataclass(eq=False)
class Asked:
    """A question of the cache about a key; ``at``: how long the history was when it was sent."""

    operation: str
    at: int
    status: int | None = None
    place: int = 0
    """Of what there was when it was carried out; ``time``: when that was."""
    time: float = float("-inf")
    bytes: int = 0
    """Of the answer's body."""


@dataclass
class Remote:
    """A Backend. Requests of the second writer go to `write`."""

    clock: Clock
    model: Memory = field(default_factory=Memory)
    is_reticent: bool = False
    """It says to GetObject only how many tags an object has."""
    away: int = 0
    """How many more requests of clients find no remote."""
    plan: list[tuple[str, str, int]] = field(default_factory=list)
    """Kind of fault, operation (or ""), and how many bytes of the body come before it."""
    histories: dict[str, list[Version]] = field(default_factory=lambda: defaultdict(list))
    open: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    """Questions that have no answer yet, by key."""
    log: list[tuple[str, Asked]] = field(default_factory=list)
    """All questions, with their keys."""
    confirmed: dict[str, float] = field(default_factory=dict)
    """When the cache was last told of a key: when that was so."""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Of what happens, one after the other."""
    told: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The number of the last time that the cache was told what there is at a key."""
    learnt: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The place of the newest version that the cache was told of, by key."""
    failed: float = float("-inf")
    """When the remote last gave no good answer, or was slow; ``faults``: how often."""
    faults: int = 0
    is_cut: bool = False
    """The machine with the cache has crashed: what it would still send does not arrive."""
    reached: set[str] = field(default_factory=set)
    """Ids of requests that did."""
    gates: list[asyncio.Event] = field(default_factory=list)
    done: dict[str, dict[str, int]] = field(default_factory=dict)
    """By request id, the places of what it has made of keys."""

    async def __call__(self, request: S3Request) -> S3Response:
        """Raises RemoteUnreachable."""
        asked = Asked(request.operation, len(self.history(request.key or "")))
        questions = self.open[request.key or ""] if request.operation in READS else []
        questions.append(asked)
        self.log.append((request.key or "", asked))
        try:
            response = await self._faulty(request, asked)
            asked.status = response.status
            if request.operation in READS and response.status < 500 and not request.request_id:  # no client's own
                self._told(request.key or "", asked)
            if request.operation == "ListObjectsV2":  # the cache compares what is listed with what it has
                for key in self.model.store.buckets[BUCKET].objects:
                    self.confirmed[key], self.told[key] = asked.time, next(self.numbers)
            return response
        finally:
            questions.remove(asked)

    def _told(self, key: str, asked: Asked) -> None:
        if asked.status in (200, 206, 304):
            self.confirmed[key] = max(self.confirmed.get(key, asked.time), asked.time)
        self.told[key] = next(self.numbers)
        self.learnt[key] = max(self.learnt[key], asked.place)

    async def write(self, request: S3Request) -> S3Response:
        """Behind the cache's back."""
        return await self._carry_out(request)

    def history(self, key: str) -> list[Version]:
        """Never empty: at first there is nothing."""
        found = self.histories[key]
        if not found:
            found.append(Version(float("-inf"), None))
        return found

    def go_on(self) -> None:
        """What waits is answered."""
        for gate in self.gates:
            gate.set()
        self.gates.clear()

    def heal(self) -> None:
        self.away = 0
        self.plan.clear()
        self.go_on()

    def is_in_trouble(self, since: float) -> bool:
        """Whether it gave no good answer since then, or does not now."""
        return bool(self.away or self.gates) or self.failed >= since

    async def _faulty(self, request: S3Request, asked: Asked) -> S3Response:
        if not self.is_cut:
            self.reached.add(request.request_id)
        kind, after = self._fault(request)
        if kind == UNREACHED:
            raise RemoteUnreachable(LOST)
        if kind == RANGELESS:
            request = dataclasses.replace(request, headers=request.headers.copy())
            request.headers.popall("Range", None)
        if kind in (SLOW, LATE_UNANSWERED):
            await self._wait()
        request = dataclasses.replace(request, body=await _received(request))
        if kind in _SAID:
            return error_response(S3Error(_SAID[kind]), resource="/", request_id="", head=request.method == "HEAD")
        if self.is_cut:
            raise RemoteUnreachable(LOST)
        response = await self._carry_out(request)
        asked.place, asked.time = len(self.history(request.key or "")) - 1, self.clock.now
        if kind in (UNANSWERED, LATE_UNANSWERED):
            raise RemoteUnreachable(LOST)
        if kind == SLOW_ANSWER:
            await self._wait()
        if isinstance(response.body, bytes) and request.operation == "GetObject" and response.status < 300:
            asked.bytes = len(response.body)
            response.body = self._body(response.body, kind, after)
        return response

    def _fault(self, request: S3Request) -> tuple[str, int]:
        is_planned = request.operation in (*READS, *_CHANGES)
        found = (UNREACHED, "", 0) if self.away else None
        self.away -= self.away > 0 and is_planned
        if found is None:
            if not is_planned:
                return "", 0
            found = next((fault for fault in self.plan if fault[1] in ("", request.operation)), None)
            if found is None:
                return "", 0
            self.plan.remove(found)
        if found[0] != RANGELESS:
            self._fails()
        return found[0], found[2]

    def _fails(self) -> None:
        self.failed = self.clock.now
        self.faults += 1

    async def _wait(self) -> None:
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        self._fails()

    async def _carry_out(self, request: S3Request) -> S3Response:
        before = {key: len(history) - 1 for key, history in self.histories.items()}
        response = await self.model(request)
        if self.is_reticent and request.operation == "HeadObject":
            response.headers.popall(TAG_COUNT, None)
        for key in {*self.model.store.buckets[BUCKET].objects, *self.histories}:
            self._note(key)
        if request.request_id:
            places = {key: len(history) - 1 for key, history in self.histories.items()}
            self.done[request.request_id] = {key: place for key, place in places.items() if place != before.get(key)}
        return response

    def _note(self, key: str) -> None:
        """Without a pause since the model has changed."""
        history, found = self.history(key), self.model.store.buckets[BUCKET].objects.get(key)
        if found != history[-1].object:
            history.append(Version(self.clock.now, dataclasses.replace(found) if found else None))

    async def _body(self, data: bytes, kind: str, after: int) -> AsyncGenerator[bytes | memoryview | FileRange, None]:
        ends = after % max(1, len(data)) if kind in (CUT, SHORT, STALLED) else len(data)
        for start in range(0, ends, _PIECE):
            yield data[start : min(start + _PIECE, ends)]
            await asyncio.sleep(0)
        if kind == CUT:
            raise RemoteUnreachable(LOST)
        if kind == STALLED:
            await self._wait()
            yield data[ends:]


async def _received(request: S3Request) -> bytes:
    """The whole body."""
    body = request.body
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])
