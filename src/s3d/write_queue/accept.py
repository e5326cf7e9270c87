"""Which requests the queue takes, and what of them goes where: to the queue's store, and later to the remote."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone import attributes, complete, copy, delete, list_parts, multipart, parts, put, read, tagging
from s3d.standalone.store import Call, Store
from s3d.standalone.version import check_length, key_bytes
from s3d.write_queue.observer import Accepted, stored_headers

Handler = Callable[[Store, Call], Awaitable[S3Response]]

HANDLERS: dict[str, Handler] = {
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "CompleteMultipartUpload": complete.complete_multipart_upload,
    "CopyObject": copy.copy_object,
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "DeleteObject": delete.delete_object,
    "DeleteObjectTagging": tagging.delete_object_tagging,
    "DeleteObjects": delete.delete_objects,
    "GetObject": read.get_object,
    "GetObjectAttributes": attributes.get_object_attributes,
    "GetObjectTagging": tagging.get_object_tagging,
    "HeadObject": read.head_object,
    "ListParts": list_parts.list_parts,
    "PutObject": put.put_object,
    "PutObjectTagging": tagging.put_object_tagging,
    "UploadPart": parts.upload_part,
    "UploadPartCopy": parts.upload_part_copy,
}
"""What the queue's store does, by operation."""

_DOCUMENT_LIMIT = 4 << 20  # bytes of a request's XML, as in the embedded store
_STREAMED = frozenset({"PutObject", "UploadPart"})
_READS = frozenset({"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectTagging"})
_CHANGE_CONDITIONS = ("if-", "x-amz-if-match-")
_STRAIGHT = (
    "x-amz-server-side-encryption-customer-",
    "x-amz-copy-source-server-side-encryption-",
    "x-amz-object-lock-",
    "x-amz-bypass-governance-retention",
    "x-amz-mfa",
    "x-amz-write-offset-bytes",
)
_NOT_FOR_STORE = (
    "x-amz-server-side-encryption",
    "x-amz-expected-bucket-owner",
    "x-amz-source-expected-bucket-owner",
    "x-amz-request-payer",
)
"""The remote judges these when the object is pushed."""
_NOT_FOR_REMOTE = (
    "content-md5",  # made anew, also where the client sent none
    "x-amz-copy-source",
    "x-amz-metadata-directive",
    "x-amz-tagging",  # and x-amz-tagging-directive: tags can change until the object is pushed
)
_OF_COPIES = ("x-amz-acl", "x-amz-grant-", "x-amz-storage-class", "x-amz-server-side-encryption")
"""What the copy of an object has from the request and not from the source, beside what the store keeps with it."""


def goes_straight(request: S3Request) -> bool:
    """Whether only the remote can say what becomes of it: versions, conditions of a change, a customer's own encryption
    keys, keys of KMS, object lock."""
    if any(name == "versionId" for name, _ in request.query):
        return True
    if "kms" in request.headers.get("x-amz-server-side-encryption", "").lower():
        return True  # its ETag is not the MD5 of the body, and nobody else can know it
    conditions = () if request.operation in _READS else _CHANGE_CONDITIONS
    return any(name.lower().startswith((*_STRAIGHT, *conditions)) for name in request.headers)


async def accepted(request: S3Request) -> Accepted:
    """The request as the queue's store takes it. Raises what is wrong with it."""
    if request.key is not None:
        check_length(key_bytes(request.key))
    kept = [(name, value) for name, value in request.headers.items() if not name.lower().startswith(_NOT_FOR_STORE)]
    own = dataclasses.replace(request, headers=CIMultiDict(kept)) if len(kept) < len(request.headers) else request
    document = b"" if request.operation in _STREAMED else await _document(request)
    return Accepted(own, codec.parse_request(own, document), _client_headers(request))


async def carry_out(store: Store, call: Call) -> S3Response:
    """What the queue's store answers. Raises S3Error."""
    return await HANDLERS[call.request.operation](store, call)


def _client_headers(request: S3Request) -> str:
    fields = request.headers.items()
    if request.operation == "CopyObject":
        return stored_headers([(name, value) for name, value in fields if name.lower().startswith(_OF_COPIES)])
    return stored_headers([(name, value) for name, value in fields if not name.lower().startswith(_NOT_FOR_REMOTE)])


async def _document(request: S3Request) -> bytes:
    """The whole XML of a request. Raises MaxMessageLengthExceeded."""
    body = request.body
    if isinstance(body, bytes):
        return body
    if body.length > _DOCUMENT_LIMIT:
        raise S3Error("MaxMessageLengthExceeded")
    whole = b"".join([piece async for piece in body])
    request.body = whole  # it may have to go on to the remote
    return whole
