from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import answer, call, refused

from s3d.s3 import codec
from s3d.standalone import acl
from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import OWNER

OWNERS = {"Grantee": {"Type": "CanonicalUser", **OWNER}, "Permission": "FULL_CONTROL"}
PUBLIC = {
    "Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"},
    "Permission": "READ",
}


async def permissions(backend: Standalone, operation: str, **members: Any) -> list[str]:
    return [grant["Permission"] for grant in (await call(backend, operation, members))["Grants"]]


async def test_the_list_of_a_bucket(backend: Standalone, bucket: str) -> None:
    assert await call(backend, "GetBucketAcl", {"Bucket": bucket}) == {"Owner": OWNER, "Grants": [OWNERS]}
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "ACL": "public-read"})
    found = await call(backend, "GetBucketAcl", {"Bucket": bucket})
    assert found == {"Owner": OWNER, "Grants": [OWNERS, PUBLIC]}
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "AccessControlPolicy": found | {"Grants": []}})
    assert await permissions(backend, "GetBucketAcl", Bucket=bucket) == []
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "AccessControlPolicy": found})
    assert await call(backend, "GetBucketAcl", {"Bucket": bucket}) == found
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "GrantWrite": "id=abc"})
    assert await permissions(backend, "GetBucketAcl", Bucket=bucket) == ["WRITE"]
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "ACL": "private"})
    assert await permissions(backend, "GetBucketAcl", Bucket=bucket) == ["FULL_CONTROL"]


async def test_the_list_of_an_object(backend: Standalone, bucket: str) -> None:
    key = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", {**key, "ACL": "public-read"}, b"x")
    assert await call(backend, "GetObjectAcl", key) == {"Owner": OWNER, "Grants": [OWNERS, PUBLIC]}
    await call(backend, "PutObjectAcl", {**key, "ACL": "authenticated-read"})
    assert await permissions(backend, "GetObjectAcl", **key) == ["FULL_CONTROL", "READ"]
    await call(backend, "PutObject", key, b"x")
    assert await permissions(backend, "GetObjectAcl", **key) == ["FULL_CONTROL"]
    for operation in ("GetObjectAcl", "PutObjectAcl"):
        with refused(404, "NoSuchKey", elements={"Key": "other"}):
            members = {"Bucket": bucket, "Key": "other"} | ({"ACL": "private"} if operation == "PutObjectAcl" else {})
            await call(backend, operation, members)


async def test_lists_of_versions(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutBucketVersioning", {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}})
    key = {"Bucket": bucket, "Key": "k"}
    first, second = [(await call(backend, "PutObject", key, body))["VersionId"] for body in (b"1", b"2")]
    await call(backend, "PutObjectAcl", {**key, "VersionId": first, "ACL": "public-read-write"})
    assert len(await permissions(backend, "GetObjectAcl", **key, VersionId=first)) == 3
    assert len(await permissions(backend, "GetObjectAcl", **key, VersionId=second)) == 1
    await call(backend, "PutObjectAcl", {**key, "ACL": "public-read"})
    assert len(await permissions(backend, "GetObjectAcl", **key, VersionId=first)) == 3
    assert len(await permissions(backend, "GetObjectAcl", **key)) == 2
    marker = (await call(backend, "DeleteObject", key))["VersionId"]
    with refused(405, "MethodNotAllowed"):
        await call(backend, "PutObjectAcl", {**key, "VersionId": marker, "ACL": "private"})
    with refused(404, "NoSuchKey"):
        await call(backend, "PutObjectAcl", {**key, "ACL": "private"})


@pytest.mark.parametrize("operation", ["PutBucketAcl", "PutObjectAcl"])
async def test_a_list_has_to_be_said_in_one_way(backend: Standalone, bucket: str, operation: str) -> None:
    members = {"Bucket": bucket} | ({"Key": "k"} if operation == "PutObjectAcl" else {})
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    with refused(400, "MissingSecurityHeader", elements={"MissingHeaderName": "x-amz-acl"}):
        await call(backend, operation, members)
    document = {"Owner": OWNER, "Grants": [OWNERS]}
    with refused(400, "UnexpectedContent"):
        await call(backend, operation, {**members, "ACL": "private", "AccessControlPolicy": document})
    with refused(400, "InvalidRequest"):
        await call(backend, operation, {**members, "ACL": "private", "GrantRead": "id=abc"})
    with refused(400, "MalformedACLError"):
        await call(backend, operation, {**members, "AccessControlPolicy": {"Grants": []}})


async def test_lists_that_are_disabled(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    controls = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "ACL": "public-read"})
    with refused(400, "InvalidBucketAclWithObjectOwnership"):
        await call(backend, "PutBucketOwnershipControls", {"Bucket": bucket, **controls})
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "ACL": "private"})
    await call(backend, "PutBucketOwnershipControls", {"Bucket": bucket, **controls})
    for operation, members in (("PutBucketAcl", {"Bucket": bucket}), ("PutObjectAcl", {"Bucket": bucket, "Key": "k"})):
        with refused(400, "AccessControlListNotSupported"):
            await call(backend, operation, {**members, "ACL": "private"})
    assert await permissions(backend, "GetObjectAcl", Bucket=bucket, Key="k") == ["FULL_CONTROL"]


async def test_public_lists_that_are_blocked(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    block = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}
    await call(backend, "PutPublicAccessBlock", {"Bucket": bucket, **block})
    for operation, members in (("PutBucketAcl", {"Bucket": bucket}), ("PutObjectAcl", {"Bucket": bucket, "Key": "k"})):
        await call(backend, operation, {**members, "ACL": "private"})
        with refused(403, "AccessDenied"):
            await call(backend, operation, {**members, "ACL": "public-read"})


async def test_what_an_upload_may_say(backend: Standalone, bucket: str) -> None:
    reader, found = backend._store.reader, backend._store.bucket(bucket)
    public = acl.of_headers(codec.build_request("PutBucketAcl", {"Bucket": bucket, "ACL": "public-read"}).headers)
    acl.check_upload(reader, found, public)
    block = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}
    await call(backend, "PutPublicAccessBlock", {"Bucket": bucket, **block})
    acl.check_upload(reader, found, None)
    with pytest.raises(acl.S3Error) as denied:
        acl.check_upload(reader, found, public)
    assert denied.value.code == "AccessDenied"
    controls = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
    await call(backend, "PutBucketOwnershipControls", {"Bucket": bucket, **controls})
    acl.check_upload(reader, found, None)
    with pytest.raises(acl.S3Error) as unsupported:
        acl.check_upload(reader, found, public)
    assert unsupported.value.code == "AccessControlListNotSupported"


async def test_grantees_on_the_wire(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutBucketAcl", {"Bucket": bucket, "GrantRead": "emailAddress=a@example.com"})
    response, _ = await answer(backend, codec.build_request("GetBucketAcl", {"Bucket": bucket}))
    assert isinstance(response.body, bytes)
    assert b'xsi:type="AmazonCustomerByEmail"' in response.body
