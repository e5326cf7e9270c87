"""What has to come out if a few things happen one after the other: rules that chance would seldom put together."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from model.store import Object
from state_machine.cache_bodies import body_of
from state_machine.cache_damage import (
    CUT,
    DATA,
    DATABASE,
    DELETED,
    FLIPPED,
    HEADERS,
    ROW_DAMAGES,
    ZEROED,
    damage_all,
)  # fmt: skip
from state_machine.cache_machine import DEADLINE, Members
from state_machine.cache_oracle import AWAY_FOR, STATE
from state_machine.cache_people import CachePeople
from state_machine.cache_remote import BROKEN, BUCKET, LATE_UNANSWERED, READS, SLOW, SLOW_ANSWER, UNANSWERED, UNREACHED
from state_machine.cache_rules import KEYS, RANGES, SIZES

from s3d.s3 import codec

OPERATIONS = st.sampled_from(("GetObject", "HeadObject"))
OVER = st.sampled_from((1, 30, 200, 2000))
"""Seconds that something is older than it is allowed to be without asking."""


class CacheScenarios(CachePeople):
    # Reads of what is here.

    def _stocked(self, key: str) -> Object | None:
        """Sees to it that all of an object is here and confirmed, that nothing goes on, and that the remote is well. The
        object; None: it is not kept, or did not fit."""
        self._end()
        if self.remote.history(key)[-1].object is None:
            self.put_elsewhere(key, 200_000, {})
        self.clock.now += self.config.max_age + AWAY_FOR + 60  # also why it is not kept is not remembered
        self.get_all(key, None)
        one = self.remote.history(key)[-1].object
        assert one is not None
        entry = self.cache.key_document(BUCKET, key)
        is_here = entry is not None and (entry["cached"], entry["etag"]) == (len(one.data), one.etag.strip('"'))
        self.came["stocked" if is_here else "not stocked"] += 1
        return one if is_here else None

    def _said(self, operation: str, key: str, where: str | None = None, asked: Members | None = None) -> str:
        """What the answer to a read says of the cache; its status if that is an error."""
        members = (asked or {}) | ({} if where is None else {"Range": where})
        reading = self._ask(operation, key, members)
        self.finish_all()
        assert reading.response is not None, "no answer"
        status = reading.response.status
        return str(status) if status >= 500 else reading.response.headers.get(STATE, "")

    def _asked(self, key: str, since: int) -> list[str]:
        """Operations of reads that the remote was asked for."""
        return [asked.operation for of, asked in self.remote.log[since:] if of == key and asked.operation in READS]

    @rule(key=KEYS, kind=st.sampled_from(ROW_DAMAGES), number=st.integers(0, 99), asked=RANGES)
    def damage_rows_and_get(self, key: str, kind: str, number: int, asked: str) -> None:
        """The same of what the database has."""
        if self._stocked(key):
            self.damage_rows(kind, number)
            assert self._said("GetObject", key, asked) in (
                "HIT",
                "MISS",
                "REVALIDATED",
                "BYPASS",
            )  # of what is not here
            assert self._said("GetObject", key) in ("HIT", "MISS", "REVALIDATED")

    @rule(key=KEYS, kind=st.sampled_from((DATA, HEADERS)), number=st.integers(0, 1), asked=RANGES)
    def damage_small_and_get(self, key: str, kind: str, number: int, asked: str) -> None:
        """The same of an object of one block, which has no file."""
        self.put_elsewhere(key, 1 << 16, {})
        self.damage_rows_and_get(key, kind, number, asked)

    @rule(key=KEYS)
    def begin_empty(self, key: str) -> None:
        """What had a row is fetched again."""
        if self._stocked(key):
            self.damage_rows(DATABASE, 0)
            assert self._said("GetObject", key) in ("MISS", "REVALIDATED")  # the latter: what is pinned is here already

    @rule(key=KEYS, operation=OPERATIONS, where=st.none() | RANGES, is_summed=st.booleans())
    def get_twice(self, key: str, operation: str, where: str | None, is_summed: bool) -> None:
        """The second time nobody asks the remote."""
        if self.config.max_age and self._stocked(key):
            self.clock.now += self.config.max_age / 2
            log = len(self.remote.log)
            said = self._said(operation, key, where, {"ChecksumMode": "ENABLED"} if is_summed else {})
            if not self.pins():
                assert (said, self._asked(key, log)) == ("HIT", []), "all of it is here"

    @rule(key=KEYS, operation=OPERATIONS, where=st.none() | RANGES, over=OVER)
    def get_aged(self, key: str, operation: str, where: str | None, over: int) -> None:
        """One question, and no bytes."""
        if self._stocked(key):
            self.clock.now += self.config.max_age + over
            log = len(self.remote.log)
            said = self._said(operation, key, where)
            if not self.pins():
                assert (said, self._asked(key, log)) == ("REVALIDATED", ["HeadObject"]), "all of it is here"

    @rule(key=KEYS, operation=OPERATIONS, over=OVER)
    def get_away(self, key: str, operation: str, over: int) -> None:
        """As long as it may be stale."""
        if self._stocked(key):
            self.clock.now += self.config.max_age + over
            self.remote.away = 20
            said = self._said(operation, key)
            assert said == ("STALE" if over < self.config.stale else "503"), said
            self.remote.heal()

    @rule(key=KEYS, operation=OPERATIONS, over=OVER, kind=st.sampled_from((SLOW, SLOW_ANSWER)))
    def get_late(self, key: str, operation: str, over: int, kind: str) -> None:
        """The remote takes longer than the deadline, and its answer is of use to the next."""
        if not self._stocked(key) or self.pins():
            return
        self.clock.now += self.config.max_age + over
        self.remote.plan.append((kind, "HeadObject", 0))
        reading = self._ask(operation, key, {})
        assert reading.response is None, "an answer, and the remote gave none"
        late = over + DEADLINE + 1
        self.clock.now += DEADLINE + 1
        self.go_on()
        if late < self.config.stale:
            assert reading.response is not None, "nothing is answered after the deadline"
            assert reading.response.headers[STATE] == "STALE"
            self.came["late"] += 1
        self.finish_well()
        self.get_all(key, None)

    @rule(key=KEYS, kind=st.sampled_from((FLIPPED, CUT, ZEROED)), where=st.integers(0, 1_500_000), asked=RANGES)
    def damage_and_get(self, key: str, kind: str, where: int, asked: str) -> None:
        """The client does not notice: not of a range, and not of the whole."""
        if self._stocked(key):
            damage_all(self.place, kind, where)
            assert self._said("GetObject", key, asked) in ("HIT", "MISS", "REVALIDATED")
            assert self._said("GetObject", key) in ("HIT", "MISS", "REVALIDATED")

    @rule(key=KEYS, asked=RANGES)
    def lose_files_and_get(self, key: str, asked: str) -> None:
        """The same if the files are not there any more."""
        self.damage_and_get(key, DELETED, 0, asked)

    @rule(key=KEYS, kind=st.sampled_from((DELETED, FLIPPED, ZEROED)), where=st.integers(131_072, 196_607))
    def damage_in_the_middle(self, key: str, kind: str, where: int) -> None:
        """What is here is damaged, and what is to its left and right is fetched."""
        self._calm()
        self.run(self.cache.purge(BUCKET, ""))
        self.put_elsewhere(key, 400_000, {})
        self.clock.now += self.config.max_age + 61
        self._said("GetObject", key, "bytes=131072-131081")
        damage_all(self.place, kind, where)
        self._said("GetObject", key)

    # Changes of what is here.

    @rule(key=KEYS, size=SIZES, kind=st.sampled_from((UNANSWERED, UNANSWERED, UNREACHED, BROKEN)), is_put=st.booleans())
    def change_unanswered(self, key: str, size: int, kind: str, is_put: bool) -> None:
        """Nobody knows what became of it, so the remote is asked."""
        self._stocked(key)
        self.remote.plan.append((kind, "PutObject" if is_put else "DeleteObject", 0))
        if is_put:
            self.put(key, size, {})
        else:
            self.delete(key)
        self._said("GetObject", key)

    @rule(
        key=KEYS,
        kind=st.sampled_from((SLOW, SLOW_ANSWER, LATE_UNANSWERED)),
        sizes=st.tuples(SIZES, SIZES),
        seconds=st.sampled_from((0, 60)),
        is_known=st.booleans(),
        is_away=st.booleans(),
    )
    def change_at_once(
        self, key: str, kind: str, sizes: tuple[int, int], seconds: int, is_known: bool, is_away: bool
    ) -> None:
        """Two changes, of which the first ends last; and reads all the time."""
        if is_known:
            self._stocked(key)
        self.remote.plan.append((kind, "PutObject", 0))
        self.put(key, sizes[0], {})
        self._ask("GetObject", key, {})
        self.put(key, sizes[1], {})
        self._ask("GetObject", key, {})
        self.let_pass(seconds)
        self._said("GetObject", key)
        self.finish_well()
        self.remote.away = 20 * is_away
        self._said("GetObject", key)
        self.remote.heal()

    @rule(key=KEYS, size=SIZES, over=OVER)
    def change_overtakes(self, key: str, size: int, over: int) -> None:
        """A question whose answer is of the time before a change, and comes after it."""
        if self._stocked(key):
            self.clock.now += self.config.max_age + over
            self.remote.plan.append((SLOW_ANSWER, "HeadObject", 0))
            self._ask("GetObject", key, {})
            self.put(key, size, {})
            self.finish_well()
            self._said("GetObject", key)

    @rule(key=KEYS, size=SIZES, is_first=st.booleans())
    def change_overtakes_first_read(self, key: str, size: int, is_first: bool) -> None:
        """The same of what is not here, asked before the change or while it is on its way."""
        self._calm()
        self.run(self.cache.purge(BUCKET, ""))
        self.put_elsewhere(key, 200_000, {})
        self.clock.now += 61
        if is_first:
            self.remote.plan.append((SLOW_ANSWER, "GetObject", 0))
            self._ask("GetObject", key, {})
            self.put(key, size, {})
        else:
            self.remote.plan.append((SLOW, "PutObject", 0))
            self.put(key, size, {})
            self.remote.plan.append((SLOW_ANSWER, "GetObject", 0))
            self._ask("GetObject", key, {})
            self.remote.gates.pop(0).set()
            self.go_on()
        self.finish_well()
        self._said("GetObject", key)

    @rule()
    def delete_both(self) -> None:
        """With one request."""
        if self._stocked("a") and self._stocked("a/b"):
            self._said("GetObject", "a")
            self.delete_several(["a", "a/b"])
            self._said("GetObject", "a")
            self._said("GetObject", "a/b")

    @rule(key=KEYS, size=SIZES, where=RANGES, then=st.none() | RANGES)
    def get_cold(self, key: str, size: int, where: str, then: str | None) -> None:
        """First a part of what nobody has read yet, then another one."""
        self._calm()
        self.run(self.cache.purge(BUCKET, ""))
        self.put_elsewhere(key, size, {})
        self.clock.now += 61
        self._said("GetObject", key, where)
        self._said("GetObject", key, then)

    @rule(key=KEYS, operation=OPERATIONS, seconds=st.sampled_from((0, 1, 4, 6, 9)))
    def get_absent(self, key: str, operation: str, seconds: int) -> None:
        """And then it is there."""
        self._calm()
        self.delete_elsewhere(key)
        self.clock.now += self.config.max_age + 61
        self._said(operation, key)
        self._said(operation, key)
        self.put_elsewhere(key, 10, {})
        self.clock.now += seconds
        self._said(operation, key)

    @rule(key=KEYS, size=SIZES, where=RANGES, is_away=st.booleans())
    def get_rest_of_replaced(self, key: str, size: int, where: str, is_away: bool) -> None:
        """Some of a version is here, and its rest is nowhere any more: the answer is that of the next one."""
        self._calm()
        self.put_elsewhere(key, 1_500_000, {})
        self.clock.now += self.config.max_age + 61
        self._said("GetObject", key, "bytes=70000-70009")
        self.put_elsewhere(key, size, {})
        reading = self._ask("GetObject", key, {"Range": where})
        self.finish_all()
        assert not reading.is_broken, "an answer that had not begun is broken off"
        reading = self._ask("GetObject", key, {})
        self.finish_all()
        assert not reading.is_broken, "an answer that had not begun is broken off"
        assert reading.response is not None
        assert reading.response.status == 200, f"{reading.response.status}: there is an object all the time"
        self.came["replaced"] += 1
        if is_away:
            self.remote.away = 20
            self._said("GetObject", key)
            self.remote.heal()

    @rule(
        key=KEYS, size=SIZES, kind=st.sampled_from(("put", "delete")), turns=st.integers(0, 60), is_held=st.booleans()
    )
    def crash_in_change(self, key: str, size: int, kind: str, turns: int, is_held: bool) -> None:
        """Of what is here: the next start does not trust it."""
        if self._stocked(key):
            if is_held:
                self.remote.plan.append((SLOW, "", 0))
            self.crash(key, size, kind, turns)
            self.came["crashed in a change"] += 1
            self.remote.heal()
            self._said("GetObject", key)

    @rule(key=KEYS, is_put=st.booleans(), kind=st.sampled_from((UNANSWERED, UNREACHED, "")), tag=st.sampled_from("xy"))
    def change_no_bytes(self, key: str, is_put: bool, kind: str, tag: str) -> None:
        """Other tags, or the same bytes with other metadata: nothing is fetched, however it ends."""
        one = self._stocked(key)
        if one is None or (is_put and "-" in one.etag):  # that of a PutObject with these bytes is another one
            return
        if kind:
            self.remote.plan.append((kind, "PutObject" if is_put else "PutObjectTagging", 0))
        if is_put:
            self.send(self._put(key, 0, {"Tagging": "x=1" if tag == "x" else "x=1&y=2"}, one.data))
        else:
            self.tag(key, tag)
        self.remote.heal()
        log = len(self.remote.log)
        self._said("GetObject", key)
        bodies = [asked for of, asked in self.remote.log[log:] if of == key and asked.bytes > 1]
        if not self.pins() and self._is_wide():
            assert not bodies, "bytes that are here are fetched again"
            self.came["no bytes"] += 1

    @rule(key=KEYS, size=SIZES, again=st.booleans())
    def put_and_get_here(self, key: str, size: int, again: bool) -> None:
        """What was written is not fetched."""
        self.unpin()
        if again:
            self.put(key, size, {})
        log = len(self.remote.log)
        self.put(key, size, {})
        said = self._said("GetObject", key)
        if size <= self.config.largest and self._is_wide():
            found = (said, self._asked(key, log))
            assert found == ("REVALIDATED", ["HeadObject"]), f"it was written through the cache: {found}"
            self.came["allocated"] += 1

    @rule(
        key=st.sampled_from(("a", "a/b")),  # XML has no sign for the third
        size=st.sampled_from((70_000, 1 << 16, 1 << 17)),
        last=st.sampled_from((1, 1 << 16, 100_000)),
        order=st.permutations((1, 2, 3)),
        known=st.sampled_from(("", "", "lost", "elsewhere")),
    )
    def put_in_parts(self, key: str, size: int, last: int, order: list[int], known: str) -> None:
        self.unpin()
        self.came["in parts"] += 1
        at: Members = {"Bucket": BUCKET, "Key": key}
        created = self._members("CreateMultipartUpload", at | {"Metadata": {"n": str(next(self.numbers))}})
        at["UploadId"] = created["UploadId"]
        sizes = {1: size, 2: size, 3: min(last, size)}
        parts = {number: self._part(at, number, sizes[number]) for number in order}
        if known == "elsewhere":  # a part that the cache does not see
            request = self._part_request(at, 2, size)
            self.run(self.remote.write(request))
            parts[2] = self.run(self.remote.write(self._part_request(at, 2, size))).headers["ETag"]
        elif known == "lost":
            self.remote.plan.append((UNANSWERED, "CompleteMultipartUpload", 0))
        log = len(self.remote.log)
        listed = [{"PartNumber": number, "ETag": parts[number]} for number in sorted(parts)]
        self.send(codec.build_request("CompleteMultipartUpload", at | {"MultipartUpload": {"Parts": listed}}))
        said = self._said("GetObject", key)
        is_kept = not known and size % (1 << 16) == 0 and sum(sizes.values()) <= self.config.largest
        if is_kept and self._is_wide():
            found = (said, self._asked(key, log))
            assert found == ("REVALIDATED", ["HeadObject"]), f"its parts went through the cache: {found}"
            self.came["allocated in parts"] += 1

    def _part(self, at: Members, number: int, size: int) -> str:
        response = self.run(self.cache(self._part_request(at, number, size)))
        assert response.status == 200
        return str(response.headers["ETag"])

    def _part_request(self, at: Members, number: int, size: int) -> Any:
        request = codec.build_request("UploadPart", at | {"PartNumber": number})
        request.body = body_of(next(self.numbers), size)
        return request

    def _members(self, operation: str, members: Members) -> Members:
        response = self.run(self.cache(codec.build_request(operation, members)))
        return dict(codec.parse_response(operation, response, response.body))
