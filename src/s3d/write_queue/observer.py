"""Writes the journal: each change of the queue's store becomes an operation in the transaction that makes it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from s3d.filters.decide import Said, kept
from s3d.local.database import Connection
from s3d.s3.errors import S3Error
from s3d.standalone.bucket import Bucket
from s3d.standalone.metadata import headers_of
from s3d.standalone.store import Call, Store
from s3d.standalone.version import Version
from s3d.write_queue.decisions import Decisions, hurry
from s3d.write_queue.journal import failed, older, remove, remove_tags_of, versioning
from s3d.write_queue.operation import DELETE, HELD, NO_DEADLINE, PENDING, PUSHING, PUT, TAG, UPLOAD, Operation, asked

_INSERT = """
INSERT INTO operation (
    bucket, key, kind, state, accepted, version, size, headers, tags, priority, due, undecided, said, asked
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NO_HEADERS = "[]"


@dataclass(slots=True)
class Accepted(Call):
    """A request that the queue takes. ``client_headers``: those that go to the remote (JSON, [[name, value], ...]);
    ``request`` has only those that the queue's store understands."""

    client_headers: str = _NO_HEADERS
    state: str = PENDING
    """Of what it became: pending or held."""
    is_usual: bool = True
    """It comes behind all others."""

    @property
    def said(self) -> Said | None:
        """By the policy."""
        found: Said | None = self.request.said
        return found

    @property
    def asked(self) -> str | None:
        """What the policy was asked, see `s3d.write_queue.operation.asked`."""
        return None if self.request.said is None else asked(self.request)


class Observer:
    """Of one store, which is given without an observer; see `s3d.standalone.store.Observer`. ``superseded`` counts what
    need not be pushed any more."""

    def __init__(self, store: Store, decisions: Decisions) -> None:
        self._store = store
        self._decisions = decisions
        self.superseded = 0

    def begun(self, connection: Connection, call: Call, upload: int) -> None:
        assert isinstance(call, Accepted)  # noqa: S101  the queue makes no others
        connection.execute("INSERT INTO upload_request VALUES (?, ?)", (upload, call.client_headers))

    def wrote(self, connection: Connection, call: Call, version: Version) -> None:
        """Also a completed upload: then the headers are those of its CreateMultipartUpload."""
        assert isinstance(call, Accepted)  # noqa: S101  the queue makes no others
        kind, headers = PUT, call.client_headers
        if version.upload is not None:
            kind = UPLOAD
            taken = "DELETE FROM upload_request WHERE upload = ? RETURNING headers"
            headers = connection.execute(taken, (version.upload,)).fetchone()[0]
        elif call.request.operation == "CopyObject":
            headers = stored_headers([*headers_of(version.headers), *json.loads(headers), *_checksum(version)])
        verdict = self._decisions.of_version(call.bucket, version, call.said)
        is_behind = self._replace(connection, call.bucket, call.key, is_held=verdict.state == HELD)
        call.state, call.is_usual = verdict.state, verdict.is_usual
        now = time.time()
        due = verdict.due(now)
        row = (call.bucket, call.key, kind, verdict.state, now, version.seq, version.size, headers, None)
        connection.execute(_INSERT, (*row, verdict.priority, due, not verdict.is_known, kept(call.said), call.asked))
        if is_behind and verdict.state == PENDING:
            hurry(connection, call.bucket, call.key, verdict.priority, due)

    def deleted(self, connection: Connection, bucket: Bucket, marker: Version) -> None:
        is_behind = self._replace(connection, bucket.name, marker.key)
        verdict = self._decisions.of_delete(bucket.name)
        now = time.time()
        due = verdict.due(now)
        row = (bucket.name, marker.key, DELETE, PENDING, now, marker.seq, 0, _NO_HEADERS, None)
        connection.execute(_INSERT, (*row, verdict.priority, due, 0, None, None))
        if is_behind:
            hurry(connection, bucket.name, marker.key, verdict.priority, due)

    def tagged(self, connection: Connection, call: Call, bucket: Bucket, version: Version, tags: str | None) -> None:
        """A version that was not sent yet is pushed with its new tags, or held, or let go, as these say; one that may be at
        the remote gets them after it."""
        assert isinstance(call, Accepted)  # noqa: S101  the queue makes no others
        there = older(connection, bucket.name, version.key)
        pushed = next((o for o in there if o.version == version.seq), None)
        if pushed is None:  # it was confirmed a moment ago, and is removed by the next transaction but one
            raise S3Error("SlowDown", "The object is just being handed over: repeat the request.")
        behind = [o for o in there if o.kind == TAG and o.state == PENDING and o.seq > pushed.seq]
        self._forget(connection, behind)
        if pushed.state == PUSHING:
            row = (bucket.name, version.key, TAG, PENDING, time.time(), None, 0, _NO_HEADERS, tags)
            connection.execute(_INSERT, (*row, pushed.priority, NO_DEADLINE, 0, None, None))
            return
        tagged = dataclasses.replace(version, tags=tags)
        call.is_usual = not self._decisions.again(connection, pushed, tagged, call.said, call.asked)
        (call.state,) = connection.execute("SELECT state FROM operation WHERE seq = ?", (pushed.seq,)).fetchone()

    def _replace(self, connection: Connection, bucket: str, key: bytes, *, is_held: bool = False) -> bool:
        """What a new object or a delete makes of the operations before it. A bucket that is known to have no versions would
        forget them at once: what was not begun is not pushed at all, with its tags; but what is held replaces nothing at
        the remote. What was held goes: nobody can read it any more. What failed stays, and blocks nothing any more.
        Whether something is to be pushed before it."""
        for operation in failed(connection, bucket, key):
            remove_tags_of(connection, self._store, operation)
            connection.execute("UPDATE operation SET superseded = 1 WHERE seq = ?", (operation.seq,))
        before = older(connection, bucket, key)
        if versioning(connection, bucket) == "" and not is_held:
            gone = _not_begun(before)
        else:
            gone = [operation for operation in before if operation.state == HELD]
        self._forget(connection, gone)
        return len(gone) < len(before)

    def _forget(self, connection: Connection, operations: list[Operation]) -> None:
        for operation in operations:
            remove(connection, self._store, operation)
        self.superseded += len(operations)


def _not_begun(operations: list[Operation]) -> list[Operation]:
    """Those of a key that nobody can have seen. A tag goes with its object: if the change that replaces both is dropped, an
    object that has arrived is seen again, and as it was tagged."""
    found: list[Operation] = []
    is_gone = False
    for operation in operations:
        if operation.kind != TAG:
            is_gone = operation.state in (PENDING, HELD)
        if is_gone:
            found.append(operation)
    return found


def _checksum(version: Version) -> list[tuple[str, str]]:
    """The header with which a copy has the algorithm of its source, or the one asked for. S3's own comes by itself."""
    algorithm, _, value = (version.checksum or "").partition(":")
    return [(f"x-amz-checksum-{algorithm.lower()}", value)] if algorithm not in ("", "CRC64NVME") else []


def stored_headers(fields: Iterable[tuple[str, str]]) -> str:
    """As the column holds them."""
    return json.dumps(list(fields))
