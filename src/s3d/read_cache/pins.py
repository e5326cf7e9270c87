"""What is pinned: entries that do not go to make room, and are kept fresh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from s3d.local.database import Connection, Database
from s3d.read_cache.entry import Key
from s3d.read_cache.index import PINNED, USED, Index

BY_COMMAND, BY_BUCKET_TAG, BY_OBJECT_TAG, BY_POLICY = "command", "bucket", "object", "policy"

_PAGE = 256
"""Entries that are looked at at a time."""


@dataclass(frozen=True, slots=True)
class Pin:
    """``prefix``: of keys in the bucket, or one key."""

    bucket: str
    prefix: bytes
    kind: str

    @property
    def is_of_object(self) -> bool:
        """Whether it is about one key."""
        return self.kind in (BY_OBJECT_TAG, BY_POLICY)


class Pins:
    """Of one cache: in memory and in its database."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._prefixes: dict[str, set[tuple[bytes, str]]] = defaultdict(set)
        self._keys: dict[Key, set[str]] = defaultdict(set)
        self.changed: Callable[[], None] = lambda: None
        """Is called when there is one more."""

    def open(self) -> None:
        """Reads what is there. Raises sqlite3.Error."""
        for row in self._database.reader.execute("SELECT bucket, prefix, kind FROM pin"):
            self._remember(Pin(*row))

    def covers(self, at: Key) -> bool:
        """Whether a key is pinned."""
        return at in self._keys or self._is_below(at)

    def is_wanted(self, at: Key) -> bool:
        """Whether a key is pinned by more than the policy."""
        return any(kind != BY_POLICY for kind in self._keys.get(at, ())) or self._is_below(at)

    def _is_below(self, at: Key) -> bool:
        found = self._prefixes.get(at[0])
        return bool(found) and any(at[1].startswith(prefix) for prefix, _ in found or ())

    def has(self, pin: Pin) -> bool:
        if pin.is_of_object:
            return pin.kind in self._keys.get((pin.bucket, pin.prefix), ())
        return (pin.prefix, pin.kind) in self._prefixes.get(pin.bucket, ())

    def prefixes(self) -> list[Pin]:
        """Those of buckets and prefixes, in order."""
        found = [Pin(bucket, *one) for bucket, several in self._prefixes.items() for one in several]
        return sorted(found, key=lambda pin: (pin.bucket, pin.prefix, pin.kind))

    def objects(self) -> list[Pin]:
        """Those of single objects, in order."""
        return [Pin(*at, kind) for at, kinds in sorted(self._keys.items()) for kind in sorted(kinds)]

    async def add(self, pin: Pin) -> None:
        """Durably. S3Error."""
        if self.has(pin):
            return
        self._remember(pin)
        insert = "INSERT OR IGNORE INTO pin VALUES (?, ?, ?)"
        row = (pin.bucket, pin.prefix, pin.kind)
        await self._database.change(lambda connection: connection.execute(insert, row) and None)
        await self.settle(pin)
        self.changed()

    async def remove(self, pin: Pin) -> bool:
        """Durably; False: there was none. S3Error."""
        if not self.has(pin):
            return False
        if pin.is_of_object:
            at = pin.bucket, pin.prefix
            self._keys[at].discard(pin.kind)
            if not self._keys[at]:
                del self._keys[at]
        else:
            self._prefixes[pin.bucket].discard((pin.prefix, pin.kind))
        delete = "DELETE FROM pin WHERE bucket = ? AND prefix = ? AND kind = ?"
        row = (pin.bucket, pin.prefix, pin.kind)
        await self._database.change(lambda connection: connection.execute(delete, row) and None)
        await self.settle(pin)
        return True

    async def settle(self, pin: Pin) -> None:
        """Marks the entries of a pin, or takes the mark from those that nothing pins any more. S3Error."""
        after: Key = ("", b"")
        limit = 1 if pin.is_of_object else _PAGE
        while rows := self._index.page(pin.bucket, pin.prefix, after, limit):
            wrong = [(self.covers(row.at), row.id) for row in rows if (row.queue == PINNED) != self.covers(row.at)]
            if wrong:
                await self._database.change(lambda connection, wrong=wrong: _mark(connection, wrong))  # type: ignore[misc]  # one page at a time
            after = rows[-1].at
            if limit == 1:
                return

    async def settle_all(self) -> None:
        """The same of all pins, and of what was one: the process may have ended before it was done. S3Error."""
        marked = self._database.reader.execute("SELECT DISTINCT bucket FROM entry WHERE queue = ?", (PINNED,))
        buckets = {bucket for (bucket,) in marked} | set(self._prefixes) | {bucket for bucket, _ in self._keys}
        for bucket in sorted(buckets):
            await self.settle(Pin(bucket, b"", BY_COMMAND))

    def _remember(self, pin: Pin) -> None:
        if pin.is_of_object:
            self._keys[pin.bucket, pin.prefix].add(pin.kind)
        else:
            self._prefixes[pin.bucket].add((pin.prefix, pin.kind))


def _mark(connection: Connection, entries: list[tuple[bool, int]]) -> None:
    update = """
    UPDATE entry SET queue = ?, position = (SELECT coalesce(max(position), 0) + 1 FROM entry WHERE queue = ?) WHERE id = ?
    """
    for is_pinned, number in entries:
        queue = PINNED if is_pinned else USED
        connection.execute(update, (queue, queue, number))
