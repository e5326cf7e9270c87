"""What is not yet at the remote: which operations, in which order, in which state.

    held <──> pending ──begin──> pushing ──done──> (ledger)
                 ^                  │
                 ├────put_off───────┤
                 └──retry── failed <┘fail

What is held and what is let go is said by `s3d.write_queue.decisions`. ``pushing`` means that the remote may have it
already, also after a crash. Methods that read see what is committed; those that change return when it is durable. All of
an operation's bytes go in the transaction in which it goes.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from s3d.local.bodies import Segment
from s3d.local.database import Connection
from s3d.standalone import history
from s3d.standalone import upload as uploads
from s3d.standalone.listing import behind
from s3d.standalone.store import Store
from s3d.standalone.upload import Part
from s3d.standalone.version import COLUMNS as VERSION_COLUMNS
from s3d.standalone.version import Version
from s3d.write_queue.operation import (
    FAILED,
    PENDING,
    PUSHING,
    PUT,
    SMALL,
    TAG,
    UPLOAD,
    Abandoned,
    Change,
    Last,
    Operation,
    Pushed,
)

COLUMNS = (
    "seq, bucket, key, kind, state, accepted, version, size, headers, tags, attempts, next_attempt, error, superseded, "
    "remote_upload, priority, due, said, asked"
)
"""In the order of `Operation`."""

_SELECT = f"SELECT {COLUMNS} FROM operation"
_OF_KEY = f"{_SELECT} WHERE bucket = ? AND key = ? AND superseded = 0 ORDER BY seq"
_FAILED_OF_KEY = f"""
{_SELECT} INDEXED BY operation_failed WHERE bucket = ? AND key = ? AND state = 'failed' AND superseded = 0
"""
_CONTENT = f"{_SELECT} WHERE bucket = ? AND key = ? AND superseded = 0 AND kind <> 'tag' ORDER BY seq DESC LIMIT 1"
_TAGS = f"{_SELECT} WHERE bucket = ? AND key = ? AND superseded = 0 AND kind = 'tag' ORDER BY seq DESC LIMIT 1"
_RUNNABLE = f"""
{_SELECT} INDEXED BY operation_due
WHERE state IN ('pending', 'pushing') AND blocked = 0 AND (next_attempt <= ? OR next_attempt > ?) AND size BETWEEN ? AND ?
ORDER BY priority DESC, due, seq LIMIT ?
"""
_NEXT_ATTEMPT = """
SELECT min(next_attempt) FROM operation INDEXED BY operation_later
WHERE state IN ('pending', 'pushing') AND blocked = 0 AND next_attempt > 0 AND next_attempt > ?
"""
_CHANGES = f"""
SELECT newest.key, {", ".join(f"v.{name}" for name in VERSION_COLUMNS.split(", "))} FROM (
    SELECT key, max(seq) AS seq FROM operation
    WHERE bucket = :bucket AND key >= :first AND key < :last AND kind <> 'tag' AND superseded = 0
    GROUP BY key ORDER BY key LIMIT :limit
) AS newest
JOIN operation AS o ON o.seq = newest.seq
LEFT JOIN object AS v ON v.bucket = (SELECT id FROM bucket WHERE name = :bucket) AND v.key = o.key AND o.kind <> 'delete'
ORDER BY newest.key
"""
_INSERT_LEDGER = f"INSERT OR REPLACE INTO ledger VALUES ({', '.join('?' * 10)})"
LONGEST = 3600.0
"""Seconds that an operation is put off at most. What is to wait for longer was put off before the clock was set back."""
_FORGET_EVERY = 60.0
"""Seconds after which the ledger is searched again for what is too old."""
_NO_UPLOAD = Abandoned("", b"", "")
_LARGEST = (1 << 63) - 1


class Journal:
    """The operations of one queue. ``changed`` is called when one has gone, or will not go by itself, or may go again;
    ``decide``, inside the transaction, when one is ``pending`` again: meanwhile the rules may have changed."""

    def __init__(
        self,
        store: Store,
        changed: Callable[[], None],
        ledger_age: float,
        decide: Callable[[Connection, Operation], object] = lambda _connection, _operation: None,
    ) -> None:
        self._store = store
        self._changed = changed
        self._decide = decide
        self._ledger_age = ledger_age
        self._forget_at = 0.0

    # Reading.

    def runnable(self, now: float, limit: int, *, small: bool | None = None) -> list[Operation]:
        """What can be pushed now, the most urgent first: of each key the oldest. Those that are being pushed are among
        them. ``small``: only those up to `SMALL`, only larger ones, or any."""
        first, last = {None: (0, _LARGEST), True: (0, SMALL), False: (SMALL + 1, _LARGEST)}[small]
        return self._list(_RUNNABLE, (now, now + LONGEST, first, last, limit))

    def next_attempt(self, after: float = 0.0) -> float | None:
        """The earliest time behind ``after`` that an operation waits for (Unix seconds)."""
        return self._one(_NEXT_ATTEMPT, (after,))  # type: ignore[no-any-return]  # a REAL column

    def find(self, seq: int) -> Operation | None:
        return _first(self._list(f"{_SELECT} WHERE seq = ?", (seq,))) if seq <= _LARGEST else None

    def of_key(self, bucket: str, key: bytes) -> list[Operation]:
        """Those of a key that are still to be carried out, in their order; failed ones are among them."""
        return self._list(_OF_KEY, (bucket, key)) if bucket.isascii() else []

    def content(self, bucket: str, key: bytes) -> Operation | None:
        """What decides whether there is an object, and which: the newest put, upload or delete. None: the remote."""
        return _first(self._list(_CONTENT, (bucket, key))) if bucket.isascii() else None

    def tags(self, bucket: str, key: bytes) -> Operation | None:
        """The newest tag."""
        return _first(self._list(_TAGS, (bucket, key))) if bucket.isascii() else None

    def changes(self, bucket: str, prefix: bytes, after: bytes, limit: int, *, inclusive: bool = False) -> list[Change]:
        """What keys behind ``after`` (or with it) that begin with ``prefix`` will be, in byte order; not those that stay
        as they are."""
        if not bucket.isascii():
            return []
        first = max(prefix, after if inclusive else after + b"\0")
        parameters = {"bucket": bucket, "first": first, "last": behind(prefix), "limit": limit}
        rows = self._store.reader.execute(_CHANGES, parameters)
        return [Change(row[0], Version(*row[1:]) if row[1] is not None else None) for row in rows]

    def version(self, operation: Operation) -> Version | None:
        """The version that an operation pushes; a delete marker of a delete. None: there is none, or it is gone."""
        return version_of(self._store.reader, operation)

    def segments(self, version: Version) -> Sequence[Segment]:
        """Its bodies, one after the other."""
        return self._store.segments(version)

    def digests(self, version: Version) -> list[bytes]:
        """The MD5 of each of its bodies (16 bytes)."""
        if version.upload is not None:
            query = "SELECT body.md5 FROM part JOIN body ON body.id = part.body WHERE part.upload = ? ORDER BY number"
            return [md5 for (md5,) in self._store.reader.execute(query, (version.upload,))]
        return [md5 for (md5,) in self._store.reader.execute("SELECT md5 FROM body WHERE id = ?", (version.body,))]

    def parts(self, version: Version) -> list[Part]:
        """Of an object that came in parts: the client's own."""
        return uploads.parts(self._store.reader, version.upload) if version.upload is not None else []

    def pushed_parts(self, operation: Operation) -> dict[int, str]:
        """ETags at the remote by the number of the part."""
        query = "SELECT number, etag FROM pushed_part WHERE operation = ?"
        return dict(self._store.reader.execute(query, (operation.seq,)).fetchall())

    def last_pushed(self, operation: Operation) -> Last | None:
        """What was pushed last of the same key, as far as the ledger goes back."""
        query = (
            "SELECT kind, version_id FROM ledger WHERE bucket = ? AND key = ? AND kind <> ? ORDER BY seq DESC LIMIT 1"
        )
        row = self._store.reader.execute(query, (operation.bucket, operation.key, TAG)).fetchone()
        return Last(*row) if row else None

    def remote_uploads(self, bucket: str) -> set[str]:
        """UploadIds at the remote that are the queue's own: to clients these uploads are objects already, or nothing."""
        query = (
            "SELECT remote_upload FROM operation WHERE bucket = ?1 AND kind = 'upload' AND remote_upload IS NOT NULL "
            "UNION ALL SELECT upload_id FROM abandoned_upload WHERE bucket = ?1"
        )
        return {upload_id for (upload_id,) in self._store.reader.execute(query, (bucket,))}

    def abandoned(self, limit: int, after: Abandoned = _NO_UPLOAD) -> list[Abandoned]:
        """Uploads that are to be aborted at the remote, in their order."""
        query = (
            "SELECT bucket, key, upload_id FROM abandoned_upload WHERE (bucket, key, upload_id) > (?, ?, ?) "
            "ORDER BY bucket, key, upload_id LIMIT ?"
        )
        at = (after.bucket, after.key, after.upload_id)
        return [Abandoned(*row) for row in self._store.reader.execute(query, (*at, limit))]

    def page(self, state: str | None, after: int, limit: int) -> list[Operation]:
        """Those behind a ``seq``, in order; of one state, or of all."""
        if state is None:
            return self._list(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return self._list(f"{_SELECT} WHERE state = ? AND seq > ? ORDER BY seq LIMIT ?", (state, after, limit))

    def undone(self, bucket: str | None, states: Sequence[str], after: int, limit: int) -> list[Operation]:
        """Objects behind a ``seq``, in order, of which nothing was begun (pending, held): of one bucket, or of all."""
        where = "WHERE state IN (?1, ?2) AND kind IN ('put', 'upload') AND seq > ?3 AND bucket = ifnull(?4, bucket)"
        return self._list(f"{_SELECT} {where} ORDER BY seq LIMIT ?5", (states[0], states[-1], after, bucket, limit))

    def last(self) -> int:
        """The highest ``seq`` that is committed; 0: there is none."""
        return last_seq(self._store.reader)

    def totals(self) -> dict[str, dict[str, int]]:
        """``count`` and ``bytes`` by state."""
        rows = self._store.reader.execute("SELECT state, count(*), sum(size) FROM operation GROUP BY state")
        return {state: {"count": count, "bytes": size} for state, count, size in rows}

    def oldest(self) -> float | None:
        """When the oldest that is neither failed nor held was accepted (Unix seconds)."""
        query = "SELECT accepted FROM operation WHERE state IN ('pending', 'pushing') ORDER BY seq LIMIT 1"
        return self._one(query)  # type: ignore[no-any-return]  # a REAL column

    def waiting(self) -> int:
        """How many are neither failed nor held."""
        return int(self._one("SELECT count(*) FROM operation WHERE state IN ('pending', 'pushing')"))

    def is_drained(self) -> bool:
        """Whether none is left that is neither failed nor held: as `waiting`, without counting."""
        query = "SELECT 1 FROM operation WHERE state IN ('pending', 'pushing') LIMIT 1"
        return self._store.reader.execute(query).fetchone() is None

    def usage(self) -> tuple[int, int]:
        """Bytes of all bodies, and how many operations have one."""
        size, files = self._store.reader.execute("SELECT bytes, files FROM usage").fetchone()
        return size, files

    def used(self) -> tuple[int, int]:
        """The same as the limits count it: a copy as much as its source, though they share their bytes."""
        size, files = self._store.reader.execute("SELECT bytes + shared, files FROM usage").fetchone()
        return size, files

    def held(self) -> tuple[int, int]:
        """The same as `used` of what is held."""
        size, files = self._store.reader.execute("SELECT held_bytes, held_files FROM usage").fetchone()
        return size, files

    def held_buckets(self, *, undecided: bool = False) -> list[str]:
        """Those with held objects; or only with such that are held because something was not known."""
        query = f"SELECT DISTINCT bucket FROM operation WHERE state = 'held' {'AND undecided = 1' if undecided else ''}"
        return [bucket for (bucket,) in self._store.reader.execute(query)]

    def versioning(self, bucket: str) -> str | None:
        """As last asked: Enabled, Suspended, '' for never; None: not known."""
        return versioning(self._store.reader, bucket)

    # Changing.

    async def begin(self, operation: Operation) -> bool:
        """Before the first byte goes to the remote. False: the operation is gone, or not to be pushed any more."""

        def change(connection: Connection) -> bool:
            update = "UPDATE operation SET state = 'pushing', attempts = attempts + 1 WHERE seq = ? AND state IN (?, ?)"
            return connection.execute(update, (operation.seq, PENDING, PUSHING)).rowcount == 1

        return await self._store.database.change(change, soon=False)

    def not_sent(self, operation: Operation) -> None:
        """`begin` is taken back, soon, unless it has begun again by then: nothing of it went to the remote. ``operation``
        as it was before."""
        if operation.state != PENDING:
            return
        update = (
            "UPDATE operation SET state = 'pending', attempts = attempts - 1 "
            "WHERE seq = ? AND state = 'pushing' AND attempts = ?"
        )

        def change(connection: Connection) -> None:
            if connection.execute(update, (operation.seq, operation.attempts + 1)).rowcount:
                self._back(connection, operation)

        self._store.database.change_later(change)

    async def upload_begun(self, operation: Operation, upload_id: str) -> None:
        """The remote's UploadId. If the operation is gone meanwhile, the upload is to be aborted."""

        def change(connection: Connection) -> None:
            update = "UPDATE operation SET remote_upload = ? WHERE seq = ?"
            if not connection.execute(update, (upload_id, operation.seq)).rowcount:
                _abandon(connection, Abandoned(operation.bucket, operation.key, upload_id))

        await self._store.database.change(change)

    async def forget_upload(self, operation: Operation) -> None:
        """What was begun at the remote is to be aborted, and the next attempt begins another upload."""

        def change(connection: Connection) -> None:
            _abandon_upload_of(connection, operation, None)
            connection.execute("UPDATE operation SET remote_upload = NULL WHERE seq = ?", (operation.seq,))
            connection.execute("DELETE FROM pushed_part WHERE operation = ?", (operation.seq,))

        await self._store.database.change(change)

    async def abandon(self, upload: Abandoned) -> None:
        """It is to be aborted at the remote."""
        await self._store.database.change(lambda connection: _abandon(connection, upload))

    async def aborted(self, upload: Abandoned) -> None:
        """It is gone there."""
        delete = "DELETE FROM abandoned_upload WHERE bucket = ? AND key = ? AND upload_id = ?"
        row = (upload.bucket, upload.key, upload.upload_id)
        await self._store.database.change(lambda connection: connection.execute(delete, row) and None, soon=False)

    async def part_pushed(self, operation: Operation, number: int, etag: str) -> None:
        """The remote has that part."""

        def change(connection: Connection) -> None:
            insert = "INSERT OR REPLACE INTO pushed_part (operation, number, etag) VALUES (?, ?, ?)"
            connection.execute(insert, (operation.seq, number, etag))

        await self._store.database.change(change, soon=False)

    async def done(self, operation: Operation, pushed: Pushed) -> None:
        """The remote confirmed it: it goes, with its bytes, and into the ledger."""

        def change(connection: Connection) -> None:
            now = time.time()
            remove(connection, self._store, operation, completed=pushed.upload_id)
            o, p = operation, pushed
            row = (o.seq, o.bucket, o.key, o.kind, o.size, p.etag, p.checksum, p.version_id, o.accepted, now)
            connection.execute(_INSERT_LEDGER, row)
            if now >= self._forget_at or now < self._forget_at - _FORGET_EVERY:  # also when the clock was set back
                connection.execute("DELETE FROM ledger WHERE pushed < ?", (now - self._ledger_age,))
                self._forget_at = now + min(_FORGET_EVERY, self._ledger_age)

        await self._store.database.change(change, soon=False)
        self._changed()

    async def put_off(self, operation: Operation, error: Mapping[str, Any], until: float, *, ambiguous: bool) -> None:
        """To be tried again, not before ``until`` (Unix seconds). ``ambiguous``: the remote may have it."""
        state = PUSHING if ambiguous else PENDING
        update = "UPDATE operation SET state = ?, error = ?, next_attempt = ? WHERE seq = ? AND state IN (?, ?)"
        parameters = (state, json.dumps(error), until, operation.seq, PENDING, PUSHING)

        def change(connection: Connection) -> None:
            if connection.execute(update, parameters).rowcount and not ambiguous:
                self._back(connection, operation)

        await self._store.database.change(change)

    async def fail(self, operation: Operation, error: Mapping[str, Any]) -> None:
        """The remote refused it for good. If a later change replaces it, it blocks nothing and is not seen any more."""

        def change(connection: Connection) -> None:
            newest = _first(_operations(connection.execute(_CONTENT, (operation.bucket, operation.key))))
            superseded = newest is not None and newest.seq > operation.seq
            if superseded:
                remove_tags_of(connection, self._store, operation)
            update = "UPDATE operation SET state = ?, error = ?, superseded = ? WHERE seq = ?"
            connection.execute(update, (FAILED, json.dumps(error), superseded, operation.seq))

        await self._store.database.change(change)
        self._changed()

    async def retry(self, operation: Operation) -> bool:
        """failed -> pending, as if it were new. False: it is not failed, or a later change replaces it."""
        update = (
            "UPDATE operation SET state = 'pending', attempts = 0, next_attempt = 0 "
            "WHERE seq = ? AND state = 'failed' AND superseded = 0"
        )

        def change(connection: Connection) -> bool:
            retried = connection.execute(update, (operation.seq,)).rowcount == 1
            if retried:
                self._back(connection, operation)
            return retried

        retried = await self._store.database.change(change)
        self._changed()
        return retried

    async def drop(self, operation: Operation) -> bool:
        """Removes it and its bytes for good, and the tags that were meant for it: what the key was before is seen again.
        One that is being sent may arrive all the same. False: it is gone already, or is a tag whose object waits, too:
        it goes with that."""

        def change(connection: Connection) -> bool:
            query = "SELECT superseded FROM operation WHERE seq = ?"
            found = connection.execute(query, (operation.seq,)).fetchone()
            if found is None or _is_behind_its_object(connection, operation):
                return False
            if not found[0]:
                remove_tags_of(connection, self._store, operation)
            remove(connection, self._store, operation)
            return True

        dropped = await self._store.database.change(change)
        self._changed()
        return dropped

    def _back(self, connection: Connection, operation: Operation) -> None:
        """It is ``pending`` again: nothing of it is at the remote."""
        self._decide(connection, operation)

    # Rows: for functions inside a transaction.

    def _list(self, query: str, parameters: Sequence[object]) -> list[Operation]:
        return _operations(self._store.reader.execute(query, parameters))

    def _one(self, query: str, parameters: Sequence[object] = ()) -> Any:
        row = self._store.reader.execute(query, parameters).fetchone()
        return row[0] if row else None


def last_seq(connection: Connection) -> int:
    """The highest of all operations; 0: there is none."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM operation").fetchone()[0])


def newest(connection: Connection, operation: Operation) -> bool:
    """Whether it decides what its key is, inside a transaction."""
    found = _first(_operations(connection.execute(_CONTENT, (operation.bucket, operation.key))))
    return found is not None and found.seq == operation.seq


def remove(connection: Connection, store: Store, operation: Operation, *, completed: str | None = None) -> None:
    """Removes an operation with its version and bytes, inside a transaction. What was begun of it at the remote is to be
    aborted there, but for the upload that was completed."""
    if operation.kind == UPLOAD:
        _abandon_upload_of(connection, operation, completed)
        connection.execute("DELETE FROM pushed_part WHERE operation = ?", (operation.seq,))
    if operation.version is not None:
        bucket = connection.execute("SELECT id FROM bucket WHERE name = ?", (operation.bucket,)).fetchone()
        if bucket is not None:
            history.remove_seq(connection, store.bodies, bucket[0], operation.key, operation.version)
    connection.execute("DELETE FROM operation WHERE seq = ?", (operation.seq,))


def _is_behind_its_object(connection: Connection, operation: Operation) -> bool:
    before = [other for other in older(connection, operation.bucket, operation.key) if other.seq < operation.seq]
    return operation.kind == TAG and any(other.kind in (PUT, UPLOAD) for other in before)


def remove_tags_of(connection: Connection, store: Store, operation: Operation) -> None:
    """Removes the tags that wait for the object of an operation, inside a transaction: they would become another's."""
    if operation.kind == TAG:
        return
    behind = (o for o in older(connection, operation.bucket, operation.key) if o.seq > operation.seq)
    for tag in list(itertools.takewhile(lambda o: o.kind == TAG, behind)):
        remove(connection, store, tag)


def _abandon_upload_of(connection: Connection, operation: Operation, completed: str | None) -> None:
    """As the journal has it now: ``operation`` may be older than its upload."""
    query = "SELECT remote_upload FROM operation WHERE seq = ? AND remote_upload IS NOT NULL"
    row = connection.execute(query, (operation.seq,)).fetchone()
    if row is not None and row[0] != completed:
        _abandon(connection, Abandoned(operation.bucket, operation.key, row[0]))


def _abandon(connection: Connection, upload: Abandoned) -> None:
    row = (upload.bucket, upload.key, upload.upload_id)
    connection.execute("INSERT OR IGNORE INTO abandoned_upload VALUES (?, ?, ?)", row)


def older(connection: Connection, bucket: str, key: bytes) -> list[Operation]:
    """Those of a key that are not superseded, in their order, inside a transaction."""
    return _operations(connection.execute(_OF_KEY, (bucket, key)))


def failed(connection: Connection, bucket: str, key: bytes) -> list[Operation]:
    """The failed ones among them."""
    return _operations(connection.execute(_FAILED_OF_KEY, (bucket, key)))


def versioning(connection: Connection, bucket: str) -> str | None:
    """See `Journal.versioning`."""
    row = connection.execute("SELECT versioning FROM known_bucket WHERE name = ?", (bucket,)).fetchone()
    return row[0] if row else None


def version_of(connection: Connection, operation: Operation) -> Version | None:
    """See `Journal.version`."""
    if operation.version is None:
        return None
    where = "WHERE bucket = (SELECT id FROM bucket WHERE name = ?) AND key = ? AND seq = ?"
    at = (operation.bucket, operation.key, operation.version)
    row = connection.execute(f"SELECT {VERSION_COLUMNS}, 0 FROM object {where}", at).fetchone()
    row = row or connection.execute(f"SELECT {VERSION_COLUMNS}, marker FROM noncurrent {where}", at).fetchone()
    return Version(*row) if row else None


def _operations(rows: Iterable[Sequence[Any]]) -> list[Operation]:
    return [Operation(*row) for row in rows]


def _first(found: list[Operation]) -> Operation | None:
    return found[0] if found else None
