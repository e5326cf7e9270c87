from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import answer, call, refused, respond

from s3d.local.directory import CannotOpen
from s3d.s3 import codec
from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import OWNER
from s3d.standalone.config import StandaloneConfig


async def names(backend: Standalone, **members: Any) -> list[str]:
    return [entry["Name"] for entry in (await call(backend, "ListBuckets", members))["Buckets"]]


def rows(backend: Standalone, table: str) -> int:
    count: int = backend._store.reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


async def test_a_new_bucket_has_a_location_header_and_a_date(backend: Standalone) -> None:
    response, members = await answer(backend, codec.build_request("CreateBucket", {"Bucket": "one"}))
    assert (response.status, members) == (200, {"Location": "/one"})
    listed = await call(backend, "ListBuckets")
    assert listed["Owner"] == OWNER
    [entry] = listed["Buckets"]
    assert set(entry) == {"Name", "CreationDate"}
    assert abs((datetime.now(UTC) - entry["CreationDate"]).total_seconds()) < 60


@pytest.mark.parametrize("name", ["UPPER", "ab", "under_score"])
async def test_a_wrong_name(backend: Standalone, name: str) -> None:
    with refused(400, "InvalidBucketName", elements={"BucketName": name}):
        await call(backend, "CreateBucket", {"Bucket": name})
    assert await names(backend) == []


async def test_a_wrong_location(backend: Standalone) -> None:
    members = {"Bucket": "one", "CreateBucketConfiguration": {"LocationConstraint": "no where"}}
    with refused(400, "InvalidLocationConstraint", elements={"LocationConstraint": "no where"}):
        await call(backend, "CreateBucket", members)


async def test_creating_it_again_keeps_everything_but_the_acl(backend: Standalone) -> None:
    await call(backend, "CreateBucket", {"Bucket": "one", "ACL": "public-read", "ObjectOwnership": "ObjectWriter"})
    await call(backend, "PutObject", {"Bucket": "one", "Key": "k"}, b"x")
    assert len((await call(backend, "GetBucketAcl", {"Bucket": "one"}))["Grants"]) == 2
    await call(backend, "CreateBucket", {"Bucket": "one"})
    assert len((await call(backend, "GetBucketAcl", {"Bucket": "one"}))["Grants"]) == 1
    assert (await call(backend, "GetObject", {"Bucket": "one", "Key": "k"}))["Body"] == b"x"
    assert (await call(backend, "GetBucketOwnershipControls", {"Bucket": "one"}))["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "ObjectWriter"}
    ]


async def test_creating_it_again_somewhere_else(backend: Standalone, bucket: str) -> None:
    with refused(409, "BucketAlreadyOwnedByYou", elements={"BucketName": bucket}):
        configuration = {"LocationConstraint": "eu-west-1"}
        await call(backend, "CreateBucket", {"Bucket": bucket, "CreateBucketConfiguration": configuration})


@pytest.mark.parametrize(
    "members",
    [
        {"ObjectLockEnabledForBucket": True},
        {"CreateBucketConfiguration": {"Bucket": {"Type": "Directory"}}},
        {"CreateBucketConfiguration": {"Location": {"Type": "AvailabilityZone", "Name": "use1-az4"}}},
        {"BucketNamespace": "account-regional"},
    ],
)
async def test_what_a_bucket_cannot_be(backend: Standalone, members: dict[str, Any]) -> None:
    with refused(501, "NotImplemented"):
        await call(backend, "CreateBucket", {"Bucket": "one", **members})
    assert await names(backend) == []


async def test_object_lock_that_is_not_asked_for(backend: Standalone) -> None:
    await call(backend, "CreateBucket", {"Bucket": "one", "ObjectLockEnabledForBucket": False})
    assert await names(backend) == ["one"]


async def test_tags_and_ownership_of_a_new_bucket(backend: Standalone) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    await call(backend, "CreateBucket", {"Bucket": "one", "CreateBucketConfiguration": {"Tags": tags}})
    assert (await call(backend, "GetBucketTagging", {"Bucket": "one"}))["TagSet"] == tags
    with refused(400, "InvalidArgument", elements={"ArgumentName": "x-amz-object-ownership"}):
        await call(backend, "CreateBucket", {"Bucket": "two", "ObjectOwnership": "Nobody"})
    with refused(400, "InvalidBucketAclWithObjectOwnership"):
        disabled = {"ObjectOwnership": "BucketOwnerEnforced", "ACL": "public-read"}
        await call(backend, "CreateBucket", {"Bucket": "two", **disabled})
    controls = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
    await call(backend, "PutBucketOwnershipControls", {"Bucket": "one", **controls})
    with refused(400, "InvalidBucketAclWithObjectOwnership"):
        await call(backend, "CreateBucket", {"Bucket": "one", "ACL": "public-read"})
    with refused(400, "InvalidArgument", elements={"ArgumentName": "x-amz-acl"}):
        await call(backend, "CreateBucket", {"Bucket": "two", "ACL": "for-friends"})
    assert await names(backend) == ["one"]


async def test_head_says_the_region(backend: Standalone, bucket: str) -> None:
    members = {"Bucket": "two", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    await call(backend, "CreateBucket", members)
    assert await call(backend, "HeadBucket", {"Bucket": bucket}) == {
        "BucketRegion": "us-east-1",
        "AccessPointAlias": False,
    }
    assert (await call(backend, "HeadBucket", {"Bucket": "two"}))["BucketRegion"] == "eu-west-1"
    with refused(404, "NotFound"):
        await call(backend, "HeadBucket", {"Bucket": "three"})


async def test_the_location_on_the_wire(backend: Standalone, bucket: str) -> None:
    response = await respond(backend, codec.build_request("GetBucketLocation", {"Bucket": bucket}))
    assert isinstance(response.body, bytes)
    assert response.body.endswith(
        b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>'
    )
    members = {"Bucket": "two", "CreateBucketConfiguration": {"LocationConstraint": "EU"}}
    await call(backend, "CreateBucket", members)
    assert (await call(backend, "GetBucketLocation", {"Bucket": "two"}))["LocationConstraint"] == "EU"


async def test_pages_of_a_list(backend: Standalone) -> None:
    for name in ("b-2", "a-1", "b-1", "b-3", "c-1"):
        await call(backend, "CreateBucket", {"Bucket": name})
    assert await names(backend) == ["a-1", "b-1", "b-2", "b-3", "c-1"]
    page = await call(backend, "ListBuckets", {"MaxBuckets": 2, "Prefix": "b-"})
    assert [entry["Name"] for entry in page["Buckets"]] == ["b-1", "b-2"]
    assert page["Buckets"][0]["BucketRegion"] == "us-east-1"
    assert page["Prefix"] == "b-"
    token = page["ContinuationToken"]
    rest = await call(backend, "ListBuckets", {"MaxBuckets": 2, "Prefix": "b-", "ContinuationToken": token})
    assert [entry["Name"] for entry in rest["Buckets"]] == ["b-3"]
    assert "ContinuationToken" not in rest
    assert "ContinuationToken" not in await call(backend, "ListBuckets", {"MaxBuckets": 5})


async def test_buckets_of_a_region(backend: Standalone, bucket: str) -> None:
    members = {"Bucket": "two", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    await call(backend, "CreateBucket", members)
    assert await names(backend, BucketRegion="eu-west-1") == ["two"]
    assert await names(backend, BucketRegion="us-east-1") == [bucket]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [({"MaxBuckets": 0}, "max-buckets"), ({"MaxBuckets": 10_001}, "max-buckets")]
    + [({"ContinuationToken": text}, "continuation-token") for text in ("x", "eA==", "\xff", "Af8=")],
)
async def test_wrong_parameters_of_a_list(backend: Standalone, parameters: dict[str, Any], name: str) -> None:
    with refused(400, "InvalidArgument", elements={"ArgumentName": name}):
        await call(backend, "ListBuckets", parameters)


async def test_a_deleted_bucket_takes_its_settings_and_uploads_along(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutBucketTagging", {"Bucket": bucket, "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}})
    upload = await call(backend, "CreateMultipartUpload", {"Bucket": bucket, "Key": "k"})
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"], "PartNumber": 1}
    await call(backend, "UploadPart", part, b"x" * 100)
    assert [rows(backend, table) for table in ("upload", "part", "body", "bucket_setting")] == [1, 1, 1, 1]
    await call(backend, "DeleteBucket", {"Bucket": bucket})
    assert [rows(backend, table) for table in ("upload", "part", "body", "bucket_setting")] == [0, 0, 0, 0]
    await call(backend, "CreateBucket", {"Bucket": bucket})
    with refused(404, "NoSuchTagSet"):
        await call(backend, "GetBucketTagging", {"Bucket": bucket})
    with refused(404, "NoSuchUpload"):
        await call(backend, "UploadPart", part, b"x")


async def test_a_deleted_bucket_takes_nothing_of_another_along(backend: Standalone, bucket: str) -> None:
    await call(backend, "CreateBucket", {"Bucket": "two"})
    tagging = {"TagSet": [{"Key": "a", "Value": "b"}]}
    await call(backend, "PutBucketTagging", {"Bucket": "two", "Tagging": tagging})
    await call(backend, "CreateMultipartUpload", {"Bucket": "two", "Key": "k"})
    await call(backend, "DeleteBucket", {"Bucket": bucket})
    assert await call(backend, "GetBucketTagging", {"Bucket": "two"}) == tagging
    assert rows(backend, "upload") == 1


async def test_old_versions_and_delete_markers_keep_a_bucket(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutBucketVersioning", {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}})
    put = await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    deleted = await call(backend, "DeleteObject", {"Bucket": bucket, "Key": "k"})
    with refused(409, "BucketNotEmpty", elements={"BucketName": bucket}):
        await call(backend, "DeleteBucket", {"Bucket": bucket})
    await call(backend, "DeleteObject", {"Bucket": bucket, "Key": "k", "VersionId": put["VersionId"]})
    with refused(409, "BucketNotEmpty"):
        await call(backend, "DeleteBucket", {"Bucket": bucket})
    await call(backend, "DeleteObject", {"Bucket": bucket, "Key": "k", "VersionId": deleted["VersionId"]})
    await call(backend, "DeleteBucket", {"Bucket": bucket})
    assert await names(backend) == []


async def test_versioning_that_was_never_set(backend: Standalone, bucket: str) -> None:
    assert await call(backend, "GetBucketVersioning", {"Bucket": bucket}) == {}


async def test_versioning(backend: Standalone, bucket: str) -> None:
    for status in ("Enabled", "Suspended", "Enabled"):
        configuration = {"Status": status, "MFADelete": "Disabled"}
        await call(backend, "PutBucketVersioning", {"Bucket": bucket, "VersioningConfiguration": configuration})
        assert await call(backend, "GetBucketVersioning", {"Bucket": bucket}) == {"Status": status}


@pytest.mark.parametrize(
    ("configuration", "status", "code"),
    [
        ({}, 400, "IllegalVersioningConfigurationException"),
        ({"Status": "enabled"}, 400, "MalformedXML"),
        ({"Status": "Enabled", "MFADelete": "Enabled"}, 501, "NotImplemented"),
    ],
)
async def test_wrong_versioning(
    backend: Standalone, bucket: str, configuration: dict[str, str], status: int, code: str
) -> None:
    with refused(status, code):
        await call(backend, "PutBucketVersioning", {"Bucket": bucket, "VersioningConfiguration": configuration})
    assert await call(backend, "GetBucketVersioning", {"Bucket": bucket}) == {}


async def test_a_name_that_is_no_text(backend: Standalone) -> None:
    with refused(404, "NoSuchBucket"):
        await call(backend, "GetBucketLocation", {"Bucket": "a\udcffb"})


async def test_buckets_of_the_configuration_are_made_once(tmp_path: Path) -> None:
    for buckets in (("one",), ("one", "two")):
        store = Standalone(StandaloneConfig(tmp_path / "store", buckets))
        await store.open()
        if buckets == ("one",):
            await call(store, "PutObject", {"Bucket": "one", "Key": "k"}, b"x")
        assert tuple(await names(store)) == buckets
        assert (await call(store, "GetObject", {"Bucket": "one", "Key": "k"}))["Body"] == b"x"
        await store.close()


async def test_a_wrong_name_in_the_configuration(tmp_path: Path) -> None:
    store = Standalone(StandaloneConfig(tmp_path / "store", ("Wrong",)))
    with pytest.raises(CannotOpen):
        await store.open()
    await store.close()
