"""Merged lists against brute force: the list of what the remote will have, cut into pages naively."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model import listing as model
from model.memory import Memory
from unit.write_queue.lists import Pending, fill, names

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.write_queue.list_objects import list_local, list_objects

KEYS = st.text(alphabet="ab/é\U0001f600 +%", min_size=1, max_size=4)
BODIES = st.sampled_from([b"1", b"22"])
REMOTE = st.dictionaries(KEYS, BODIES, max_size=12)
CHANGES = st.dictionaries(KEYS, st.one_of(st.none(), BODIES), max_size=12)


def expected(remote: Mapping[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """What the remote has once everything is pushed."""
    merged: dict[str, bytes | None] = {**remote, **changes}
    return {key: body for key, body in merged.items() if body is not None}


async def page(remote: Memory, pending: Pending, operation: str, **members: Any) -> dict[str, Any]:
    request = codec.build_request(operation, {"Bucket": "bucket", **members})
    found = codec.parse_request(request, b"")
    response = await list_objects(request, found, remote, pending.changes)
    assert isinstance(response.body, bytes)
    return codec.parse_response(operation, response, response.body)


@settings(max_examples=300, deadline=None)
@given(
    REMOTE,
    CHANGES,
    st.sampled_from(["", "a", "a/", "é", "/"]),
    st.sampled_from(["", "/", "a", "é/", "b"]),
    st.sampled_from(["", "a", "a/", "a/b", "b", "é"]),
    st.integers(1, 4),
    st.sampled_from(["ListObjects", "ListObjectsV2"]),
)
def test_pages(
    before: dict[str, bytes],
    changes: dict[str, bytes | None],
    prefix: str,
    delimiter: str,
    after: str,
    limit: int,
    operation: str,
) -> None:
    async def check() -> None:
        remote, pending = await fill(Memory(), before), Pending(changes)
        whole = expected(before, changes)
        reference = await fill(Memory(), whole)
        asked: dict[str, Any] = {
            "Prefix": prefix,
            "Delimiter": delimiter or None,
            "MaxKeys": limit,
            "EncodingType": "url",
        }
        marker = "Marker" if operation == "ListObjects" else "StartAfter"
        position: dict[str, Any] = {marker: after or None}
        theirs = dict(position)
        for _ in range(40):
            found = await page(remote, pending, operation, **asked, **position)
            wanted = await page(reference, Pending({}), operation, **asked, **theirs)
            assert names(found) == names(wanted)
            assert found["IsTruncated"] == wanted["IsTruncated"]
            assert found.get("KeyCount") == wanted.get("KeyCount")
            assert found.get("NextMarker") == wanted.get("NextMarker")
            if not found["IsTruncated"]:
                return
            position = following(operation, found)
            theirs = following(operation, wanted)
        raise AssertionError("the list has no end")

    asyncio.run(check())


def following(operation: str, found: dict[str, Any]) -> dict[str, Any]:
    if operation == "ListObjectsV2":
        return {"ContinuationToken": found["NextContinuationToken"]}
    from urllib.parse import unquote

    return {"Marker": unquote(found.get("NextMarker") or found["Contents"][-1]["Key"], errors="surrogateescape")}


@settings(max_examples=200, deadline=None)
@given(REMOTE, CHANGES, st.sampled_from(["", "/", "a"]), st.integers(1, 3))
def test_a_list_goes_on_at_its_place_while_operations_are_pushed(
    before: dict[str, bytes], changes: dict[str, bytes | None], delimiter: str, limit: int
) -> None:
    async def check() -> None:
        remote, pending = await fill(Memory(), before), Pending(changes)
        seen: list[str] = []
        position: dict[str, Any] = {}
        left = sorted(changes)
        while True:
            found = await page(remote, pending, "ListObjectsV2", Delimiter=delimiter or None, MaxKeys=limit, **position)
            seen += names(found)
            if not found["IsTruncated"]:
                break
            position = {"ContinuationToken": found["NextContinuationToken"]}
            for key in left[:2]:
                await pending.push(remote, key)
            left = left[2:]
        whole = model.page(expected(before, changes), prefix="", delimiter=delimiter, after="", limit=10_000)
        assert seen == sorted(whole.keys + whole.prefixes, key=model.in_bytes)

    asyncio.run(check())


async def test_no_keys_are_wanted() -> None:
    remote = await fill(Memory(), {"a": b"1"})
    found = await page(remote, Pending({"b": b"2"}), "ListObjectsV2", MaxKeys=0)
    assert (names(found), found["IsTruncated"], found["KeyCount"]) == ([], False, 0)


@pytest.mark.parametrize("token", ["", "x", "c3Nk", "!!!!"])
async def test_a_token_that_is_none(token: str) -> None:
    remote = await fill(Memory(), {"a": b"1"})
    with pytest.raises(S3Error, match="InvalidArgument"):
        await page(remote, Pending({}), "ListObjectsV2", ContinuationToken=token)


async def test_an_error_of_the_remote_is_the_answer() -> None:
    request = codec.build_request("ListObjectsV2", {"Bucket": "none"})
    response = await list_objects(request, codec.parse_request(request, b""), Memory(), Pending({"a": b"1"}).changes)
    assert response.status == 404
    assert isinstance(response.body, bytes)
    assert b"NoSuchBucket" in response.body


async def test_entries_of_here_look_like_those_of_the_remote() -> None:
    remote = await fill(Memory(), {"a": b"1"})
    for operation, fetch in (("ListObjects", None), ("ListObjectsV2", True), ("ListObjectsV2", None)):
        found = (
            await page(remote, Pending({"b": b"22"}), operation, FetchOwner=fetch)
            if operation[-1] == "2"
            else await page(remote, Pending({"b": b"22"}), operation)
        )
        theirs, ours = found["Contents"]
        assert theirs.keys() == ours.keys()
        assert (ours["Size"], ours["StorageClass"]) == (2, "STANDARD")
        assert ours.get("Owner") == theirs.get("Owner")


async def test_what_is_known_here_alone_says_so() -> None:
    request = codec.build_request("ListObjectsV2", {"Bucket": "bucket", "Delimiter": "/"})
    pending = Pending({"a": b"1", "b": None, "d/e": b"3"})
    response = await list_local(request, codec.parse_request(request, b""), pending.changes)
    assert isinstance(response.body, bytes)
    assert response.headers["x-s3d-partial"] == "true"
    assert names(codec.parse_response("ListObjectsV2", response, response.body)) == ["a", "d/"]
