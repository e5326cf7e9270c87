"""The Backend: finds the operation's function, and opens and closes the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from s3d.local.bodies import Bodies
from s3d.local.database import Database
from s3d.local.directory import CannotOpen, Lock, make
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import RequestBody, S3Request, S3Response
from s3d.standalone import buckets, cors, delete, put, read
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.schema import MIGRATIONS
from s3d.standalone.store import Call, Store

Handler = Callable[[Store, Call], Awaitable[S3Response]]

_DOCUMENT_LIMIT = 4 << 20
"""Bytes of a request's XML; the largest, a CompleteMultipartUpload of 10,000 parts with SHA-512, has 2.5 MB."""
_KEY_LIMIT = 1024  # bytes: "Naming Amazon S3 objects", Amazon S3 User Guide
_STREAMED = frozenset({"PutObject", "UploadPart"})

_HANDLERS: dict[str, Handler] = {
    "PutObject": put.put_object,
    "GetObject": read.get_object,
    "HeadObject": read.head_object,
    "DeleteObject": delete.delete_object,
    "DeleteObjects": delete.delete_objects,
}


class Standalone:
    """An S3 store on a local directory. One process at a time, one event loop."""

    def __init__(self, config: StandaloneConfig) -> None:
        self._config = config
        self._lock = Lock(config.directory)
        self._store: Store

    async def open(self) -> None:
        """Takes the directory, brings it in order after whatever ended the last process, and creates missing buckets.
        Raises CannotOpen, DirectoryInUse."""
        directory = self._config.directory
        make(directory)
        self._lock.take()
        try:
            database = Database(directory / "store.db", MIGRATIONS)
            database.open()
            bodies = Bodies(directory, database)
            bodies.open()
        except OSError as error:
            raise CannotOpen(f"the directory {directory} cannot be used ({error}): choose another one") from error
        self._store = Store(database, bodies)
        await buckets.create_missing(self._store, self._config.buckets)

    async def close(self) -> None:
        """Finishes what was begun and lets go of the directory."""
        await self._store.bodies.close()
        await self._store.database.close()
        self._lock.release()

    def document(self) -> dict[str, Any]:
        """For the status page."""
        return {"kind": "embedded store", "directory": str(self._config.directory)}

    def allows_origin(self, bucket: str | None, origin: str, method: str) -> bool:
        """Whether the CORS rules of the bucket let a page of that origin send such a request."""
        return cors.allows(self._store, bucket, origin, method)

    async def __call__(self, request: S3Request) -> S3Response:
        """Raises S3Error."""
        handler = _HANDLERS.get(request.operation)
        if handler is None:
            raise S3Error("NotImplemented", elements={"Operation": request.operation})
        if request.key is not None and len(request.key.encode("utf-8", "surrogateescape")) > _KEY_LIMIT:
            raise S3Error("KeyTooLongError")
        document = b"" if request.operation in _STREAMED else await _document(request.body)
        call = Call(request, codec.parse_request(request, document))
        response = await handler(self._store, call)
        if "Origin" in request.headers:
            cors.add_headers(self._store, call, response)
        headers = response.headers
        headers["x-amz-request-id"] = request.request_id
        headers["x-s3d-state"] = "remote"
        headers["Server"] = "s3d"
        return response


async def _document(body: RequestBody) -> bytes:
    """The whole XML of a request. Raises MaxMessageLengthExceeded."""
    if isinstance(body, bytes):
        return body
    if body.length > _DOCUMENT_LIMIT:
        raise S3Error("MaxMessageLengthExceeded")
    return b"".join([piece async for piece in body])
