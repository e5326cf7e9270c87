"""Pages of listings."""

from __future__ import annotations

from typing import Any

import pytest

from s3d.cli import listing
from s3d.cli.errors import Failure
from s3d.cli.target import Target


class Pages:
    """Answers calls with the given pages."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = list(pages)
        self.tokens: list[Any] = []

    async def call(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        self.tokens.append(members.get("ContinuationToken"))
        return self.pages.pop(0)


async def collect(client: Pages) -> list[str]:
    return [entry["Key"] async for page in listing.objects(client, Target("b")) for entry in page["Contents"]]


async def test_tokens_are_handed_on() -> None:
    more = {"IsTruncated": True, "Contents": [{"Key": "a"}], "NextContinuationToken": "1"}
    client = Pages(more, {"IsTruncated": False, "Contents": [{"Key": "b"}]})
    assert await collect(client) == ["a", "b"]
    assert client.tokens == [None, "1"]


async def test_a_listing_that_breaks_off_is_an_error() -> None:
    with pytest.raises(Failure, match="breaks off"):
        await collect(Pages({"IsTruncated": True, "Contents": []}))


async def test_a_listing_that_runs_in_a_circle_is_an_error() -> None:
    page = {"IsTruncated": True, "Contents": [], "NextContinuationToken": "1"}
    with pytest.raises(Failure, match="does not end"):
        await collect(Pages(page, page, page))


async def test_buckets_come_in_pages_too() -> None:
    client = Pages({"Buckets": [{"Name": "a"}], "ContinuationToken": "t"}, {"Buckets": [{"Name": "b"}]})
    assert [bucket["Name"] async for page in listing.buckets(client) for bucket in page] == ["a", "b"]


def test_keys_are_decoded_only_where_they_are_encoded() -> None:
    page = {"Contents": [{"Key": "a+b%2B%FF", "Size": 1}], "CommonPrefixes": [{"Prefix": "%2F"}]}
    assert listing.decoded(page) is page
    decoded = listing.decoded({**page, "EncodingType": "url"})
    assert decoded["Contents"] == [{"Key": "a b+\udcff", "Size": 1}]
    assert decoded["CommonPrefixes"] == [{"Prefix": "/"}]
