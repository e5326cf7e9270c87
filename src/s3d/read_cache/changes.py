"""Changes that go through this daemon: they take effect on the cache at once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from s3d.read_cache.ask import Asker
from s3d.read_cache.entry import Key
from s3d.read_cache.filling import Filling
from s3d.read_cache.index import logged
from s3d.read_cache.known_tags import of_members
from s3d.read_cache.tags import Tagged
from s3d.read_cache.uploads import Completed, Uploads
from s3d.read_cache.written import Written, written
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
_MAKES_OBJECT = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})
_TAGS = ("PutObjectTagging", "DeleteObjectTagging")
_OF_SEVERAL_KEYS = (UNKNOWN, "RenameObject")
_WITH_DOCUMENT = ("DeleteObjects", "CompleteMultipartUpload", "PutObjectTagging", "PutBucketTagging")
_DOCUMENT = 4 << 20
"""Bytes of a document at most: 1,000 keys of 1,024 bytes, escaped; 10,000 parts."""


class CannotRemember(Exception):
    """The disk does not take that an object is about to change: what is known of it cannot be used any more."""


def changes_objects(request: S3Request) -> bool:
    """Whether the answers to reads may be others after this request. What the model does not know may do anything."""
    if request.method in _READS or request.operation in _CHANGES_NO_OBJECT:
        return False
    return request.bucket is not None


class Changes:
    """Of one cache."""

    def __init__(self, filling: Filling, asker: Asker, uploads: Uploads, tagged: Tagged) -> None:
        self._filling = filling
        self._asker = asker
        self._uploads = uploads
        self._tagged = tagged

    async def change(self, request: S3Request) -> S3Response:
        """Sends the request. Before that, and until its answer is here, what is known of its keys counts for nothing; after
        it what was changed is gone. Raises what the inner Backend raises, and before anything is sent CannotRemember."""
        filling, asker = self._filling, self._asker
        members = await _document(request) if request.operation in _WITH_DOCUMENT else {}
        keys = _keys(request, members)
        if keys is None:
            self._tagged.changing(request, [])
            try:
                response = await _change_bucket(filling, asker, request)
            except CannotRemember:
                raise
            except BaseException:
                self._tagged.unclear(request, [])
                raise
            if 200 <= response.status < 300:
                await _quietly(self._tagged.changed(request, members, []))
            elif response.status >= 500:
                self._tagged.unclear(request, [])
            return response
        asker.begin_change(keys)
        self._tagged.changing(request, keys)
        try:
            await _before(filling.unconfirm(keys))
            with await self._kept(request, members) as body:
                try:
                    response = await filling.inner(request)
                except BaseException:
                    self._tagged.unclear(request, keys)
                    raise
                if response.status >= 500:
                    self._tagged.unclear(request, keys)
                if _is_done(response):
                    await self._changed(request, members, keys)
                    if body is not None and asker.is_alone(keys[0]):
                        body.keep(response)
                    if request.operation == "CompleteMultipartUpload":
                        self._uploads.abort(request)  # what is left of one that is not kept
            return response
        finally:
            asker.end_change(keys)

    async def _changed(self, request: S3Request, members: dict[str, Any] | None, keys: Sequence[Key]) -> None:
        """What was known of the keys is not so any more."""
        await _quietly(self._tagged.changed(request, members, keys))
        if request.said is not None and request.operation in _MAKES_OBJECT:
            await self._asker.admission.written(keys[0], request.said)
        is_of_version = any(name == "versionId" for name, _ in request.query)
        if request.operation in _TAGS and members is not None and not is_of_version and self._asker.is_alone(keys[0]):
            await _quietly(self._filling.count_tags(keys[0], len(of_members(members.get("Tagging") or {}))))
        else:
            await _quietly(self._filling.remove(keys))

    async def _kept(
        self, request: S3Request, members: dict[str, Any] | None
    ) -> AbstractContextManager[Written | Completed | None]:
        if request.operation == "CompleteMultipartUpload":
            return nullcontext(await self._uploads.completing(request, members or {}))
        return written(self._filling, self._asker.admission, request)


def _is_done(response: S3Response) -> bool:
    """Whether an answer says that it happened."""
    return 200 <= response.status < 300 and not (isinstance(response.body, bytes) and is_error(response.body))


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


def _keys(request: S3Request, members: dict[str, Any] | None) -> Sequence[Key] | None:
    """The keys that a request changes; None: all of its bucket. ``members``: those of its document."""
    bucket = request.bucket or ""
    if request.operation in _OF_SEVERAL_KEYS:
        return None
    if request.key is not None:
        return [(bucket, key_bytes(request.key))]
    if request.operation != "DeleteObjects" or not members:
        return None
    return [(bucket, key_bytes(entry["Key"])) for entry in members["Delete"].get("Objects") or []]


async def _document(request: S3Request) -> dict[str, Any] | None:
    """The members of a request whose document is in memory from then on; None: it is too long, or malformed."""
    if not isinstance(request.body, bytes):
        if request.body.length > _DOCUMENT:
            return None
        request.body = b"".join([piece async for piece in request.body])
    try:
        members: dict[str, Any] = codec.parse_request(request, request.body)
    except S3Error:
        return None
    return members
