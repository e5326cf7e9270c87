"""Multipart uploads."""

from __future__ import annotations

import base64
import hashlib
import itertools

from model.conditions import byte_range, check_write
from model.listing import encoder, in_bytes, limit_of, page
from model.objects import copy_source, tags_of_header
from model.store import (
    Answer,
    Bucket,
    Call,
    Members,
    Object,
    Part,
    Store,
    Upload,
    checksum,
    now,
    stored_headers,
    verified_checksums,
)

from s3d.s3.errors import S3Error

MINIMUM_PART = 5 << 20  # bytes of every part but the last: "Multipart upload limits", Amazon S3 User Guide


def create_multipart_upload(store: Store, bucket: Bucket, call: Call) -> Answer:
    store.last_upload += 1
    algorithm = call.members.get("ChecksumAlgorithm")
    default = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    upload = Upload(
        id=f"upload{store.last_upload:012}",  # ids sort as they were made, so that both of S3's orders are one
        key=call.key,
        headers=stored_headers(call.request.headers),
        tags=tags_of_header(call.members.get("Tagging")),
        storage_class=call.members.get("StorageClass", "STANDARD"),
        initiated=now(),
        algorithm=algorithm,
        checksum_type=call.members.get("ChecksumType", default),
    )
    bucket.uploads[upload.id] = upload
    sums = {"ChecksumAlgorithm": algorithm, "ChecksumType": upload.checksum_type} if algorithm else {}
    return Answer({"Bucket": bucket.name, "Key": call.key, "UploadId": upload.id, **sums})


def _checked_number(members: Members) -> int:
    number: int = members["PartNumber"]
    if not 1 <= number <= 10_000:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    return number


def _add_part(upload: Upload, number: int, data: bytes) -> Part:
    value = checksum(upload.algorithm, data) if upload.algorithm else None
    upload.parts[number] = Part(data, now(), value)
    return upload.parts[number]


def upload_part(bucket: Bucket, call: Call) -> Answer:
    number = _checked_number(call.members)
    upload = bucket.upload(call.key, call.members["UploadId"])
    sums = verified_checksums(call)
    return Answer({"ETag": _add_part(upload, number, call.body).etag, **sums})


def upload_part_copy(store: Store, bucket: Bucket, call: Call) -> Answer:
    number = _checked_number(call.members)
    upload = bucket.upload(call.key, call.members["UploadId"])
    _, _, source = copy_source(store, call.members)
    data = source.data
    if (wanted := call.members.get("CopySourceRange")) is not None:
        where = byte_range(wanted, len(data))
        if where is None:
            raise S3Error("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last")
        data = data[where[0] : where[1] + 1]
    part = _add_part(upload, number, data)
    return Answer({"CopyPartResult": {"ETag": part.etag, "LastModified": part.modified}})


def complete_multipart_upload(bucket: Bucket, call: Call) -> Answer:
    upload_id = call.members["UploadId"]
    if upload_id in bucket.completed and bucket.completed[upload_id][0] == call.key:
        return Answer(bucket.completed[upload_id][1])
    upload = bucket.upload(call.key, upload_id)
    chosen = _chosen_parts(upload, call.members.get("MultipartUpload", {}).get("Parts") or [])
    check_write(call.members, call.key, bucket.objects.get(call.key))
    raw = hashlib.md5(b"".join(hashlib.md5(part.data).digest() for part in chosen)).hexdigest()
    data = b"".join(part.data for part in chosen)
    sums = _whole_checksum(upload, chosen, data, call.members)
    etag = f'"{raw}-{len(chosen)}"'
    sizes = tuple(len(part.data) for part in chosen)
    bucket.objects[call.key] = Object(
        data, etag, upload.headers, now(), upload.tags, upload.storage_class, sums, upload.checksum_type, sizes
    )
    del bucket.uploads[upload_id]
    location = f"http://{bucket.name}.localhost/{call.key}"
    kind = {"ChecksumType": upload.checksum_type} if sums else {}
    members: Members = {"Location": location, "Bucket": bucket.name, "Key": call.key, "ETag": etag, **sums, **kind}
    bucket.completed[upload_id] = (call.key, members)
    return Answer(members)


def _chosen_parts(upload: Upload, named: list[Members]) -> list[Part]:
    """The parts that the document names. Raises MalformedXML, InvalidPartOrder, InvalidPart or EntityTooSmall."""
    if not named:
        raise S3Error("MalformedXML")
    numbers = [entry["PartNumber"] for entry in named]
    if any(left >= right for left, right in itertools.pairwise(numbers)):
        raise S3Error("InvalidPartOrder")
    for entry in named:
        part = upload.parts.get(entry["PartNumber"])
        claimed = entry.get(f"Checksum{upload.algorithm}")
        if (
            part is None
            or entry.get("ETag", "").strip('"') != part.etag.strip('"')
            or claimed not in (None, part.checksum)
        ):
            raise S3Error("InvalidPart", elements={"PartNumber": str(entry["PartNumber"])})
    chosen = [upload.parts[number] for number in numbers]
    if any(len(part.data) < MINIMUM_PART for part in chosen[:-1]):
        raise S3Error("EntityTooSmall")
    return chosen


def _whole_checksum(upload: Upload, chosen: list[Part], data: bytes, members: Members) -> dict[str, str]:
    """COMPOSITE: the checksum of the parts' checksums; FULL_OBJECT: that of the whole ("Checking object integrity")."""
    if upload.algorithm is None:
        return {}
    name = f"Checksum{upload.algorithm}"
    if upload.checksum_type == "FULL_OBJECT":
        value = checksum(upload.algorithm, data)
    else:
        joined = b"".join(base64.b64decode(part.checksum or "") for part in chosen)
        value = f"{checksum(upload.algorithm, joined)}-{len(chosen)}"
    if members.get(name) not in (None, value, value.partition("-")[0]):
        raise S3Error("BadDigest", f"The {upload.algorithm} you specified did not match the calculated checksum.")
    return {name: value}


def abort_multipart_upload(bucket: Bucket, call: Call) -> Answer:
    del bucket.uploads[bucket.upload(call.key, call.members["UploadId"]).id]
    return Answer()


def list_parts(bucket: Bucket, call: Call) -> Answer:
    upload = bucket.upload(call.key, call.members["UploadId"])
    limit = limit_of(call.members.get("MaxParts"), "max-parts")
    marker = int(call.members.get("PartNumberMarker") or 0)
    numbers = [number for number in sorted(upload.parts) if number > marker]
    shown = numbers[:limit]
    parts = [
        {
            "PartNumber": number,
            "LastModified": part.modified,
            "ETag": part.etag,
            "Size": len(part.data),
            **({f"Checksum{upload.algorithm}": part.checksum} if part.checksum else {}),
        }
        for number, part in ((number, upload.parts[number]) for number in shown)
    ]
    members: Members = {
        "Bucket": bucket.name,
        "Key": call.key,
        "UploadId": upload.id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1] if shown else 0,
        "MaxParts": limit,
        "IsTruncated": bool(shown) and len(numbers) > len(shown),
        "Parts": parts,
        "StorageClass": upload.storage_class,
    }
    return Answer(members)


def list_multipart_uploads(bucket: Bucket, call: Call) -> Answer:
    encode = encoder(call.members.get("EncodingType"))
    limit = limit_of(call.members.get("MaxUploads"), "max-uploads")
    prefix, delimiter = call.members.get("Prefix", ""), call.members.get("Delimiter", "")
    key_marker, id_marker = call.members.get("KeyMarker", ""), call.members.get("UploadIdMarker", "")
    # One entry for each upload: the id after a NUL, which sorts before anything that may follow a key.
    entries = {f"{upload.key}\0{upload.id}": upload for upload in bucket.uploads.values()}
    after = f"{key_marker}\0{id_marker if key_marker and id_marker else chr(0x10FFFF)}" if key_marker else ""
    found = page(entries, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
    chosen = sorted((entries[name] for name in found.keys), key=lambda u: (in_bytes(u.key), u.id))
    members: Members = {
        "Bucket": bucket.name,
        "Prefix": encode(prefix),
        "KeyMarker": encode(key_marker),
        "UploadIdMarker": id_marker,
        "MaxUploads": limit,
        "IsTruncated": found.truncated,
        "Uploads": [
            {"Key": encode(u.key), "UploadId": u.id, "Initiated": u.initiated, "StorageClass": u.storage_class}
            for u in chosen
        ],
        "CommonPrefixes": [{"Prefix": encode(name)} for name in found.prefixes],
    }
    if delimiter:
        members["Delimiter"] = encode(delimiter)
    if call.members.get("EncodingType"):
        members["EncodingType"] = "url"
    if found.truncated:
        key, _, upload_id = found.last.partition("\0")
        members |= {"NextKeyMarker": encode(key), "NextUploadIdMarker": upload_id}
    return Answer(members)
