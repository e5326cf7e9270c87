"""What a bucket is configured with: stored and returned, and S3's own words where there is nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from conformance.calling import Members, call, refused
from conformance.capabilities import cases

from s3d.s3.backend import Backend

RULE = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}
CORS = {
    "AllowedOrigins": ["https://example.com", "https://*.example.org"],
    "AllowedMethods": ["GET", "PUT"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 60,
}
PUBLIC = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}

STORED: dict[str, tuple[str, str, str, Members, Members, str]] = {
    "tagging": (
        "PutBucketTagging",
        "GetBucketTagging",
        "DeleteBucketTagging",
        {"Tagging": {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": ""}]}},
        {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": ""}]},
        "NoSuchTagSet",
    ),
    "cors": (
        "PutBucketCors",
        "GetBucketCors",
        "DeleteBucketCors",
        {"CORSConfiguration": {"CORSRules": [CORS]}},
        {"CORSRules": [CORS]},
        "NoSuchCORSConfiguration",
    ),
    "lifecycle": (
        "PutBucketLifecycleConfiguration",
        "GetBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
        {"LifecycleConfiguration": {"Rules": [RULE]}},
        {"Rules": [RULE]},
        "NoSuchLifecycleConfiguration",
    ),
    "public-access-block": (
        "PutPublicAccessBlock",
        "GetPublicAccessBlock",
        "DeletePublicAccessBlock",
        {"PublicAccessBlockConfiguration": dict.fromkeys(PUBLIC, True)},
        {"PublicAccessBlockConfiguration": dict.fromkeys(PUBLIC, True)},
        "NoSuchPublicAccessBlockConfiguration",
    ),
    "encryption": (
        "PutBucketEncryption",
        "GetBucketEncryption",
        "DeleteBucketEncryption",
        {"ServerSideEncryptionConfiguration": ENCRYPTION},
        {"ServerSideEncryptionConfiguration": ENCRYPTION},
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    "ownership": (
        "PutBucketOwnershipControls",
        "GetBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
        "OwnershipControlsNotFoundError",
    ),
}


@pytest.mark.parametrize("name", cases("stored", STORED))
async def test_what_is_stored_comes_back_until_it_is_deleted(backend: Backend, bucket: str, name: str) -> None:
    put, get, delete, members, expected, code = STORED[name]
    where = {"Bucket": bucket}
    with refused(404, code):
        await call(backend, get, where)
    await call(backend, put, {**where, **members})
    got = await call(backend, get, where)
    assert {member: got.get(member) for member in expected} == expected
    await call(backend, delete, where)
    with refused(404, code):
        await call(backend, get, where)
    await call(backend, delete, where)


@pytest.mark.parametrize("name", cases("not_configured", STORED))
async def test_what_is_not_there_names_the_bucket(backend: Backend, bucket: str, name: str) -> None:
    _, get, _, _, _, code = STORED[name]
    with refused(404, code, elements={"BucketName": bucket}):
        await call(backend, get, {"Bucket": bucket})


def _policy(bucket: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.capability("policy")
async def test_a_policy_comes_back_until_it_is_deleted(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket}
    with refused(404, "NoSuchBucketPolicy"):
        await call(backend, "GetBucketPolicy", where)
    await call(backend, "PutBucketPolicy", {**where, "Policy": json.dumps(_policy(bucket))})
    assert json.loads((await call(backend, "GetBucketPolicy", where))["Policy"]) == _policy(bucket)
    await call(backend, "DeleteBucketPolicy", where)
    with refused(404, "NoSuchBucketPolicy"):
        await call(backend, "GetBucketPolicy", where)


ABSENT = {
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
    "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
}


@pytest.mark.parametrize("operation", cases("absent", ABSENT))
async def test_what_no_bucket_has(backend: Backend, bucket: str, operation: str) -> None:
    with refused(404, ABSENT[operation]):
        await call(backend, operation, {"Bucket": bucket})


EMPTY: dict[str, Members] = {
    "GetBucketNotificationConfiguration": {},
    "GetBucketLogging": {},
    "GetBucketAccelerateConfiguration": {},
    "GetBucketRequestPayment": {"Payer": "BucketOwner"},
}


@pytest.mark.parametrize("operation", cases("empty", EMPTY))
async def test_what_every_bucket_has_empty(backend: Backend, bucket: str, operation: str) -> None:
    assert await call(backend, operation, {"Bucket": bucket}) == EMPTY[operation]


@pytest.mark.parametrize("operation", cases("of_no_bucket", [row[1] for row in STORED.values()]))
async def test_a_missing_bucket(backend: Backend, operation: str, new_bucket_name: Callable[[], str]) -> None:
    name = new_bucket_name()
    with refused(404, "NoSuchBucket", elements={"BucketName": name}):
        await call(backend, operation, {"Bucket": name})


@pytest.mark.capability("configurations_go")
async def test_configurations_go_with_their_bucket(backend: Backend, new_bucket_name: Callable[[], str]) -> None:
    where = {"Bucket": new_bucket_name()}
    await call(backend, "CreateBucket", where)
    await call(backend, "PutBucketTagging", {**where, "Tagging": {"TagSet": [{"Key": "a", "Value": "1"}]}})
    await call(backend, "DeleteBucket", where)
    await call(backend, "CreateBucket", where)
    with refused(404, "NoSuchTagSet"):
        await call(backend, "GetBucketTagging", where)


@pytest.mark.capability("wrong_bucket_tags")
async def test_wrong_tags(backend: Backend, bucket: str) -> None:
    twice = {"TagSet": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}
    with refused(400, "InvalidTag"):
        await call(backend, "PutBucketTagging", {"Bucket": bucket, "Tagging": twice})


def _granted(found: Members) -> list[tuple[str, str]]:
    return [(g["Grantee"].get("URI", "").rpartition("/")[2], g["Permission"]) for g in found["Grants"]]


CANNED = {
    "private": [("", "FULL_CONTROL")],
    "public-read": [("", "FULL_CONTROL"), ("AllUsers", "READ")],
    "public-read-write": [("", "FULL_CONTROL"), ("AllUsers", "READ"), ("AllUsers", "WRITE")],
    "authenticated-read": [("", "FULL_CONTROL"), ("AuthenticatedUsers", "READ")],
}


@pytest.mark.parametrize("acl", cases("bucket_acl", CANNED))
async def test_the_access_control_list_of_a_bucket(backend: Backend, bucket: str, acl: str) -> None:
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "ACL": acl})
    found = await call(backend, "GetBucketAcl", {"Bucket": bucket})
    assert sorted(_granted(found)) == sorted(CANNED[acl])
    assert found["Owner"]["ID"]
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "ACL": "private"})


@pytest.mark.parametrize("acl", cases("object_acl", CANNED))
async def test_the_access_control_list_of_an_object(backend: Backend, bucket: str, acl: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", {**where, "ACL": acl}, b"x")
    assert sorted(_granted(await call(backend, "GetObjectAcl", where))) == sorted(CANNED[acl])
    await call(backend, "PutObjectAcl", {**where, "ACL": "private"})
    assert _granted(await call(backend, "GetObjectAcl", where)) == CANNED["private"]


@pytest.mark.parametrize("operation", cases("acl_of_nothing", ["GetObjectAcl", "PutObjectAcl"]))
async def test_the_access_control_list_of_nothing(backend: Backend, bucket: str, operation: str) -> None:
    acl = {"ACL": "private"} if operation == "PutObjectAcl" else {}
    with refused(404, "NoSuchKey"):
        await call(backend, operation, {"Bucket": bucket, "Key": "none", **acl})
