"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import bucket as buckets
from s3d.standalone import history
from s3d.standalone.bucket import Bucket
from s3d.standalone.conditions import check_delete
from s3d.standalone.store import Call, Members, Store, now
from s3d.standalone.version import Version, check_length, key_bytes

_AT_ONCE = 100  # keys of a DeleteObjects in one change: some milliseconds on the event loop
_ROWS = 5000  # changed rows after which a change ends early: an object can have 10,000 parts
_KEYS = 1000


async def delete_object(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, InvalidArgument (version id), PreconditionFailed."""

    def change(connection: Connection) -> Members:
        bucket = buckets.find(connection, call.bucket)
        return _delete(connection, store, bucket, call.key, call.members)

    return codec.build_response("DeleteObject", await store.database.change(change))


async def delete_objects(store: Store, call: Call) -> S3Response:
    """Each key for itself: what fails is listed in the answer. Errors: NoSuchBucket, MalformedXML (none or over 1,000)."""
    store.bucket(call.bucket)
    wanted: list[Members] = call.members["Delete"].get("Objects") or []
    if not 1 <= len(wanted) <= _KEYS:
        raise S3Error("MalformedXML")
    deleted: list[Members] = []
    errors: list[Members] = []
    done = 0
    while done < len(wanted):
        some = wanted[done : done + _AT_ONCE]

        def change(connection: Connection, some: list[Members] = some) -> list[Members | S3Error]:
            bucket = buckets.find(connection, call.bucket)
            enough = connection.total_changes + _ROWS
            outcomes = []
            for entry in some:
                outcomes.append(_try(connection, store, bucket, entry))
                if connection.total_changes >= enough:
                    break
            return outcomes

        outcomes = await store.database.change(change)
        done += len(outcomes)
        for entry, outcome in zip(some, outcomes, strict=False):
            named = {name: entry[name] for name in ("Key", "VersionId") if entry.get(name) is not None}
            if isinstance(outcome, S3Error):
                errors.append({**named, "Code": outcome.code, "Message": outcome.message})
            else:
                deleted.append({**named, **_outcome(outcome)})
    answer = {"Deleted": [] if call.members["Delete"].get("Quiet") else deleted, "Errors": errors}
    return codec.build_response("DeleteObjects", {name: found for name, found in answer.items() if found})


def _try(connection: Connection, store: Store, bucket: Bucket, entry: Members) -> Members | S3Error:
    conditions = {
        "IfMatch": entry.get("ETag"),
        "IfMatchLastModifiedTime": entry.get("LastModifiedTime"),
        "IfMatchSize": entry.get("Size"),
        "VersionId": entry.get("VersionId"),
    }
    try:
        return _delete(connection, store, bucket, key_bytes(entry["Key"]), conditions)
    except S3Error as error:
        is_no_version_id = error.code == "InvalidArgument"  # here S3 says the same of one that it never gave
        return S3Error("NoSuchVersion") if is_no_version_id else error


def _outcome(outcome: Members) -> Members:
    """What DeleteObjects says where DeleteObject has headers: the version of a marker has a name of its own."""
    if not outcome.get("DeleteMarker"):
        return {}
    return {"DeleteMarker": True, "DeleteMarkerVersionId": outcome["VersionId"]}


def _delete(connection: Connection, store: Store, bucket: Bucket, key: bytes, members: Mapping[str, Any]) -> Members:
    """Deletes one object or version; the output members of DeleteObject. What is not there is deleted already."""
    check_length(key)
    version_id = members.get("VersionId")
    if version_id is not None:
        found = history.find(connection, bucket, key, version_id)
        check_delete(members, key, found)
        if found is not None:
            history.remove(connection, store.bodies, bucket, found)
        return _removed(version_id, found)
    check_delete(members, key, history.current(connection, bucket, key))
    marker = history.delete(connection, store.bodies, bucket, key, now())
    if marker is not None and store.observer is not None:
        store.observer.deleted(connection, bucket, marker)
    return {} if marker is None else {"DeleteMarker": True, "VersionId": marker.version_id}


def _removed(version_id: str, found: Version | None) -> Members:
    return {"VersionId": version_id} | ({"DeleteMarker": True} if found is not None and found.marker else {})
