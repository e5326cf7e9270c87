"""Rules about the queue: what happens to the remote, to the process, to operations that failed, and at the same time."""

from __future__ import annotations

import asyncio
import shutil

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from state_machine.arrived import Arrived
from state_machine.bucket_rules import BucketRules
from state_machine.compare import Members, Outcome, difference
from state_machine.faulty import CONFLICT, KINDS, REFUSED, Fault
from state_machine.material import TAGGINGS
from state_machine.object_rules import NUMBERS
from state_machine.queue_machine import VERSIONS, Asked, place_of
from state_machine.upload_rules import UploadRules

from s3d.s3.uri import quote_path
from s3d.write_queue.operation import TAG, Operation

_STATES = st.sampled_from(("", "Enabled", "Suspended"))
_FAULTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(("push", "push", "look", "client", "any")), st.integers(0, 4)),
    min_size=1,
    max_size=4,
)
_CHANGES = st.sampled_from(("put", "put", "put", "delete", "tag", "copy", "condition"))
_OF_ONE_KEY = st.sampled_from(("put", "put", "delete", "tag", "tag", "copy"))
_OF_OTHERS = ("another's", "dir/another's", "dir/sub/another's")


class QueueRules(Arrived, BucketRules, UploadRules):
    """All rules."""

    @initialize(
        limited=st.sampled_from((False, False, False, True)),
        versioning=st.tuples(_STATES, _STATES),
        pause=st.sampled_from((0.0, 0.0, 0.0, 0.03)),
    )
    def create(self, limited: bool, versioning: tuple[str, str], pause: float) -> None:
        self.limited = limited
        self.open_queue()
        for bucket, status in zip(self.buckets, versioning, strict=True):
            self.elsewhere("CreateBucket", {"Bucket": bucket})
            if status:
                self.elsewhere("PutBucketVersioning", _versioning(bucket, status))
            self.send("DeleteObject", {"Bucket": bucket, "Key": "a"})  # the queue asks for the bucket
        self.flush()
        self.faulty.pause = pause

    def teardown(self) -> None:
        try:
            if not self.differs and self.queue is not None:
                self.end()
        finally:
            self.close()
            self.runner.close()

    # The remote.

    @rule(faults=_FAULTS)
    def plan_faults(self, faults: list[tuple[str, str, int]]) -> None:
        self.faulty.plan += [Fault(*fault) for fault in faults]

    @rule(away=st.booleans(), pause=st.sampled_from((0.0, 0.002, 0.02, 0.05)))
    def change_remote(self, away: bool, pause: float) -> None:
        """It goes away, or comes back; it is fast or slow."""
        self.faulty.away, self.faulty.pause = away, pause

    @rule()
    def heal_remote(self) -> None:
        self.faulty.heal()

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.01, 0.03)))
    def wait(self, seconds: float) -> None:
        self.let_pass(seconds)

    @rule()
    def arrive(self) -> None:
        """In the middle as at the end."""
        self.bring_in_order()
        self.check_remote()

    # The process.

    @rule(grace=st.sampled_from((0.0, 0.0, 0.01)))
    def restart(self, grace: float) -> None:
        self._stop(self.runner.run(self.it.close(grace)))

    def _stop(self, left: int) -> None:
        self.runner.run(self.faulty.settle())
        self.open_queue()
        begun = self.it.page("pushing", 0, 1000)  # before anything is done: the engine has had no turn yet
        self.faulty.unsure.update(place_of(operation) for operation in begun)
        waiting = len(self.it.page("pending", 0, 1000)) + len(begun)
        self.check(left == waiting, f"{left} operations were left, {waiting} are here after the start")

    @rule()
    def crash(self) -> None:
        """The next process finds the directory as it is while this one still has it open."""
        left = self.runner.run(self._abandon())
        here, there = self.queue_directories
        for path in there.rglob("*"):  # directories stay: there are hundreds
            if path.is_file():
                path.unlink()
        shutil.copytree(here, there, dirs_exist_ok=True)
        type(self).queue_directories = there, here
        self.runner.run(self.it.close())
        self._stop(left)

    async def _abandon(self) -> int:
        """Ends all that the queue does, without a word to it. How many operations wait."""
        for task in asyncio.all_tasks():
            code = getattr(task.get_coro(), "cr_code", None)
            if code is not None and "write_queue" in code.co_filename and task is not asyncio.current_task():
                task.cancel()
        await self.it._queue.store.database.flush()
        return int(self.it.document()["waiting"])

    @rule(is_paused=st.booleans())
    def pause(self, is_paused: bool) -> None:
        self.is_paused = is_paused
        if is_paused:
            self.it.pause()
        else:
            self.it.resume()

    # Operations that failed.

    @rule()
    def retry(self) -> None:
        self.runner.run(self.it.retry(self.it.page("failed", 0, 1000)))

    @rule(which=NUMBERS, state=st.sampled_from(("failed", "pending")))
    def drop(self, which: int, state: str) -> None:
        self._drop_one_of(self.it.page(state, 0, 1000), which)

    def _drop_one_of(self, operations: list[Operation], which: int) -> None:
        """One that is not on its way, of a key of which the queue knows what the remote has. No tags whose object waits,
        too: the queue has forgotten those that it had before."""
        self.it.pause()
        unclear = self.faulty.unsure | self.loose
        there = [o for o in operations if place_of(o) not in unclear and not self._is_on_its_way(o)]
        there = [o for o in there if o.kind != TAG or self.it.of_key(*place_of(o))[0].seq == o.seq]
        if there:
            self._drop(there[which % len(there)])
        if not self.is_paused:
            self.it.resume()

    def _drop(self, chosen: Operation) -> None:
        place = place_of(chosen)
        self.histories.refresh(self.it, place)  # that it was replaced nobody can tell any more when it is gone
        self.runner.run(self.it.drop([chosen]))
        dropped = [chosen.seq] if chosen.superseded else self.histories.drop(self.it, place, chosen.seq)
        self.faulty.story.append(f"dropped {dropped} of {place}")
        self.check(not any(self.it.find(seq) for seq in dropped), f"{dropped} were dropped and are there", place[1])
        bucket, key = place
        for operation in ("GetObject", "GetObjectTagging"):
            self.send(operation, {"Bucket": bucket, "Key": key})

    def _is_on_its_way(self, operation: Operation) -> bool:
        """Its request may be sent, or be about to be."""
        return operation.state == "pushing" or operation.seq in self.it._queue.engine._pushing

    # Several at the same time.

    @rule(
        bucket=NUMBERS,
        changes=st.lists(st.tuples(_CHANGES, NUMBERS, NUMBERS), min_size=2, max_size=5, unique_by=lambda c: c[1]),
        tags=TAGGINGS,
        moment=st.sampled_from((0, 0, 1, 3)),
    )
    def at_the_same_time(self, bucket: int, changes: list[tuple[str, int, int]], tags: Members, moment: int) -> None:
        """Clients that change different keys, and others that read those keys, and see one of the two."""
        names = {self.at(bucket, key)["Key"]: (kind, body) for kind, key, body in changes}
        asked = [self._change(self.at(bucket, 0)["Bucket"], key, *what, tags, names) for key, what in names.items()]
        reads = [self.begin("GetObject", {"Bucket": one.members["Bucket"], "Key": one.members["Key"]}) for one in asked]
        before = [self.of_model(read) for read in reads]
        self.runner.run(self._all(asked, reads, moment))
        for one in asked:
            self.settle(one)
        for read, earlier in zip(reads, before, strict=True):
            self._one_of(read, [earlier, self.of_model(read)])
        self.list_all(bucket, "ListObjectsV2", 1000)

    async def _all(self, changes: list[Asked], reads: list[Asked], moment: int) -> None:
        async def later(read: Asked) -> None:
            for _ in range(moment):
                await asyncio.sleep(0)
            await self.ask(read)

        await asyncio.gather(*(self.ask(change) for change in changes), *(later(read) for read in reads))

    def _change(
        self, bucket: str, key: str, kind: str, body: int, tags: Members, names: dict[str, tuple[str, int]]
    ) -> Asked:
        where, data = {"Bucket": bucket, "Key": key}, self.profile.bodies[body % len(self.profile.bodies)]
        if kind == "delete":
            return self.begin("DeleteObject", where)
        if kind == "tag":
            return self.begin("PutObjectTagging", {**where, "Tagging": tags})
        source = next((name for name in self.profile.keys[body:] if name not in names), None)
        if kind == "copy" and source is not None:
            return self.begin("CopyObject", {**where, "CopySource": f"{bucket}/{quote_path(source)}"})
        condition = {"IfNoneMatch": "*"} if kind == "condition" else {}
        return self.begin("PutObject", {**where, **condition}, data)

    def _one_of(self, read: Asked, expected: list[Outcome]) -> None:
        if read.found.status in (500, 503):
            self.check(not read.is_calm or read.injected < self.faulty.injected, f"{read}: {read.found} for no reason")
            return
        sentences = [difference(self.pairs, one, read.found, ignored=VERSIONS) for one in expected]
        self.check(not all(sentences), f"{read} beside a change: {sentences}")

    @rule(
        bucket=NUMBERS,
        key=NUMBERS,
        changes=st.lists(st.tuples(_OF_ONE_KEY, NUMBERS, TAGGINGS), min_size=1, max_size=5),
        seconds=st.sampled_from((0.0, 0.001, 0.005, 0.03)),
        trouble=st.sampled_from((None, CONFLICT, REFUSED, REFUSED)),
        skipped=st.sampled_from((0, 0, 1, 2)),
        dropped=st.one_of(st.none(), NUMBERS),
    )
    def one_after_the_other(
        self,
        bucket: int,
        key: int,
        changes: list[tuple[str, int, Members]],
        seconds: float,
        trouble: str | None,
        skipped: int,
        dropped: int | None,
    ) -> None:
        """Changes of one key, while those before are being pushed, which may not go well; one of them may be dropped."""
        before, self.faulty.pause = self.faulty.pause, 0.02
        if trouble is not None:
            self.faulty.plan.append(Fault(trouble, "push", skipped))
        where = self.at(bucket, key)
        for kind, body, tags in changes:
            asked = self._change(where["Bucket"], where["Key"], kind, body, tags, {})
            self.runner.run(self.ask(asked))
            self.settle(asked)
            self.let_pass(seconds)
        if dropped is not None:
            self._drop_one_of(self.it.of_key(where["Bucket"], where["Key"]), dropped)
        self.faulty.pause = before

    @rule(
        bucket=NUMBERS, operation=st.sampled_from(("ListObjects", "ListObjectsV2")), size=st.sampled_from((1, 2, 1000))
    )
    def list_all(self, bucket: int, operation: str, size: int) -> None:
        """Most of what the random lists ask for is not there."""
        self.list_pages(operation, bucket, "", 0, size, None)

    # Others who write to the remote.

    @rule(
        bucket=NUMBERS, key=NUMBERS, body=NUMBERS, is_own=st.booleans(), deletes=st.sampled_from((False, False, True))
    )
    def write_elsewhere(self, bucket: int, key: int, body: int, is_own: bool, deletes: bool) -> None:
        """Keys of their own, and those for which nothing waits."""
        where = self.at(bucket, key)
        if is_own:
            where["Key"] = _OF_OTHERS[key % len(_OF_OTHERS)]
        if self.it.of_key(where["Bucket"], where["Key"]):
            return
        if deletes:
            self.elsewhere("DeleteObject", where)
            return
        metadata = {"writer": str(next(self.numbers))}  # what others write is not taken for what the queue pushes
        data = self.profile.bodies[body % len(self.profile.bodies)]
        self.elsewhere("PutObject", {**where, "Metadata": metadata}, data)

    @rule(bucket=NUMBERS, key=NUMBERS)
    def begin_upload_elsewhere(self, bucket: int, key: int) -> None:
        self.elsewhere("CreateMultipartUpload", {**self.at(bucket, 0), "Key": _OF_OTHERS[key % len(_OF_OTHERS)]})

    @rule(
        bucket=NUMBERS,
        status=st.sampled_from(("Enabled", "Enabled", "Suspended")),
        changes=st.lists(st.tuples(_OF_ONE_KEY, st.sampled_from((0, 0, 1)), NUMBERS, TAGGINGS), max_size=4),
    )
    def set_versioning_elsewhere(self, bucket: int, status: str, changes: list[tuple[str, int, int, Members]]) -> None:
        """What waits arrives under the new rule; the queue hears of it when it asks for the bucket again."""
        name, before = self.buckets[bucket % 2], self.is_paused
        self.pause(True)
        for kind, key, body, tags in changes:
            asked = self._change(name, self.profile.keys[key], kind, body, tags, {})
            self.runner.run(self.ask(asked))
            self.settle(asked)
        self.loose.update(self.histories.places(name))  # some may be there already, or on their way
        for place in self.histories.places(name):
            self.histories.refresh(self.it, place)
        self.elsewhere("PutBucketVersioning", _versioning(name, status))
        for place in self.histories.places(name):
            self.histories.rebuild(place)
        self.pause(before)

    # Rules of others, as they are for a queue.

    @rule(bucket=NUMBERS)
    def delete_bucket(self, bucket: int) -> None:
        """One that is not empty. Uploads that were begun here are not part of it yet."""
        there = self.model.store.buckets[self.buckets[bucket % 2]]
        if there.objects or there.older:
            self.send("DeleteBucket", {"Bucket": there.name})

    @precondition(lambda self: self.has("versions"))
    @rule(bucket=NUMBERS, status=st.sampled_from(("Enabled", "Enabled", "Suspended")))
    def set_versioning(self, bucket: int, status: str) -> None:
        """When nothing waits: what waits is pushed under the new rule."""
        self.bring_in_order()
        self.send("PutBucketVersioning", _versioning(self.buckets[bucket % 2], status))
        self.send("GetBucketVersioning", {"Bucket": self.buckets[bucket % 2]})


def _versioning(bucket: str, status: str) -> Members:
    return {"Bucket": bucket, "VersioningConfiguration": {"Status": status}}
