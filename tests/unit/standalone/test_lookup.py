from __future__ import annotations

import pytest
from conformance.calling import call
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.s3.errors import S3Error
from s3d.standalone.backend import Standalone
from s3d.standalone.lookup import readable, version_member
from s3d.standalone.store import Store
from s3d.standalone.version import new_version_id

backend, directory, store = opened.backend, opened.directory, opened.store
AT = {"Bucket": BUCKET, "Key": "k"}
ENABLED = {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}}


def refused(store: Store, version_id: str | None = None) -> S3Error:
    with pytest.raises(S3Error) as raised:
        readable(store.reader, store.bucket(BUCKET), b"k", version_id)
    return raised.value


async def test_without_versions(backend: Standalone, store: Store) -> None:
    error = refused(store)
    assert (error.code, error.elements, error.headers) == ("NoSuchKey", {"Key": "k"}, {})
    await call(backend, "PutObject", AT, b"x")
    found = readable(store.reader, store.bucket(BUCKET), b"k", None)
    assert found == readable(store.reader, store.bucket(BUCKET), b"k", "null")
    assert version_member(store.bucket(BUCKET), found) == {}


async def test_with_versions(backend: Standalone, store: Store) -> None:
    await call(backend, "PutBucketVersioning", ENABLED)
    put = (await call(backend, "PutObject", AT, b"x"))["VersionId"]
    marker = (await call(backend, "DeleteObject", AT))["VersionId"]
    found = readable(store.reader, store.bucket(BUCKET), b"k", put)
    assert version_member(store.bucket(BUCKET), found) == {"VersionId": put}
    error = refused(store)
    assert error.code == "NoSuchKey"
    assert error.headers == {"x-amz-delete-marker": "true", "x-amz-version-id": marker}
    error = refused(store, marker)
    assert (error.code, error.headers["Allow"], error.elements["ResourceType"]) == (
        "MethodNotAllowed",
        "DELETE",
        "DeleteMarker",
    )
    assert error.headers["x-amz-delete-marker"] == "true"
    assert error.headers["x-amz-version-id"] == marker


@pytest.mark.parametrize(
    ("version_id", "code"), [("null", "NoSuchVersion"), ("", "InvalidArgument"), ("x", "InvalidArgument")]
)
async def test_a_version_that_is_not_there(store: Store, version_id: str, code: str) -> None:
    assert refused(store, version_id).code == code
    error = refused(store, unknown := new_version_id(5))
    assert (error.code, error.elements) == ("NoSuchVersion", {"Key": "k", "VersionId": unknown})
