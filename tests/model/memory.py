"""A small S3 in memory: the reference model that everything else is compared with.

It is meant to be right, not complete: what it does, it does as the Amazon S3 API Reference says; what it does not do is
a NotImplemented error, never a guess. No encryption, no access control, nothing that happens by itself (lifecycle).
"""

from __future__ import annotations

from collections.abc import Callable

from model import buckets, configurations, copies, deletes, lists, multipart, multipart_lists, objects, tags
from model.store import Answer, Bucket, Call, Store

from s3d.s3 import codec
from s3d.s3.errors import S3Error, error_response
from s3d.s3.message import S3Request, S3Response

_STREAMED = {"PutObject", "UploadPart"}


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
        size = len((request.key or "").encode("utf-8", "surrogateescape"))
        if size > 1024:
            raise S3Error("KeyTooLongError", elements={"Size": str(size), "MaxSizeAllowed": "1024"})
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


_HANDLERS: dict[str, Handler] = {
    "ListBuckets": buckets.list_buckets,
    "CreateBucket": buckets.create_bucket,
    "DeleteBucket": buckets.delete_bucket,
    "HeadBucket": _in_bucket(buckets.head_bucket),
    "GetBucketLocation": _in_bucket(lambda bucket, call: Answer({"LocationConstraint": bucket.location})),
    "GetBucketVersioning": _in_bucket(buckets.get_bucket_versioning),
    "PutBucketVersioning": _in_bucket(buckets.put_bucket_versioning),
    "GetBucketAcl": _in_bucket(buckets.get_bucket_acl),
    "PutBucketAcl": _in_bucket(buckets.put_bucket_acl),
    "GetObjectAcl": _in_bucket(buckets.get_object_acl),
    "PutObjectAcl": _in_bucket(buckets.put_object_acl),
    "PutBucketTagging": _in_bucket(tags.put_bucket_tagging),
    **{name: _in_bucket(handler) for name, handler in configurations.HANDLERS.items()},
    "ListObjects": _in_bucket(lists.list_objects),
    "ListObjectsV2": _in_bucket(lists.list_objects_v2),
    "ListObjectVersions": _in_bucket(lists.list_object_versions),
    "PutObject": _in_bucket(objects.put_object),
    "GetObject": _in_bucket(objects.get_object),
    "HeadObject": _in_bucket(objects.get_object),
    "GetObjectAttributes": _in_bucket(objects.get_object_attributes),
    "DeleteObject": _in_bucket(deletes.delete_object),
    "DeleteObjects": _in_bucket(deletes.delete_objects),
    "CopyObject": _with_store(copies.copy_object),
    "PutObjectTagging": _in_bucket(tags.put_object_tagging),
    "GetObjectTagging": _in_bucket(tags.get_object_tagging),
    "DeleteObjectTagging": _in_bucket(tags.delete_object_tagging),
    "CreateMultipartUpload": _with_store(multipart.create_multipart_upload),
    "UploadPart": _in_bucket(multipart.upload_part),
    "UploadPartCopy": _with_store(multipart.upload_part_copy),
    "CompleteMultipartUpload": _in_bucket(multipart.complete_multipart_upload),
    "AbortMultipartUpload": _in_bucket(multipart.abort_multipart_upload),
    "ListParts": _in_bucket(multipart_lists.list_parts),
    "ListMultipartUploads": _in_bucket(multipart_lists.list_multipart_uploads),
}
