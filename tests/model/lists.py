"""ListObjects, ListObjectsV2, ListObjectVersions."""

from __future__ import annotations

from collections.abc import Iterator

from model.listing import Page, common_prefix, encoder, from_token, in_bytes, limit_of, page, token
from model.owner import OWNER
from model.store import Answer, Bucket, Call, Members, Object, check_version_id

from s3d.s3.errors import S3Error


def list_objects(bucket: Bucket, call: Call) -> Answer:
    members, found = _listed(bucket, call, call.members.get("Marker", ""), owner=True)
    encode = encoder(call.members.get("EncodingType"))
    members["Marker"] = encode(call.members.get("Marker", ""))
    if found.truncated and call.members.get("Delimiter"):  # without a delimiter the last key is the next marker
        members["NextMarker"] = encode(found.last)
    return Answer(members)


def list_objects_v2(bucket: Bucket, call: Call) -> Answer:
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
    members = _asked(bucket, call)
    limit, encode = members["MaxKeys"], encoder(call.members.get("EncodingType"))
    prefix, delimiter = call.members.get("Prefix", ""), call.members.get("Delimiter", "")
    found = page(bucket.objects, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
    entries = [_entry(bucket.objects[key], encode(key), owner=owner) for key in found.keys]
    prefixes = [{"Prefix": encode(name)} for name in found.prefixes]
    return members | {"IsTruncated": found.truncated, "Contents": entries, "CommonPrefixes": prefixes}, found


def _asked(bucket: Bucket, call: Call) -> Members:
    """What all lists repeat of the request."""
    encode = encoder(call.members.get("EncodingType"))
    limit = limit_of(call.members.get("MaxKeys"), "max-keys")
    members: Members = {"Name": bucket.name, "Prefix": encode(call.members.get("Prefix", "")), "MaxKeys": limit}
    if delimiter := call.members.get("Delimiter"):
        members["Delimiter"] = encode(delimiter)
    if call.members.get("EncodingType"):
        members["EncodingType"] = "url"
    return members


def _entry(found: Object, key: str, *, owner: bool) -> Members:
    entry: Members = {
        "Key": key,
        "LastModified": found.modified,
        "ETag": found.etag,
        "Size": len(found.data),
        "StorageClass": found.storage_class,
    }
    if found.checksums:
        names = [name.removeprefix("Checksum") for name in found.checksums]
        entry |= {"ChecksumAlgorithm": names, "ChecksumType": found.checksum_type}
    return entry | ({"Owner": OWNER} if owner else {})


def list_object_versions(bucket: Bucket, call: Call) -> Answer:
    members = _asked(bucket, call)
    encode = encoder(call.members.get("EncodingType"))
    key_marker, id_marker = call.members.get("KeyMarker", ""), call.members.get("VersionIdMarker")
    _check_markers(key_marker, id_marker)
    prefixes: list[str] = []
    rows: list[tuple[str, Object]] = []
    last: tuple[str, str | None] = ("", None)
    truncated = False
    for key, found in _behind(bucket, key_marker, id_marker, call.members.get("Prefix", "")):
        group = common_prefix(key, call.members.get("Prefix", ""), call.members.get("Delimiter", ""))
        if group is not None and (group == key_marker or group in prefixes[-1:]):
            continue
        if len(rows) + len(prefixes) >= members["MaxKeys"]:
            truncated = members["MaxKeys"] > 0
            break
        if group is None:
            rows.append((key, found))
            last = (key, found.version)
        else:
            prefixes.append(group)
            last = (group, None)
    members |= {"KeyMarker": encode(key_marker), "VersionIdMarker": id_marker or "", "IsTruncated": truncated}
    if truncated:
        members |= {"NextKeyMarker": encode(last[0]), "NextVersionIdMarker": last[1]}
    members["Versions"] = [_version(bucket, k, f, encode(k)) for k, f in rows if not f.is_marker]
    members["DeleteMarkers"] = [_version(bucket, k, f, encode(k)) for k, f in rows if f.is_marker]
    members["CommonPrefixes"] = [{"Prefix": encode(name)} for name in prefixes]
    return Answer(members)


def _check_markers(key: str, version: str | None) -> None:
    if version is None:
        return
    elements = {"ArgumentName": "version-id-marker", "ArgumentValue": version}
    if not version:
        raise S3Error("InvalidArgument", "A version-id marker cannot be empty.", elements=elements)
    if not key:
        message = "A version-id marker cannot be specified without a key marker."
        raise S3Error("InvalidArgument", message, elements=elements)
    check_version_id(version)


def _behind(bucket: Bucket, key_marker: str, id_marker: str | None, prefix: str) -> Iterator[tuple[str, Object]]:
    """Every version behind the markers: by key, then newest first."""
    for key in sorted({*bucket.objects, *bucket.older}, key=in_bytes):
        versions = bucket.versions(key)
        if not key.startswith(prefix) or in_bytes(key) < in_bytes(key_marker):
            continue
        if key == key_marker:
            position = [found.version for found in versions].index(id_marker) if id_marker else len(versions) - 1
            versions = versions[position + 1 :]
        yield from ((key, found) for found in versions)


def _version(bucket: Bucket, key: str, found: Object, written: str) -> Members:
    entry = _entry(found, written, owner=True)
    if found.is_marker:
        entry = {name: entry[name] for name in ("Key", "LastModified", "Owner")}
    return entry | {"VersionId": found.version, "IsLatest": found is bucket.versions(key)[0]}
