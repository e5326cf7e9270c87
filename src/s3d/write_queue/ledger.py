"""What was pushed: the rows of ``ledger``, read in the order of bucket, key and acceptance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from s3d.standalone.listing import behind
from s3d.standalone.store import Store
from s3d.write_queue.operation import PUT, TAG, UPLOAD

_COLUMNS = "seq, bucket, key, kind, size, etag, checksum, version_id, accepted, pushed"
_PAGE = f"""
SELECT {_COLUMNS}, NOT EXISTS (
    SELECT 1 FROM ledger AS later
    WHERE later.bucket = l.bucket AND later.key = l.key AND later.seq > l.seq AND later.kind <> 'tag')
FROM ledger AS l WHERE (bucket, key, seq) > (?, ?, ?) AND (bucket, key) < (?, ?)
ORDER BY bucket, key, seq LIMIT ?
"""
_NEWEST = f"""
SELECT {_COLUMNS}, 1 FROM ledger WHERE bucket = ? AND key = ? AND kind <> 'tag' ORDER BY seq DESC LIMIT 1
"""
_NEWEST_TAG = f"SELECT {_COLUMNS}, 0 FROM ledger WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT 1"
_BEHIND_BUCKETS = "\x7f"
"""Behind the names of all buckets, which are ASCII."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of ``ledger``; see `s3d.write_queue.schema` for the columns."""

    seq: int
    bucket: str
    key: bytes
    kind: str
    size: int
    etag: str | None
    checksum: str | None
    version_id: str | None
    accepted: float
    pushed: float
    newest: int
    """1: of the entries of its key that are no tags, the last."""

    @property
    def position(self) -> Position:
        return Position(self.bucket, self.key, self.seq)

    def has_version(self) -> bool:
        """Whether it made a version of its own, which later pushes leave as it is."""
        return self.kind in (PUT, UPLOAD) and self.version_id not in (None, "null")


class Position(NamedTuple):
    """A place in the ledger: behind the entry of that key and number."""

    bucket: str
    key: bytes
    seq: int


class Ledger:
    """Of one queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, bucket: str | None, prefix: bytes, after: Position | None, limit: int) -> list[Entry]:
        """Entries behind a position; of keys that begin with ``prefix``, or (``bucket`` None) of all buckets."""
        if bucket is None:
            first, last = Position("", b"", 0), (_BEHIND_BUCKETS, b"")
        else:
            first, last = Position(bucket, prefix, 0), (bucket, behind(prefix))
        start = first if after is None else max(first, after)
        if not (start.bucket.isascii() and last[0].isascii()):
            return []
        return [Entry(*row) for row in self._store.reader.execute(_PAGE, (*start, *last, limit))]

    def newest(self, bucket: str, key: bytes) -> Entry | None:
        """The last put, upload or delete of a key that was pushed."""
        return self._first(_NEWEST, bucket, key)

    def last(self, bucket: str, key: bytes) -> Entry | None:
        """The same, or if there is none the last tag."""
        return self.newest(bucket, key) or self._first(_NEWEST_TAG, bucket, key)

    def _first(self, query: str, bucket: str, key: bytes) -> Entry | None:
        if not bucket.isascii():
            return None
        row = self._store.reader.execute(query, (bucket, key)).fetchone()
        return Entry(*row) if row else None


def is_object(entry: Entry) -> bool:
    """Whether it says what the key is: a tag says nothing of it."""
    return entry.kind != TAG
