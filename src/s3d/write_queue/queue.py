"""What the operations of the write queue work on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.store import Store
from s3d.standalone.version import key_bytes
from s3d.write_queue.accept import carry_out
from s3d.write_queue.answers import STATE, pending, without_versions
from s3d.write_queue.config import WriteQueueConfig
from s3d.write_queue.decisions import Decisions, Verdict
from s3d.write_queue.engine import Engine
from s3d.write_queue.journal import Journal
from s3d.write_queue.known_buckets import KnownBuckets
from s3d.write_queue.observer import Accepted
from s3d.write_queue.operation import DELETE, FAILED, HELD, PENDING, Operation
from s3d.write_queue.outcome import Refusal
from s3d.write_queue.pushed_body import check
from s3d.write_queue.room import Reservation, Room

log = logging.getLogger("s3d.write_queue")

_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Queue:
    """The open queue."""

    config: WriteQueueConfig
    inner: Backend
    store: Store
    journal: Journal
    buckets: KnownBuckets
    decisions: Decisions
    room: Room
    held_room: Room
    """For what is held: of its own, so that it takes none from what waits."""
    engine: Engine
    verified: set[int] = field(default_factory=set)
    """``seq`` of operations whose bodies were compared with their MD5 since the start."""
    owners: dict[str, str] = field(default_factory=dict)
    """By bucket, what `s3d.write_queue.owner` has asked for."""
    completing: dict[str, asyncio.Task[S3Response]] = field(default_factory=dict)
    """By UploadId, what `s3d.write_queue.complete_straight` is doing: it goes on when its client goes."""

    async def close(self) -> None:
        """Ends what goes on behind requests."""
        tasks = list(self.completing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.buckets.close()

    def content(self, request: S3Request) -> Operation | None:
        """What decides about the object that a request names, or None: the remote."""
        return self.journal.content(request.bucket or "", key_bytes(request.key or ""))

    def still_decides(self, operation: Operation) -> bool:
        """Whether it is still the one that decides about its object; else it was pushed, or another one came, since."""
        newest = self.journal.content(operation.bucket, operation.key)
        return newest is not None and newest.seq == operation.seq

    async def after_push(self, request: S3Request) -> S3Response:
        """Sends a request to the remote, behind everything that waits for its key. RemoteUnreachable, S3Error."""
        await self.push(request.bucket or "", key_bytes(request.key or ""))
        return await self.inner(request)

    async def push(self, bucket: str, key: bytes) -> None:
        """Returns when nothing waits for that key. RemoteUnreachable, S3Error."""
        if self.journal.of_key(bucket, key):
            await self.engine.flush_key(bucket, key, self.config.max_wait)

    async def push_keys(self, bucket: str, keys: Iterable[bytes]) -> None:
        """As `push`, for several at a time."""
        left = iter(dict.fromkeys(keys))

        async def push() -> None:
            for key in left:
                await self.push(bucket, key)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.config.workers):
                    group.create_task(push())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def accept(self, call: Accepted) -> S3Response:
        """Lets the queue's store do it, and the engine know. S3Error."""
        response = await self.answer(call)
        response.headers[STATE] = call.state
        self.settle()
        if call.is_usual:
            self.engine.wake()
        else:
            self.engine.reorder()
        if call.state == HELD:
            self.engine.changed()  # nobody is to wait for what it replaced
        return response

    async def reserve(self, request: S3Request, verdict: Verdict, size: int, came: int = 0) -> Reservation:
        """Room for an object, among those that wait or those that are held. ``came``: bytes of it that are here already
        and count among those that wait. S3Error: see `Room.reserve`."""
        if verdict.state == HELD:
            before = self.content(request)
            if before is not None and before.state == HELD:  # it goes, and nothing else makes room there
                return await self.held_room.reserve(max(0, size - before.size), files=0)
            return await self.held_room.reserve(size)
        return await self.room.reserve(size - came)

    async def answer(self, call: Accepted, state: str = "pending") -> S3Response:
        """What the queue's store answers, as the client may see it. S3Error."""
        try:
            response = await carry_out(self.store, call)
        except S3Error as error:
            raise without_versions(error) from error
        return pending(response, call.request.request_id, state)

    async def verify(self, operation: Operation) -> None:
        """Compares the bodies of an operation with their MD5, once: what the disk has damaged is never served, and the
        operation fails. InternalError."""
        version = self.journal.version(operation) if operation.seq not in self.verified else None
        if version is None or not version.size:
            return
        try:
            await check(self.store.bodies, self.journal.segments(version), self.journal.digests(version))
        except Refusal as damage:
            if self.journal.version(operation) is None:  # it was pushed meanwhile, and its file is gone
                return
            log.error(
                "a body in the write queue is damaged", extra={"bucket": operation.bucket, "error": damage.message}
            )
            await self.journal.fail(operation, damage.document())
            raise S3Error("InternalError", damage.message) from damage
        if len(self.verified) >= _REMEMBERED:
            self.verified.clear()
        self.verified.add(operation.seq)

    def settle(self) -> None:
        """Tells the limits what is there."""
        size, files = self.journal.used()
        held_size, held_files = self.journal.held()
        self.room.set(size - held_size, files - held_files)
        self.held_room.set(held_size, held_files)


def state_of(operation: Operation) -> str:
    """What ``x-s3d-state`` says of it."""
    return operation.state if operation.state in (FAILED, HELD) else PENDING


def check_may_go(verdict: Verdict) -> None:
    """Raises AccessDenied for an object that is to be held, if the request can only be answered by the remote."""
    if verdict.state == HELD:
        why = "is held back by a tag, a filter or a policy"
        if not verdict.is_known:
            why = "may have to be held back, by a tag, a filter or a policy that depends on what is not known yet"
        raise S3Error("AccessDenied", f"This object {why}, and only the remote can answer this request.")


def check_there(operation: Operation, key: str) -> None:
    """Raises NoSuchKey if the operation deletes the object."""
    if operation.kind == DELETE:
        raise S3Error("NoSuchKey", elements={"Key": key}, headers={STATE: state_of(operation)})
