"""Access control lists: kept and given back. There is one owner, who may do everything, so no list keeps anybody out; what
a bucket's other settings forbid a list to say is refused, as S3 does."""

from __future__ import annotations

import json

from multidict import CIMultiDict

from s3d.local.database import Connection, unchanging
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import bucket as buckets
from s3d.standalone import bucket_setting, grants, lookup
from s3d.standalone.bucket import Bucket
from s3d.standalone.store import Call, Store

SETTING = "acl"
"""The name of the setting that holds the list of a bucket."""


def of_headers(headers: CIMultiDict[str], *, is_bucket: bool = False) -> str | None:
    """The grants that ``x-amz-acl`` or ``x-amz-grant-*`` name, as they are stored.

    Raises InvalidArgument, InvalidRequest (both ways at once)."""
    return grants.of_headers(headers, is_bucket=is_bucket)


def check_upload(connection: Connection, bucket: Bucket, acl: str | None) -> None:
    """Whether an object of the bucket may be written with such a list, as `of_headers` gives it.

    Raises AccessDenied (public lists are blocked), AccessControlListNotSupported (lists are disabled).
    """
    if acl is None:  # the usual case costs no query
        return
    if _enforced(bucket_setting.read(connection, bucket, "ownershipControls")):
        raise S3Error("AccessControlListNotSupported")
    _check_public(connection, bucket, acl)


def check_ownership(ownership: str | None, acl: str | None) -> None:
    """Raises InvalidBucketAclWithObjectOwnership if a bucket's stored ownership controls disable the list that it has."""
    if acl is not None and _enforced(ownership):
        raise S3Error("InvalidBucketAclWithObjectOwnership")


async def put_bucket_acl(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, those of a list, AccessDenied, AccessControlListNotSupported."""
    store.bucket(call.bucket)
    acl = _wanted(call, is_bucket=True)

    def change(connection: Connection) -> None:
        bucket = buckets.find(connection, call.bucket)
        _check_put(connection, bucket, acl)
        bucket_setting.write(connection, bucket, SETTING, acl)

    await store.database.change(change)
    return codec.build_response("PutBucketAcl", {})


async def get_bucket_acl(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket."""
    acl = bucket_setting.read(store.reader, store.bucket(call.bucket), SETTING)
    return codec.build_response("GetBucketAcl", grants.members(acl))


async def put_object_acl(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, those of a read, those of a list, AccessDenied, AccessControlListNotSupported."""
    store.bucket(call.bucket)
    acl = _wanted(call, is_bucket=False)

    def change(connection: Connection) -> None:
        bucket = buckets.find(connection, call.bucket)
        version = lookup.readable(connection, bucket, call.key, call.members.get("VersionId"), call.request.method)
        _check_put(connection, bucket, acl)
        at = (acl, bucket.id, version.key, version.seq)
        for table in ("object", "noncurrent"):  # it is in one of them, and no other version has its place
            connection.execute(f"UPDATE {table} SET acl = ? WHERE bucket = ? AND key = ? AND seq = ?", at)

    await store.database.change(change)
    return codec.build_response("PutObjectAcl", {})


async def get_object_acl(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, those of a read."""
    with unchanging(store.reader):  # a version moves from one table to the other
        bucket = store.bucket(call.bucket)
        version = lookup.readable(store.reader, bucket, call.key, call.members.get("VersionId"))
    return codec.build_response("GetObjectAcl", grants.members(version.acl))


def _wanted(call: Call, *, is_bucket: bool) -> str | None:
    """The list that a put says in one of its ways. Raises UnexpectedContent (two of them), MissingSecurityHeader (none)."""
    document = call.members.get("AccessControlPolicy")
    by_header = any(grants.is_header(name.lower()) for name in call.request.headers)
    if document is None:
        if not by_header:
            raise S3Error("MissingSecurityHeader", elements={"MissingHeaderName": "x-amz-acl"})
        return of_headers(call.request.headers, is_bucket=is_bucket)
    if by_header:
        raise S3Error("UnexpectedContent")
    return grants.of_document(document)


def _check_put(connection: Connection, bucket: Bucket, acl: str | None) -> None:
    """As `check_upload`, but where lists are disabled even the default one cannot be put ("PutBucketAcl")."""
    if _enforced(bucket_setting.read(connection, bucket, "ownershipControls")):
        raise S3Error("AccessControlListNotSupported")
    _check_public(connection, bucket, acl)


def _check_public(connection: Connection, bucket: Bucket, acl: str | None) -> None:
    if grants.is_public(acl):
        block = bucket_setting.read(connection, bucket, "publicAccessBlock")
        if block is not None and json.loads(block)["BlockPublicAcls"]:
            raise S3Error("AccessDenied")


def _enforced(ownership: str | None) -> bool:
    """Whether stored ownership controls disable lists."""
    return ownership is not None and json.loads(ownership)["Rules"][0]["ObjectOwnership"] == "BucketOwnerEnforced"
