"""What a scenario works on: a queue in front of a remote, or, to find out what has to come of it, the remote alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from conformance.calling import call
from e2e.queue_crash.remote import Remote

from s3d.filters.match import Filters
from s3d.filters.rules import Rules
from s3d.s3.backend import Backend
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

Done = Callable[[], Awaitable[None]]


class Rig:
    """``queue`` None: requests go to the remote, and all that is about the queue does nothing. ``done`` is called after
    each acknowledged request."""

    def __init__(self, queue: WriteQueue | None, remote: Remote, done: Done) -> None:
        self.queue = queue
        self.remote = remote
        self._done = done

    @property
    def s3(self) -> Backend:
        return self.queue or self.remote

    async def do(self, operation: str, bucket: str, key: str, body: bytes | None = None, **members: Any) -> Any:
        """A request of the client; its answer."""
        named: dict[str, Any] = {"Bucket": bucket, "Key": key} if key else {"Bucket": bucket}
        answer = await call(self.s3, operation, named | members, body)
        await self._done()
        return answer

    async def put(self, bucket: str, key: str, body: bytes, **members: Any) -> None:
        await self.do("PutObject", bucket, key, body, **members)

    async def delete(self, bucket: str, key: str) -> None:
        await self.do("DeleteObject", bucket, key)

    async def tag(self, bucket: str, key: str, value: str) -> None:
        await self.do("PutObjectTagging", bucket, key, Tagging={"TagSet": [{"Key": "t", "Value": value}]})

    def pause(self) -> None:
        if self.queue is not None:
            self.queue.pause()

    def resume(self) -> None:
        if self.queue is not None:
            self.queue.resume()

    async def flush(self) -> None:
        """Everything is pushed, or failed, and nothing of it is left at the remote that nobody wants."""
        self.resume()
        if self.queue is not None:
            assert await self.queue.flush(20) == 0
            async with asyncio.timeout(20):
                while any(bucket.uploads for bucket in self.remote.store.buckets.values()):
                    await asyncio.sleep(0.005)

    async def retry(self) -> None:
        """What failed is pushed again, and arrives."""
        if self.queue is not None:
            self.remote.refuses.clear()
            await self.queue.retry(self.queue.page("failed", 0, 100))
            await self.flush()

    # The remote, where it is behind a queue.

    def hold(self, operation: str) -> None:
        """The next of these is sent and stays without an answer, until `release`."""
        if self.queue is not None:
            self.remote.holds[operation] = asyncio.Event()

    async def reached(self) -> None:
        """One more that is held has arrived."""
        if self.queue is not None:
            async with asyncio.timeout(20):
                await self.remote.reached.wait()
            self.remote.reached.clear()

    def release(self, operation: str) -> None:
        if self.queue is not None:
            self.remote.holds.pop(operation).set()

    def lose(self, *operations: str, times: int = 1) -> None:
        """The answers to the next of each of these do not come; they are done."""
        if self.queue is not None:
            self.remote.loses |= dict.fromkeys(operations, times)

    async def lost(self) -> None:
        """The queue has noticed that an answer was lost, and sends nothing more."""
        if self.queue is not None:
            async with asyncio.timeout(20):
                while any(self.remote.loses.values()) or self.queue.document()["engine"]["pushing"]:
                    await asyncio.sleep(0.005)
                self.pause()

    def forget_uploads(self) -> None:
        """The remote has none any more."""
        if self.queue is not None:
            for bucket in self.remote.store.buckets.values():
                bucket.uploads.clear()
            self.remote.save()

    def refuse(self, *operations: str) -> None:
        """For good."""
        if self.queue is not None:
            self.remote.refuses.update(operations)


async def opened(directory: Path, remote: Remote, only: str | None = None) -> WriteQueue:
    """Nothing is pushed before `WriteQueue.resume`. ``only``: the filter."""
    config = WriteQueueConfig(directory, workers=3, free_space=0)
    queue = WriteQueue(config, remote, Rules(upload=None if only is None else Filters.of(only)))
    await queue.open()
    queue.pause()  # the engine's task has not run yet
    return queue
