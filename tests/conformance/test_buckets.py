"""Buckets: create, head, list, locate, delete."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from conformance.calling import call, refused
from conformance.capabilities import cases
from model.memory import Memory

from s3d.s3.backend import Backend


async def test_a_created_bucket_is_there(backend: Backend, new_bucket_name: Callable[[], str]) -> None:
    name = new_bucket_name()
    created = await call(backend, "CreateBucket", {"Bucket": name})
    assert created["Location"] == f"/{name}"
    await call(backend, "HeadBucket", {"Bucket": name})


@pytest.mark.capability("bucket_order")
async def test_buckets_are_listed_in_order(backend: Backend, new_bucket_name: Callable[[], str]) -> None:
    names = [new_bucket_name(), new_bucket_name()]
    for name in reversed(names):
        await call(backend, "CreateBucket", {"Bucket": name})
    listed = {entry["Name"]: entry["CreationDate"] for entry in (await call(backend, "ListBuckets"))["Buckets"]}
    assert [name for name in listed if name in names] == sorted(names)
    assert all(datetime.now(UTC) - listed[name] < timedelta(minutes=10) for name in names)


async def test_a_deleted_bucket_is_gone(backend: Backend, bucket: str) -> None:
    await call(backend, "DeleteBucket", {"Bucket": bucket})
    with refused(404, "NotFound"):
        await call(backend, "HeadBucket", {"Bucket": bucket})
    with refused(404, "NoSuchBucket"):
        await call(backend, "DeleteBucket", {"Bucket": bucket})


@pytest.mark.capability("bucket_created_twice")
async def test_creating_ones_own_bucket_again_changes_nothing(backend: Backend, bucket: str) -> None:
    """As us-east-1 does ("CreateBucket", Amazon S3 API Reference)."""
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    await call(backend, "CreateBucket", {"Bucket": bucket})
    assert (await call(backend, "GetObject", {"Bucket": bucket, "Key": "k"}))["Body"] == b"x"


@pytest.mark.capability("bucket_location")
async def test_a_bucket_stays_where_it_is(backend: Backend, new_bucket_name: Callable[[], str]) -> None:
    where = {"Bucket": new_bucket_name(), "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    await call(backend, "CreateBucket", where)
    assert (await call(backend, "GetBucketLocation", where | {"CreateBucketConfiguration": None}))[
        "LocationConstraint"
    ] == "eu-west-1"
    await call(backend, "CreateBucket", where)
    with refused(409, "BucketAlreadyOwnedByYou"):
        await call(backend, "CreateBucket", {"Bucket": where["Bucket"]})


@pytest.mark.capability("bucket_not_empty")
async def test_a_bucket_with_an_object_stays(backend: Backend, bucket: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    with refused(409, "BucketNotEmpty"):
        await call(backend, "DeleteBucket", {"Bucket": bucket})
    assert (await call(backend, "GetObject", {"Bucket": bucket, "Key": "k"}))["Body"] == b"x"


@pytest.mark.parametrize(
    "name", cases("bucket_name", ["ab", "A-Capital", "under_score", "two..dots", "-hyphen", "192.168.5.4", "x" * 64])
)
async def test_a_wrong_name_is_refused(backend: Backend, name: str) -> None:
    with refused(400, "InvalidBucketName"):
        await call(backend, "CreateBucket", {"Bucket": name})


async def test_the_location_of_the_default_region_is_empty(backend: Backend, bucket: str) -> None:
    assert not (await call(backend, "GetBucketLocation", {"Bucket": bucket})).get("LocationConstraint")


async def test_what_the_model_does_not_have_is_an_error() -> None:
    with refused(501, "NotImplemented"):
        await call(Memory(), "GetBucketAbac", {"Bucket": "any"})


@pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2", "ListMultipartUploads", "GetBucketLocation"])
async def test_what_a_missing_bucket_says(backend: Backend, operation: str, new_bucket_name: Callable[[], str]) -> None:
    with refused(404, "NoSuchBucket"):
        await call(backend, operation, {"Bucket": new_bucket_name()})
