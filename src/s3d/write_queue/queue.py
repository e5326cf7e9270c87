"""What the operations of the write queue work on."""

from __future__ import annotations

from dataclasses import dataclass

from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.store import Store
from s3d.standalone.version import key_bytes
from s3d.write_queue.accept import carry_out
from s3d.write_queue.answers import STATE, pending, without_versions
from s3d.write_queue.config import WriteQueueConfig
from s3d.write_queue.engine import Engine
from s3d.write_queue.journal import Journal
from s3d.write_queue.known_buckets import KnownBuckets
from s3d.write_queue.observer import Accepted
from s3d.write_queue.operation import DELETE, FAILED, Operation
from s3d.write_queue.room import Room


@dataclass(frozen=True, slots=True)
class Queue:
    """The open queue."""

    config: WriteQueueConfig
    inner: Backend
    store: Store
    journal: Journal
    buckets: KnownBuckets
    room: Room
    engine: Engine

    def content(self, request: S3Request) -> Operation | None:
        """What decides about the object that a request names, or None: the remote."""
        return self.journal.content(request.bucket or "", key_bytes(request.key or ""))

    async def after_push(self, request: S3Request) -> S3Response:
        """Sends a request to the remote, behind everything that waits for its key. RemoteUnreachable, S3Error."""
        await self.push(request.bucket or "", key_bytes(request.key or ""))
        return await self.inner(request)

    async def push(self, bucket: str, key: bytes) -> None:
        """Returns when nothing waits for that key. RemoteUnreachable, S3Error."""
        if self.journal.of_key(bucket, key):
            await self.engine.flush_key(bucket, key, self.config.max_wait)

    async def accept(self, call: Accepted) -> S3Response:
        """Lets the queue's store do it, and the engine know. S3Error."""
        response = await self.answer(call)
        self.settle()
        self.engine.wake()
        return response

    async def answer(self, call: Accepted, state: str = "pending") -> S3Response:
        """What the queue's store answers, as the client may see it. S3Error."""
        try:
            response = await carry_out(self.store, call)
        except S3Error as error:
            raise without_versions(error) from error
        return pending(response, call.request.request_id, state)

    def settle(self) -> None:
        """Tells the limits what is there."""
        self.room.set(*self.journal.usage())


def state_of(operation: Operation) -> str:
    """What ``x-s3d-state`` says of it."""
    return FAILED if operation.state == FAILED else "pending"


def check_there(operation: Operation, key: str) -> None:
    """Raises NoSuchKey if the operation deletes the object."""
    if operation.kind == DELETE:
        raise S3Error("NoSuchKey", elements={"Key": key}, headers={STATE: state_of(operation)})
