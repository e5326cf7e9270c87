"""One object: put, get, head, delete, what is stored with it, and attributes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from conformance.calling import call, refused
from conformance.capabilities import cases

from s3d.s3.backend import Backend

BODY = b"0123456789"
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'


async def _put(backend: Backend, bucket: str, body: bytes = BODY, **members: Any) -> dict[str, Any]:
    return await call(backend, "PutObject", {"Bucket": bucket, "Key": "k", **members}, body)


async def _get(backend: Backend, bucket: str, **members: Any) -> dict[str, Any]:
    return await call(backend, "GetObject", {"Bucket": bucket, "Key": "k", **members})


async def _head(backend: Backend, bucket: str, **members: Any) -> dict[str, Any]:
    return await call(backend, "HeadObject", {"Bucket": bucket, "Key": "k", **members})


@pytest.mark.parametrize("body", [b"", b"x", BODY, bytes(range(256)) * 5000], ids=["empty", "one", "small", "1.28MB"])
async def test_what_was_put_comes_back(backend: Backend, bucket: str, body: bytes) -> None:
    put = await _put(backend, bucket, body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = await _get(backend, bucket)
    assert got["Body"] == body
    assert got["ContentLength"] == len(body)
    assert got["ETag"] == put["ETag"]
    assert timedelta(minutes=-1) < datetime.now(UTC) - got["LastModified"] < timedelta(minutes=10)


async def test_head_says_what_get_says(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket, ContentType="text/plain", Metadata={"a": "1"}, CacheControl="no-store")
    got = await _get(backend, bucket)
    assert got.pop("Body") == BODY
    assert await _head(backend, bucket) == got


async def test_the_last_put_counts(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket, b"first", ContentType="text/plain", Metadata={"a": "1"})
    await _put(backend, bucket, b"second", ContentType="text/html")
    got = await _get(backend, bucket)
    assert (got["Body"], got["ContentType"], got.get("Metadata")) == (b"second", "text/html", None)


async def test_system_metadata_is_kept(backend: Backend, bucket: str) -> None:
    system: dict[str, Any] = {
        "CacheControl": "max-age=60, public",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "Text/HTML; Charset=utf-8",
        "Expires": "Wed, 21 Oct 2037 07:28:00 GMT",
    }
    await _put(backend, bucket, **system)
    got = await _get(backend, bucket)
    assert {name: got.get(name) for name in system} == system


async def test_user_metadata_is_kept(backend: Backend, bucket: str) -> None:
    metadata = {"one": "1", "two-words": "a  b", "name": "n\u00e4me", "signs": "!#$%&'*+-.^_`|~()<>@,;:/[]?={}"}
    await _put(backend, bucket, Metadata=metadata)
    assert (await _get(backend, bucket))["Metadata"] == metadata


@pytest.mark.capability("metadata_limit")
async def test_too_much_metadata_is_refused(backend: Backend, bucket: str) -> None:
    with refused(400, "MetadataTooLarge"):
        await _put(backend, bucket, Metadata={"a": "x" * 2100})


@pytest.mark.capability("default_content_type")
async def test_the_default_content_type(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket)
    assert (await _get(backend, bucket))["ContentType"] == "binary/octet-stream"


async def test_the_storage_class_is_named_unless_it_is_standard(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket)
    assert "StorageClass" not in await _head(backend, bucket)
    await _put(backend, bucket, StorageClass="STANDARD_IA")
    assert (await _head(backend, bucket))["StorageClass"] == "STANDARD_IA"


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject", "GetObjectTagging"])
async def test_a_missing_key(backend: Backend, bucket: str, operation: str) -> None:
    with refused(404, "NotFound" if operation == "HeadObject" else "NoSuchKey"):
        await call(backend, operation, {"Bucket": bucket, "Key": "none"})


@pytest.mark.capability("missing_bucket_created")
async def test_a_missing_bucket(backend: Backend, new_bucket_name: Callable[[], str]) -> None:
    with refused(404, "NoSuchBucket"):
        await _put(backend, new_bucket_name())


async def test_a_missing_bucket_on_get(backend: Backend, new_bucket_name: Callable[[], str]) -> None:
    with refused(404, "NoSuchBucket"):
        await _get(backend, new_bucket_name())


async def test_delete_twice(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket)
    for _ in range(2):
        await call(backend, "DeleteObject", {"Bucket": bucket, "Key": "k"})
        with refused(404, "NoSuchKey"):
            await _get(backend, bucket)


OVERRIDES = {
    "ContentType": "text/csv",
    "CacheControl": "no-cache",
    "ContentDisposition": 'inline; filename="a b.txt"',
    "ContentEncoding": "identity",
    "ContentLanguage": "fr",
    "Expires": "Tue, 01 Jan 2030 00:00:00 GMT",
}


@pytest.mark.parametrize("operation", cases("override", ["GetObject", "HeadObject"]))
async def test_the_answer_overrides_what_is_stored(backend: Backend, bucket: str, operation: str) -> None:
    await _put(backend, bucket, ContentType="text/plain")
    wanted = OVERRIDES
    overrides: dict[str, Any] = {f"Response{name}": value for name, value in wanted.items()}
    overrides["ResponseExpires"] = parsedate_to_datetime(wanted["Expires"])
    got = await call(backend, operation, {"Bucket": bucket, "Key": "k", **overrides})
    assert {name: got.get(name) for name in wanted} == wanted
    assert (await _get(backend, bucket))["ContentType"] == "text/plain"


async def test_delete_many(backend: Backend, bucket: str) -> None:
    for key in ("a", "b", "keep", "\u00fc & <x> +"):
        await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, b"x")
    wanted = ["a", "b", "none", "\u00fc & <x> +"]
    delete = {"Objects": [{"Key": key} for key in wanted]}
    done = await call(backend, "DeleteObjects", {"Bucket": bucket, "Delete": delete})
    assert sorted(entry["Key"] for entry in done["Deleted"]) == sorted(wanted)
    assert "Errors" not in done
    listed = await call(backend, "ListObjectsV2", {"Bucket": bucket})
    assert [entry["Key"] for entry in listed["Contents"]] == ["keep"]


@pytest.mark.capability("delete_quietly")
async def test_delete_many_quietly(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket)
    delete = {"Objects": [{"Key": "k"}, {"Key": "none"}], "Quiet": True}
    assert "Deleted" not in await call(backend, "DeleteObjects", {"Bucket": bucket, "Delete": delete})
    with refused(404, "NoSuchKey"):
        await _get(backend, bucket)


@pytest.mark.capability("delete_limit")
async def test_delete_too_many(backend: Backend, bucket: str) -> None:
    delete = {"Objects": [{"Key": f"k{n}"} for n in range(1001)]}
    with refused(400, "MalformedXML"):
        await call(backend, "DeleteObjects", {"Bucket": bucket, "Delete": delete})


async def test_attributes(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket)
    wanted = ["ETag", "ObjectSize", "StorageClass"]
    got = await call(backend, "GetObjectAttributes", {"Bucket": bucket, "Key": "k", "ObjectAttributes": wanted})
    assert {name: got.get(name) for name in wanted} == {
        "ETag": ETAG.strip('"'),
        "ObjectSize": len(BODY),
        "StorageClass": "STANDARD",
    }
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObjectAttributes", {"Bucket": bucket, "Key": "none", "ObjectAttributes": wanted})


async def test_the_null_version_is_the_object(backend: Backend, bucket: str) -> None:
    await _put(backend, bucket)
    assert (await _get(backend, bucket, VersionId="null"))["Body"] == BODY
