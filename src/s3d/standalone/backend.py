"""The Backend: finds the operation's function, and opens and closes the store."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from s3d.local.bodies import Bodies
from s3d.local.database import Database, check_identity, usable
from s3d.local.directory import CannotOpen, Lock, make, sync_directory
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import RequestBody, S3Request, S3Response
from s3d.s3.routing import UNKNOWN, route_leniently
from s3d.standalone import (
    acl,
    attributes,
    bucket_settings,
    buckets,
    complete,
    copy,
    cors,
    delete,
    lifecycle,
    list_objects,
    list_parts,
    list_uploads,
    list_versions,
    multipart,
    parts,
    policy,
    put,
    read,
    tagging,
    unconfigured,
)
from s3d.standalone.bucket import check_expected_owner
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.schema import MIGRATIONS
from s3d.standalone.store import Call, Store
from s3d.standalone.version import check_length, key_bytes

log = logging.getLogger("s3d.standalone")

Handler = Callable[[Store, Call], Awaitable[S3Response]]

_DOCUMENT_LIMIT = 4 << 20
"""Bytes of a request's XML; the largest, a CompleteMultipartUpload of 10,000 parts with SHA-512, has 2.5 MB."""
_STREAMED = frozenset({"PutObject", "UploadPart"})

_HANDLERS: dict[str, Handler] = {
    "PutObject": put.put_object,
    "GetObject": read.get_object,
    "HeadObject": read.head_object,
    "DeleteObject": delete.delete_object,
    "DeleteObjects": delete.delete_objects,
    "CopyObject": copy.copy_object,
    "GetObjectAttributes": attributes.get_object_attributes,
    "PutObjectTagging": tagging.put_object_tagging,
    "GetObjectTagging": tagging.get_object_tagging,
    "DeleteObjectTagging": tagging.delete_object_tagging,
    # Lists
    "ListObjects": list_objects.list_objects,
    "ListObjectsV2": list_objects.list_objects_v2,
    "ListObjectVersions": list_versions.list_object_versions,
    # Multipart uploads
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "UploadPart": parts.upload_part,
    "UploadPartCopy": parts.upload_part_copy,
    "CompleteMultipartUpload": complete.complete_multipart_upload,
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "ListParts": list_parts.list_parts,
    "ListMultipartUploads": list_uploads.list_multipart_uploads,
    # Buckets
    "CreateBucket": buckets.create_bucket,
    "HeadBucket": buckets.head_bucket,
    "ListBuckets": buckets.list_buckets,
    "DeleteBucket": buckets.delete_bucket,
    "GetBucketLocation": buckets.get_location,
    "GetBucketVersioning": buckets.get_versioning,
    "PutBucketVersioning": buckets.put_versioning,
    # Access control lists
    "GetBucketAcl": acl.get_bucket_acl,
    "PutBucketAcl": acl.put_bucket_acl,
    "GetObjectAcl": acl.get_object_acl,
    "PutObjectAcl": acl.put_object_acl,
    # Settings of buckets, and CORS preflights
    **bucket_settings.HANDLERS,
    **cors.HANDLERS,
    **lifecycle.HANDLERS,
    **policy.HANDLERS,
    **unconfigured.HANDLERS,
}


class Standalone:
    """An S3 store on a local directory. One process at a time, one event loop."""

    def __init__(self, config: StandaloneConfig) -> None:
        self._config = config
        self._lock = Lock(config.directory)
        self._open: Store | None = None

    async def open(self) -> None:
        """Takes the directory, brings it in order after whatever ended the last process, and creates missing buckets.
        Raises CannotOpen, DirectoryInUse."""
        directory = self._config.directory
        make(directory)
        database = Database(directory / "store.db", MIGRATIONS)
        try:
            with usable(directory / "store.db"):
                self._lock.take()
                _check_not_lost(directory)
                database.open()
                self._open = Store(database, Bodies(directory, database))
                sync_directory(directory)
                self._open.bodies.open()
                await buckets.create_missing(self._open, self._config.buckets)
                count, size = multipart.abandoned(self._open, multipart.ABANDONED_AFTER)
        except (OSError, S3Error) as error:
            raise CannotOpen(f"the directory {directory} cannot be used ({error}): choose another one") from error
        if count:
            log.info("multipart uploads that nobody finishes", extra={"uploads": count, "bytes": size})

    async def close(self) -> None:
        """Finishes what was begun and lets go of the directory. Also after an `open` that failed."""
        try:
            if self._open is not None:
                await self._open.bodies.close()
                await self._open.database.close()
                self._open = None
        finally:
            self._lock.release()

    @property
    def _store(self) -> Store:
        assert self._open is not None, "the store is not open"  # noqa: S101  whoever composes opens before it serves
        return self._open

    def document(self) -> dict[str, Any]:
        """For the status page."""
        count, size = multipart.abandoned(self._store, multipart.ABANDONED_AFTER)
        return {
            "kind": "embedded store",
            "directory": str(self._config.directory),
            "abandoned_uploads": {"count": count, "bytes": size},
        }

    def allows_origin(self, bucket: str | None, origin: str, method: str) -> bool:
        """Whether the CORS rules of the bucket let a page of that origin send such a request."""
        return cors.allows(self._store, bucket, origin, method)

    async def __call__(self, request: S3Request) -> S3Response:
        """Raises S3Error."""
        try:
            response = await self._answer(request)
        except S3Error as error:
            if "Origin" not in request.headers:
                raise
            raised = dict(error.headers)  # of its own: changes that share a transaction share its failure
            cors.add_headers(self._store, request, raised)
            raise S3Error(error.code, error.message, elements=error.elements, headers=raised) from error
        headers = response.headers
        if "Origin" in request.headers:
            cors.add_headers(self._store, request, headers)
        headers["x-amz-request-id"] = request.request_id
        headers["x-s3d-state"] = "remote"
        headers["Server"] = "s3d"
        return response

    async def _answer(self, request: S3Request) -> S3Response:
        if request.operation == UNKNOWN:
            request = _reread(request)
        handler = _HANDLERS.get(request.operation)
        if handler is None:
            raise _no_handler(request)
        check_expected_owner(request.headers)
        if request.key is not None:
            check_length(key_bytes(request.key))
        document = b"" if request.operation in _STREAMED else await _document(request.body)
        call = Call(request, codec.parse_request(request, document))
        return await handler(self._store, call)


def _check_not_lost(directory: Path) -> None:
    """Raises CannotOpen if there are bodies and no database, or one without tables, which are made before the first body
    is: a new one would make orphans of all of them. sqlite3.Error."""
    database = directory / "store.db"
    if (directory / "bodies").exists() and not (database.exists() and check_identity(database, len(MIGRATIONS))):
        raise CannotOpen(
            f"{directory} has the bodies of a store, but its database store.db is lost: restore that, or choose another "
            "directory"
        )


def _no_handler(request: S3Request) -> S3Error:
    """A bare method that no operation has here is not allowed; everything else may be something that S3 knows."""
    if request.operation != UNKNOWN or request.query:
        return S3Error("NotImplemented", elements={"Operation": request.operation})
    resource = "SERVICE" if request.bucket is None else "BUCKET" if request.key is None else "OBJECT"
    return S3Error("MethodNotAllowed", elements={"Method": request.method, "ResourceType": resource})


def _reread(request: S3Request) -> S3Request:
    """The request without the parameters that S3 ignores."""
    operation, query = route_leniently(request.method, request.bucket, request.key, request.query, request.headers)
    return dataclasses.replace(request, operation=operation, query=query)


async def _document(body: RequestBody) -> bytes:
    """The whole XML of a request. Raises MaxMessageLengthExceeded."""
    if isinstance(body, bytes):
        return body
    if body.length > _DOCUMENT_LIMIT:
        raise S3Error("MaxMessageLengthExceeded")
    return b"".join([piece async for piece in body])
