"""Multipart uploads: create, fill, complete, abort."""

from __future__ import annotations

import hashlib
import itertools

from model.checksums import (
    COMPOSITE_ONLY,
    DEFAULT,
    DIGESTS,
    FULL_OBJECT_ONLY,
    check_value,
    checksum,
    composite,
    mismatch,
    verified,
)
from model.conditions import check_write
from model.copies import source_of, source_version
from model.objects import check_supported
from model.store import Answer, Bucket, Call, Members, Object, Part, Store, Upload, now, stored_headers
from model.tags import tags_of_header

from s3d.s3.errors import S3Error

MINIMUM_PART = 5 << 20  # bytes of every part but the last: "Multipart upload limits", Amazon S3 User Guide


def create_multipart_upload(store: Store, bucket: Bucket, call: Call) -> Answer:
    check_supported(call)
    algorithm, kind = _checksum_of_upload(call.members)
    store.last_upload += 1
    upload = Upload(
        id=f"upload{store.last_upload:012}",  # ids sort as they were made, so that both of S3's orders are one
        key=call.key,
        headers=stored_headers(call.request.headers),
        tags=tags_of_header(call.members.get("Tagging")),
        storage_class=call.members.get("StorageClass", "STANDARD"),
        initiated=now(),
        algorithm=algorithm,
        checksum_type=kind,
    )
    bucket.uploads[upload.id] = upload
    sums = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if algorithm else {}
    return Answer({"Bucket": bucket.name, "Key": call.key, "UploadId": upload.id, **sums})


def _checksum_of_upload(members: Members) -> tuple[str | None, str]:
    """Algorithm and type. Raises InvalidRequest for a combination that S3 does not have."""
    algorithm, kind = members.get("ChecksumAlgorithm"), members.get("ChecksumType")
    if algorithm is None:
        if kind is not None:
            message = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise S3Error("InvalidRequest", message)
        return None, "FULL_OBJECT"
    if algorithm not in DIGESTS:
        raise S3Error("InvalidRequest", "Checksum algorithm provided is unsupported.")
    kind = kind or ("FULL_OBJECT" if algorithm in FULL_OBJECT_ONLY else "COMPOSITE")
    if algorithm in {"COMPOSITE": FULL_OBJECT_ONLY, "FULL_OBJECT": COMPOSITE_ONLY}.get(kind, {algorithm}):
        message = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise S3Error("InvalidRequest", message)
    return algorithm, kind


def _checked_number(members: Members) -> int:
    number: int = members["PartNumber"]
    if not 1 <= number <= 10_000:
        elements = {"ArgumentName": "partNumber", "ArgumentValue": str(number)}
        message = "Part number must be an integer between 1 and 10000, inclusive"
        raise S3Error("InvalidArgument", message, elements=elements)
    return number


def _add_part(upload: Upload, number: int, data: bytes) -> Part:
    value = checksum(upload.algorithm, data) if upload.algorithm else None
    upload.parts[number] = Part(data, now(), value)
    return upload.parts[number]


def upload_part(bucket: Bucket, call: Call) -> Answer:
    number = _checked_number(call.members)
    upload = bucket.upload(call.key, call.members["UploadId"])
    declared = verified(call.request.headers, call.members, call.body)
    given = declared[0] if declared else None
    if upload.algorithm and (given or upload.checksum_type == "COMPOSITE") and given != upload.algorithm:
        message = (
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, "
            f"actual checksum Type: {(given or 'null').lower()}"
        )
        raise S3Error("InvalidRequest", message)
    sums = {f"Checksum{declared[0]}": declared[1]} if declared else {}
    return Answer({"ETag": _add_part(upload, number, call.body).etag, **sums})


def upload_part_copy(store: Store, bucket: Bucket, call: Call) -> Answer:
    number = _checked_number(call.members)
    upload = bucket.upload(call.key, call.members["UploadId"])
    origin, _, _, source = source_of(store, call.members)
    data = source.data
    if (wanted := call.members.get("CopySourceRange")) is not None:
        data = data[slice(*_copied_range(wanted, len(data)))]
    part = _add_part(upload, number, data)
    sums = {f"Checksum{upload.algorithm}": part.checksum} if upload.algorithm else {}
    result = {"ETag": part.etag, "LastModified": part.modified, **sums}
    return Answer({"CopyPartResult": result, **source_version(origin, source)})


def _copied_range(wanted: str, size: int) -> tuple[int, int]:
    """First byte and the one after the last. Unlike a Range, this one must lie within the object."""
    elements = {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": wanted}
    first, dash, last = wanted.removeprefix("bytes=").partition("-")
    if not (wanted.startswith("bytes=") and dash and first.isdigit() and last.isdigit() and int(first) <= int(last)):
        message = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        raise S3Error("InvalidArgument", message, elements=elements)
    if int(last) >= size:
        message = f"Range specified is not valid for source object of size: {size}"
        raise S3Error("InvalidArgument", message, elements=elements)
    return int(first), int(last) + 1


def complete_multipart_upload(bucket: Bucket, call: Call) -> Answer:
    upload_id = call.members["UploadId"]
    if upload_id in bucket.completed and bucket.completed[upload_id][0] == call.key:
        return Answer(bucket.completed[upload_id][1])
    upload = bucket.upload(call.key, upload_id)
    chosen = _chosen_parts(upload, call.members.get("MultipartUpload", {}).get("Parts") or [])
    check_write(call.members, call.key, bucket.objects.get(call.key))
    parts = list(chosen.values())
    data = b"".join(part.data for part in parts)
    raw = hashlib.md5(b"".join(hashlib.md5(part.data).digest() for part in parts)).hexdigest()
    sums = _whole_checksum(upload, parts, data, call.members)
    etag = f'"{raw}-{len(parts)}"'
    new = Object(
        data, etag, upload.headers, now(), upload.tags, upload.storage_class, sums, upload.checksum_type, chosen
    )
    said = bucket.add(call.key, new)
    del bucket.uploads[upload_id]
    location = f"http://{bucket.name}.localhost/{call.key}"
    members: Members = {"Location": location, "Bucket": bucket.name, "Key": call.key, "ETag": etag}
    members |= {**new.checksum_members, **said}
    bucket.completed[upload_id] = (call.key, members)
    return Answer(members)


def _chosen_parts(upload: Upload, named: list[Members]) -> dict[int, Part]:
    """The parts that the document names. Raises MalformedXML, InvalidPartOrder, InvalidPart, InvalidRequest or
    EntityTooSmall."""
    if not named or any("PartNumber" not in entry for entry in named):
        raise S3Error("MalformedXML")
    numbers = [entry["PartNumber"] for entry in named]
    if any(left >= right for left, right in itertools.pairwise(numbers)):
        raise S3Error("InvalidPartOrder", elements={"UploadId": upload.id})
    for entry in named:
        _check_part(upload, entry)
    chosen = {number: upload.parts[number] for number in numbers}
    for number, part in list(chosen.items())[:-1]:
        if len(part.data) < MINIMUM_PART:
            elements = {"ProposedSize": str(len(part.data)), "MinSizeAllowed": str(MINIMUM_PART)}
            elements |= {"PartNumber": str(number), "ETag": part.etag.strip('"')}
            raise S3Error("EntityTooSmall", elements=elements)
    return chosen


def _check_part(upload: Upload, entry: Members) -> None:
    number, etag = entry["PartNumber"], entry.get("ETag", "").strip('"')
    part = upload.parts.get(number)
    claimed = entry.get(f"Checksum{upload.algorithm}")
    if claimed is None and upload.algorithm and upload.checksum_type == "COMPOSITE":
        message = (
            f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must include the "
            f"checksum for each part. It was missing for part {number} in the request."
        )
        raise S3Error("InvalidRequest", message)
    if part is None or etag != part.etag.strip('"') or claimed not in (None, part.checksum):
        elements = {"UploadId": upload.id, "PartNumber": str(number), "ETag": etag}
        raise S3Error("InvalidPart", elements=elements)


def _whole_checksum(upload: Upload, parts: list[Part], data: bytes, members: Members) -> dict[str, str]:
    """COMPOSITE: the checksum of the parts' checksums; FULL_OBJECT: that of the whole. Both are compared with what the
    request says of the object, as is its size."""
    algorithm = upload.algorithm or DEFAULT
    for other in DIGESTS:
        if (value := members.get(f"Checksum{other}")) is not None:
            check_value(other, value)
    if members.get("ChecksumType") not in (None, upload.checksum_type):
        message = (
            f"The upload was created using the {upload.checksum_type} checksum mode. The complete request must use the "
            "same checksum mode."
        )
        raise S3Error("InvalidRequest", message)
    if upload.checksum_type == "FULL_OBJECT":
        value = checksum(algorithm, data)
    else:
        value = composite(algorithm, [part.checksum or "" for part in parts])
    if members.get(f"Checksum{algorithm}") not in (None, value, value.partition("-")[0]):
        raise mismatch(algorithm)
    if members.get("MpuObjectSize") not in (None, len(data)):
        message = "The provided 'x-amz-mp-object-size' header does not match what was computed."
        raise S3Error("InvalidRequest", message)
    return {f"Checksum{algorithm}": value}


def abort_multipart_upload(bucket: Bucket, call: Call) -> Answer:
    del bucket.uploads[bucket.upload(call.key, call.members["UploadId"]).id]
    return Answer()
