"""The write queue with filters: what is held and what goes, whatever happens, against a small model of its own.

    clients ──> WriteQueue ──> Faulty ──> Memory (the remote)
                    │                        ^── a second writer of the bucket's tags
                    └─ rules, tags: judged by the evaluator of tests/unit/filters, which knows nothing of the product's

Of each key is known what clients see, and what the remote may have in the end: that, if it may go, else what was there
before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
from conformance.calling import Refused, answer, call
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from unit.filters import slow_evaluator
from unit.write_queue.test_engine import Faulty

from s3d.filters.facts import Facts
from s3d.filters.match import Filters
from s3d.filters.rules import Rules
from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig
from s3d.write_queue.operation import FAILED, HELD, PENDING, PUSHING, TAG, Operation

BUCKET = "bucket"
Tags = tuple[tuple[str, str], ...]
State = tuple[bytes, Tags] | None
"""Bytes and tags of an object; None: there is none."""

_KEYS = st.sampled_from(("a/1", "a/2", "b/1", "c"))
_TAGS = st.sampled_from(
    (
        (),
        (("go", "yes"),),
        (("go", "no"),),
        (("s3d.upload", "true"),),
        (("go", "yes"), ("s3d.upload", "false")),
        (("s3d.priority", "9"), ("s3d.upload", "perhaps")),
        (("s3d.deadline", "1m"),),
    )
)
_OF_BUCKET = st.sampled_from(((), (("site", "x"),), (("s3d.upload", "false"),), (("s3d.upload", "true"),)))
_FILTERS = st.sampled_from(
    (
        "",
        "bucket/a/*",
        "!bucket/a/*",
        "bucket/*[tag:go=yes]",
        "bucket/*[tag:go!=no] !bucket/b/*",
        "bucket[tag:site=x]/*",
        "bucket/*[hdr:content-length<10]",
        "bucket/*[hdr:content-length>=10][tag:go]",
        "elsewhere",
    )
)
_OF = "SELECT {} FROM operation WHERE"
_ACCOUNTS = f"""
SELECT held_bytes, held_files, bytes + shared, files,
    ({_OF.format("coalesce(sum(size), 0)")} state = 'held'), ({_OF.format("count(*)")} state = 'held'),
    ({_OF.format("coalesce(sum(size), 0)")} kind = 'put'), ({_OF.format("count(*)")} kind = 'put')
FROM usage
"""
_BODIES = st.sampled_from((b"", b"small", b"a little more", b"l" * 100_000))


@dataclass
class Known:
    """Of one key. ``seen``: by clients; ``rest``: what the remote may have in the end if that is held; ``before``: all that
    it may have had since that was certain."""

    seen: State = None
    rest: set[State] = field(default_factory=lambda: {None})
    before: set[State] = field(default_factory=lambda: {None})

    def goes(self, state: State) -> None:
        """This is accepted, and goes to the remote."""
        self.before |= self.rest
        self.rest = {state}

    def certain(self, state: State) -> None:
        """The remote has this."""
        self.rest, self.before = {state}, {state}


class HeldMachine(RuleBasedStateMachine):
    """``directory`` is for all runs; ``came`` counts what came up."""

    directory: Path
    came: ClassVar[Counter[str]]
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        self.runner = asyncio.Runner()
        self.remote = Faulty()
        self.rules = Rules()
        self.text = ""
        self.of_bucket: Tags = ()
        self.keys: dict[str, Known] = {}
        self.is_away = False
        self.queue: WriteQueue

    @initialize(versioning=st.booleans(), limited=st.sampled_from((False, False, True)))
    def begin(self, versioning: bool, limited: bool) -> None:
        self.limits = {"held_files": 2, "held_size": 120_000} if limited else {}
        self.do_remote("CreateBucket")
        if versioning:
            self.do_remote("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
        self.open()
        self.put("known", b"", ())
        self.flush()

    def open(self) -> None:
        config = WriteQueueConfig(
            self.directory / f"{self.runs}",
            free_space=0,
            max_wait=0.2,
            workers=2,
            **self.limits,  # type: ignore[arg-type]
        )
        self.queue = WriteQueue(config, self.remote, self.rules)
        self.runner.run(self.queue.open())

    def teardown(self) -> None:
        try:
            if hasattr(self, "queue"):
                self.settle()
        finally:
            if hasattr(self, "queue"):
                self.runner.run(self.queue.close())
            self.runner.close()

    # Asking.

    def do(self, operation: str, key: str | None = None, body: bytes | None = None, **members: Any) -> Any:
        """A client's request. Raises Refused, RemoteUnreachable."""
        at = {"Bucket": BUCKET, **({"Key": key} if key else {}), **members}
        return self.runner.run(call(self.queue, operation, at, body))

    def do_remote(self, operation: str, key: str | None = None, **members: Any) -> Any:
        at = {"Bucket": BUCKET, **({"Key": key} if key else {}), **members}
        return self.runner.run(call(self.remote.inner, operation, at))

    def refused(self, error: Refused, right: dict[str, bool]) -> None:
        """Whether an error may be, by its code."""
        self.came[error.code] += 1
        assert right.get(error.code), error

    def newest(self, key: str) -> Operation | None:
        """The operation that decides what a key is."""
        return next((o for o in reversed(self.queue.of_key(BUCKET, key)) if o.kind != TAG), None)

    def may_go(self, key: str, state: State) -> bool:
        """As docs/filters.md says."""
        if state is None:
            return True
        body, tags = state
        for found in (dict(tags), dict(self.of_bucket)):
            if found.get("s3d.upload") in ("true", "false"):
                return found["s3d.upload"] == "true"
        known = Facts(BUCKET, key, len(body), {}, {}, dict(tags), dict(self.of_bucket))
        return slow_evaluator.answer(self.text, known) is True

    def decided(self, key: str, known: Known, was: str | None = None) -> None:
        """What was not begun is held or goes, as the rules say; ``was``: its state before."""
        operation, goes = self.newest(key), self.may_go(key, known.seen)
        if operation is not None and operation.state == PUSHING and not goes:
            known.rest |= known.before  # if it was only begun ahead of its turn, it is held when it is taken back
        if operation is None or operation.state not in (PENDING, HELD):
            if was == HELD:  # it is on its way already
                assert goes
                known.goes(known.seen)
            return
        assert operation.state == (PENDING if goes else HELD), f"{key} {known} is {operation.state} with {self.text!r}"
        self.came[operation.state] += 1
        if was is not None and was != operation.state:
            self.came[f"{was}, then {operation.state}"] += 1
            if goes:
                known.goes(known.seen)
            else:
                known.rest = set(known.before)

    # What clients do.

    @rule(key=_KEYS, body=_BODIES, tags=_TAGS)
    def put(self, key: str, body: bytes, tags: Tags) -> None:
        members = {"Tagging": "&".join(f"{name}={value}" for name, value in tags)} if tags else {}
        known, state = self.keys.setdefault(key, Known()), (body, tuple(sorted(tags)))
        try:
            self.do("PutObject", key, body, **members)
        except Refused as error:
            self.refused(error, {"SlowDown": bool(self.limits) and not self.may_go(key, state)})
            return
        known.seen = state
        if self.may_go(key, state):
            known.goes(state)
        self.decided(key, known)

    @rule(key=_KEYS)
    def delete(self, key: str) -> None:
        known = self.keys.setdefault(key, Known())
        self.do("DeleteObject", key)
        known.seen = None
        known.goes(None)

    @rule(key=_KEYS, tags=_TAGS)
    def tag(self, key: str, tags: Tags) -> None:
        known, operation = self.keys.setdefault(key, Known()), self.newest(key)
        try:
            self.do("PutObjectTagging", key, Tagging=_tagging(tags))
        except RemoteUnreachable:
            assert self.newest(key) is None
            return
        except Refused as error:
            is_full = bool(self.limits) and known.seen is not None and not self.may_go(key, (known.seen[0], tags))
            self.refused(error, {"NoSuchKey": known.seen is None, "SlowDown": is_full})
            return
        assert known.seen is not None
        known.seen = (known.seen[0], tuple(sorted(tags)))
        if operation is None:
            known.certain(known.seen)
            return
        after = self.newest(key)  # it may have begun before the tags came, which go behind it then
        if PUSHING in (operation.state, PUSHING if after is None else after.state):
            known.goes(known.seen)
        elif operation.state == PENDING and self.may_go(key, known.seen):
            known.rest = {known.seen}
        self.decided(key, known, operation.state)

    @rule(source=_KEYS, key=_KEYS)
    def copy(self, source: str, key: str) -> None:
        known, original = self.keys.setdefault(key, Known()), self.keys.setdefault(source, Known())
        if source == key:
            return
        is_here = self.newest(source) is not None
        try:
            self.do("CopyObject", key, CopySource=f"{BUCKET}/{source}")
        except RemoteUnreachable:
            assert self.newest(source) is None
            return
        except Refused as error:
            is_full = bool(self.limits) and not self.may_go(key, original.seen)
            target = self.newest(key)  # of which the remote is to make the copy, if it has the source by now
            is_held = target is not None and target.state == HELD
            is_barred = not self.may_go(key, original.seen or (b"", ()))  # and is to be made at the remote
            right = {"NoSuchKey": original.seen is None, "SlowDown": is_full, "ServiceUnavailable": is_held}
            self.refused(error, right | {"AccessDenied": is_barred and self.newest(source) is None})
            return
        known.seen = original.seen
        operation = self.newest(key)
        if operation is None and not is_here:
            known.certain(known.seen)
        elif self.may_go(key, known.seen):
            known.goes(known.seen)
        self.decided(key, known)

    @rule(key=_KEYS)
    def read(self, key: str) -> None:
        known = self.keys.setdefault(key, Known())
        try:
            assert self.look(key) == known.seen
        except RemoteUnreachable:
            assert self.newest(key) is None
            assert self.is_away
        self.came["read"] += 1

    def look(self, key: str) -> State:
        """What a client sees. RemoteUnreachable."""
        request, before = codec.build_request("GetObject", {"Bucket": BUCKET, "Key": key}), self.newest(key)
        try:
            response, members = self.runner.run(answer(self.queue, request))
        except (Refused, S3Error) as error:
            if error.code != "NoSuchKey":
                raise
            return None
        after = self.newest(key)
        said = [
            PENDING if o is not None and o.state == PUSHING else o.state if o else "remote" for o in (before, after)
        ]
        assert response.headers.get("x-s3d-state", "remote") in said
        tags = self.do("GetObjectTagging", key)["TagSet"]
        return members["Body"], tuple(sorted((tag["Key"], tag["Value"]) for tag in tags))

    # What is decided again.

    @rule(text=_FILTERS)
    def change_filter(self, text: str) -> None:
        before = self.states()
        self.text, self.rules.upload = text, Filters.of(text) if text else None
        self.runner.run(self.queue.decide_again())
        self.all_decided(before)

    @precondition(lambda self: not self.is_away)
    @rule(tags=_OF_BUCKET)
    def tag_bucket(self, tags: Tags) -> None:
        before = self.states()
        self.of_bucket = tags
        if tags:
            self.do("PutBucketTagging", Tagging=_tagging(tags))
        else:
            self.do("DeleteBucketTagging")
        self.all_decided(before)

    @precondition(lambda self: not self.is_away)
    @rule(tags=_OF_BUCKET)
    def tag_bucket_elsewhere(self, tags: Tags) -> None:
        """The queue looks at once."""
        before = self.states()
        self.of_bucket = tags
        if tags:
            self.do_remote("PutBucketTagging", Tagging=_tagging(tags))
        else:
            self.do_remote("DeleteBucketTagging")
        self.runner.run(self.queue._queue.buckets.look_again(BUCKET))
        self.all_decided(before)

    def states(self) -> dict[str, str]:
        return {key: operation.state for key in self.keys if (operation := self.newest(key)) is not None}

    def all_decided(self, before: dict[str, str]) -> None:
        for key, known in self.keys.items():
            self.decided(key, known, before.get(key))

    # What happens to it.

    @rule(is_away=st.booleans())
    def link(self, is_away: bool) -> None:
        def fault(request: S3Request) -> None:
            if is_away:
                raise RemoteUnreachable("test")

        self.is_away, self.remote.before = is_away, fault

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        (self.queue.pause if paused else self.queue.resume)()

    @rule(text=st.one_of(st.none(), _FILTERS))
    def restart(self, text: str | None) -> None:
        """Perhaps with another filter."""
        before = self.states()
        self.runner.run(self.queue.close())
        if text is not None:
            self.text, self.rules.upload = text, Filters.of(text) if text else None
        self.open()
        self.queue.pause()
        self.came["restarted"] += 1
        self.all_decided(before)

    @rule(key=_KEYS, body=_BODIES, first=_TAGS, later=st.lists(st.one_of(_TAGS, _FILTERS), min_size=1, max_size=3))
    def before_it_is_pushed(self, key: str, body: bytes, first: Tags, later: list[Tags | str]) -> None:
        """Nothing is begun while it is decided again and again."""
        self.queue.pause()
        self.put(key, body, first)
        for change in later:
            if isinstance(change, str):
                self.change_filter(change)
            else:
                self.tag(key, change)
        self.queue.resume()

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.01)))
    def wait(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @rule(now=st.sampled_from((True, False, False, False)))
    def sometimes_settle(self, now: bool) -> None:
        if now:
            self.settle()

    def settle(self) -> None:
        """Nothing is in the way: what may go arrives, and nothing else."""
        self.link(False)
        self.queue.resume()
        self.flush()
        for key, known in self.keys.items():
            there, operation = self.at_remote(key), self.newest(key)
            if operation is None:
                assert there == known.seen, f"{key} at the remote is {there}, not {known.seen}"
            else:
                assert operation.state == HELD, operation
                assert not self.may_go(key, known.seen)
                assert there in known.rest, f"{key} at the remote is {there}, not one of {known.rest}"
            known.certain(there)
            assert self.look(key) == known.seen
        listed = self.do("ListObjectsV2").get("Contents") or []
        assert {entry["Key"] for entry in listed} == {key for key, known in self.keys.items() if known.seen is not None}
        self.came["settled"] += 1

    def flush(self) -> None:
        assert self.runner.run(self.queue.flush(20)) == 0
        assert not self.queue.page(FAILED, 0, 1)

    def at_remote(self, key: str) -> State:
        try:
            body = self.do_remote("GetObject", key)["Body"]
        except Refused:
            return None
        tags = self.do_remote("GetObjectTagging", key)["TagSet"]
        return body, tuple(sorted((tag["Key"], tag["Value"]) for tag in tags))

    @invariant()
    def accounted(self) -> None:
        """The figures of what is held are those of the operations."""
        if not hasattr(self, "queue"):
            return
        found = self.queue._queue.store.reader.execute(_ACCOUNTS).fetchone()  # of one moment
        assert found[:4] == found[4:], found


def _tagging(tags: Tags) -> dict[str, Any]:
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags]}
