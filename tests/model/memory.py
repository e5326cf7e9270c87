"""A small S3 in memory: the reference model that everything else is compared with.

It is meant to be right, not complete: what it does, it does as the Amazon S3 API Reference says; what it does not do is
a NotImplemented error, never a guess. No versions, no encryption, no access control.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from model import multipart, objects
from model.listing import Page, encoder, from_token, limit_of, page, token
from model.store import Answer, Bucket, Call, Members, Store, now

from s3d.s3 import codec
from s3d.s3.errors import S3Error, error_response
from s3d.s3.message import S3Request, S3Response

_OWNER = {"ID": "s3d-reference-model", "DisplayName": "s3d-reference-model"}
_STREAMED = {"PutObject", "UploadPart"}
_BUCKET_NAME = re.compile(r"(?!xn--)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Memory:
    """The model as a Backend. S3 errors are answers in S3's XML form, as a remote gives them."""

    def __init__(self) -> None:
        self.store = Store()

    async def __call__(self, request: S3Request) -> S3Response:
        body = request.body if isinstance(request.body, bytes) else b"".join([piece async for piece in request.body])
        try:
            return self._answer(request, body)
        except S3Error as error:
            resource = f"/{request.bucket or ''}" + (f"/{request.key}" if request.key else "")
            head = request.method == "HEAD"
            return error_response(error, resource=resource, request_id=request.request_id, head=head)

    def _answer(self, request: S3Request, body: bytes) -> S3Response:
        if request.operation not in _HANDLERS:
            raise S3Error("NotImplemented", f"the model has no {request.operation}")
        if request.key is not None and len(request.key.encode("utf-8", "surrogateescape")) > 1024:
            raise S3Error("KeyTooLongError")
        streamed = request.operation in _STREAMED
        call = Call(request, codec.parse_request(request, b"" if streamed else body), body)
        answer = _HANDLERS[request.operation](self.store, call)
        response = codec.build_response(request.operation, answer.members, status=answer.status)
        for name, value in answer.headers.items():
            response.headers[name] = value
        if answer.body is not None and request.method != "HEAD":
            response.body = answer.body
        return response


Handler = Callable[[Store, Call], Answer]


def _in_bucket(handler: Callable[[Bucket, Call], Answer]) -> Handler:
    return lambda store, call: handler(store.bucket(call.members["Bucket"]), call)


def _with_store(handler: Callable[[Store, Bucket, Call], Answer]) -> Handler:
    return lambda store, call: handler(store, store.bucket(call.members["Bucket"]), call)


def _create_bucket(store: Store, call: Call) -> Answer:
    name = call.members["Bucket"]
    if not _BUCKET_NAME.fullmatch(name) or ".." in name:
        raise S3Error("InvalidBucketName", elements={"BucketName": name})
    if name in store.buckets:
        raise S3Error("BucketAlreadyOwnedByYou", elements={"BucketName": name})
    store.buckets[name] = Bucket(name, now())
    return Answer({"Location": f"/{name}"})


def _delete_bucket(store: Store, call: Call) -> Answer:
    bucket = store.bucket(call.members["Bucket"])
    if bucket.objects:
        raise S3Error("BucketNotEmpty", elements={"BucketName": bucket.name})
    del store.buckets[bucket.name]
    return Answer()


def _list_buckets(store: Store, call: Call) -> Answer:
    found = sorted(store.buckets.values(), key=lambda bucket: bucket.name)
    return Answer({"Buckets": [{"Name": b.name, "CreationDate": b.created} for b in found], "Owner": _OWNER})


def _list_objects(bucket: Bucket, call: Call) -> Answer:
    members, found = _listed(bucket, call, call.members.get("Marker", ""), owner=True)
    encode = encoder(call.members.get("EncodingType"))
    members["Marker"] = encode(call.members.get("Marker", ""))
    if found.truncated and call.members.get("Delimiter"):  # without a delimiter the last key is the next marker
        members["NextMarker"] = encode(found.last)
    return Answer(members)


def _list_objects_v2(bucket: Bucket, call: Call) -> Answer:
    start, continued = call.members.get("StartAfter", ""), call.members.get("ContinuationToken")
    after = from_token(continued) if continued is not None else start
    members, found = _listed(bucket, call, after, owner=bool(call.members.get("FetchOwner")))
    members["KeyCount"] = len(found.keys) + len(found.prefixes)
    if start:
        members["StartAfter"] = encoder(call.members.get("EncodingType"))(start)
    if continued is not None:
        members["ContinuationToken"] = continued
    if found.truncated:
        members["NextContinuationToken"] = token(found.last)
    return Answer(members)


def _listed(bucket: Bucket, call: Call, after: str, *, owner: bool) -> tuple[Members, Page]:
    """What both list operations have in common."""
    encode = encoder(call.members.get("EncodingType"))
    limit = limit_of(call.members.get("MaxKeys"), "max-keys")
    prefix, delimiter = call.members.get("Prefix", ""), call.members.get("Delimiter", "")
    found = page(bucket.objects, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
    members: Members = {
        "Name": bucket.name,
        "Prefix": encode(prefix),
        "MaxKeys": limit,
        "IsTruncated": found.truncated,
        "Contents": [_entry(bucket, key, encode(key), owner=owner) for key in found.keys],
        "CommonPrefixes": [{"Prefix": encode(name)} for name in found.prefixes],
    }
    if delimiter:
        members["Delimiter"] = encode(delimiter)
    if call.members.get("EncodingType"):
        members["EncodingType"] = "url"
    return members, found


def _entry(bucket: Bucket, key: str, written: str, *, owner: bool) -> Members:
    found = bucket.objects[key]
    entry: Members = {
        "Key": written,
        "LastModified": found.modified,
        "ETag": found.etag,
        "Size": len(found.data),
        "StorageClass": found.storage_class,
    }
    return entry | ({"Owner": _OWNER} if owner else {})


_HANDLERS: dict[str, Handler] = {
    "ListBuckets": _list_buckets,
    "CreateBucket": _create_bucket,
    "DeleteBucket": _delete_bucket,
    "HeadBucket": _in_bucket(lambda bucket, call: Answer()),
    "GetBucketLocation": _in_bucket(lambda bucket, call: Answer({"LocationConstraint": ""})),
    "ListObjects": _in_bucket(_list_objects),
    "ListObjectsV2": _in_bucket(_list_objects_v2),
    "PutObject": _in_bucket(objects.put_object),
    "GetObject": _in_bucket(objects.get_object),
    "HeadObject": _in_bucket(objects.get_object),
    "DeleteObject": _in_bucket(objects.delete_object),
    "DeleteObjects": _in_bucket(objects.delete_objects),
    "CopyObject": _with_store(objects.copy_object),
    "GetObjectAttributes": _in_bucket(objects.get_object_attributes),
    "PutObjectTagging": _in_bucket(objects.put_object_tagging),
    "GetObjectTagging": _in_bucket(objects.get_object_tagging),
    "DeleteObjectTagging": _in_bucket(objects.delete_object_tagging),
    "CreateMultipartUpload": _with_store(multipart.create_multipart_upload),
    "UploadPart": _in_bucket(multipart.upload_part),
    "UploadPartCopy": _with_store(multipart.upload_part_copy),
    "CompleteMultipartUpload": _in_bucket(multipart.complete_multipart_upload),
    "AbortMultipartUpload": _in_bucket(multipart.abort_multipart_upload),
    "ListParts": _in_bucket(multipart.list_parts),
    "ListMultipartUploads": _in_bucket(multipart.list_multipart_uploads),
}
