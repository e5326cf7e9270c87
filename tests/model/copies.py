"""CopyObject, and what UploadPartCopy has in common with it."""

from __future__ import annotations

from collections.abc import Mapping

from model.checksums import DEFAULT, checksum, md5_hex
from model.conditions import check_copy, check_write
from model.objects import canned_acl, check_supported
from model.store import Answer, Bucket, Call, Members, Object, Store, now, stored_headers
from model.tags import tags_of_header
from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.s3.uri import unquote

_REDIRECT = "x-amz-website-redirect-location"  # never copied


def source_of(store: Store, members: Mapping[str, str]) -> tuple[Bucket, str, str | None, Object]:
    """Bucket, key, version id (if one was asked for) and object that ``CopySource`` names, after its conditions."""
    path, _, query = members["CopySource"].partition("?")
    name, _, key = unquote(path).removeprefix("/").partition("/")
    if not name or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    version = unquote(query.removeprefix("versionId=")) if query.startswith("versionId=") else None
    bucket = store.bucket(name)
    try:
        source = bucket.read(key, version)
    except S3Error as error:
        if error.code != "MethodNotAllowed":
            raise S3Error(error.code, error.message, elements=error.elements) from error  # without its headers
        message = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise S3Error("InvalidRequest", message) from error
    check_copy(members, source)
    return bucket, key, version, source


def source_version(bucket: Bucket, source: Object) -> Members:
    return {"CopySourceVersionId": source.version} if bucket.versioning else {}


def copy_object(store: Store, bucket: Bucket, call: Call) -> Answer:
    check_supported(call)
    origin, key, version, source = source_of(store, call.members)
    replace = call.members.get("MetadataDirective", "COPY") == "REPLACE"
    changes = replace or "StorageClass" in call.members or "WebsiteRedirectLocation" in call.members
    if (origin.name, key, version) == (bucket.name, call.key, None) and not changes:
        message = (
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes."
        )
        raise S3Error("InvalidRequest", message)
    sums = _checksums(source, call.members.get("ChecksumAlgorithm"))
    copied = Object(
        source.data,
        f'"{md5_hex(source.data)}"',
        _headers(call, source, replace=replace),
        now(),
        _tags(call, source),
        call.members.get("StorageClass", "STANDARD"),
        sums,
        acl=canned_acl(call),
    )
    check_write(call.members, call.key, bucket.objects.get(call.key))
    said = bucket.add(call.key, copied)
    result = {"ETag": copied.etag, "LastModified": copied.modified, **copied.checksum_members}
    return Answer({"CopyObjectResult": result, **said, **source_version(origin, source)})


def _checksums(source: Object, algorithm: str | None) -> dict[str, str]:
    """A copy is one object, whatever the source was uploaded as: its checksum is that of the whole."""
    names = [algorithm] if algorithm else [name.removeprefix("Checksum") for name in source.checksums]
    return {f"Checksum{name}": checksum(name, source.data) for name in names or [DEFAULT]}


def _headers(call: Call, source: Object, *, replace: bool) -> CIMultiDict[str]:
    if replace:
        return stored_headers(call.request.headers)
    headers = source.headers.copy()
    headers.popall(_REDIRECT, None)
    headers.extend((name, value) for name, value in call.request.headers.items() if name.lower() == _REDIRECT)
    return headers


def _tags(call: Call, source: Object) -> dict[str, str]:
    replace = call.members.get("TaggingDirective", "COPY") == "REPLACE"
    return tags_of_header(call.members.get("Tagging")) if replace else dict(source.tags)
