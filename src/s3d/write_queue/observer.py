"""Writes the journal: each change of the queue's store becomes an operation in the transaction that makes it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from s3d.local.bodies import Bodies
from s3d.local.database import Connection, Database
from s3d.s3.errors import S3Error
from s3d.standalone.bucket import Bucket
from s3d.standalone.metadata import headers_of
from s3d.standalone.store import Call, Store
from s3d.standalone.version import Version
from s3d.write_queue.journal import failed, older, remove, remove_tags_of, versioning
from s3d.write_queue.operation import DELETE, PENDING, PUSHING, PUT, TAG, UPLOAD, Operation

_INSERT = """
INSERT INTO operation (bucket, key, kind, state, accepted, version, size, headers, tags)
VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?)
"""
_NO_HEADERS = "[]"


@dataclass(slots=True)
class Accepted(Call):
    """A request that the queue takes. ``client_headers``: those that go to the remote (JSON, [[name, value], ...]);
    ``request`` has only those that the queue's store understands."""

    client_headers: str = _NO_HEADERS


class Observer:
    """Of one store; see `s3d.standalone.store.Observer`. ``superseded`` counts what need not be pushed any more."""

    def __init__(self, database: Database, bodies: Bodies) -> None:
        self._store = Store(database, bodies)
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
        self._replace(connection, call.bucket, call.key)
        row = (call.bucket, call.key, kind, time.time(), version.seq, version.size, headers, None)
        connection.execute(_INSERT, row)

    def deleted(self, connection: Connection, bucket: Bucket, marker: Version) -> None:
        self._replace(connection, bucket.name, marker.key)
        row = (bucket.name, marker.key, DELETE, time.time(), marker.seq, 0, _NO_HEADERS, None)
        connection.execute(_INSERT, row)

    def tagged(self, connection: Connection, bucket: Bucket, version: Version, tags: str | None) -> None:
        """A version that was not sent yet is pushed with its new tags; one that may be at the remote gets them after it."""
        there = older(connection, bucket.name, version.key)
        pushed = next((o for o in there if o.version == version.seq), None)
        if pushed is None:  # it was confirmed a moment ago, and is removed by the next transaction but one
            raise S3Error("SlowDown", "The object is just being handed over: repeat the request.")
        behind = [o for o in there if o.kind == TAG and o.state == PENDING and o.seq > pushed.seq]
        self._forget(connection, behind)
        if pushed.state != PUSHING:
            return
        row = (bucket.name, version.key, TAG, time.time(), None, 0, _NO_HEADERS, tags)
        connection.execute(_INSERT, row)

    def _replace(self, connection: Connection, bucket: str, key: bytes) -> None:
        """What a new object or a delete makes of the operations before it. A bucket that is known to have no versions would
        forget them at once: what was not begun is not pushed at all, with its tags. What failed stays, and blocks nothing
        any more."""
        for operation in failed(connection, bucket, key):
            remove_tags_of(connection, self._store, operation)
            connection.execute("UPDATE operation SET superseded = 1 WHERE seq = ?", (operation.seq,))
        if versioning(connection, bucket) == "":
            self._forget(connection, _not_begun(older(connection, bucket, key)))

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
            is_gone = operation.state == PENDING
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
