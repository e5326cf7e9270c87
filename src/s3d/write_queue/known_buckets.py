"""Which buckets there are at the remote, as far as it was asked: what is accepted for one must be able to arrive."""

from __future__ import annotations

import asyncio
import logging
import time

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import S3Response
from s3d.s3.whole import read_whole
from s3d.standalone.store import Store

log = logging.getLogger("s3d.write_queue")

_AGE = 300.0
"""Seconds after which the remote is asked again, in the background: versions can be enabled, a bucket can go."""


class KnownBuckets:
    """Remembered in the database. ``take_for_granted``: accept what is for a bucket that the remote was never asked for."""

    def __init__(self, store: Store, inner: Backend, *, take_for_granted: bool) -> None:
        self._store = store
        self._inner = inner
        self._take_for_granted = take_for_granted
        self._asked = dict(store.reader.execute("SELECT name, asked FROM known_bucket"))
        self._asking: dict[str, asyncio.Task[None]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._asked

    async def require(self, name: str) -> None:
        """Returns if there is such a bucket. Raises NoSuchBucket, what else the remote says, RemoteUnreachable."""
        asked = self._asked.get(name)
        if asked is None:
            await self._ask(name)
        elif not 0 <= time.time() - asked <= _AGE and name not in self._asking:
            self._asking[name] = task = asyncio.get_running_loop().create_task(self._ask_again(name))
            task.add_done_callback(lambda _: self._asking.pop(name, None))

    async def refresh(self, name: str) -> None:
        """Its versioning may have changed: until the remote has said what it is, nobody knows."""
        if name in self._asked:
            await self._remember(name, None, 0.0)
            await self._ask_again(name)

    async def forget(self, name: str) -> None:
        """It was deleted, or may have been: the next to use it asks."""
        self._asked.pop(name, None)
        await self._store.database.change(lambda c: _execute(c, "DELETE FROM known_bucket WHERE name = ?", (name,)))

    async def close(self) -> None:
        """Ends questions that go on."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str) -> None:
        """One HeadBucket, and one GetBucketVersioning."""
        try:
            response = await self._send("HeadBucket", name)
        except RemoteUnreachable:
            if not self._take_for_granted:
                raise
            await self._remember(name, None, 0.0)
            return
        if response.status == 404:
            await self.forget(name)
            raise S3Error("NoSuchBucket", elements={"BucketName": name})
        if response.status >= 500 or response.status in (400, 429):
            raise RemoteUnreachable(f"The remote S3 answers {response.status} to the question for the bucket.")
        # 403 is a bucket, too: whether an object may be put there is another question than whether it may be looked at.
        await self._remember(name, await self._versioning(name), time.time())

    async def _ask_again(self, name: str) -> None:
        try:
            await self._ask(name)
        except S3Error as error:
            log.debug("asking for a bucket again", extra={"bucket": name, "error": error.message})
            if name in self._asked:
                self._asked[name] = time.time()

    async def _versioning(self, name: str) -> str | None:
        try:
            response = await self._send("GetBucketVersioning", name)
        except RemoteUnreachable:
            return None
        if response.status != 200 or not isinstance(response.body, bytes):
            return None
        try:
            found = codec.parse_response("GetBucketVersioning", response, response.body)
        except S3Error:
            return None
        return str(found.get("Status") or "")

    async def _send(self, operation: str, name: str) -> S3Response:
        request = codec.build_request(operation, {"Bucket": name})
        try:
            return await read_whole(await self._inner(request))
        except RemoteUnreachable:
            raise
        except S3Error as error:  # an embedded store raises what a remote answers
            return error_response(error, resource=f"/{name}", request_id="", head=request.method == "HEAD")

    async def _remember(self, name: str, versioning: str | None, asked: float) -> None:
        def change(connection: Connection) -> None:
            row = "INSERT OR REPLACE INTO known_bucket (name, versioning, asked) VALUES (?, ?, ?)"
            connection.execute(row, (name, versioning, asked))
            # Each change of an object is to be a version of its own here, whatever the bucket is at the remote.
            own = "INSERT OR IGNORE INTO bucket (name, created, location, versioning) VALUES (?, ?, '', 'Enabled')"
            connection.execute(own, (name, int(time.time())))

        await self._store.database.change(change)
        self._asked[name] = asked

    # The list of all buckets, for times when the remote is away.

    def remember_list(self, document: bytes) -> None:
        """Keeps the XML of an answer to ListBuckets."""
        insert = "INSERT OR REPLACE INTO last_answer VALUES ('ListBuckets', ?)"
        self._store.database.change_later(lambda c: _execute(c, insert, (document.decode("utf-8", "replace"),)))

    def last_list(self) -> bytes | None:
        """What `remember_list` kept last."""
        row = self._store.reader.execute("SELECT value FROM last_answer WHERE name = 'ListBuckets'").fetchone()
        return row[0].encode() if row else None


def _execute(connection: Connection, statement: str, parameters: tuple[object, ...]) -> None:
    connection.execute(statement, parameters)
