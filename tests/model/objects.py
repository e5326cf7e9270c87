"""Operations on one object: put, get, head, attributes."""

from __future__ import annotations

from model.checksums import DEFAULT, checksum, md5_hex, verified
from model.conditions import byte_range, check_read, check_write
from model.store import Answer, Bucket, Call, Members, Object, Part, now, stored_headers
from model.tags import tags_of_header

from s3d.s3.errors import S3Error

_OVERRIDES = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
_NOT_KEPT = ("x-amz-server-side-encryption", "x-amz-object-lock-")
CANNED_ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
)


def check_supported(call: Call) -> None:
    """Raises NotImplemented for headers that promise what neither the model nor the embedded store does."""
    for name in call.request.headers:
        if name.lower().startswith(_NOT_KEPT):
            raise S3Error("NotImplemented", elements={"Header": name})


def put_object(bucket: Bucket, call: Call) -> Answer:
    check_supported(call)
    declared = verified(call.request.headers, call.members, call.body)
    algorithm, value = declared or (DEFAULT, checksum(DEFAULT, call.body))
    new = Object(
        call.body,
        f'"{md5_hex(call.body)}"',
        stored_headers(call.request.headers),
        now(),
        tags_of_header(call.members.get("Tagging")),
        call.members.get("StorageClass", "STANDARD"),
        {f"Checksum{algorithm}": value},
        acl=canned_acl(call),
    )
    check_write(call.members, call.key, bucket.objects.get(call.key))
    return Answer({"ETag": new.etag, **new.checksum_members, **bucket.add(call.key, new)})


def canned_acl(call: Call) -> str:
    acl = call.members.get("ACL", "private")
    if acl not in CANNED_ACLS:
        raise S3Error("InvalidArgument", elements={"ArgumentName": "x-amz-acl", "ArgumentValue": acl})
    return str(acl)


def get_object(bucket: Bucket, call: Call) -> Answer:
    found = bucket.read(call.key, call.version, call.request.method)
    check_read(call.members, found)
    members = _described(bucket, found)
    headers = found.headers.copy()
    for name in _OVERRIDES:
        if (value := call.request.parameter(f"response-{name}")) is not None:
            headers[name] = value
    number, wanted = call.members.get("PartNumber"), call.members.get("Range")
    if number is not None and wanted is not None:
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    where = byte_range(wanted, len(found.data)) if number is None else part_range(found, number)
    if number is not None and found.parts:
        members["PartsCount"] = len(found.parts)
    if call.members.get("ChecksumMode") == "ENABLED":
        members |= _checksum_of_answer(found, number, whole=where is None)
    body, status = found.data, None
    if where is not None:
        first, last = where
        body, status = found.data[first : last + 1], 206
        members["ContentRange"] = f"bytes {first}-{last}/{len(found.data)}"
    members["ContentLength"] = len(body)
    return Answer(members, status, headers, body)


def _described(bucket: Bucket, found: Object) -> Members:
    """What GetObject and HeadObject both say beside the stored headers."""
    members: Members = {"ETag": found.etag, "LastModified": found.modified, "AcceptRanges": "bytes"}
    if found.tags:
        members["TagCount"] = len(found.tags)
    if found.storage_class != "STANDARD":  # S3 leaves the header out for STANDARD
        members["StorageClass"] = found.storage_class
    return members | bucket.named(found)


def _checksum_of_answer(found: Object, number: int | None, *, whole: bool) -> Members:
    """That of the object with all of it, that of the part with a part, and none with a range: clients verify the body
    with what they get."""
    if number is None or not found.parts:
        return found.checksum_members if whole or number is not None else {}
    part = list(found.parts.values())[number - 1]
    return (
        {**dict.fromkeys(found.checksums, part.checksum), "ChecksumType": found.checksum_type} if part.checksum else {}
    )


def part_range(found: Object, number: int) -> tuple[int, int] | None:
    """The bytes of ``partNumber``; an object that was put whole has one part."""
    sizes = [len(part.data) for part in found.parts.values()] or [len(found.data)]
    if not 1 <= number <= len(sizes):
        elements = {"ActualPartCount": str(len(sizes)), "PartNumberRequested": str(number)}
        raise S3Error("InvalidPartNumber", elements=elements)
    start = sum(sizes[: number - 1])
    return (start, start + sizes[number - 1] - 1) if found.data else None


def get_object_attributes(bucket: Bucket, call: Call) -> Answer:
    found = bucket.read(call.key, call.version)
    wanted = set(call.members["ObjectAttributes"])
    available: Members = {
        "ETag": found.etag.strip('"'),
        "Checksum": {name: value.partition("-")[0] for name, value in found.checksum_members.items()} or None,
        "ObjectParts": _parts(found, call.members) if found.parts else None,
        "StorageClass": found.storage_class,
        "ObjectSize": len(found.data),
    }
    if wanted - available.keys():
        raise S3Error("InvalidArgument", "Invalid attribute name specified.")
    chosen = {name: value for name, value in available.items() if name in wanted and value is not None}
    return Answer({"LastModified": found.modified, **bucket.named(found), **chosen})


def _parts(found: Object, members: Members) -> Members:
    """A page of the parts, which are named where each has a checksum of its own that counts (COMPOSITE)."""
    if found.checksum_type != "COMPOSITE":
        return {"TotalPartsCount": len(found.parts)}
    marker, limit = int(members.get("PartNumberMarker") or 0), min(members.get("MaxParts", 1000), 1000)
    behind = [(number, part) for number, part in found.parts.items() if number > marker]
    shown = behind[:limit]
    return {
        "TotalPartsCount": len(found.parts),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1][0] if shown else 0,
        "MaxParts": limit,
        "IsTruncated": len(behind) > len(shown),
        "Parts": [_part(number, part, next(iter(found.checksums))) for number, part in shown],
    }


def _part(number: int, part: Part, checksum_member: str) -> Members:
    return {"PartNumber": number, "Size": len(part.data), checksum_member: part.checksum}
