"""The write queue: a Backend that takes changes in durably, answers for them, and lets the engine push them.

Around another Backend. What it accepts, serves and lists is in `docs/write-queue.md`; everything that it does not know
goes to the other one as it came, behind the operations that wait for its key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from s3d.filters.facts import Facts
from s3d.filters.rules import Rules
from s3d.local.bodies import Bodies
from s3d.local.database import Database, usable
from s3d.local.directory import CannotOpen, Lock, make, sync_directory
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.store import Store
from s3d.standalone.version import key_bytes
from s3d.write_queue import bucket_level, changes, explain, lists, reads, status, uploads
from s3d.write_queue.answers import WHY
from s3d.write_queue.audit import Audit, Page, Wanted
from s3d.write_queue.config import WriteQueueConfig
from s3d.write_queue.decisions import Deciding, Decisions
from s3d.write_queue.engine import Engine
from s3d.write_queue.export import export
from s3d.write_queue.journal import Journal
from s3d.write_queue.known_buckets import KnownBuckets
from s3d.write_queue.ledger import Ledger
from s3d.write_queue.observer import Observer
from s3d.write_queue.operation import Operation
from s3d.write_queue.queue import Queue
from s3d.write_queue.reserve import Reserve
from s3d.write_queue.room import Room
from s3d.write_queue.schema import MIGRATIONS
from s3d.write_queue.start_check import check_all

log = logging.getLogger("s3d.write_queue")

_LOOK = 60.0
"""Seconds between two looks at the age of the oldest operation."""

_EXPLAINED = frozenset(
    {
        "PutObject",
        "CopyObject",
        "CompleteMultipartUpload",
        "PutObjectTagging",
        "DeleteObjectTagging",
        "GetObject",
        "HeadObject",
    }
)
"""Operations whose answers say why an object is pushed or held, if the client asks for that."""

Handler = Callable[[Queue, S3Request], Awaitable[S3Response]]

_HANDLERS: dict[str, Handler] = {
    # Objects
    "PutObject": changes.put_object,
    "CopyObject": changes.copy_object,
    "DeleteObject": changes.delete_object,
    "DeleteObjects": changes.delete_objects,
    "PutObjectTagging": changes.tag_object,
    "DeleteObjectTagging": changes.tag_object,
    "GetObject": reads.read_object,
    "HeadObject": reads.read_object,
    "GetObjectAttributes": reads.read_object,
    "GetObjectTagging": reads.get_tags,
    # Multipart uploads
    "CreateMultipartUpload": uploads.create_upload,
    "UploadPart": uploads.upload_part,
    "UploadPartCopy": uploads.upload_part_copy,
    "CompleteMultipartUpload": uploads.complete_upload,
    "AbortMultipartUpload": uploads.abort_upload,
    "ListParts": uploads.list_parts,
    # Lists
    "ListObjects": lists.list_objects,
    "ListObjectsV2": lists.list_objects,
    "ListMultipartUploads": lists.list_uploads,
    "ListObjectVersions": bucket_level.list_versions,
    # Buckets
    "ListBuckets": bucket_level.list_buckets,
    "HeadBucket": bucket_level.head_bucket,
    "DeleteBucket": bucket_level.delete_bucket,
    "PutBucketVersioning": bucket_level.put_versioning,
    "PutBucketTagging": bucket_level.tag_bucket,
    "DeleteBucketTagging": bucket_level.tag_bucket,
}


class WriteQueue:
    """The queue in one directory. One process at a time, one event loop."""

    def __init__(self, config: WriteQueueConfig, inner: Backend, rules: Rules | None = None) -> None:
        self._config = config
        self._inner = inner
        self._rules = rules or Rules()
        self._lock = Lock(config.directory)
        self._open: Queue | None = None
        self._observer: Observer | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._deciding: Deciding
        self._audits: set[asyncio.Task[Page]] = set()

    async def open(self) -> None:
        """Takes the directory and goes on with what is in it; asks no remote. Raises CannotOpen, DirectoryInUse."""
        directory, path = self._config.directory, self._config.directory / "queue.db"
        make(directory)
        reserve = Reserve(directory / "reserve")
        database = Database(path, MIGRATIONS, reserve.log_pages, reserve.give)
        try:
            with usable(path):
                self._lock.take()
                database.open()
                bodies = Bodies(directory, database)
                sync_directory(directory)
                bodies.open()
                self._open = self._assemble(database, bodies, reserve)
                if self._rules.upload is not None or self._open.journal.held()[1]:  # the rules may be others now
                    await self._deciding.again()
        except (OSError, S3Error) as error:
            raise CannotOpen(f"the directory {directory} cannot be used ({error}): choose another one") from error
        self._open.settle()
        database.change_later(uploads.forget_requests)
        if waiting := self._open.journal.waiting():
            log.info("operations of the last run are still to be pushed", extra={"operations": waiting})
        self._open.engine.start()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(check_all(self._open.journal, bodies)),
            loop.create_task(self._deciding.keep_up(self._open.buckets, _LOOK)),
        ]
        self._look_at_age()

    def _assemble(self, database: Database, bodies: Bodies, reserve: Reserve) -> Queue:
        config = self._config
        granted = config.unknown_buckets == "accept"
        plain = Store(database, bodies)
        buckets = KnownBuckets(plain, self._inner, take_for_granted=granted, retagged=self.decide_again)
        decisions = Decisions(self._rules, buckets.tags)
        self._observer = Observer(plain, decisions)
        store = Store(database, bodies, self._observer)
        journal = Journal(store, self._changed, config.ledger_age, decisions.back)
        self._deciding = Deciding(database, journal, decisions, self._decided)
        keep = partial(reserve.keep, database.unused)
        room = Room(config.max_size, config.max_files, config.free_space, self._free, config.max_wait, keep)
        held_room = Room(config.held_size, config.held_files, config.free_space, self._free, 0, keep, is_held=True)
        engine = Engine(journal, self._inner, bodies, config.workers, config.max_bandwidth or _no_limit)
        return Queue(config, self._inner, store, journal, buckets, decisions, room, held_room, engine)

    async def close(self, grace: float = 0.0) -> int:
        """Pushes for up to ``grace`` seconds, and lets go of the directory. How many operations are left. Also after an
        `open` that failed."""
        left = 0
        if self._watch is not None:
            self._watch.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for page in self._audits:  # who asked gets no answer, as with any request that is cut off
            page.cancel()
        try:
            if self._open is not None:
                left = await self._open.engine.stop(grace)
                await self._open.close()
                await self._open.store.bodies.close()
                left = self._open.journal.waiting()
                await self._open.store.database.close()
                self._open = None
        finally:
            self._lock.release()
        return left

    async def __call__(self, request: S3Request) -> S3Response:
        """Raises S3Error."""
        handler = _HANDLERS.get(request.operation)
        if handler is not None:
            if WHY not in request.headers:
                return await handler(self._queue, request)
            response = await handler(self._queue, request)
            if request.operation in _EXPLAINED and WHY not in response.headers:
                response.headers[WHY] = explain.of_object(self._queue, request)
            return response
        if request.key is None:
            return await self._inner(request)
        return await self._queue.after_push(request)

    @property
    def _queue(self) -> Queue:
        assert self._open is not None, "the queue is not open"  # noqa: S101  whoever composes opens before it serves
        return self._open

    def _look_at_age(self) -> None:
        """Warns, once in that time, of operations that wait longer than the configuration says."""
        limit, oldest = self._config.max_age, self._queue.journal.oldest()
        overdue = oldest is not None and time.time() - oldest > limit
        if overdue and oldest is not None:
            told = {"age_seconds": round(time.time() - oldest), "operations": self._queue.journal.waiting()}
            log.warning("the write queue holds operations that are older than S3D_WRITE_QUEUE_MAX_AGE", extra=told)
        pause = limit if overdue else min(limit, _LOOK)
        self._watch = asyncio.get_running_loop().call_later(pause, self._look_at_age)

    def _changed(self) -> None:
        if self._open is not None:
            self._open.settle()
            self._open.engine.changed()

    def _decided(self) -> None:
        self._changed()
        if self._open is not None:
            self._open.engine.reorder()

    def _free(self) -> int:
        """Bytes that are left on the disk for who is not root."""
        found = os.statvfs(self._config.directory)
        return found.f_bavail * found.f_frsize

    async def decide_again(self, bucket: str | None = None) -> int:
        """What is held and what goes, of all objects of which nothing was sent, or those of a bucket; how many are decided
        anew. S3Error."""
        return await self._deciding.again(bucket)

    # Control: s3d.write_queue.control.

    def page(self, state: str | None, after: int, limit: int) -> list[Operation]:
        """Operations behind a ``seq``, in their order."""
        return self._queue.journal.page(state, after, limit)

    def of_key(self, bucket: str, key: str) -> list[Operation]:
        """Those of one key that are still to be carried out."""
        return self._queue.journal.of_key(bucket, key_bytes(key))

    def find(self, seq: int) -> Operation | None:
        return self._queue.journal.find(seq)

    async def retry(self, operations: Sequence[Operation]) -> int:
        """How many failed ones are to be pushed again."""
        return sum([await self._queue.journal.retry(operation) for operation in operations])

    async def drop(self, operations: Sequence[Operation]) -> int:
        """How many were removed, with their bytes. One that is just being sent may arrive all the same."""
        return sum([await self._queue.journal.drop(operation) for operation in operations])

    async def export(self, operations: Sequence[Operation], directory: Path) -> int:
        """Writes them as files. How many."""
        return await export(self._queue.journal, self._queue.store.bodies, operations, directory)

    async def flush(self, timeout: float | None) -> int:
        """Waits until everything is pushed, or the time (seconds) is over. How many operations are left."""
        with contextlib.suppress(S3Error):
            await self._queue.engine.flush(timeout)
        return self._queue.journal.waiting()

    def pause(self) -> None:
        """Nothing is pushed until `resume`."""
        self._queue.engine.pause()

    def resume(self) -> None:
        self._queue.engine.resume()

    async def audit(self, wanted: Wanted) -> Page:
        """Compares entries of the ledger with the remote."""
        queue = self._queue
        page = asyncio.get_running_loop().create_task(
            Audit(Ledger(queue.store), queue.journal, queue.inner).page(wanted)
        )
        self._audits.add(page)
        page.add_done_callback(self._audits.discard)
        return await page

    def bucket_tags(self, bucket: str) -> Mapping[str, str] | None:
        """As they are known."""
        return self._queue.buckets.tags(bucket)

    def object_tags(self, bucket: str, key: str) -> Mapping[str, str] | None:
        """Those of an object that is here; None: not known here."""
        if not bucket.isascii():
            return None
        operation = self._queue.journal.content(bucket, key_bytes(key))
        version = self._queue.journal.version(operation) if operation is not None else None
        return None if version is None else version.tag_set()

    async def explain(self, known: Facts) -> dict[str, Any]:
        """What would become of an object that is put now; the tags of its bucket as they are known."""
        known = replace(known, bucket_tags=self._queue.buckets.tags(known.bucket))
        return explain.of_put(self._queue, known, await self._rules.ask("PutObject", known))

    def document(self) -> dict[str, Any]:
        """For the status page."""
        return status.of_queue(self._queue, self._observer.superseded if self._observer else 0)

    def bucket_document(self, bucket: str) -> dict[str, Any]:
        """What waits in a bucket, and what is known of it."""
        return status.of_bucket(self._queue, bucket)

    def key_document(self, bucket: str, key: str) -> dict[str, Any]:
        """What waits for a key, and what was pushed last of it."""
        return status.of_key(self._queue, Ledger(self._queue.store), bucket, key)


def _no_limit() -> None:
    return None
