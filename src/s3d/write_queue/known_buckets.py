"""Which buckets there are at the remote, with their tags, as far as it was asked: what is accepted for one must be able to
arrive."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from s3d.local.database import Connection
from s3d.local.questions import Questions
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
    """Remembered in the database. ``take_for_granted``: accept what is for a bucket that the remote was never asked for.
    ``retagged`` is called when a bucket has other tags than before."""

    def __init__(
        self,
        store: Store,
        inner: Backend,
        *,
        take_for_granted: bool,
        retagged: Callable[[str], Awaitable[object]] | None = None,
    ) -> None:
        self._store = store
        self._inner = inner
        self._take_for_granted = take_for_granted
        self._retagged = retagged
        rows = store.reader.execute("SELECT name, asked, tags FROM known_bucket").fetchall()
        self._asked = {name: asked for name, asked, _ in rows}
        self._tags: dict[str, dict[str, str] | None] = {name: json.loads(tags) for name, _, tags in rows if tags}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._questions = Questions()

    def __contains__(self, name: str) -> bool:
        return name in self._asked

    async def require(self, name: str) -> None:
        """Returns if there is such a bucket. Raises NoSuchBucket, what else the remote says, RemoteUnreachable."""
        asked = self._asked.get(name)
        if asked is None:
            if not name.isascii():
                raise S3Error("InvalidBucketName", elements={"BucketName": name})
            await self._ask(name)
        elif self._is_old(name) and name not in self._asking:
            self._asking[name] = task = asyncio.get_running_loop().create_task(self._ask_again(name))
            task.add_done_callback(lambda _: self._asking.pop(name, None))

    def tags(self, name: str) -> Mapping[str, str] | None:
        """Those of a bucket, as they were last; None: not known."""
        return self._tags.get(name)

    async def look_again(self, name: str) -> None:
        """Asks if that is due, or if its tags are not known. What goes wrong is asked the next time."""
        if name not in self._asked or self._is_old(name) or self.tags(name) is None:
            await self._ask_again(name)

    def change(self, name: str) -> None:
        """The remote is asked to change it: what it said before counts no more."""
        self._questions.change(name)

    async def retag(self, name: str, tags: Mapping[str, str] | None) -> None:
        """It has these tags now; None: other ones, perhaps, and the next to use it asks."""
        self.change(name)
        if name not in self._asked:
            return
        if tags is None:
            self._asked[name] = 0.0
            return
        row = ("UPDATE known_bucket SET tags = ? WHERE name = ?", (json.dumps(dict(tags)), name))
        await self._store.database.change(lambda connection: _execute(connection, *row))
        self._tags[name] = dict(tags)
        if self._retagged is not None:
            await self._retagged(name)

    async def refresh(self, name: str) -> None:
        """Its versioning may have changed: until the remote has said what it is, nobody knows."""
        self.change(name)
        if name in self._asked:
            self._asked[name] = 0.0
            row = ("UPDATE known_bucket SET versioning = NULL, asked = 0 WHERE name = ?", (name,))
            await self._store.database.change(lambda connection: _execute(connection, *row))
            await self._ask_again(name)

    async def forget(self, name: str) -> None:
        """It was deleted, or may have been: the next to use it asks."""
        self.change(name)
        self._tags.pop(name, None)
        if self._asked.pop(name, None) is not None:
            await self._store.database.change(lambda c: _execute(c, "DELETE FROM known_bucket WHERE name = ?", (name,)))

    async def close(self) -> None:
        """Ends questions that go on."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str) -> None:
        """One HeadBucket, one GetBucketVersioning and one GetBucketTagging; again if it was changed meanwhile."""
        try:
            versioning, tags = await self._questions.ask(name, partial(self._found, name))
        except RemoteUnreachable:
            if not self._take_for_granted or name in self._asked:
                raise
            await self._remember(name, None, None, 0.0)
            return
        before = self._tags.get(name)
        await self._remember(name, versioning, before if tags is None else tags, time.time())
        if tags is not None and tags != before and self._retagged is not None:
            await self._retagged(name)

    async def _found(self, name: str) -> tuple[str | None, dict[str, str] | None]:
        """Its versioning and its tags; None: not known. Raises NoSuchBucket, RemoteUnreachable."""
        response = await self._send("HeadBucket", name)
        if response.status == 404:
            await self.forget(name)
            raise S3Error("NoSuchBucket", elements={"BucketName": name})
        if response.status >= 500 or response.status in (400, 429):
            raise RemoteUnreachable(f"The remote S3 answers {response.status} to the question for the bucket.")
        # 403 is a bucket, too: whether an object may be put there is another question than whether it may be looked at.
        return await asyncio.gather(self._versioning(name), self._ask_tags(name))

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

    async def _ask_tags(self, name: str) -> dict[str, str] | None:
        """A remote that refuses the question has none. None: it gave no answer."""
        try:
            response = await self._send("GetBucketTagging", name)
        except RemoteUnreachable:
            return None
        if response.status >= 500 and response.status != 501:
            return None
        if response.status != 200 or not isinstance(response.body, bytes):
            return {}
        try:
            found = codec.parse_response("GetBucketTagging", response, response.body)
        except S3Error:
            return None
        return {str(tag.get("Key")): str(tag.get("Value") or "") for tag in found.get("TagSet") or []}

    def _is_old(self, name: str) -> bool:
        return not 0 <= time.time() - self._asked[name] <= _AGE

    async def _send(self, operation: str, name: str) -> S3Response:
        request = codec.build_request(operation, {"Bucket": name})
        try:
            return await read_whole(await self._inner(request))
        except RemoteUnreachable:
            raise
        except S3Error as error:  # an embedded store raises what a remote answers
            return error_response(error, resource=f"/{name}", request_id="", head=request.method == "HEAD")

    async def _remember(self, name: str, versioning: str | None, tags: Mapping[str, str] | None, asked: float) -> None:
        written = None if tags is None else json.dumps(dict(tags))

        def change(connection: Connection) -> None:
            row = "INSERT OR REPLACE INTO known_bucket (name, versioning, asked, tags) VALUES (?, ?, ?, ?)"
            connection.execute(row, (name, versioning, asked, written))
            # Each change of an object is to be a version of its own here, whatever the bucket is at the remote.
            own = "INSERT OR IGNORE INTO bucket (name, created, location, versioning) VALUES (?, ?, '', 'Enabled')"
            connection.execute(own, (name, int(time.time())))

        await self._store.database.change(change)
        self._asked[name] = asked
        self._tags[name] = None if tags is None else dict(tags)

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
