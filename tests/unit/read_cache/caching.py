"""A read cache around a remote that fails as told."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.calling import call
from model.memory import Memory
from unit.write_queue.test_engine import Faulty

from s3d.filters.match import Filters
from s3d.filters.rules import Rules
from s3d.read_cache.backend import ReadCache
from s3d.read_cache.config import ReadCacheConfig
from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable
from s3d.s3.message import FileRange, ResponseBody, S3Request, S3Response

BUCKET = "bucket"
BLOCK = 1 << 16
LARGE = os.urandom(5 * BLOCK + 17)


class Reticent(Memory):
    """A remote that says to GetObject only how many tags an object has."""

    async def __call__(self, request: S3Request) -> S3Response:
        response = await super().__call__(request)
        if request.operation == "HeadObject":
            response.headers.popall("x-amz-tagging-count", None)
        return response


@dataclass
class Got:
    """An answer to a read, with its bytes."""

    status: int
    said: str
    body: bytes
    response: S3Response


@dataclass
class Caching:
    """An open cache, and its remote."""

    cache: ReadCache
    remote: Faulty
    directory: Path
    rules: Rules

    async def only(self, text: str) -> None:
        """From now on this is the filter."""
        self.rules.cache = Filters.of(text)
        await self.cache.decide_again()

    async def put(self, key: str, body: bytes, **members: Any) -> None:
        """At the remote, behind the cache's back."""
        await call(self.remote.inner, "PutObject", {"Bucket": BUCKET, "Key": key, **members}, body)

    async def get(self, key: str, **members: Any) -> Got:
        response = await self.cache(request("GetObject", key, **members))
        return Got(response.status, response.headers["x-s3d-cache"], await read(response.body), response)

    async def head(self, key: str, **members: Any) -> Got:
        response = await self.cache(request("HeadObject", key, **members))
        return Got(response.status, response.headers["x-s3d-cache"], b"", response)

    def asked(self, *operations: str) -> list[tuple[str, str | None]]:
        """Operation and Range of what the remote was asked, in order; of these operations, or of all."""
        seen = [r for r in self.remote.seen if not operations or r.operation in operations]
        return [(r.operation, r.headers.get("Range")) for r in seen]

    def files(self) -> list[Path]:
        """Those with blocks."""
        return [path for path in (self.directory / "blocks").glob("*/*") if path.is_file()]

    async def written_down(self) -> None:
        """Returns when the database has what memory has."""
        filling = self.cache._filling
        while filling._tasks:
            await asyncio.wait(list(filling._tasks))


def request(operation: str, key: str, **members: Any) -> S3Request:
    return codec.build_request(operation, {"Bucket": BUCKET, "Key": key, **members})


async def read(body: ResponseBody) -> bytes:
    """All of it."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, FileRange):
        with body.file:
            return os.pread(body.file.fileno(), body.length, body.offset)
    assert isinstance(body, AsyncGenerator)
    try:
        return b"".join([await read(piece) if isinstance(piece, FileRange) else bytes(piece) async for piece in body])
    finally:
        await body.aclose()


@contextlib.asynccontextmanager
async def caching(
    directory: Path,
    remote: Faulty | None = None,
    *,
    inner: Memory | None = None,
    only: str | None = None,
    **config: Any,
) -> AsyncIterator[Caching]:
    """``remote``: one that is there already; ``inner``: what a new one is; ``only``: the filter."""
    if remote is None:
        remote = Faulty(inner or Memory())
        await remote.inner(codec.build_request("CreateBucket", {"Bucket": BUCKET}))
    rules = Rules(cache=None if only is None else Filters.of(only))
    cache = ReadCache(ReadCacheConfig(directory, **{"free_space": 0, "tags": False, **config}), remote, rules)
    await cache.open()
    try:
        yield Caching(cache, remote, directory, rules)
    finally:
        await cache.close()


def away(*operations: str) -> Callable[[S3Request], None]:
    """A fault: the remote gives no answer to these operations, or to none."""

    def fault(request: S3Request) -> None:
        if not operations or request.operation in operations:
            raise RemoteUnreachable("The remote S3 is away: test")

    return fault


def well(request: S3Request) -> None:
    """No fault."""
