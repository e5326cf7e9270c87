"""What a scenario works on: a cache in front of a remote."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from conformance.calling import call
from e2e.queue_crash.remote import Remote

from s3d.read_cache.backend import ReadCache
from s3d.read_cache.config import ReadCacheConfig

BUCKET = "plain"
Done = Callable[[], Awaitable[None]]


class Rig:
    """``done`` is called after each request, pin or unpin that was acknowledged."""

    def __init__(self, cache: ReadCache, remote: Remote, done: Done) -> None:
        self.cache = cache
        self.remote = remote
        self._done = done

    async def do(self, operation: str, key: str, body: bytes | None = None, **members: Any) -> Any:
        """A request of a client, and all that it leads to; its answer."""
        answer = await call(self.cache, operation, {"Bucket": BUCKET, **({"Key": key} if key else {}), **members}, body)
        await self.settled()
        await self._done()
        return answer

    async def get(self, key: str, **members: Any) -> bytes:
        return bytes((await self.do("GetObject", key, **members))["Body"])

    async def behind(self, operation: str, key: str, body: bytes | None = None, **members: Any) -> None:
        """A request of somebody else."""
        await call(self.remote, operation, {"Bucket": BUCKET, "Key": key, **members}, body)

    async def pin(self, prefix: str) -> None:
        await self.cache.pin(BUCKET, prefix)
        await self._done()

    async def unpin(self, prefix: str) -> None:
        await self.cache.unpin(BUCKET, prefix)
        await self._done()

    async def settled(self) -> None:
        """Nothing goes on in the background."""
        filling = self.cache._filling
        while filling._tasks:
            await asyncio.wait(list(filling._tasks))


async def opened(directory: Path, remote: Remote, **config: Any) -> ReadCache:
    """A cache that trusts what it has for an hour, if nothing else is said."""
    cache = ReadCache(ReadCacheConfig(directory, **({"free_space": 0, "tags": False} | config)), remote)
    await cache.open()
    return cache
