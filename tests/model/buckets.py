"""Buckets: create, delete, list, locate, versioning, access control lists."""

from __future__ import annotations

import base64
import binascii
import re

from model.objects import canned_acl
from model.owner import OWNER
from model.store import Answer, Bucket, Call, Members, Store, now

from s3d.s3.errors import S3Error

REGION = "us-east-1"
_BUCKET_NAME = re.compile(r"(?!xn--)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_GROUPS = "http://acs.amazonaws.com/groups/global/"
_GRANTS = {
    "public-read": [("AllUsers", "READ")],
    "public-read-write": [("AllUsers", "READ"), ("AllUsers", "WRITE")],
    "authenticated-read": [("AuthenticatedUsers", "READ")],
}


def create_bucket(store: Store, call: Call) -> Answer:
    """Creating one's own bucket again succeeds, as in us-east-1, unless it is to be elsewhere."""
    name = call.members["Bucket"]
    if not _BUCKET_NAME.fullmatch(name) or ".." in name:
        raise S3Error("InvalidBucketName", elements={"BucketName": name})
    location = call.members.get("CreateBucketConfiguration", {}).get("LocationConstraint", "")
    location = "" if location == REGION else location
    if name in store.buckets and store.buckets[name].location != location:
        raise S3Error("BucketAlreadyOwnedByYou", elements={"BucketName": name})
    if name not in store.buckets:
        store.buckets[name] = Bucket(name, now(), location)
        store.buckets[name].configurations["GetBucketAcl"] = canned_acl(call)
    return Answer({"Location": f"/{name}"})


def head_bucket(bucket: Bucket, call: Call) -> Answer:
    return Answer({"BucketRegion": bucket.location or REGION, "AccessPointAlias": False})


def delete_bucket(store: Store, call: Call) -> Answer:
    bucket = store.bucket(call.members["Bucket"])
    if bucket.objects or bucket.older:
        raise S3Error("BucketNotEmpty", elements={"BucketName": bucket.name})
    del store.buckets[bucket.name]
    return Answer()


def list_buckets(store: Store, call: Call) -> Answer:
    """A page by name. The region is in the entries of a request that has a parameter."""
    asked = call.members
    limit, prefix, continued = asked.get("MaxBuckets", 10_000), asked.get("Prefix", ""), asked.get("ContinuationToken")
    if not 1 <= limit <= 10_000:
        elements = {"ArgumentName": "max-buckets", "ArgumentValue": str(limit)}
        message = "Argument max-buckets must be an integer between 1 and 10000"
        raise S3Error("InvalidArgument", message, elements=elements)
    after = "" if continued is None else _from_token(continued)
    region = asked.get("BucketRegion")
    found = [
        bucket
        for name, bucket in sorted(store.buckets.items())
        if name.startswith(prefix) and name > after and region in (None, bucket.location or REGION)
    ]
    members: Members = {"Buckets": [_entry(bucket, full=bool(asked)) for bucket in found[:limit]], "Owner": OWNER}
    if prefix:
        members["Prefix"] = prefix
    if len(found) > limit:
        members["ContinuationToken"] = base64.urlsafe_b64encode(b"\x02" + found[limit - 1].name.encode()).decode()
    return Answer(members)


def _from_token(text: str) -> str:
    try:
        raw = base64.urlsafe_b64decode(text.encode())
    except (binascii.Error, ValueError):
        raw = b""
    if raw[:1] != b"\x02":
        elements = {"ArgumentName": "continuation-token", "ArgumentValue": text}
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect", elements=elements)
    return raw[1:].decode()


def _entry(bucket: Bucket, *, full: bool) -> Members:
    entry = {"Name": bucket.name, "CreationDate": bucket.created}
    return entry | ({"BucketRegion": bucket.location or REGION} if full else {})


def put_bucket_versioning(bucket: Bucket, call: Call) -> Answer:
    status = call.members["VersioningConfiguration"].get("Status")
    if status not in ("Enabled", "Suspended"):
        raise S3Error("MalformedXML" if status else "IllegalVersioningConfigurationException")
    bucket.versioning = status
    return Answer()


def get_bucket_versioning(bucket: Bucket, call: Call) -> Answer:
    return Answer({"Status": bucket.versioning} if bucket.versioning else {})


def put_bucket_acl(bucket: Bucket, call: Call) -> Answer:
    if "AccessControlPolicy" in call.members:
        raise S3Error("NotImplemented", "the model has canned access control lists only")
    bucket.configurations["GetBucketAcl"] = canned_acl(call)
    return Answer()


def get_bucket_acl(bucket: Bucket, call: Call) -> Answer:
    return Answer(_policy(bucket.configurations["GetBucketAcl"]))


def put_object_acl(bucket: Bucket, call: Call) -> Answer:
    if "AccessControlPolicy" in call.members:
        raise S3Error("NotImplemented", "the model has canned access control lists only")
    bucket.read(call.key, call.version, call.request.method).acl = canned_acl(call)
    return Answer()


def get_object_acl(bucket: Bucket, call: Call) -> Answer:
    return Answer(_policy(bucket.read(call.key, call.version).acl))


def _policy(acl: str) -> Members:
    """The grants that a canned access control list stands for ("Canned ACL", Amazon S3 User Guide)."""
    mine = {"Grantee": {"Type": "CanonicalUser", **OWNER}, "Permission": "FULL_CONTROL"}
    others = [
        {"Grantee": {"Type": "Group", "URI": _GROUPS + group}, "Permission": permission}
        for group, permission in _GRANTS.get(acl, [])
    ]
    return {"Owner": OWNER, "Grants": [mine, *others]}
