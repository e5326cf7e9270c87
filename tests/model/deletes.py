"""DeleteObject and DeleteObjects, with and without versions."""

from __future__ import annotations

from model.conditions import check_delete
from model.store import Answer, Bucket, Call, Members, Object, check_version_id, now
from multidict import CIMultiDict

from s3d.s3.errors import S3Error


def delete_object(bucket: Bucket, call: Call) -> Answer:
    members = call.members
    condition = {"etag": members.get("IfMatch"), "modified": members.get("IfMatchLastModifiedTime")}
    check_delete(call.key, bucket.objects.get(call.key), **condition, size=members.get("IfMatchSize"))
    return Answer(_delete(bucket, call.key, call.version))


def _delete(bucket: Bucket, key: str, version: str | None) -> Members:
    """What the answer says of it. Deleting what is not there succeeds."""
    if version is not None:
        return _delete_version(bucket, key, version)
    if not bucket.versioning:
        bucket.keep(key, [])
        return {}
    marker = Object(b"", "", CIMultiDict(), now(), is_marker=True)
    bucket.add(key, marker)
    return {"DeleteMarker": True, "VersionId": marker.version}


def _delete_version(bucket: Bucket, key: str, version: str) -> Members:
    check_version_id(version)
    versions = bucket.versions(key)
    gone = [one for one in versions if one.version == version]
    bucket.keep(key, [one for one in versions if one.version != version])
    marker = {"DeleteMarker": True} if gone and gone[0].is_marker else {}
    return {"VersionId": version, **marker}


def delete_objects(bucket: Bucket, call: Call) -> Answer:
    wanted = call.members.get("Delete", {}).get("Objects") or []
    if not 1 <= len(wanted) <= 1000:
        raise S3Error("MalformedXML")
    deleted, errors = [], []
    for entry in wanted:
        try:
            deleted.append(_delete_entry(bucket, entry))
        except S3Error as error:
            version = {"VersionId": entry["VersionId"]} if "VersionId" in entry else {}
            errors.append({"Key": entry["Key"], **version, "Code": error.code, "Message": error.message})
    answer = {"Deleted": [] if call.members["Delete"].get("Quiet") else deleted, "Errors": errors}
    return Answer({name: value for name, value in answer.items() if value})


def _delete_entry(bucket: Bucket, entry: Members) -> Members:
    """One ``Deleted`` of the answer. A version id that cannot be one is a version that does not exist."""
    key, version = entry["Key"], entry.get("VersionId")
    if len(key.encode("utf-8", "surrogateescape")) > 1024:
        raise S3Error("KeyTooLongError")
    condition = {"etag": entry.get("ETag"), "modified": entry.get("LastModifiedTime")}
    check_delete(key, bucket.objects.get(key), **condition, size=entry.get("Size"))
    try:
        done = _delete(bucket, key, version)
    except S3Error as error:
        raise S3Error("NoSuchVersion") from error
    said: Members = {"Key": key, **({"VersionId": version} if version is not None else {})}
    if done.get("DeleteMarker"):
        said |= {"DeleteMarker": True, "DeleteMarkerVersionId": done["VersionId"]}
    return said
