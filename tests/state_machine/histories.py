"""What the keys of the model were before the operations that wait, so that one of them can be taken out of it.

Of each key with operations: the versions before, and the operations in their order. What has arrived (it is in the queue's
ledger) becomes part of what was before, what was replaced or dropped goes. The rest, carried out one after the other under
the rule that the bucket has now, is what the model must have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from model.store import Bucket, Object, Store, now
from multidict import CIMultiDict
from state_machine.faulty import Place

from s3d.standalone.version import key_bytes
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.operation import DELETE, TAG

_NEWEST = """
SELECT seq, kind FROM operation WHERE bucket = ?1 AND key = ?2
UNION ALL SELECT seq, kind FROM ledger WHERE bucket = ?1 AND key = ?2 ORDER BY seq DESC LIMIT 1
"""


@dataclass
class Entry:
    """An operation. ``made``: the version as it was accepted; of a tag only its tags count. ``version``: its id wherever
    the bucket gives it one."""

    seq: int
    kind: str
    made: Object
    version: str = "null"


@dataclass
class History:
    base: list[Object]
    """Newest first."""
    entries: list[Entry] = field(default_factory=list)


class Histories:
    """Of one model. ``wrong`` is told what must not be, and of which key."""

    def __init__(self, store: Store, wrong: Callable[[str, str], None]) -> None:
        self._store = store
        self._wrong = wrong
        self._of: dict[Place, History] = {}
        self._without: set[str] = set()
        self.retagged: set[Place] = set()
        """Where tags were refused or dropped, and what they were meant for may have been sent with any that it had."""

    def note(self, queue: WriteQueue, bucket: str) -> None:
        """Before a request: whether the queue holds that the bucket has no versions. It may hear otherwise meanwhile."""
        self._without.discard(bucket)
        if queue._queue.journal.versioning(bucket) == "":
            self._without.add(bucket)

    def places(self, bucket: str) -> list[Place]:
        return [place for place in self._of if place[0] == bucket]

    def begin(self, queue: WriteQueue, place: Place) -> None:
        """Before the model changes a key."""
        self.refresh(queue, place)
        if place not in self._of:
            self._of[place] = History(_copies(self._versions(place)))

    def accepted(self, queue: WriteQueue, place: Place) -> None:
        """After the model has changed it as the queue has: a tag may have gone into the object that it is meant for."""
        history, versions = self._of[place], self._versions(place)
        at = (place[0], key_bytes(place[1]))
        seq, kind = queue._queue.store.reader.execute(_NEWEST, at).fetchone()
        content = [entry for entry in history.entries if entry.kind != TAG]
        if not history.entries or seq > history.entries[-1].seq:
            made = _copies(versions)[0] if kind != DELETE else _marker()
            version = versions[0].version if versions else "null"
            history.entries.append(Entry(seq, kind, made, version))
        elif content:
            content[-1].made.tags = dict(versions[0].tags)
            history.entries = [entry for entry in history.entries if entry.kind != TAG or entry.seq < content[-1].seq]

    def refresh(self, queue: WriteQueue, place: Place) -> None:
        """Takes note of what has arrived, and of what was replaced."""
        history = self._of.get(place)
        if history is None:
            return
        waiting = self._waiting(queue, history)  # first: what goes from there meanwhile is in the ledger then
        arrived = self._arrived(queue, place, history, waiting)
        kept = arrived + waiting
        if len(kept) < len(history.entries):
            if _has_lost_tags(history.entries, kept):
                self.retagged.add(place)
            self._store.buckets[place[0]].keep(place[1], self._carried_out(place, history.base, kept))
        if arrived and waiting and arrived[-1].seq > waiting[0].seq:
            self._wrong(f"an operation went before an older one: {arrived[-1].seq}, {waiting[0].seq}", place[1])
        if waiting:
            history.base, history.entries = self._carried_out(place, history.base, arrived), waiting
        else:
            del self._of[place]

    def drop(self, queue: WriteQueue, place: Place, seq: int) -> list[int]:
        """An operation was dropped, and the tags that were meant for it. All that went: ``seq`` of each."""
        history = self._of[place]
        first = next(number for number, entry in enumerate(history.entries) if entry.seq == seq)
        behind = first + 1
        if history.entries[first].kind != TAG:
            while behind < len(history.entries) and history.entries[behind].kind == TAG:
                behind += 1
        dropped = history.entries[first:behind]
        if dropped[0].kind == TAG:
            self.retagged.add(place)
        del history.entries[first:behind]
        self.rebuild(place)
        self.refresh(queue, place)
        return [entry.seq for entry in dropped]

    def rebuild(self, place: Place) -> None:
        """The model has what was before, and what waits as the rule of the bucket is now."""
        if (history := self._of.get(place)) is not None:
            versions = self._carried_out(place, history.base, history.entries)
            self._store.buckets[place[0]].keep(place[1], versions)

    def _arrived(self, queue: WriteQueue, place: Place, history: History, waiting: list[Entry]) -> list[Entry]:
        """What is in the ledger. What is nowhere was replaced, which only a bucket without versions allows."""
        found = []
        for entry in (entry for entry in history.entries if entry not in waiting):
            if queue._queue.store.reader.execute("SELECT 1 FROM ledger WHERE seq = ?", (entry.seq,)).fetchone():
                found.append(entry)
            elif queue.find(entry.seq) is None and not self._may_go(queue, place, history, entry):
                self._wrong(f"operation {entry.seq} ({entry.kind}) was neither pushed nor dropped", place[1])
        return found

    def _may_go(self, queue: WriteQueue, place: Place, history: History, entry: Entry) -> bool:
        """In a bucket without versions, and tags: with an object that was refused and replaced, and where others came."""
        if place[0] in self._without or queue._queue.journal.versioning(place[0]) == "":
            return True
        content = [other for other in history.entries if other.kind != TAG]
        before = [other for other in content if other.seq < entry.seq]
        replaced = queue.find(before[-1].seq) if before else None
        is_last = not content or content[-1].seq < entry.seq
        return entry.kind == TAG and (is_last or (replaced is not None and bool(replaced.superseded)))

    def _waiting(self, queue: WriteQueue, history: History) -> list[Entry]:
        there = [(entry, queue.find(entry.seq)) for entry in history.entries]
        return [entry for entry, operation in there if operation is not None and not operation.superseded]

    def _versions(self, place: Place) -> list[Object]:
        return self._store.buckets[place[0]].versions(place[1])

    def _carried_out(self, place: Place, base: list[Object], entries: list[Entry]) -> list[Object]:
        """Newest first."""
        (name, key), versioning = place, self._store.buckets[place[0]].versioning
        bucket = Bucket(name, now(), versioning=versioning)
        bucket.keep(key, _copies(base))
        for entry in entries:
            if entry.kind == TAG:
                bucket.objects[key].tags = dict(entry.made.tags)
            elif entry.kind == DELETE and not versioning:
                bucket.keep(key, [])
            else:
                self._add(bucket, key, entry)
        return bucket.versions(key)

    def _add(self, bucket: Bucket, key: str, entry: Entry) -> None:
        new = _copies([entry.made])[0]
        new.version = "null"
        bucket.add(key, new)
        if bucket.versioning == "Enabled" and entry.version == "null":
            entry.version = new.version
        elif bucket.versioning == "Enabled":
            new.version = entry.version


def _has_lost_tags(entries: list[Entry], kept: list[Entry]) -> bool:
    """Whether the last tags of an object are not among those that are kept."""
    following = [*entries[1:], None]
    last = [one for one, other in zip(entries, following, strict=True) if other is None or other.kind != TAG]
    return any(entry.kind == TAG and entry not in kept for entry in last)


def _copies(versions: list[Object]) -> list[Object]:
    """Tags can change, all else cannot."""
    return [dataclasses.replace(version, tags=dict(version.tags)) for version in versions]


def _marker() -> Object:
    return Object(b"", "", CIMultiDict(), now(), is_marker=True)
