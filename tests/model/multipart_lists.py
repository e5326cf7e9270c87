"""ListParts and ListMultipartUploads."""

from __future__ import annotations

from model.listing import encoder, in_bytes, limit_of, page
from model.owner import OWNER
from model.store import Answer, Bucket, Call, Members, Upload


def _checksum(upload: Upload) -> Members:
    """What lists say of an upload that was created with an algorithm."""
    return {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type} if upload.algorithm else {}


def list_parts(bucket: Bucket, call: Call) -> Answer:
    upload = bucket.upload(call.key, call.members["UploadId"])
    limit = limit_of(call.members.get("MaxParts"), "max-parts")
    marker = int(call.members.get("PartNumberMarker") or 0)
    numbers = [number for number in sorted(upload.parts) if number > marker]
    shown = numbers[:limit]
    members: Members = {
        "Bucket": bucket.name,
        "Key": call.key,
        "UploadId": upload.id,
        "Initiator": OWNER,
        "Owner": OWNER,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1] if shown else 0,
        "MaxParts": limit,
        "IsTruncated": bool(shown) and len(numbers) > len(shown),
        "Parts": [_part(upload, number) for number in shown],
        "StorageClass": upload.storage_class,
        **_checksum(upload),
    }
    return Answer(members)


def _part(upload: Upload, number: int) -> Members:
    part = upload.parts[number]
    entry: Members = {"PartNumber": number, "LastModified": part.modified, "ETag": part.etag, "Size": len(part.data)}
    return entry | ({f"Checksum{upload.algorithm}": part.checksum} if part.checksum else {})


def list_multipart_uploads(bucket: Bucket, call: Call) -> Answer:
    encode = encoder(call.members.get("EncodingType"))
    limit = limit_of(call.members.get("MaxUploads"), "max-uploads")
    prefix, delimiter = call.members.get("Prefix", ""), call.members.get("Delimiter", "")
    key_marker, id_marker = call.members.get("KeyMarker", ""), call.members.get("UploadIdMarker", "")
    # One entry for each upload: the id after a NUL, which sorts before anything that may follow a key.
    entries = {f"{upload.key}\0{upload.id}": upload for upload in bucket.uploads.values()}
    after = f"{key_marker}\0{id_marker if key_marker and id_marker else chr(0x10FFFF)}" if key_marker else ""
    found = page(entries, prefix=prefix, delimiter=delimiter, after=after, limit=limit, marker=key_marker)
    chosen = sorted((entries[name] for name in found.keys), key=lambda u: (in_bytes(u.key), u.id))
    members: Members = {
        "Bucket": bucket.name,
        "Prefix": encode(prefix),
        "KeyMarker": encode(key_marker),
        "UploadIdMarker": id_marker,
        "MaxUploads": limit,
        "IsTruncated": found.truncated,
        "Uploads": [_entry(upload, encode(upload.key)) for upload in chosen],
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


def _entry(upload: Upload, key: str) -> Members:
    return {
        "Key": key,
        "UploadId": upload.id,
        "Initiated": upload.initiated,
        "StorageClass": upload.storage_class,
        "Owner": OWNER,
        "Initiator": OWNER,
        **_checksum(upload),
    }
