"""Steps of multipart uploads that several tests take, and a body that waits to be let go."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from conformance.calling import Members, call
from unit.standalone.opened import BUCKET

from s3d.s3.backend import Backend

PART = bytes(range(256)) * (5 << 12)
"""5 MiB, the least that a part that is not the last may have."""


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


async def begin(backend: Backend, key: str = "k", **members: Any) -> Members:
    """Bucket, key and id of a new upload."""
    started = await call(backend, "CreateMultipartUpload", {"Bucket": BUCKET, "Key": key, **members})
    return {"Bucket": BUCKET, "Key": key, "UploadId": started["UploadId"]}


async def add(backend: Backend, upload: Members, number: int, body: bytes, **members: Any) -> Members:
    return await call(backend, "UploadPart", {**upload, "PartNumber": number, **members}, body)


async def complete(backend: Backend, upload: Members, *parts: tuple[int, str], **members: Any) -> Members:
    document = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in parts]}
    return await call(backend, "CompleteMultipartUpload", {"MultipartUpload": document, **upload, **members})


async def put_in_parts(backend: Backend, key: str, *parts: bytes, **members: Any) -> Members:
    """An object that came as a multipart upload; the answer to its completion."""
    upload = await begin(backend, key, **members)
    tags = [(await add(backend, upload, number, part))["ETag"] for number, part in enumerate(parts, 1)]
    return await complete(backend, upload, *enumerate(tags, 1))


class Waiting:
    """A body of two pieces with a wait between them: ``begun`` is set before it, ``go`` ends it."""

    replayable = False

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    @property
    def length(self) -> int:
        return len(self._data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data[:-1]
        self.begun.set()
        await self.go.wait()
        yield self._data[-1:]
