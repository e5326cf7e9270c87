"""Preconditions on reads and writes, and ranges."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conformance.calling import Refused, call, refused
from conformance.capabilities import cases

from s3d.s3.backend import Backend

BODY = b"0123456789"
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'
OTHER = '"00000000000000000000000000000000"'
AGO, AHEAD = datetime(2001, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)


@pytest.fixture
async def at(backend: Backend, bucket: str) -> dict[str, Any]:
    """Bucket and key of an object with the ten digits."""
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", where, BODY)
    return where


HOLDS: dict[str, dict[str, Any]] = {
    "if-match": {"IfMatch": ETAG},
    "if-match-star": {"IfMatch": "*"},
    "if-match-overrules-unmodified-since": {"IfMatch": ETAG, "IfUnmodifiedSince": AGO},
    "if-none-match": {"IfNoneMatch": OTHER},
    "if-none-match-overrules-modified-since": {"IfNoneMatch": OTHER, "IfModifiedSince": AHEAD},
    "modified-since": {"IfModifiedSince": AGO},
    "unmodified-since": {"IfUnmodifiedSince": AHEAD},
}


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
@pytest.mark.parametrize("condition", cases("read_holds", HOLDS))
async def test_a_read_whose_condition_holds(
    backend: Backend, at: dict[str, Any], operation: str, condition: str
) -> None:
    assert (await call(backend, operation, {**at, **HOLDS[condition]}))["ETag"] == ETAG


FAILS: dict[str, tuple[int, dict[str, Any]]] = {
    "if-match": (412, {"IfMatch": OTHER}),
    "unmodified-since": (412, {"IfUnmodifiedSince": AGO}),
    "if-none-match": (304, {"IfNoneMatch": ETAG}),
    "if-none-match-star": (304, {"IfNoneMatch": "*"}),
    "if-none-match-list": (304, {"IfNoneMatch": f"{OTHER}, {ETAG}"}),
    "modified-since": (304, {"IfModifiedSince": AHEAD}),
}


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
@pytest.mark.parametrize("condition", cases("read_fails", FAILS))
async def test_a_read_whose_condition_fails(
    backend: Backend, at: dict[str, Any], operation: str, condition: str
) -> None:
    status, members = FAILS[condition]
    with refused(status, "NotModified" if status == 304 else "PreconditionFailed"):
        await call(backend, operation, {**at, **members})


async def test_not_modified_names_the_etag(backend: Backend, at: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        await call(backend, "GetObject", {**at, "IfNoneMatch": ETAG})
    assert refusal.value.headers["ETag"] == ETAG


async def test_the_times_are_compared_in_whole_seconds(backend: Backend, at: dict[str, Any]) -> None:
    modified = (await call(backend, "HeadObject", at))["LastModified"]
    await call(backend, "GetObject", {**at, "IfUnmodifiedSince": modified})
    await call(backend, "GetObject", {**at, "IfModifiedSince": modified - timedelta(seconds=1)})
    with refused(304, "NotModified"):
        await call(backend, "GetObject", {**at, "IfModifiedSince": modified})


async def test_put_only_where_nothing_is(backend: Backend, at: dict[str, Any]) -> None:
    with refused(412, "PreconditionFailed"):
        await call(backend, "PutObject", {**at, "IfNoneMatch": "*"}, b"new")
    assert (await call(backend, "GetObject", at))["Body"] == BODY
    await call(backend, "PutObject", {**at, "Key": "other", "IfNoneMatch": "*"}, b"new")


async def test_put_only_over_what_is_known(backend: Backend, at: dict[str, Any]) -> None:
    with refused(412, "PreconditionFailed"):
        await call(backend, "PutObject", {**at, "IfMatch": OTHER}, b"new")
    assert (await call(backend, "GetObject", at))["Body"] == BODY
    await call(backend, "PutObject", {**at, "IfMatch": ETAG}, b"new")
    assert (await call(backend, "GetObject", at))["Body"] == b"new"


@pytest.mark.capability("if_match_on_put_of_nothing")
async def test_put_over_something_that_is_not_there(backend: Backend, at: dict[str, Any]) -> None:
    with refused(404, "NoSuchKey"):
        await call(backend, "PutObject", {**at, "Key": "none", "IfMatch": ETAG}, b"new")


async def test_delete_only_what_is_known(backend: Backend, at: dict[str, Any]) -> None:
    with refused(412, "PreconditionFailed"):
        await call(backend, "DeleteObject", {**at, "IfMatch": OTHER})
    await call(backend, "HeadObject", at)
    await call(backend, "DeleteObject", {**at, "IfMatch": ETAG})
    with refused(404, "NotFound"):
        await call(backend, "HeadObject", at)


RANGES = {
    "bytes=0-0": (0, 0),
    "bytes=2-5": (2, 5),
    "bytes=7-": (7, 9),
    "bytes=5-500": (5, 9),
    "bytes=-3": (7, 9),
    "bytes=-500": (0, 9),
    "bytes=9-9": (9, 9),
}


@pytest.mark.parametrize("text", RANGES)
async def test_a_range(backend: Backend, at: dict[str, Any], text: str) -> None:
    first, last = RANGES[text]
    got = await call(backend, "GetObject", {**at, "Range": text})
    assert got["Body"] == BODY[first : last + 1]
    assert got["ContentRange"] == f"bytes {first}-{last}/10"
    assert got["ContentLength"] == last - first + 1
    assert got["ETag"] == ETAG


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-20", "bytes=-0"])
async def test_a_range_outside(backend: Backend, at: dict[str, Any], text: str) -> None:
    with refused(416, "InvalidRange"):
        await call(backend, "GetObject", {**at, "Range": text})


@pytest.mark.parametrize("text", cases("no_range", ["bytes=5-2", "bytes=a-b", "items=0-1"]))
async def test_a_malformed_range_is_no_range(backend: Backend, at: dict[str, Any], text: str) -> None:
    got = await call(backend, "GetObject", {**at, "Range": text})
    assert (got["Body"], got.get("ContentRange")) == (BODY, None)


async def test_an_empty_object_has_no_range(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "empty"}
    await call(backend, "PutObject", where, b"")
    with refused(416, "InvalidRange"):
        await call(backend, "GetObject", {**where, "Range": "bytes=0-0"})


@pytest.mark.capability("range_of_a_head")
async def test_a_range_of_a_head(backend: Backend, at: dict[str, Any]) -> None:
    got = await call(backend, "HeadObject", {**at, "Range": "bytes=2-5"})
    assert (got["ContentLength"], got["ContentRange"]) == (4, "bytes 2-5/10")


async def test_a_condition_comes_before_the_range(backend: Backend, at: dict[str, Any]) -> None:
    with refused(412, "PreconditionFailed"):
        await call(backend, "GetObject", {**at, "Range": "bytes=2-5", "IfMatch": OTHER})
    assert (await call(backend, "GetObject", {**at, "Range": "bytes=2-5", "IfMatch": ETAG}))["Body"] == BODY[2:6]
