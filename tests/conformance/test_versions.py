"""Versions of objects: ids, delete markers, the null version ("Using versioning in S3 buckets", S3 User Guide)."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import Members, Refused, call, refused
from conformance.capabilities import cases
from conformance.versioned import delete, get, known, put, versioning

from s3d.s3.backend import Backend

NO_ID = "this-is-no-version-id"


@pytest.fixture
async def at(versioned_bucket: str) -> Members:
    """Bucket and key of nothing yet, in a bucket with versioning."""
    return {"Bucket": versioned_bucket, "Key": "k"}


async def test_the_state_of_a_bucket(backend: Backend, bucket: str) -> None:
    assert (await call(backend, "GetBucketVersioning", {"Bucket": bucket})).get("Status") is None
    for status in ("Enabled", "Suspended", "Enabled"):
        await versioning(backend, bucket, status)
        assert (await call(backend, "GetBucketVersioning", {"Bucket": bucket}))["Status"] == status


@pytest.mark.capability("wrong_versioning")
async def test_a_wrong_state(backend: Backend, bucket: str) -> None:
    with refused(400, "MalformedXML", "IllegalVersioningConfigurationException"):
        await versioning(backend, bucket, "Disabled")


async def test_without_versioning_there_are_no_ids(backend: Backend, bucket: str) -> None:
    at = {"Bucket": bucket, "Key": "k"}
    assert await put(backend, at, b"1") is None
    got = await call(backend, "GetObject", at)
    assert (got.get("VersionId"), got.get("DeleteMarker")) == (None, None)
    assert await delete(backend, at) == (None, None)


async def test_every_put_is_a_version(backend: Backend, at: Members) -> None:
    first, second = await put(backend, at, b"first"), await put(backend, at, b"second")
    assert first
    assert second
    assert first != second
    assert await get(backend, at) == (b"second", second)
    assert await get(backend, at, first) == (b"first", first)
    head = await call(backend, "HeadObject", {**at, "VersionId": first})
    assert (head["ContentLength"], head["VersionId"]) == (5, first)


@pytest.mark.capability("marker_header")
async def test_a_delete_hides_and_keeps(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    is_marker, marker = await delete(backend, at)
    assert is_marker is True
    assert marker not in (None, first)
    with refused(404, "NoSuchKey") as refusal:
        await call(backend, "GetObject", at)
    assert refusal.value.headers["x-amz-delete-marker"] == "true"
    assert await get(backend, at, first) == (b"first", first)
    assert not (await call(backend, "ListObjectsV2", {"Bucket": at["Bucket"]})).get("Contents")


@pytest.mark.capability("head_of_a_marker")
async def test_a_head_of_what_is_hidden(backend: Backend, at: Members) -> None:
    await put(backend, at, b"first")
    _, marker = await delete(backend, at)
    with refused(404, "NotFound") as refusal:
        await call(backend, "HeadObject", at)
    assert refusal.value.headers["x-amz-delete-marker"] == "true"
    assert refusal.value.headers["x-amz-version-id"] == marker


@pytest.mark.parametrize("operation", cases("read_a_marker", ["GetObject", "HeadObject"]))
async def test_a_marker_cannot_be_read(backend: Backend, at: Members, operation: str) -> None:
    await put(backend, at, b"first")
    _, marker = await delete(backend, at)
    with refused(405, "MethodNotAllowed") as refusal:
        await call(backend, operation, {**at, "VersionId": marker})
    headers = refusal.value.headers
    assert (headers["x-amz-delete-marker"], headers["Allow"]) == ("true", "DELETE")
    assert headers["Last-Modified"]


@pytest.mark.capability("delete_marker")
async def test_deleting_the_marker_brings_the_object_back(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    _, marker = await delete(backend, at)
    assert await delete(backend, at, marker) == (True, marker)
    assert await get(backend, at) == (b"first", first)


async def test_deleting_the_latest_brings_the_one_before(backend: Backend, at: Members) -> None:
    first, second = await put(backend, at, b"first"), await put(backend, at, b"second")
    assert await delete(backend, at, second) == (None, second)
    assert await get(backend, at) == (b"first", first)
    with refused(404, "NoSuchVersion"):
        await get(backend, at, second)
    await delete(backend, at, first)
    with refused(404, "NoSuchKey"):
        await get(backend, at)


@pytest.mark.capability("marker_of_nothing")
async def test_a_delete_of_nothing_makes_a_marker(backend: Backend, at: Members) -> None:
    is_marker, marker = await delete(backend, at)
    again, other = await delete(backend, at)
    assert (is_marker, again) == (True, True)
    assert marker != other


@pytest.mark.capability("delete_version_twice")
async def test_deleting_a_version_twice(backend: Backend, at: Members) -> None:
    first, _ = await put(backend, at, b"first"), await put(backend, at, b"second")
    for _ in range(2):
        assert (await delete(backend, at, first))[1] == first


@pytest.mark.capability("no_such_version")
async def test_a_version_that_is_gone(backend: Backend, at: Members) -> None:
    first, _ = await put(backend, at, b"first"), await put(backend, at, b"second")
    await delete(backend, at, first)
    with refused(404, "NoSuchVersion", elements={"Key": "k", "VersionId": str(first)}):
        await get(backend, at, first)


@pytest.mark.parametrize("operation", cases("version_id", ["GetObject", "DeleteObject", "GetObjectTagging"]))
async def test_what_is_no_version_id(backend: Backend, at: Members, operation: str) -> None:
    await put(backend, at, b"first")
    with refused(400, "InvalidArgument", elements={"ArgumentName": "versionId", "ArgumentValue": NO_ID}):
        await call(backend, operation, {**at, "VersionId": NO_ID})


async def test_what_was_there_before_is_the_null_version(backend: Backend, bucket: str) -> None:
    at = {"Bucket": bucket, "Key": "k"}
    await put(backend, at, b"before")
    await versioning(backend, bucket, "Enabled")
    assert (await get(backend, at))[0] == b"before"
    second = await put(backend, at, b"second")
    assert await get(backend, at) == (b"second", second)
    assert (await get(backend, at, "null"))[0] == b"before"


@pytest.mark.capability("null_is_said")
async def test_the_null_version_says_so(backend: Backend, bucket: str) -> None:
    at = {"Bucket": bucket, "Key": "k"}
    await put(backend, at, b"before")
    await versioning(backend, bucket, "Enabled")
    assert await get(backend, at) == (b"before", "null")


@pytest.mark.capability("null_version")
async def test_a_suspended_bucket_replaces_the_null_version_only(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    await versioning(backend, at["Bucket"], "Suspended")
    for body in (b"second", b"third"):
        await put(backend, at, body)
    assert (await get(backend, at))[0] == b"third"
    assert (await get(backend, at, first))[0] == b"first"
    assert [version for _, version, _, _ in await known(backend, at["Bucket"])] == ["null", first]


@pytest.mark.capability("suspended_put_names_no_version")
async def test_a_put_into_a_suspended_bucket_names_no_version(backend: Backend, at: Members) -> None:
    await versioning(backend, at["Bucket"], "Suspended")
    assert await put(backend, at, b"x") is None


@pytest.mark.capability("suspended_delete")
async def test_a_delete_in_a_suspended_bucket(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    await versioning(backend, at["Bucket"], "Suspended")
    await put(backend, at, b"null version")
    assert await delete(backend, at) == (True, "null")
    with refused(404, "NoSuchKey"):
        await get(backend, at)
    assert [row[1:] for row in await known(backend, at["Bucket"])] == [("null", True, True), (first, False, False)]
    assert await delete(backend, at, "null") == (True, "null")
    assert (await get(backend, at))[0] == b"first"


@pytest.mark.capability("bucket_with_versions")
async def test_a_bucket_with_an_old_version_stays(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    _, marker = await delete(backend, at)
    for version in (marker, first):
        with refused(409, "BucketNotEmpty"):
            await call(backend, "DeleteBucket", {"Bucket": at["Bucket"]})
        await delete(backend, at, version)
    await call(backend, "DeleteBucket", {"Bucket": at["Bucket"]})


@pytest.mark.capability("bucket_with_versions")
async def test_a_bucket_with_a_marker_stays(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    _, marker = await delete(backend, at)
    await delete(backend, at, first)
    with refused(409, "BucketNotEmpty"):
        await call(backend, "DeleteBucket", {"Bucket": at["Bucket"]})
    await delete(backend, at, marker)
    await call(backend, "DeleteBucket", {"Bucket": at["Bucket"]})


@pytest.mark.capability("delete_many_markers")
async def test_delete_many_makes_markers(backend: Backend, at: Members) -> None:
    await put(backend, at, b"first")
    delete_ = {"Objects": [{"Key": "k"}, {"Key": "none"}]}
    done = await call(backend, "DeleteObjects", {"Bucket": at["Bucket"], "Delete": delete_})
    assert [(entry["Key"], entry["DeleteMarker"]) for entry in done["Deleted"]] == [("k", True), ("none", True)]
    assert all(entry["DeleteMarkerVersionId"] for entry in done["Deleted"])
    assert "VersionId" not in done["Deleted"][0]


@pytest.mark.capability("delete_many_versions")
async def test_delete_many_versions(backend: Backend, at: Members) -> None:
    first, second = await put(backend, at, b"first"), await put(backend, at, b"second")
    _, marker = await delete(backend, at)
    delete_ = {"Objects": [{"Key": "k", "VersionId": first}, {"Key": "k", "VersionId": marker}]}
    done = await call(backend, "DeleteObjects", {"Bucket": at["Bucket"], "Delete": delete_})
    assert {entry["VersionId"]: entry.get("DeleteMarkerVersionId") for entry in done["Deleted"]} == {
        first: None,
        marker: marker,
    }
    assert [entry.get("DeleteMarker") for entry in done["Deleted"]] == [None, True]
    assert await get(backend, at) == (b"second", second)


@pytest.mark.capability("delete_many_bad_version")
async def test_delete_many_says_what_it_could_not(backend: Backend, at: Members) -> None:
    await put(backend, at, b"first")
    delete_ = {"Objects": [{"Key": "k", "VersionId": NO_ID}], "Quiet": True}
    done = await call(backend, "DeleteObjects", {"Bucket": at["Bucket"], "Delete": delete_})
    assert [(entry["Key"], entry["VersionId"], entry["Code"]) for entry in done["Errors"]] == [
        ("k", NO_ID, "NoSuchVersion")
    ]


@pytest.mark.capability("version_in_tagging")
async def test_tags_belong_to_a_version(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first", Tagging="n=1")
    await put(backend, at, b"second", Tagging="n=2")
    wanted: dict[str, Any] = {"TagSet": [{"Key": "n", "Value": "3"}]}
    assert (await call(backend, "PutObjectTagging", {**at, "VersionId": first, "Tagging": wanted}))[
        "VersionId"
    ] == first
    assert (await call(backend, "GetObjectTagging", {**at, "VersionId": first}))["TagSet"] == wanted["TagSet"]
    assert (await call(backend, "GetObjectTagging", at))["TagSet"] == [{"Key": "n", "Value": "2"}]
    await call(backend, "DeleteObjectTagging", {**at, "VersionId": first})
    assert not (await call(backend, "GetObjectTagging", {**at, "VersionId": first})).get("TagSet")


async def test_attributes_of_a_version(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    await put(backend, at, b"the second")
    got = await call(backend, "GetObjectAttributes", {**at, "VersionId": first, "ObjectAttributes": ["ObjectSize"]})
    assert (got["ObjectSize"], got["VersionId"]) == (5, first)


@pytest.mark.capability("copy_source_version")
async def test_an_old_version_can_be_copied(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    await put(backend, at, b"second")
    source = f"{at['Bucket']}/k?versionId={first}"
    done = await call(backend, "CopyObject", {**at, "CopySource": source})
    assert done["CopySourceVersionId"] == first
    assert done["VersionId"] not in (None, first)
    assert await get(backend, at) == (b"first", done["VersionId"])


@pytest.mark.capability("copy_of_a_marker")
async def test_a_marker_cannot_be_copied(backend: Backend, at: Members) -> None:
    await put(backend, at, b"first")
    _, marker = await delete(backend, at)
    with refused(404, "NoSuchKey"):
        await call(backend, "CopyObject", {**at, "Key": "copy", "CopySource": f"{at['Bucket']}/k"})
    with refused(400, "InvalidRequest"):
        source = f"{at['Bucket']}/k?versionId={marker}"
        await call(backend, "CopyObject", {**at, "Key": "copy", "CopySource": source})


async def test_a_completed_upload_is_a_version(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    upload = {**at, "UploadId": (await call(backend, "CreateMultipartUpload", at))["UploadId"]}
    etag = (await call(backend, "UploadPart", {**upload, "PartNumber": 1}, b"part"))["ETag"]
    document = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    done = await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": document})
    assert done["VersionId"] not in (None, first)
    assert await get(backend, at) == (b"part", done["VersionId"])
    assert await get(backend, at, first) == (b"first", first)


async def test_a_marker_is_nothing_to_a_condition(backend: Backend, at: Members) -> None:
    await put(backend, at, b"first")
    with refused(412, "PreconditionFailed"):
        await put(backend, at, b"second", IfNoneMatch="*")
    await delete(backend, at)
    await put(backend, at, b"second", IfNoneMatch="*")


async def test_conditions_look_at_the_version_that_is_asked_for(backend: Backend, at: Members) -> None:
    first = await put(backend, at, b"first")
    await put(backend, at, b"second")
    etag = (await call(backend, "HeadObject", {**at, "VersionId": first}))["ETag"]
    with refused(412, "PreconditionFailed"):
        await call(backend, "GetObject", {**at, "IfMatch": etag})
    got = await call(backend, "GetObject", {**at, "VersionId": first, "IfMatch": etag, "Range": "bytes=1-2"})
    assert got["Body"] == b"ir"


@pytest.mark.capability("tags_of_a_marker")
async def test_a_hidden_object_has_no_tags(backend: Backend, at: Members) -> None:
    await put(backend, at, b"first", Tagging="n=1")
    await delete(backend, at)
    with pytest.raises(Refused) as refusal:
        await call(backend, "GetObjectTagging", at)
    assert refusal.value.code in ("NoSuchKey", "MethodNotAllowed")
