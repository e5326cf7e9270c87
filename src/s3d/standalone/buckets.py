"""Buckets: create, head, list, delete, location, versioning."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import acl, bucket_name, bucket_setting, bucket_settings, history, tags
from s3d.standalone import bucket as bucket_rows
from s3d.standalone.answers import moment
from s3d.standalone.bucket import OWNER, Bucket
from s3d.standalone.store import Call, Members, Store, now

_PAGE = 10_000  # the most that max-buckets may be: "ListBuckets", Amazon S3 API Reference
_TOKEN = b"\x01"  # in front of the name in a continuation token
_NEW = "INSERT INTO bucket (name, created, location) VALUES (?, ?, ?)"
_IN_USE = (
    "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = :id) OR EXISTS (SELECT 1 FROM noncurrent WHERE bucket = :id)"
)


async def create_missing(store: Store, names: Iterable[str]) -> None:
    """Creates those of the buckets that are not there. Raises InvalidBucketName."""

    def change(connection: Connection) -> None:
        for name in names:
            bucket_name.check(name)
            if _find(connection, name) is None:
                connection.execute(_NEW, (name, now(), ""))

    await store.database.change(change)


async def create_bucket(store: Store, call: Call) -> S3Response:
    """Creating one's own bucket again succeeds and sets its ACL anew, as in us-east-1, unless it is somewhere else.

    Errors: InvalidBucketName, InvalidLocationConstraint, BucketAlreadyOwnedByYou, InvalidArgument (ACL, ownership),
    InvalidBucketAclWithObjectOwnership, InvalidTag, NotImplemented (object lock, directory buckets).
    """
    name = call.bucket
    bucket_name.check(name)
    _refuse_unsupported(call.members)
    wanted: Mapping[str, Any] = call.members.get("CreateBucketConfiguration") or {}
    location = bucket_name.location(wanted.get("LocationConstraint"))
    settings = _settings(call, wanted)
    grants = acl.of_headers(call.request.headers, is_bucket=True)

    def change(connection: Connection) -> None:
        bucket = _find(connection, name)
        if bucket is None:
            connection.execute(_NEW, (name, now(), location))
            bucket = bucket_rows.find(connection, name)
            for setting, value in settings.items():
                bucket_setting.write(connection, bucket, setting, value)
        elif bucket.location != location:
            raise S3Error("BucketAlreadyOwnedByYou", elements={"BucketName": name})
        acl.check_ownership(bucket_setting.read(connection, bucket, "ownershipControls"), grants)
        bucket_setting.write(connection, bucket, acl.SETTING, grants)

    await store.database.change(change)
    return codec.build_response("CreateBucket", {"Location": f"/{name}"})


async def head_bucket(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket."""
    bucket = store.bucket(call.bucket)
    members = {"BucketRegion": bucket_name.region(bucket.location), "AccessPointAlias": False}
    response = codec.build_response("HeadBucket", members)
    response.headers["Content-Type"] = "application/xml"
    return response


async def delete_bucket(store: Store, call: Call) -> S3Response:
    """Its settings and open multipart uploads go with it. Errors: NoSuchBucket, BucketNotEmpty."""

    def change(connection: Connection) -> None:
        bucket = bucket_rows.find(connection, call.bucket)
        if connection.execute(_IN_USE, {"id": bucket.id}).fetchone()[0]:
            raise _not_empty(bucket)
        uploads = connection.execute("DELETE FROM upload WHERE bucket = ? RETURNING id", (bucket.id,)).fetchall()
        for (upload,) in uploads:
            history.release_parts(connection, store.bodies, upload)
        connection.execute("DELETE FROM bucket_setting WHERE bucket = ?", (bucket.id,))
        connection.execute("DELETE FROM bucket WHERE id = ?", (bucket.id,))

    await store.database.change(change)
    return codec.build_response("DeleteBucket", {})


async def list_buckets(store: Store, call: Call) -> S3Response:
    """In the order of names; a request with any of the parameters is told the regions. Errors: InvalidArgument."""
    asked = call.members
    limit: int = asked.get("MaxBuckets", _PAGE)
    if not 1 <= limit <= _PAGE:
        elements = {"ArgumentName": "max-buckets", "ArgumentValue": str(limit)}
        message = f"Argument max-buckets must be an integer between 1 and {_PAGE}"
        raise S3Error("InvalidArgument", message, elements=elements)
    after = _from_token(asked.get("ContinuationToken"))
    prefix, region = asked.get("Prefix") or "", asked.get("BucketRegion")
    rows = store.reader.execute("SELECT name, created, location FROM bucket WHERE name > ? ORDER BY name", (after,))
    entries: list[Members] = []
    answer: Members = {"Owner": OWNER, "Buckets": entries}
    for name, created, location in rows.fetchall():
        here = bucket_name.region(location)
        if not name.startswith(prefix) or region not in (None, "", here):
            continue
        if len(entries) == limit:
            answer["ContinuationToken"] = base64.urlsafe_b64encode(_TOKEN + entries[-1]["Name"].encode()).decode()
            break
        entry = {"Name": name, "CreationDate": moment(created)}
        entries.append(entry | ({"BucketRegion": here} if asked else {}))
    if prefix:
        answer["Prefix"] = prefix
    return codec.build_response("ListBuckets", answer)


async def get_location(store: Store, call: Call) -> S3Response:
    """Empty for us-east-1. Errors: NoSuchBucket."""
    location = store.bucket(call.bucket).location
    return codec.build_response("GetBucketLocation", {"LocationConstraint": location or None})


async def get_versioning(store: Store, call: Call) -> S3Response:
    """Without a status if it was never set. Errors: NoSuchBucket."""
    return codec.build_response("GetBucketVersioning", {"Status": store.bucket(call.bucket).versioning})


async def put_versioning(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, IllegalVersioningConfigurationException (no status), MalformedXML (an unknown one),
    NotImplemented (MFA delete)."""
    store.bucket(call.bucket)
    wanted = call.members["VersioningConfiguration"]
    status = wanted.get("Status")
    if wanted.get("MFADelete", "Disabled") != "Disabled":
        raise S3Error("NotImplemented", "MFA delete is not implemented here.")
    if not status:
        raise S3Error("IllegalVersioningConfigurationException")
    if status not in ("Enabled", "Suspended"):
        raise S3Error("MalformedXML")

    def change(connection: Connection) -> None:
        bucket = bucket_rows.find(connection, call.bucket)
        connection.execute("UPDATE bucket SET versioning = ? WHERE id = ?", (status, bucket.id))

    await store.database.change(change)
    return codec.build_response("PutBucketVersioning", {})


def _find(connection: Connection, name: str) -> Bucket | None:
    try:
        return bucket_rows.find(connection, name)
    except S3Error:
        return None


def _refuse_unsupported(members: Members) -> None:
    if members.get("ObjectLockEnabledForBucket"):
        raise S3Error("NotImplemented", "Object lock is not implemented here.")
    configuration = members.get("CreateBucketConfiguration") or {}
    if configuration.get("Bucket") or configuration.get("Location"):
        raise S3Error("NotImplemented", "Directory buckets are not implemented here.")
    if members.get("BucketNamespace", "global") != "global":
        raise S3Error("NotImplemented", "Bucket namespaces of an account are not implemented here.")


def _settings(call: Call, configuration: Mapping[str, Any]) -> dict[str, str | None]:
    """What a new bucket begins with."""
    found: dict[str, str | None] = {}
    if configuration.get("Tags"):
        found["tagging"] = tags.of_members({"TagSet": configuration["Tags"]}, tags.BUCKET_LIMIT)
    if (ownership := call.members.get("ObjectOwnership")) is not None:
        found["ownershipControls"] = bucket_settings.stored_ownership(ownership)
    return found


def _not_empty(bucket: Bucket) -> S3Error:
    message = "The bucket you tried to delete is not empty"
    if bucket.versioning is not None:
        message += ". You must delete all versions in the bucket."
    return S3Error("BucketNotEmpty", message, elements={"BucketName": bucket.name})


def _from_token(text: str | None) -> str:
    """The name after which the page begins."""
    if not text:
        return ""
    try:
        raw = base64.b64decode(text.encode(), b"-_", validate=True)
        if raw.startswith(_TOKEN):
            return raw.removeprefix(_TOKEN).decode()
    except (binascii.Error, ValueError):
        pass
    elements = {"ArgumentName": "continuation-token", "ArgumentValue": text}
    raise S3Error("InvalidArgument", "The continuation token provided is incorrect", elements=elements)
