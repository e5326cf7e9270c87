"""Listings as they arrive: page after page, never more than one in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_to_bytes

from s3d.cli.client import Client
from s3d.cli.errors import Failure
from s3d.cli.target import Target

Page = dict[str, Any]


async def buckets(client: Client) -> AsyncIterator[list[dict[str, Any]]]:
    """Pages of the ``Buckets`` member of ListBuckets."""
    token: str | None = None
    while True:
        page = await client.call("ListBuckets", {"ContinuationToken": token} if token else {})
        yield page.get("Buckets") or []
        token = _next(page.get("ContinuationToken"), token, "ListBuckets")
        if token is None:
            return


async def objects(client: Client, target: Target, *, delimiter: str | None = None) -> AsyncIterator[Page]:
    """Pages of ListObjectsV2 with decoded ``Contents`` and ``CommonPrefixes``; ``target.key`` is the prefix."""
    members = {"Bucket": target.bucket, "Prefix": target.key, "EncodingType": "url"}
    if delimiter:
        members["Delimiter"] = delimiter
    token: str | None = None
    while True:
        page = await client.call("ListObjectsV2", members | ({"ContinuationToken": token} if token else {}))
        yield decoded(page)
        if not page.get("IsTruncated"):
            return
        token = _next(page.get("NextContinuationToken"), token, "ListObjectsV2")
        if token is None:
            raise Failure("The listing breaks off: an answer says that there is more, but not where.")


def decoded(page: Page) -> Page:
    """The page with its keys and prefixes as they are. XML cannot carry every byte, so they travel percent-encoded
    (``EncodingType=url``), with ``+`` for a space, as S3 does it."""
    if page.get("EncodingType") != "url":
        return page
    contents = [{**entry, "Key": _unquote(entry["Key"])} for entry in page.get("Contents") or []]
    prefixes = [{**entry, "Prefix": _unquote(entry["Prefix"])} for entry in page.get("CommonPrefixes") or []]
    return {**page, "Contents": contents, "CommonPrefixes": prefixes}


def _unquote(text: str) -> str:
    raw = unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def _next(token: str | None, previous: str | None, operation: str) -> str | None:
    """Raises Failure where a listing would run in a circle."""
    if token and token == previous:
        raise Failure(f"The listing does not end: {operation} answered the same continuation token twice.")
    return token or None
