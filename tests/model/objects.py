"""Operations on one object, and DeleteObjects."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from model.conditions import byte_range, check_copy, check_read, check_write
from model.store import (
    Answer,
    Bucket,
    Call,
    Members,
    Object,
    Store,
    checksum,
    md5_hex,
    now,
    stored_headers,
    verified_checksums,
)
from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.s3.uri import unquote

_OVERRIDES = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")


def put_object(bucket: Bucket, call: Call) -> Answer:
    sums = verified_checksums(call)
    check_write(call.members, call.key, bucket.objects.get(call.key))
    tags = tags_of_header(call.members.get("Tagging"))
    headers = stored_headers(call.request.headers)
    storage_class = call.members.get("StorageClass", "STANDARD")
    etag = f'"{md5_hex(call.body)}"'
    bucket.objects[call.key] = Object(call.body, etag, headers, now(), tags, storage_class, sums)
    return Answer({"ETag": etag, **sums, **({"ChecksumType": "FULL_OBJECT"} if sums else {})})


def get_object(bucket: Bucket, call: Call) -> Answer:
    found = bucket.object(call.key, call.members.get("VersionId"))
    check_read(call.members, found)
    members = described(found)
    headers = found.headers.copy()
    for name in _OVERRIDES:
        if (value := call.request.parameter(f"response-{name}")) is not None:
            headers[name] = value
    if call.members.get("ChecksumMode") == "ENABLED" and found.checksums:
        members |= {**found.checksums, "ChecksumType": found.checksum_type}
    body, status = found.data, None
    where = _part(found, call, members) or byte_range(call.members.get("Range"), len(found.data))
    if where is not None:
        first, last = where
        body, status = found.data[first : last + 1], 206
        members["ContentRange"] = f"bytes {first}-{last}/{len(found.data)}"
    members["ContentLength"] = len(body)
    return Answer(members, status, headers, body)


def described(found: Object) -> Members:
    """What GetObject and HeadObject both say beside the stored headers."""
    members: Members = {"ETag": found.etag, "LastModified": found.modified, "AcceptRanges": "bytes"}
    if found.tags:
        members["TagCount"] = len(found.tags)
    if found.storage_class != "STANDARD":  # S3 leaves the header out for STANDARD
        members["StorageClass"] = found.storage_class
    return members


def _part(found: Object, call: Call, members: Members) -> tuple[int, int] | None:
    """The bytes of ``partNumber``; an object that was put whole has one part."""
    number = call.members.get("PartNumber")
    if number is None:
        return None
    if call.members.get("Range") is not None:
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    sizes = found.part_sizes or (len(found.data),)
    if not 1 <= number <= len(sizes):
        raise S3Error("InvalidPartNumber")
    if found.part_sizes:
        members["PartsCount"] = len(sizes)
    start = sum(sizes[: number - 1])
    return (start, start + sizes[number - 1] - 1) if found.data else None


def delete_object(bucket: Bucket, call: Call) -> Answer:
    _delete(bucket, call.key, call.members.get("VersionId"), call.members.get("IfMatch"))
    return Answer()


def _delete(bucket: Bucket, key: str, version: str | None, if_match: str | None) -> None:
    if version not in (None, "null"):
        raise S3Error("InvalidArgument", "Invalid version id specified")
    check_write({"IfMatch": if_match}, key, bucket.objects.get(key))
    bucket.objects.pop(key, None)


def delete_objects(bucket: Bucket, call: Call) -> Answer:
    wanted = call.members.get("Delete", {}).get("Objects") or []
    if not 1 <= len(wanted) <= 1000:
        raise S3Error("MalformedXML")
    deleted, errors = [], []
    for entry in wanted:
        try:
            _delete(bucket, entry["Key"], entry.get("VersionId"), entry.get("ETag"))
        except S3Error as error:
            errors.append({"Key": entry["Key"], "Code": error.code, "Message": error.message})
        else:
            deleted.append({"Key": entry["Key"]})
    answer = {"Deleted": [] if call.members["Delete"].get("Quiet") else deleted, "Errors": errors}
    return Answer({name: value for name, value in answer.items() if value})


def copy_source(store: Store, members: Mapping[str, str]) -> tuple[str, str, Object]:
    """Bucket, key and object that ``CopySource`` names, after its conditions."""
    path, _, query = members["CopySource"].partition("?")
    name, _, key = unquote(path).removeprefix("/").partition("/")
    if not name or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    version = query.removeprefix("versionId=") or None
    source = store.bucket(name).object(key, version)
    check_copy(members, source)
    return name, key, source


def copy_object(store: Store, bucket: Bucket, call: Call) -> Answer:
    name, key, source = copy_source(store, call.members)
    replace = call.members.get("MetadataDirective", "COPY") == "REPLACE"
    if (name, key) == (bucket.name, call.key) and not replace and "StorageClass" not in call.members:
        message = (
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes."
        )
        raise S3Error("InvalidRequest", message)
    check_write(call.members, call.key, bucket.objects.get(call.key))
    retag = call.members.get("TaggingDirective", "COPY") == "REPLACE"
    tags = tags_of_header(call.members.get("Tagging")) if retag else dict(source.tags)
    headers = stored_headers(call.request.headers) if replace else CIMultiDict(source.headers)
    algorithm = call.members.get("ChecksumAlgorithm")
    names = [f"Checksum{algorithm}"] if algorithm else list(source.checksums)
    sums = {member: checksum(member.removeprefix("Checksum"), source.data) for member in names}
    copied = Object(
        source.data,
        f'"{md5_hex(source.data)}"',
        headers,
        now(),
        tags,
        call.members.get("StorageClass", "STANDARD"),
        sums,
    )
    bucket.objects[call.key] = copied
    return Answer({"CopyObjectResult": {"ETag": copied.etag, "LastModified": copied.modified, **sums}})


def get_object_attributes(bucket: Bucket, call: Call) -> Answer:
    found = bucket.object(call.key, call.members.get("VersionId"))
    wanted = set(call.members["ObjectAttributes"])
    available: Members = {
        "ETag": found.etag.strip('"'),
        "Checksum": {**found.checksums, "ChecksumType": found.checksum_type} if found.checksums else None,
        "ObjectParts": {"TotalPartsCount": len(found.part_sizes)} if found.part_sizes else None,
        "StorageClass": found.storage_class,
        "ObjectSize": len(found.data),
    }
    if wanted - available.keys():
        raise S3Error("InvalidArgument", "Invalid attribute name specified.")
    chosen = {name: value for name, value in available.items() if name in wanted and value is not None}
    return Answer({"LastModified": found.modified, **chosen})


def tags_of_header(text: str | None) -> dict[str, str]:
    """The tags of an ``x-amz-tagging`` header, which has the form of a query."""
    return _tags(parse_qsl(text or "", keep_blank_values=True))


def _tags(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Raises what S3 says of a wrong tag set ("Categorizing your storage using tags", Amazon S3 User Guide)."""
    if len(pairs) > 10:
        raise S3Error("BadRequest", "Object tags cannot be greater than 10")
    if len(dict(pairs)) < len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    if any(not 1 <= len(name) <= 128 or len(value) > 256 for name, value in pairs):
        raise S3Error("InvalidTag", "The TagKey or the TagValue you have provided is too long or empty")
    return dict(pairs)


def put_object_tagging(bucket: Bucket, call: Call) -> Answer:
    found = bucket.object(call.key, call.members.get("VersionId"))
    found.tags = _tags([(tag["Key"], tag["Value"]) for tag in call.members["Tagging"].get("TagSet") or []])
    return Answer()


def get_object_tagging(bucket: Bucket, call: Call) -> Answer:
    found = bucket.object(call.key, call.members.get("VersionId"))
    return Answer({"TagSet": [{"Key": name, "Value": value} for name, value in found.tags.items()]})


def delete_object_tagging(bucket: Bucket, call: Call) -> Answer:
    bucket.object(call.key, call.members.get("VersionId")).tags = {}
    return Answer()
