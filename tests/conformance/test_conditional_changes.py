"""Conditional copies, completions and deletes ("Conditional requests", Amazon S3 User Guide)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from conformance.calling import Members, call, refused

from s3d.s3.backend import Backend

BODY = b"0123456789"
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'
OTHER = '"00000000000000000000000000000000"'
AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture
async def at(backend: Backend, bucket: str) -> Members:
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", where, BODY)
    return where


async def _upload(backend: Backend, where: Members) -> Members:
    """What completes an upload of one part."""
    upload = {**where, "UploadId": (await call(backend, "CreateMultipartUpload", where))["UploadId"]}
    etag = (await call(backend, "UploadPart", {**upload, "PartNumber": 1}, b"part"))["ETag"]
    return {**upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}


@pytest.mark.capability("conditional_copy")
async def test_copy_only_where_nothing_is(backend: Backend, at: Members) -> None:
    copy = {**at, "CopySource": f"{at['Bucket']}/source"}
    await call(backend, "PutObject", {**at, "Key": "source"}, b"new")
    with refused(412, "PreconditionFailed"):
        await call(backend, "CopyObject", {**copy, "IfNoneMatch": "*"})
    assert (await call(backend, "GetObject", at))["Body"] == BODY
    await call(backend, "CopyObject", {**copy, "Key": "other", "IfNoneMatch": "*"})


@pytest.mark.capability("conditional_copy")
async def test_copy_only_over_what_is_known(backend: Backend, at: Members) -> None:
    copy = {**at, "CopySource": f"{at['Bucket']}/source"}
    await call(backend, "PutObject", {**at, "Key": "source"}, b"new")
    with refused(412, "PreconditionFailed"):
        await call(backend, "CopyObject", {**copy, "IfMatch": OTHER})
    await call(backend, "CopyObject", {**copy, "IfMatch": ETAG})
    assert (await call(backend, "GetObject", at))["Body"] == b"new"


@pytest.mark.capability("conditional_complete")
async def test_complete_only_over_what_is_known(backend: Backend, at: Members) -> None:
    done = await _upload(backend, at)
    with refused(412, "PreconditionFailed"):
        await call(backend, "CompleteMultipartUpload", {**done, "IfMatch": OTHER})
    assert (await call(backend, "GetObject", at))["Body"] == BODY
    await call(backend, "CompleteMultipartUpload", {**done, "IfMatch": ETAG})
    assert (await call(backend, "GetObject", at))["Body"] == b"part"


@pytest.mark.capability("if_match_on_complete_of_nothing")
async def test_complete_over_something_that_is_not_there(backend: Backend, bucket: str) -> None:
    done = await _upload(backend, {"Bucket": bucket, "Key": "none"})
    with refused(404, "NoSuchKey"):
        await call(backend, "CompleteMultipartUpload", {**done, "IfMatch": ETAG})


@pytest.mark.capability("delete_if_size")
async def test_delete_only_of_a_size(backend: Backend, at: Members) -> None:
    with refused(412, "PreconditionFailed"):
        await call(backend, "DeleteObject", {**at, "IfMatchSize": 9})
    await call(backend, "HeadObject", at)
    await call(backend, "DeleteObject", {**at, "IfMatchSize": 10})
    with refused(404, "NotFound"):
        await call(backend, "HeadObject", at)


@pytest.mark.capability("delete_if_time")
async def test_delete_only_of_a_time(backend: Backend, at: Members) -> None:
    with refused(412, "PreconditionFailed"):
        await call(backend, "DeleteObject", {**at, "IfMatchLastModifiedTime": AGO})
    modified = (await call(backend, "HeadObject", at))["LastModified"]
    await call(backend, "DeleteObject", {**at, "IfMatchLastModifiedTime": modified})
    with refused(404, "NotFound"):
        await call(backend, "HeadObject", at)


@pytest.mark.capability("delete_if_any")
async def test_delete_only_if_there_is_something(backend: Backend, at: Members) -> None:
    await call(backend, "DeleteObject", {**at, "IfMatch": "*"})
    with refused(404, "NoSuchKey"):
        await call(backend, "DeleteObject", {**at, "IfMatch": "*"})


@pytest.mark.capability("delete_many_if")
async def test_delete_many_only_what_is_known(backend: Backend, at: Members) -> None:
    await call(backend, "PutObject", {**at, "Key": "other"}, BODY)
    wanted: dict[str, Any] = {"Objects": [{"Key": "k", "ETag": OTHER}, {"Key": "other", "ETag": ETAG}]}
    done = await call(backend, "DeleteObjects", {"Bucket": at["Bucket"], "Delete": wanted})
    assert [(entry["Key"], entry["Code"]) for entry in done["Errors"]] == [("k", "PreconditionFailed")]
    assert [entry["Key"] for entry in done["Deleted"]] == ["other"]
    assert (await call(backend, "GetObject", at))["Body"] == BODY
