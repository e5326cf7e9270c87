"""Tags of objects and of their versions."""

from __future__ import annotations

import contextlib

import pytest
from conformance.calling import Members, answer, call, refused
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.local.database import connect
from s3d.s3 import codec
from s3d.standalone import bucket as buckets
from s3d.standalone import history
from s3d.standalone.backend import Standalone

backend, directory = opened.backend, opened.directory
K = {"Bucket": BUCKET, "Key": "k"}
OPERATIONS = ["PutObjectTagging", "GetObjectTagging", "DeleteObjectTagging"]


async def _tag(backend: Standalone, *pairs: tuple[str, str], **members: str) -> Members:
    tags = [{"Key": key, "Value": value} for key, value in pairs]
    return await call(backend, "PutObjectTagging", {**K, "Tagging": {"TagSet": tags}, **members})


async def _tags(backend: Standalone, **members: str) -> dict[str, str]:
    found = await call(backend, "GetObjectTagging", {**K, **members})
    return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}


def _members(operation: str) -> Members:
    return {"Tagging": {"TagSet": []}} if operation == "PutObjectTagging" else {}


async def test_they_come_and_go(backend: Standalone) -> None:
    await call(backend, "PutObject", K, b"x")
    before = await call(backend, "HeadObject", K)
    assert await _tags(backend) == {}
    assert await _tag(backend, ("a", "1"), ("ä b", "")) == {}
    assert await _tags(backend) == {"a": "1", "ä b": ""}
    assert await call(backend, "HeadObject", K) == before | {"TagCount": 2}
    await _tag(backend, ("c", "3"))
    assert await _tags(backend) == {"c": "3"}
    response, _ = await answer(backend, codec.build_request("DeleteObjectTagging", K))
    assert response.status == 204
    assert await _tags(backend) == {}
    assert await call(backend, "HeadObject", K) == before


async def test_those_of_one_version(backend: Standalone) -> None:
    await call(backend, "PutObject", {**K, "Tagging": "v=0"}, b"x")
    versioning = {"VersioningConfiguration": {"Status": "Enabled"}}
    await call(backend, "PutBucketVersioning", {"Bucket": BUCKET, **versioning})
    old = (await call(backend, "PutObject", {**K, "Tagging": "v=1"}, b"x"))["VersionId"]
    new = (await call(backend, "PutObject", {**K, "Tagging": "v=2"}, b"x"))["VersionId"]
    assert await _tag(backend, ("v", "old"), VersionId=old) == {"VersionId": old}
    assert await _tag(backend, ("v", "null"), VersionId="null") == {"VersionId": "null"}
    assert [await _tags(backend, VersionId=version) for version in ("null", old, new)] == [
        {"v": "null"},
        {"v": "old"},
        {"v": "2"},
    ]
    assert await _tag(backend, ("v", "new")) == {"VersionId": new}
    assert await _tags(backend, VersionId=old) == {"v": "old"}
    assert (await call(backend, "DeleteObjectTagging", {**K, "VersionId": old})) == {"VersionId": old}
    assert [await _tags(backend, VersionId=version) for version in ("null", old, new)] == [
        {"v": "null"},
        {},
        {"v": "new"},
    ]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_delete_markers_have_none(backend: Standalone, operation: str) -> None:
    versioning = {"VersioningConfiguration": {"Status": "Enabled"}}
    await call(backend, "PutBucketVersioning", {"Bucket": BUCKET, **versioning})
    await call(backend, "PutObject", K, b"x")
    marker = (await call(backend, "DeleteObject", K))["VersionId"]
    with refused(404, "NoSuchKey"):
        await call(backend, operation, {**K, **_members(operation)})
    with refused(405, "MethodNotAllowed"):
        await call(backend, operation, {**K, "VersionId": marker, **_members(operation)})


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_not_there(backend: Standalone, operation: str) -> None:
    with refused(404, "NoSuchKey", elements={"Key": "k"}):
        await call(backend, operation, {**K, **_members(operation)})
    with refused(404, "NoSuchBucket", elements={"BucketName": "none"}):
        await call(backend, operation, {**K, "Bucket": "none", **_members(operation)})


async def test_wrong_ones_change_nothing(backend: Standalone) -> None:
    await call(backend, "PutObject", {**K, "Tagging": "a=1"}, b"x")
    with refused(400, "InvalidTag"):
        await _tag(backend, ("b", "1"), ("b", "2"))
    with refused(400, "BadRequest"):
        await _tag(backend, *((str(number), "") for number in range(11)))
    assert await _tags(backend) == {"a": "1"}


@pytest.mark.parametrize("operation", ["GetObjectTagging", "GetObjectAcl"])
async def test_a_version_that_becomes_current_meanwhile(backend: Standalone, bucket: str, operation: str) -> None:
    """Between the statements of one read a COMMIT can move the version from one table to the other."""
    enabled = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}
    await call(backend, "PutBucketVersioning", enabled)
    at = {"Bucket": bucket, "Key": "k"}
    old = (await call(backend, "PutObject", at, b"old"))["VersionId"]
    await call(backend, "PutObject", at, b"new")
    reader = backend._store.reader

    def promote(statement: str) -> None:
        if "FROM noncurrent" in statement:
            reader.set_trace_callback(None)
            with contextlib.closing(connect(backend._config.directory / "store.db")) as other:
                store = backend._store
                found = buckets.find(other, bucket)
                newest = history.current(other, found, b"k")
                assert newest is not None
                other.execute("BEGIN")
                history.remove(other, store.bodies, found, newest)
                other.execute("COMMIT")

    reader.set_trace_callback(promote)
    await call(backend, operation, at | {"VersionId": old})
    assert history.find(reader, buckets.find(reader, bucket), b"k", old) is not None
