"""CopyObject and object tags."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from conformance.calling import call, refused
from conformance.capabilities import cases

from s3d.s3.backend import Backend
from s3d.s3.uri import quote_path

BODY = b"0123456789"
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'
OTHER = '"00000000000000000000000000000000"'
AGO, AHEAD = datetime(2001, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)


@pytest.fixture
async def source(backend: Backend, bucket: str) -> str:
    """``bucket/key`` of an object with everything on it."""
    described = {"ContentType": "text/plain", "CacheControl": "no-store", "Metadata": {"a": "1"}, "Tagging": "t=1&u=2"}
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "source", **described}, BODY)
    return f"{bucket}/source"


async def _tags(backend: Backend, bucket: str, key: str) -> dict[str, str]:
    got = await call(backend, "GetObjectTagging", {"Bucket": bucket, "Key": key})
    return {tag["Key"]: tag["Value"] for tag in got.get("TagSet") or []}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_copy_is_like_its_source(backend: Backend, bucket: str, source: str, slash: str) -> None:
    done = await call(backend, "CopyObject", {"Bucket": bucket, "Key": "copy", "CopySource": slash + source})
    assert done["CopyObjectResult"]["ETag"].strip('"') == ETAG.strip('"')
    got = await call(backend, "GetObject", {"Bucket": bucket, "Key": "copy"})
    assert got["Body"] == BODY
    assert (got["ContentType"], got["CacheControl"], got["Metadata"]) == ("text/plain", "no-store", {"a": "1"})


async def test_a_copy_has_the_tags(backend: Backend, bucket: str, source: str) -> None:
    await call(backend, "CopyObject", {"Bucket": bucket, "Key": "copy", "CopySource": source})
    assert await _tags(backend, bucket, "copy") == {"t": "1", "u": "2"}


@pytest.mark.capability("copy_etag")
async def test_the_etag_of_a_copy_has_its_quotes(backend: Backend, bucket: str, source: str) -> None:
    done = await call(backend, "CopyObject", {"Bucket": bucket, "Key": "copy", "CopySource": source})
    assert done["CopyObjectResult"]["ETag"] == ETAG


async def test_a_copy_to_another_bucket(
    backend: Backend, bucket: str, source: str, new_bucket_name: Callable[[], str]
) -> None:
    other = new_bucket_name()
    await call(backend, "CreateBucket", {"Bucket": other})
    await call(backend, "CopyObject", {"Bucket": other, "Key": "copy", "CopySource": source})
    assert (await call(backend, "GetObject", {"Bucket": other, "Key": "copy"}))["Body"] == BODY


async def test_metadata_can_be_replaced(backend: Backend, bucket: str, source: str) -> None:
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}, "ContentType": "text/html"}
    await call(backend, "CopyObject", {"Bucket": bucket, "Key": "copy", "CopySource": source, **replaced})
    got = await call(backend, "HeadObject", {"Bucket": bucket, "Key": "copy"})
    assert (got["ContentType"], got.get("CacheControl"), got["Metadata"]) == ("text/html", None, {"b": "2"})


async def test_tags_can_be_replaced(backend: Backend, bucket: str, source: str) -> None:
    replaced = {"TaggingDirective": "REPLACE", "Tagging": "n=9"}
    await call(backend, "CopyObject", {"Bucket": bucket, "Key": "copy", "CopySource": source, **replaced})
    assert await _tags(backend, bucket, "copy") == {"n": "9"}


async def test_a_copy_to_itself_must_change_something(backend: Backend, bucket: str, source: str) -> None:
    where = {"Bucket": bucket, "Key": "source", "CopySource": source}
    with refused(400, "InvalidRequest"):
        await call(backend, "CopyObject", where)
    await call(backend, "CopyObject", {**where, "MetadataDirective": "REPLACE", "Metadata": {"b": "2"}})
    got = await call(backend, "GetObject", {"Bucket": bucket, "Key": "source"})
    assert (got["Body"], got["Metadata"]) == (BODY, {"b": "2"})


@pytest.mark.parametrize("key", ["sp ace", "pl+us", "pct%2F", "\U0001f600", "question?mark"])
async def test_the_source_is_percent_encoded(backend: Backend, bucket: str, key: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, key.encode())
    where = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/{quote_path(key)}"}
    await call(backend, "CopyObject", where)
    assert (await call(backend, "GetObject", {"Bucket": bucket, "Key": "copy"}))["Body"] == key.encode()


async def test_a_missing_source(backend: Backend, bucket: str, new_bucket_name: Callable[[], str]) -> None:
    with refused(404, "NoSuchKey"):
        await call(backend, "CopyObject", {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/none"})


async def test_a_missing_source_bucket(backend: Backend, bucket: str, new_bucket_name: Callable[[], str]) -> None:
    with refused(404, "NoSuchBucket"):
        await call(backend, "CopyObject", {"Bucket": bucket, "Key": "c", "CopySource": f"{new_bucket_name()}/none"})


CONDITIONS: dict[str, tuple[bool, dict[str, Any]]] = {
    "if-match": (True, {"CopySourceIfMatch": ETAG}),
    "if-match-fails": (False, {"CopySourceIfMatch": OTHER}),
    "if-none-match": (True, {"CopySourceIfNoneMatch": OTHER}),
    "if-none-match-fails": (False, {"CopySourceIfNoneMatch": ETAG}),
    "modified-since": (True, {"CopySourceIfModifiedSince": AGO}),
    "modified-since-fails": (False, {"CopySourceIfModifiedSince": AHEAD}),
    "unmodified-since": (True, {"CopySourceIfUnmodifiedSince": AHEAD}),
    "unmodified-since-fails": (False, {"CopySourceIfUnmodifiedSince": AGO}),
}


@pytest.mark.parametrize("condition", cases("copy", CONDITIONS))
async def test_conditions_on_the_source(backend: Backend, bucket: str, source: str, condition: str) -> None:
    holds, members = CONDITIONS[condition]
    where = {"Bucket": bucket, "Key": "copy", "CopySource": source, **members}
    if holds:
        await call(backend, "CopyObject", where)
        return
    with refused(412, "PreconditionFailed"):
        await call(backend, "CopyObject", where)
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", {"Bucket": bucket, "Key": "copy"})


async def test_tags_come_and_go(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", where, BODY)
    assert await _tags(backend, bucket, "k") == {}
    wanted = {"a": "1", "sp ace": "x y", "empty": "", "colon:": "a/b=c+d"}
    tags = [{"Key": name, "Value": value} for name, value in wanted.items()]
    await call(backend, "PutObjectTagging", {**where, "Tagging": {"TagSet": tags}})
    assert await _tags(backend, bucket, "k") == wanted
    await call(backend, "PutObjectTagging", {**where, "Tagging": {"TagSet": tags[:1]}})
    assert await _tags(backend, bucket, "k") == {"a": "1"}
    await call(backend, "DeleteObjectTagging", where)
    assert await _tags(backend, bucket, "k") == {}
    assert (await call(backend, "GetObject", where))["Body"] == BODY


async def test_tags_of_the_put(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", {**where, "Tagging": "a=1&b=x%20y"}, BODY)
    assert await _tags(backend, bucket, "k") == {"a": "1", "b": "x y"}


async def test_the_number_of_tags(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", {**where, "Tagging": "a=1&b=2"}, BODY)
    assert (await call(backend, "GetObject", where))["TagCount"] == 2


async def test_a_put_takes_the_tags_away(backend: Backend, bucket: str, source: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "source"}, b"new")
    assert await _tags(backend, bucket, "source") == {}


WRONG_TAGS = {
    "eleven": (("BadRequest", "InvalidTag"), [{"Key": f"k{n}", "Value": "v"} for n in range(11)]),
    "twice": (("InvalidTag",), [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]),
    "long-key": (("InvalidTag",), [{"Key": "k" * 129, "Value": "1"}]),
    "long-value": (("InvalidTag",), [{"Key": "k", "Value": "v" * 257}]),
}


@pytest.mark.parametrize("case", cases("tags", WRONG_TAGS))
async def test_wrong_tags(backend: Backend, bucket: str, case: str) -> None:
    codes, tags = WRONG_TAGS[case]
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, BODY)
    with refused(400, *codes):
        await call(backend, "PutObjectTagging", {"Bucket": bucket, "Key": "k", "Tagging": {"TagSet": tags}})
    assert await _tags(backend, bucket, "k") == {}


@pytest.mark.parametrize("operation", cases("of_nothing", ["PutObjectTagging", "DeleteObjectTagging"]))
async def test_tags_need_an_object(backend: Backend, bucket: str, operation: str) -> None:
    tagging: dict[str, Any] = {"Tagging": {"TagSet": []}} if operation == "PutObjectTagging" else {}
    with refused(404, "NoSuchKey"):
        await call(backend, operation, {"Bucket": bucket, "Key": "none", **tagging})
