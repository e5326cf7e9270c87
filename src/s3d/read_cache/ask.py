"""Asking the remote what there is: once for all who want to know."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from s3d.local.block_files import BLOCK, blocks_of
from s3d.read_cache.admission import Admission
from s3d.read_cache.answers import TAG_COUNT, Described, Headers, described
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.entry import DOUBT, Entry, Key
from s3d.read_cache.fetch import Changed, ask, discard, get_range, offset_of
from s3d.read_cache.filling import Filling
from s3d.read_cache.rules import unkept
from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Response
from s3d.s3.whole import read_whole
from s3d.standalone.ranges import edges
from s3d.standalone.version import key_text

_REMEMBERED = 10_000
"""Keys of which it is remembered that there is no object, or that it is not kept."""
_UNKEPT_FOR = 60.0
"""Seconds for which it is remembered why an object is not kept."""
_AWAY_FOR = 1.0
"""Seconds after a failure in which what could be served stale does not ask again."""
_ATTEMPTS = 3
"""Questions one after the other that may get no answer before those who wait for it get the error."""
_OF_MARKERS = ("x-amz-delete-marker", "x-amz-version-id")


@dataclass(frozen=True, slots=True)
class Current:
    """The remote has this version. ``kept``: it is the one that was here before."""

    entry: Entry
    kept: bool


@dataclass(frozen=True, slots=True)
class Absent:
    """The remote has no such object. ``named``: it said that it is the key that is missing, which HEAD does not."""

    named: bool
    headers: dict[str, str]
    """Those of a delete marker."""


@dataclass(frozen=True, slots=True)
class Past:
    """The request goes past the cache, and why."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Away:
    """The remote gave no answer that says anything about the object."""

    error: S3Error


Outcome = Current | Absent | Past | Away


class _Question:
    """One that is being asked. ``valid``: no change of the key has begun or ended since. What the answer says may be of
    the moment when it was ``asked``, in seconds since 1970; ``begun`` is that of the monotonic clock."""

    def __init__(self, work: Callable[[_Question], Coroutine[Any, Any, Outcome]]) -> None:
        self.valid = True
        self.asked, self.begun = time.time(), time.monotonic()
        self.task = asyncio.get_running_loop().create_task(work(self))
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())


class Watch:
    """Which keys changed through this daemon while something went on."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self.all = False

    def is_unchanged(self, at: Key) -> bool:
        return not self.all and at not in self.keys


class Asker:
    """Of one cache."""

    def __init__(self, config: ReadCacheConfig, filling: Filling, admission: Admission) -> None:
        self._config = config
        self.admission = admission
        self._filling = filling
        self._questions: dict[Key, _Question] = {}
        self._changing: Counter[Key] = Counter()
        self._changing_buckets: Counter[str] = Counter()
        self._contested: set[Key] = set()
        self._remembered: OrderedDict[Key, tuple[float, Outcome]] = OrderedDict()
        self._away_until = 0.0
        self._are_tags_counted = False
        """Whether the remote says to HeadObject how many tags there are: S3 does, many others do not."""
        self._watches: list[Watch] = []

    async def close(self) -> None:
        """Ends questions that go on."""
        tasks = [question.task for question in self._questions.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def known(self, at: Key) -> Outcome | None:
        """What was learnt a moment ago of a key that has no entry."""
        found = self._remembered.get(at)
        if found is None:
            return None
        until, outcome = found
        if time.monotonic() < until:
            return outcome
        del self._remembered[at]
        return None

    def is_away(self) -> bool:
        """Whether the remote gave no answer a moment ago."""
        return time.monotonic() < self._away_until

    # Changes of objects.

    def begin_change(self, keys: Iterable[Key]) -> None:
        """What is being asked does not say any more what there will be."""
        for at in keys:
            self._changing[at] += 1
            if self._changing[at] > 1:
                self._contested.add(at)
            self._invalidate(at)

    def end_change(self, keys: Iterable[Key]) -> None:
        for at in keys:
            self._changing[at] -= 1
            if not self._changing[at]:
                del self._changing[at]
                self._contested.discard(at)
            self._invalidate(at)

    def is_alone(self, at: Key) -> bool:
        """Whether no other change of the key was under way during the one that is: what this one wrote is there now."""
        return at not in self._contested

    def begin_bucket(self, bucket: str) -> None:
        """Anything in it may change."""
        self._changing_buckets[bucket] += 1
        self.invalidate_all()

    def end_bucket(self, bucket: str) -> None:
        self._changing_buckets[bucket] -= 1
        if not self._changing_buckets[bucket]:
            del self._changing_buckets[bucket]
        self.invalidate_all()

    @contextlib.contextmanager
    def watch(self) -> Iterator[Watch]:
        """What changes inside. A key that is being changed counts from its beginning on."""
        watch = Watch()
        watch.keys.update(self._changing)
        watch.all = bool(self._changing_buckets)
        self._watches.append(watch)
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    def invalidate_all(self) -> None:
        """What is being asked, of whatever key, does not count."""
        for watch in self._watches:
            watch.all = True
        for at in list(self._questions):
            self._invalidate(at)
        self._remembered.clear()

    def _invalidate(self, at: Key) -> None:
        for watch in self._watches:
            watch.keys.add(at)
        question = self._questions.pop(at, None)
        if question is not None:
            question.valid = False
        self._remembered.pop(at, None)

    # Questions.

    async def confirm(self, at: Key, entry: Entry | None) -> Outcome:
        """Asks for the headers only. Not with If-None-Match: an object that was written anew with the same bytes has the
        same ETag, and other metadata, which a 304 does not have."""
        if entry is None:
            return await self._ask(at, lambda question: self._confirm(question, at, None))
        entry.busy += 1  # it stays in memory
        try:
            return await self._ask(at, lambda question: self._confirm(question, at, entry))
        finally:
            entry.busy -= 1
            self._filling.release(entry)

    async def open(self, at: Key, wanted: str | None) -> Outcome:
        """Asks for an object that is not here, with its bytes, or those of a range (the client's header)."""
        return await self._ask(at, lambda question: self._open(question, at, wanted))

    async def _ask(self, at: Key, work: Callable[[_Question], Coroutine[Any, Any, Outcome]]) -> Outcome:
        outcome: Outcome = Past(None)
        for _ in range(_ATTEMPTS):
            question = self._questions.get(at)
            if question is None:
                question = self._questions[at] = _Question(work)
                question.task.add_done_callback(functools.partial(self._answered, at, question))
            outcome = await asyncio.shield(question.task)
            if not isinstance(outcome, Away):
                break
        return outcome

    def _answered(self, at: Key, question: _Question, _: object) -> None:
        """Also if nobody waits any more: what it learnt is of that moment, and not for who asks later."""
        if self._questions.get(at) is question:
            del self._questions[at]

    async def _confirm(self, question: _Question, at: Key, entry: Entry | None) -> Outcome:
        members: dict[str, Any] = {"Bucket": at[0], "Key": key_text(at[1]), "ChecksumMode": "ENABLED"}
        try:
            response = await ask(self._filling.inner, codec.build_request("HeadObject", members))
        except RemoteUnreachable as error:
            return self._away(error)
        await discard(response)
        if response.status != 200:
            return self._refused(question, at, response)
        found = described(response)
        past = await self._unkept(question, at, found, response)
        if past is None and entry is not None and found.is_of(entry) and not self._is_outdated(question, entry):
            try:
                return self._kept(question, entry, found, await self._tag_count(entry, found))
            except Changed:
                pass
            except RemoteUnreachable as error:
                return self._away(error)
        if entry is not None and self._counts(question, at):
            await self._filling.drop(entry)
        return past or self._current(question, at, found)

    async def _open(self, question: _Question, at: Key, wanted: str | None) -> Outcome:
        members: dict[str, Any] = {"Bucket": at[0], "Key": key_text(at[1]), "ChecksumMode": "ENABLED"}
        if (where := _aligned(wanted)) is not None:
            members["Range"] = where
        try:
            response = await ask(self._filling.inner, codec.build_request("GetObject", members))
        except RemoteUnreachable as error:
            return self._away(error)
        if response.status not in (200, 206):
            return self._refused(question, at, response, await _code(response))
        found = described(response)
        untagged = response.headers.get(TAG_COUNT, "0") == "0"
        if (past := await self._unkept(question, at, found, response, untagged=untagged)) is not None:
            await discard(response)
            return past
        current = self._current(question, at, found)
        self._fill(current.entry, response)
        return current

    def _fill(self, entry: Entry, response: S3Response) -> None:
        """Takes in the body of the answer."""
        offset = offset_of(response)
        length = int(response.headers.get("Content-Length", "0"))
        first = -(-offset // BLOCK)
        last = blocks_of(entry.size) if offset + length >= entry.size else (offset + length) // BLOCK
        if last <= first or self._filling.fetch(entry, first, last, response) is None:
            self._filling.spawn(discard(response))

    async def _unkept(
        self, question: _Question, at: Key, found: Described, response: S3Response, *, untagged: bool = False
    ) -> Outcome | None:
        """Why a version is not kept; None: it is."""
        reason = unkept(response.headers, found.size, self._config.largest)
        if reason is None and found.size is not None:
            reason = await self.admission.of_version(at, found.headers, found.size, untagged=untagged)
        return None if reason is None else self._remember(question, at, Past(reason), _UNKEPT_FOR)

    def forget(self, at: Key) -> None:
        """What was learnt of a key that has no entry may not be true any more."""
        self._remembered.pop(at, None)

    def _current(self, question: _Question, at: Key, found: Described) -> Current:
        assert found.size is not None  # noqa: S101  `unkept` has seen to it
        entry = Entry(*at, found.etag, found.size, found.headers, found.whole)
        if self._counts(question, at):
            entry.confirmed, entry.ask = question.asked, 0
            self._filling.adopt(entry)
        else:
            entry.gone = True
        return Current(entry, kept=False)

    async def _tag_count(self, entry: Entry, found: Described) -> Headers:
        """The header that says how many tags the object has, if ``found`` does not. They are no part of a version. Raises
        Changed, RemoteUnreachable."""
        if _of_tags(found.headers):
            self._are_tags_counted = True
        if self._are_tags_counted:
            return []
        if entry.ask != DOUBT:
            return _of_tags(entry.headers)
        response = await get_range(self._filling.inner, entry, 0, min(1, entry.size))
        await discard(response)
        entry.tags_known = False
        self._filling.fetched(entry, response)
        return _of_tags(response.headers.items())

    def _kept(self, question: _Question, entry: Entry, found: Described, tags: Headers) -> Current:
        """The bytes are those of the entry; the headers may be others."""
        entry.headers, entry.whole = found.headers + tags, True
        if self._counts(question, entry.at):
            entry.confirmed, entry.ask = question.asked, 0
            self._filling.describe(entry)
        return Current(entry, kept=True)

    def _refused(self, question: _Question, at: Key, response: S3Response, code: str = "") -> Outcome:
        """What an answer means that is none of success."""
        if response.status >= 500 or response.status == 429:
            error = RemoteUnreachable(f"The remote S3 answers {response.status}.")
            return self._away(error)
        if response.status == 404:
            entry = self._filling.find(at)
            if entry is not None and self._counts(question, at):
                self._filling.spawn(self._filling.drop(entry))
            headers = {name: response.headers[name] for name in _OF_MARKERS if name in response.headers}
            return self._remember(question, at, Absent(code == "NoSuchKey", headers), self._config.negative_age)
        return Past("refused")

    def _away(self, error: S3Error) -> Away:
        self._away_until = time.monotonic() + _AWAY_FOR
        return Away(error)

    def _counts(self, question: _Question, at: Key) -> bool:
        """Whether an answer says what there is now: no change of the key is under way, or was since it was asked."""
        return question.valid and not self._is_changing(at)

    def _is_outdated(self, question: _Question, entry: Entry) -> bool:
        """Whether a change of the entry has ended since it was asked: it may have newer headers than the answer."""
        return entry.gone or not (question.valid or self._is_changing(entry.at))

    def _is_changing(self, at: Key) -> bool:
        return at in self._changing or at[0] in self._changing_buckets

    def _remember(self, question: _Question, at: Key, outcome: Outcome, seconds: float) -> Outcome:
        if self._counts(question, at) and seconds > 0:
            self._remembered[at] = question.begun + seconds, outcome
            self._remembered.move_to_end(at)
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return outcome


def _of_tags(headers: Iterable[tuple[str, str]]) -> Headers:
    """The one of these that says how many tags the object has."""
    return [(name, value) for name, value in headers if name.lower() == TAG_COUNT]


async def _code(response: S3Response) -> str:
    """Of an error, with its body read."""
    try:
        whole = await read_whole(response)
    except S3Error:
        return ""
    return codec.parse_error(whole, whole.body).code if isinstance(whole.body, bytes) else ""


def _aligned(wanted: str | None) -> str | None:
    """A Range header that covers whole blocks around the one that a client sent; None: all of it."""
    found = edges(wanted)
    if found is None:
        return None
    first, last = found
    if first is None:
        assert last is not None  # noqa: S101  one of them is there
        return f"bytes=-{last + BLOCK - 1}"
    start = first - first % BLOCK
    return f"bytes={start}-" if last is None else f"bytes={start}-{last + BLOCK - 1 - last % BLOCK}"
