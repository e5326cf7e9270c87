"""ListBuckets: pages, prefix, region."""

from __future__ import annotations

import pytest
from conformance.calling import call, refused
from conformance.capabilities import cases

from s3d.s3.backend import Backend


@pytest.fixture
async def named(backend: Backend, request: pytest.FixtureRequest) -> list[str]:
    """Four buckets with a prefix of their own, there once."""
    prefix = f"list-{abs(hash(request.node.name)) % 10**9}"
    names = [f"{prefix}-{letter}" for letter in "abcd"]
    for name in names:
        await call(backend, "CreateBucket", {"Bucket": name})
    return names


@pytest.mark.capability("buckets_prefix")
async def test_buckets_with_a_prefix(backend: Backend, named: list[str]) -> None:
    prefix = named[0][:-1]
    found = await call(backend, "ListBuckets", {"Prefix": prefix})
    assert [bucket["Name"] for bucket in found["Buckets"]] == named
    assert found["Prefix"] == prefix
    found = await call(backend, "ListBuckets", {"Prefix": named[2]})
    assert [bucket["Name"] for bucket in found["Buckets"]] == named[2:3]


@pytest.mark.parametrize("size", [*cases("buckets_pages", ["1", "2", "3"]), "4", "5"])
async def test_pages_of_buckets(backend: Backend, named: list[str], size: str) -> None:
    members = {"Prefix": named[0][:-1], "MaxBuckets": int(size)}
    pages: list[list[str]] = []
    for _ in range(10):
        found = await call(backend, "ListBuckets", members)
        pages.append([bucket["Name"] for bucket in found["Buckets"]])
        if "ContinuationToken" not in found:
            break
        members["ContinuationToken"] = found["ContinuationToken"]
    assert pages == [named[start : start + int(size)] for start in range(0, 4, int(size))]


@pytest.mark.capability("buckets_limit")
@pytest.mark.parametrize("size", [0, 10_001])
async def test_a_wrong_page_size(backend: Backend, size: int) -> None:
    with refused(400, "InvalidArgument"):
        await call(backend, "ListBuckets", {"MaxBuckets": size})


@pytest.mark.capability("buckets_token")
async def test_a_token_that_is_none(backend: Backend) -> None:
    with refused(400, "InvalidArgument"):
        await call(backend, "ListBuckets", {"ContinuationToken": "nonsense"})


@pytest.mark.capability("buckets_region")
async def test_the_region_is_said_when_something_is_asked(backend: Backend, named: list[str]) -> None:
    asked = await call(backend, "ListBuckets", {"Prefix": named[0]})
    assert asked["Buckets"][0]["BucketRegion"] == "us-east-1"
    assert all("BucketRegion" not in bucket for bucket in (await call(backend, "ListBuckets"))["Buckets"])
    assert (await call(backend, "HeadBucket", {"Bucket": named[0]}))["BucketRegion"] == "us-east-1"
