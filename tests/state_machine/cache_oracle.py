"""Whether the cache may answer so: every answer is that of one version which may be answered with.

Which versions those are depends on what the answer says of itself (`x-s3d-cache`), on the ages that are allowed, on what
was changed through the cache, and on questions that were under way when the read began.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from model.memory import Memory
from model.store import Bucket, Object
from multidict import CIMultiDict
from state_machine.cache_remote import BUCKET, Remote

from s3d.read_cache.answers import TAG_COUNT
from s3d.read_cache.config import ReadCacheConfig
from s3d.s3.message import S3Request, S3Response

STATE, REASON = "x-s3d-cache", "x-s3d-cache-reason"
AWAY_FOR = 1.0
"""Seconds after a failure in which the cache does not ask again."""
UNKEPT_FOR = 60.0
_OF_ONE_ANSWER = frozenset({"date", "x-amz-request-id", "x-amz-id-2"})


@dataclass
class Begun:
    """What was known when a read began. Numbers are places in the history of its key."""

    key: str
    time: float
    place: int
    own: int
    """What was changed through the cache with success: nothing older is ever answered."""
    asked: int
    """The same for all changes that began or ended: nothing older unless the remote is away."""
    changing: bool
    oldest_question: int
    learnt: int
    """What the cache was told of: it never goes back to an older one."""
    log: int
    faults: int
    alone: bool
    """No other read or change of the key is under way."""


@dataclass
class Oracle:
    """Of one run."""

    remote: Remote
    config: ReadCacheConfig
    own: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    changing: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    """When a change last began or ended, by the numbers of the remote."""
    reading: Counter[str] = field(default_factory=Counter)
    states: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    # Changes through the cache.

    def change_begins(self, key: str) -> None:
        self.changing[key] += 1
        self.note(key)

    def change_ends(self, key: str, done: int | None) -> None:
        """``done``: the place of what the remote has made of it; None: it failed, or nobody knows."""
        self.changing[key] -= 1
        if done is not None:
            self.own[key] = max(self.own[key], done)

    def note(self, key: str) -> None:
        """At the moment at which a change begins, or its answer is here."""
        self.asked[key] = len(self.remote.history(key)) - 1
        self.changed[key] = next(self.remote.numbers)

    # Reads.

    def begin(self, key: str, *, is_busy: bool) -> Begun:
        """``is_busy``: the cache may ask the remote of its own accord."""
        place = len(self.remote.history(key)) - 1
        questions = [question.at - 1 for question in self.remote.open[key]]
        alone = (
            not is_busy and not self.remote.gates and not self.changing[key] and not self.reading[key] and not questions
        )
        self.reading[key] += 1
        return Begun(
            key,
            self.remote.clock.now,
            place,
            self.own[key],
            self.asked[key],
            self.changing[key] > 0,
            min([place, *questions]),
            self.remote.learnt[key],
            len(self.remote.log),
            self.remote.faults,
            alone,
        )

    def judge(self, begun: Begun, request: S3Request, response: S3Response) -> list[Object | None]:
        """The versions that this may be an answer with, of which each has the same ETag or is absent. Raises
        AssertionError."""
        state = response.headers.get(STATE, "")
        self.states[state or "error"] += 1
        self.states[f"{state} {response.status}"] += 1
        if response.status >= 500:
            assert self._may_fail(begun), f"{response.status}, though nothing is the matter"
            return []
        assert state or response.status == 404, f"{response.status} without {STATE}"
        self._check_truth(begun, state, response)
        oldest = self._oldest(begun, state, absent=response.status == 404)
        if any(name == "versionId" for name, _ in request.query):
            oldest = 0  # what has an id stays what it was
        history = self.remote.history(begun.key)
        candidates = [version.object for version in history[oldest:]]
        found = [one for one in candidates if not self._differs(begun, request, response, one)]
        assert found, self._sentence(begun, request, response, oldest)
        return found

    def _oldest(self, begun: Begun, state: str, *, absent: bool) -> int:
        """The place of the oldest version that may be answered with."""
        config, now = self.config, begun.time
        of_question = max(begun.oldest_question, begun.asked)
        if state == "STALE":
            return max(begun.own, begun.learnt, self._current_at(begun.key, now - config.max_age - config.stale))
        if state == "BYPASS":
            return begun.place
        if begun.changing or state == "REVALIDATED":
            return of_question
        age = config.negative_age if absent else config.max_age
        of_age = self._current_at(begun.key, now - age) if age else begun.place
        return max(begun.asked, min(of_question, max(of_age, begun.learnt)))

    def _current_at(self, key: str, moment: float) -> int:
        history = self.remote.history(key)
        return max((place for place, version in enumerate(history) if version.since <= moment), default=0)

    def _may_fail(self, begun: Begun) -> bool:
        changed = len(self.remote.history(begun.key)) - 1 > begun.place
        return changed or self.remote.faults > begun.faults or self.remote.is_in_trouble(begun.time - AWAY_FOR)

    def _check_truth(self, begun: Begun, state: str, response: S3Response) -> None:
        remote, key = self.remote, begun.key
        asked = [question for of, question in remote.log[begun.log :] if of == key]
        if state not in ("BYPASS", "") and response.status == 200:
            assert response.headers.get("Cache-Control") != "no-store", f"{state}, but it is not to be kept"
        if state == "HIT":
            assert not begun.changing, "HIT, while it is being changed"
        if state == "STALE":
            slow = remote.faults > begun.faults or remote.is_in_trouble(begun.time - AWAY_FOR)
            assert slow, "STALE, though the remote is well"
        elif state == "HIT" and response.status != 404:
            age = begun.time - remote.confirmed.get(key, float("-inf"))
            assert age < self.config.max_age, f"HIT, confirmed {age} seconds ago"
            assert remote.told[key] > self.changed[key], "HIT, though nobody has asked since it was changed"
            if begun.alone:
                heads = [question for question in asked if question.operation == "HeadObject"]
                assert not heads, "HIT, but the remote was asked"
        elif state == "HIT" and begun.alone:
            assert not asked, "HIT, but the remote was asked"
        elif state in ("REVALIDATED", "BYPASS", "MISS") and begun.alone:
            assert asked, f"{state}, but nobody asked the remote"
        if state == "BYPASS":
            self._check_reason(begun, response)

    def _check_reason(self, begun: Begun, response: S3Response) -> None:
        reason = response.headers.get(REASON)
        since = self._current_at(begun.key, begun.time - UNKEPT_FOR)
        lately = [version.object for version in self.remote.history(begun.key)[since:] if version.object]
        if reason == "no-store":
            right = any(one.headers.get("Cache-Control") == "no-store" for one in lately)
        elif reason == "size":
            right = any(len(one.data) > self.config.largest for one in lately)
        elif reason == "refused":
            said = [question.status or 0 for key, question in self.remote.log[begun.log :] if key == begun.key]
            right = any(400 <= status < 500 for status in said)
        else:
            right = reason in ("part", "version", None)
        assert right, f"BYPASS because of {reason}"

    def _differs(self, begun: Begun, request: S3Request, response: S3Response, one: Object | None) -> str:
        """What another answer there would be with this version."""
        expected = self.expected(request, one)
        if expected.status != response.status:
            return f"status {expected.status}"
        if expected.status >= 400:
            return ""
        if expected.status == 304:
            return "" if expected.headers["ETag"] == response.headers.get("ETag") else "ETag"
        state = response.headers.get(STATE)
        counts = {expected.headers.get(TAG_COUNT)}
        if one is not None and state != "BYPASS":  # a version is its ETag: tags are as it was fetched
            older = self.remote.history(begun.key)[begun.own :]
            same = (version.object for version in older if version.object and version.object.etag == one.etag)
            counts = {self.expected(request, other).headers.get(TAG_COUNT) for other in same}
        if request.method == "HEAD" and self.remote.is_reticent:
            counts.add(None)
        allowed = [_counted(expected.headers, count) for count in counts]
        found = _compared(response, loosely=state == "STALE")
        if all(found != _compared(S3Response(200, headers), loosely=state == "STALE") for headers in allowed):
            return f"headers {_compared(expected, loosely=False)}"
        return ""

    def expected(self, request: S3Request, one: Object | None) -> S3Response:
        """The model's answer, if this is what there is."""
        model, bucket = Memory(), self.remote.model.store.buckets[BUCKET]
        objects = {} if one is None else {request.key or "": one}
        model.store.buckets[BUCKET] = Bucket(BUCKET, bucket.created, versioning=bucket.versioning, objects=objects)
        try:
            model(request).send(None)
        except StopIteration as answered:
            response: S3Response = answered.value
            return response
        raise AssertionError("the model waits for nothing")

    def _sentence(self, begun: Begun, request: S3Request, response: S3Response, oldest: int) -> str:
        history = self.remote.history(begun.key)
        shown = [
            f"{place}: since {version.since - begun.time:+} {version.object and version.object.etag}"
            f" ({self._differs(begun, request, response, version.object) or 'this one'})"
            for place, version in enumerate(history)
        ]
        said = response.headers.get(STATE)
        answer = f"{said} {response.status} {_compared(response, loosely=False)}"
        return f"{answer} ({begun}) is older than {oldest}, or none of: {shown}"


def _counted(headers: CIMultiDict[str], tags: str | None) -> CIMultiDict[str]:
    """Those of an object with so many tags."""
    found = headers.copy()
    found.popall(TAG_COUNT, None)
    if tags is not None:
        found[TAG_COUNT] = tags
    return found


def _compared(response: S3Response, *, loosely: bool) -> dict[str, str]:
    """Headers as they are compared. ``loosely``: what was written through the cache, and nobody has asked for since, has
    those of its request."""
    headers = {name.lower(): value for name, value in response.headers.items() if name.lower() not in _OF_ONE_ANSWER}
    if loosely:
        names = ("etag", "content-range", "content-length", "x-amz-meta-n", TAG_COUNT)
        return {name: headers[name] for name in names if name in headers}
    return {name: value for name, value in headers.items() if not name.startswith("x-s3d-")}
