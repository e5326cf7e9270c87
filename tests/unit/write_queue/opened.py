"""An open queue store and its journal, without an engine: what is accepted stays."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multidict import CIMultiDict

from s3d.filters.rules import Rules
from s3d.local.bodies import Bodies
from s3d.local.database import Connection, Database
from s3d.s3 import codec
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.store import Store
from s3d.write_queue.accept import accepted, carry_out
from s3d.write_queue.decisions import Decisions
from s3d.write_queue.journal import Journal
from s3d.write_queue.observer import Observer
from s3d.write_queue.operation import Operation
from s3d.write_queue.schema import MIGRATIONS

BUCKET = "bucket"


@dataclass
class Opened:
    """One of them. ``left`` counts how often the journal said that there is room."""

    store: Store
    journal: Journal
    observer: Observer
    left: list[None]
    rules: Rules
    tags: dict[str, Mapping[str, str]]
    """Of buckets."""

    async def do(self, operation: str, members: Mapping[str, Any], body: bytes = b"", **headers: str) -> S3Response:
        """Has the queue accept a request."""
        request: S3Request = codec.build_request(operation, {"Bucket": BUCKET, **members})
        if body:
            request.body = body
        request.headers.extend(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))
        return await carry_out(self.store, await accepted(request))

    async def put(self, key: str, body: bytes = b"body", **headers: str) -> Operation:
        """Has it accept an object; the operation."""
        await self.do("PutObject", {"Key": key}, body, **headers)
        return self.newest()

    def newest(self) -> Operation:
        """The operation that was accepted last."""
        return self.journal.page(None, 0, 1000)[-1]

    def states(self) -> list[tuple[str, str, str]]:
        """Key, kind and state of all operations, in order."""
        return [(o.key.decode(), o.kind, o.state) for o in self.journal.page(None, 0, 1000)]


@contextlib.asynccontextmanager
async def opened(directory: Path, *, versioning: str | None = None) -> AsyncIterator[Opened]:
    """``versioning``: what is known of that of the bucket."""
    directory.mkdir(exist_ok=True)  # noqa: ASYNC240  a test has one task
    database = Database(directory / "queue.db", MIGRATIONS)
    database.open()
    bodies = Bodies(directory, database)
    bodies.open()
    rules = Rules()
    tags: dict[str, Mapping[str, str]] = {}
    observer = Observer(Store(database, bodies), Decisions(rules, tags.get))
    store = Store(database, bodies, observer)

    def make(connection: Connection) -> None:
        row = "INSERT OR IGNORE INTO bucket (name, created, location, versioning) VALUES (?, 0, '', 'Enabled')"
        connection.execute(row, (BUCKET,))
        connection.execute("INSERT OR REPLACE INTO known_bucket VALUES (?, ?, 0, NULL)", (BUCKET, versioning))

    await database.change(make)
    left: list[None] = []
    try:
        yield Opened(store, Journal(store, lambda: left.append(None), 3600), observer, left, rules, tags)
    finally:
        await bodies.close()
        await database.close()
