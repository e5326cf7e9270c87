"""What clients, the second writer, the remote, the disk and the machine do."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from state_machine.cache_bodies import body_of, in_pieces
from state_machine.cache_damage import DAMAGES, ROW_DAMAGES, damage_file, damage_row
from state_machine.cache_machine import CONFIGS, CacheMachine, Members, Reading
from state_machine.cache_remote import BUCKET, KINDS, SLOW, SLOW_ANSWER, STALLED
from state_machine.material import AGO, AHEAD, OTHER, members

from s3d.s3 import codec
from s3d.s3.message import S3Request

NAMES = ("a", "a/b", "\udcff")
KEYS = st.sampled_from(NAMES)
SIZES = st.sampled_from((0, 10, 1 << 16, (1 << 16) + 1, 200_000, 400_000, 1_500_000))
"""Of an object: nothing, one block, more of them, and more than is read ahead at first."""
RANGES = st.sampled_from(
    (
        "bytes=0-9",
        "bytes=5-",
        "bytes=-3",
        "bytes=-100000",
        "bytes=65530-65541",
        "bytes=70000-140000",
        "bytes=131072-196607",
        "bytes=150000-",
        "bytes=9-2",
        "bytes=9999999-",
    )
)
READ = members(
    ChecksumMode=st.just("ENABLED"),
    IfMatch=st.sampled_from(("current", "old", OTHER)),
    IfNoneMatch=st.sampled_from(("current", "old", OTHER)),
    IfModifiedSince=st.sampled_from((AGO, AHEAD)),
    IfUnmodifiedSince=st.sampled_from((AGO, AHEAD)),
    PartNumber=st.just(1),
    VersionId=st.sampled_from(("current", "old")),
)
WRITTEN = members(CacheControl=st.sampled_from(("no-store", "max-age=1")), ContentType=st.just("text/plain"))
FAULTED = st.sampled_from(("", "GetObject", "HeadObject", "HeadObject", "PutObject", "DeleteObject", "CopyObject"))
HELD = st.sampled_from((SLOW, SLOW_ANSWER, STALLED))
_AT_ONCE = 8


class CacheRules(CacheMachine):
    @initialize(
        config=CONFIGS,
        versioning=st.sampled_from(("", "", "Enabled")),
        is_reticent=st.booleans(),
        sizes=st.lists(SIZES, min_size=2, max_size=3),
    )
    def create(self, config: Members, versioning: str, is_reticent: bool, sizes: list[int]) -> None:
        self.begin(config, versioning)
        self.remote.is_reticent = is_reticent
        for key, size in zip(NAMES, sizes, strict=False):
            self.run(self.remote.write(self._put(key, size, {})))

    # Reads.

    @rule(key=KEYS, where=st.none() | RANGES, asked=READ)
    def get(self, key: str, where: str | None, asked: Members) -> None:
        """The answer, and nothing of its body yet."""
        members = asked if where is None else asked | {"Range": where}
        if where is not None:
            members.pop("PartNumber", None)
        self._ask("GetObject", key, members)

    @rule(key=KEYS, where=st.none() | RANGES)
    def get_all(self, key: str, where: str | None) -> None:
        """With all of its body."""
        self._ask("GetObject", key, {} if where is None else {"Range": where})
        self.finish_all()

    @rule(key=KEYS, asked=READ)
    def head(self, key: str, asked: Members) -> None:
        self._ask("HeadObject", key, asked)

    @rule(key=KEYS, count=st.integers(2, 4))
    def get_together(self, key: str, count: int) -> None:
        for _ in range(count):
            self._ask("GetObject", key, {})

    @rule(key=KEYS, where=st.none() | RANGES, kind=HELD, after=st.integers(0, 1_500_000))
    def get_slowly(self, key: str, where: str | None, kind: str, after: int) -> None:
        """The remote holds it back somewhere."""
        if not self.remote.away:
            self.remote.plan.insert(0, (kind, "", after))
        self._ask("GetObject", key, {} if where is None else {"Range": where})

    @rule(number=st.integers(0, 9), pieces=st.integers(1, 4))
    def read_on(self, number: int, pieces: int) -> None:
        for reading in self._one(number):
            while pieces and self.step(reading):
                pieces -= 1

    @rule()
    def read_all(self) -> None:
        self.finish_all()

    @rule(number=st.integers(0, 9))
    def go_away(self, number: int) -> None:
        for reading in self._one(number):
            self.leave(reading)

    def _one(self, number: int) -> list[Reading]:
        """Or none. No precondition, because what is under way hangs on the moment, and rules may not."""
        return [self.readings[number % len(self.readings)]] if self.readings else []

    def _ask(self, operation: str, key: str, members: Members) -> Reading:
        if len(self.readings) >= _AT_ONCE:
            self.finish_all()
        if not self.remote.model.store.buckets[BUCKET].versioning or self.remote.history(key)[-1].object is None:
            members = {name: value for name, value in members.items() if name != "VersionId"}
        named = {name: self._named(key, name, value) for name, value in members.items()}
        return self.ask(codec.build_request(operation, {"Bucket": BUCKET, "Key": key, **named}))

    def _named(self, key: str, name: str, value: object) -> object:
        """Of the version that is there now, or was there first."""
        if value not in ("current", "old"):
            return value
        objects = [version.object for version in self.remote.history(key) if version.object is not None]
        if not objects:
            return OTHER
        found = objects[-1 if value == "current" else 0]
        return found.version if name == "VersionId" else found.etag

    # Changes through the cache.

    @rule(key=KEYS, size=SIZES, described=WRITTEN)
    def put(self, key: str, size: int, described: Members) -> None:
        self.send(self._put(key, size, described))

    @rule(key=KEYS, described=WRITTEN)
    def put_the_same(self, key: str, described: Members) -> None:
        """The same bytes with other headers."""
        found = self.remote.history(key)[-1].object
        if found is not None:
            self.send(self._put(key, 0, described, found.data))

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.send(codec.build_request("DeleteObject", {"Bucket": BUCKET, "Key": key}))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=3, unique=True))
    def delete_several(self, keys: list[str]) -> None:
        named = {"Objects": [{"Key": key} for key in keys if key.isascii()]}
        if named["Objects"]:
            self.send(codec.build_request("DeleteObjects", {"Bucket": BUCKET, "Delete": named}))

    @rule(key=KEYS, source=KEYS)
    def copy(self, key: str, source: str) -> None:
        if source.isascii() and self.remote.history(source)[-1].object is not None:
            members = {"Bucket": BUCKET, "Key": key, "CopySource": f"{BUCKET}/{source}", "Metadata": {"n": "copied"}}
            self.send(codec.build_request("CopyObject", members | {"MetadataDirective": "REPLACE"}))

    @rule(key=KEYS, tag=st.sampled_from(("x", "y", "s3d.cache")))
    def tag(self, key: str, tag: str) -> None:
        tags = {"TagSet": [{"Key": tag, "Value": "pin"}, {"Key": "z", "Value": ""}][: 1 + (tag == "y")]}
        self.send(codec.build_request("PutObjectTagging", {"Bucket": BUCKET, "Key": key, "Tagging": tags}))

    @rule(key=KEYS, tag=st.sampled_from(("x", "s3d.cache")))
    def change_bucket(self, key: str, tag: str) -> None:
        """Anything may be another thing afterwards."""
        tags = {"TagSet": [{"Key": tag, "Value": "pin"}]}
        self.send(codec.build_request("PutBucketTagging", {"Bucket": BUCKET, "Tagging": tags}))
        self.get_all(key, None)

    # The second writer.

    @rule(key=KEYS, size=SIZES, described=WRITTEN)
    def put_elsewhere(self, key: str, size: int, described: Members) -> None:
        self.run(self.remote.write(self._put(key, size, described)))

    @rule(key=KEYS)
    def restore_elsewhere(self, key: str) -> None:
        """What was there at first, once more."""
        objects = [version.object for version in self.remote.history(key) if version.object is not None]
        if objects:
            self.run(self.remote.write(self._put(key, 0, {}, objects[0].data)))

    @rule(key=KEYS)
    def delete_elsewhere(self, key: str) -> None:
        self.run(self.remote.write(codec.build_request("DeleteObject", {"Bucket": BUCKET, "Key": key})))

    def _put(self, key: str, size: int, described: Members, body: bytes | None = None) -> S3Request:
        number = next(self.numbers)
        described = described | {"Metadata": {"n": str(number)}}
        request = codec.build_request("PutObject", {"Bucket": BUCKET, "Key": key, **described})
        request.body = in_pieces(body_of(number, size) if body is None else body)
        return request

    @rule(key=KEYS, size=SIZES, where=st.none() | RANGES)
    def put_elsewhere_and_get(self, key: str, size: int, where: str | None) -> None:
        self.put_elsewhere(key, size, {})
        self.get_all(key, where)

    # The remote, and time.

    @rule(seconds=st.sampled_from((1, 2, 6, 9, 20, 60, 200)))
    def let_pass(self, seconds: int) -> None:
        self.clock.now += seconds
        self.go_on()

    @rule(kind=st.sampled_from(KINDS), of=FAULTED, after=st.integers(0, 1_500_000))
    def plan(self, kind: str, of: str, after: int) -> None:
        if len(self.remote.plan) < 3:
            self.remote.plan.append((kind, of, after))

    @rule()
    def answer_slowly(self) -> None:
        self.remote.go_on()
        self.go_on()

    @rule(seconds=st.sampled_from((9, 60, 200)))
    def answer_late(self, seconds: int) -> None:
        """What was held back is as old as the question."""
        if self.remote.gates:
            self.let_pass(seconds)
            self.answer_slowly()

    @rule(requests=st.integers(1, 5))
    def go_offline(self, requests: int) -> None:
        self.remote.away = requests

    @rule()
    def heal(self) -> None:
        self.remote.heal()
        self.go_on()

    # The machine, and its disk.

    @rule(limits=st.none() | CONFIGS)
    def restart(self, limits: Members | None) -> None:
        """With the changes that are under way at their end: only a crash leaves them."""
        self._end()
        self.shut()
        if limits is not None:
            wide = {name: limits[name] for name in ("max_size", "max_files")}
            self.config = self.oracle.config = dataclasses.replace(self.config, **wide)
        self.cache = self.opened()

    @rule(key=KEYS, size=SIZES, kind=st.sampled_from(("none", "get", "put", "delete")), turns=st.integers(0, 60))
    def crash(self, key: str, size: int, kind: str, turns: int) -> None:
        """What is on the disk at this moment is what the next start finds."""
        before = self.oracle.asked.copy(), self.oracle.changed.copy()
        self.turns = turns
        if kind == "get":
            self._ask("GetObject", key, {})
        elif kind == "put":
            self.put(key, size, {})
        elif kind == "delete":
            self.delete(key)
        there = self.directory / f"{next(self.places)}"
        shutil.copytree(self.place, there, ignore=shutil.ignore_patterns("*-shm"))
        self.turns, self.remote.is_cut = None, True
        self._leave_all()
        self.run(_ended([*self.changes, *self.others]))
        sent = [number for number, _ in self.changes.values() if number in self.remote.reached]
        for _, keys in self.changes.values():
            for changed in keys:
                self.oracle.change_ends(changed, None)
        if self.changes and not sent:  # so nothing had to be noted
            self.oracle.asked, self.oracle.changed = before
        self.changes.clear()
        self.others.clear()
        self.run(self.cache.close())
        shutil.rmtree(self.place)
        self.place = there
        self.remote.is_cut = False
        self.remote.learnt.clear()  # that may not be on the disk yet
        self.config = self.oracle.config = dataclasses.replace(self.config, directory=there)
        self.cache = self.opened()

    @rule(kind=st.sampled_from(DAMAGES), number=st.integers(0, 99), where=st.integers(0, 1_500_000))
    def damage(self, kind: str, number: int, where: int) -> None:
        """While it is in use: what is just being sent is the file's own."""
        if damage_file(self.place, kind, number, where):
            for reading in self.readings:
                reading.is_spoiled = reading.is_spoiled or kind != "deleted"

    @rule(kind=st.sampled_from(ROW_DAMAGES), number=st.integers(0, 99))
    def damage_rows(self, kind: str, number: int) -> None:
        """Between two runs."""
        self._end()
        self.shut()
        damage_row(self.place / "cache.db", kind, number)
        self.is_damaged = True
        self.cache = self.opened()

    def _end(self) -> None:
        """Clients go away, changes are carried out."""
        self._leave_all()
        self.finish_well()

    def _leave_all(self) -> None:
        for reading in list(self.readings):
            self.leave(reading)


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
