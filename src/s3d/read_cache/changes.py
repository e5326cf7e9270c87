"""Changes that go through this daemon: they take effect on the cache at once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Coroutine, Sequence
from typing import Any

from s3d.read_cache.ask import Asker
from s3d.read_cache.entry import Key
from s3d.read_cache.filling import Filling
from s3d.read_cache.index import logged
from s3d.read_cache.written import written
from s3d.s3 import codec
from s3d.s3.codec.remote_error import is_error
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.routing import UNKNOWN
from s3d.standalone.version import key_bytes

log = logging.getLogger("s3d.read_cache")

_READS = ("GET", "HEAD", "OPTIONS")
_CHANGES_NO_OBJECT = frozenset(
    {
        "AbortMultipartUpload",
        "CreateBucket",
        "CreateMultipartUpload",
        "CreateSession",
        "SelectObjectContent",
        "UploadPart",
        "UploadPartCopy",
    }
)
_OF_SEVERAL_KEYS = (UNKNOWN, "RenameObject")
_DOCUMENT = 4 << 20
"""Bytes of a DeleteObjects document at most: 1,000 keys of 1,024 bytes, escaped."""


class CannotRemember(Exception):
    """The disk does not take that an object is about to change: what is known of it cannot be used any more."""


def changes_objects(request: S3Request) -> bool:
    """Whether the answers to reads may be others after this request. What the model does not know may do anything."""
    if request.method in _READS or request.operation in _CHANGES_NO_OBJECT:
        return False
    return request.bucket is not None


async def change(filling: Filling, asker: Asker, request: S3Request) -> S3Response:
    """Sends the request. Before that, and until its answer is here, what is known of its keys counts for nothing; after it
    what was changed is gone. Raises what the inner Backend raises, and before anything is sent CannotRemember."""
    keys = await _keys(request)
    if keys is None:
        return await _change_bucket(filling, asker, request)
    asker.begin_change(keys)
    try:
        await _before(filling.unconfirm(keys))
        with written(filling, request) as body:
            response = await filling.inner(request)
            if 200 <= response.status < 300 and not (isinstance(response.body, bytes) and is_error(response.body)):
                await _quietly(filling.remove(keys))
                if body is not None and asker.is_alone(keys[0]):
                    body.keep(response)
        return response
    finally:
        asker.end_change(keys)


async def _change_bucket(filling: Filling, asker: Asker, request: S3Request) -> S3Response:
    """Anything may be another thing afterwards."""
    bucket = request.bucket or ""
    asker.begin_bucket(bucket)
    try:
        await _before(filling.distrust(bucket))
        try:
            return await filling.inner(request)
        finally:
            await _quietly(filling.distrust(bucket))
    finally:
        asker.end_bucket(bucket)


async def _before(work: Coroutine[Any, Any, None]) -> None:
    """Raises CannotRemember: then nothing was sent."""
    try:
        await work
    except (S3Error, sqlite3.Error) as error:
        raise CannotRemember(str(error)) from error


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """What is here is to be confirmed already: if the disk does not take more, the answer is given all the same."""
    try:
        await work
    except S3Error as error:
        logged(error)
    except sqlite3.Error as error:
        log.error("the database of the cache cannot be read", extra={"error": str(error)})


async def _keys(request: S3Request) -> Sequence[Key] | None:
    """The keys that a request changes; None: all of its bucket."""
    bucket = request.bucket or ""
    if request.operation in _OF_SEVERAL_KEYS:
        return None
    if request.key is not None:
        return [(bucket, key_bytes(request.key))]
    if request.operation != "DeleteObjects":
        return None
    body = request.body if isinstance(request.body, bytes) else await _read(request)
    if body is None:
        return None
    try:
        members: dict[str, Any] = codec.parse_request(request, body)
    except S3Error:
        return None
    return [(bucket, key_bytes(entry["Key"])) for entry in members["Delete"].get("Objects") or []]


async def _read(request: S3Request) -> bytes | None:
    """The document, which is in memory from then on; None: it is too long."""
    assert not isinstance(request.body, bytes)  # noqa: S101  so says the caller
    if request.body.length > _DOCUMENT:
        return None
    request.body = b"".join([piece async for piece in request.body])
    return request.body
