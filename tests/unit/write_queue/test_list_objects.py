"""Merged lists over a remote that changes while it answers, and one that gives less than it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model import listing as model
from model.memory import Memory
from unit.write_queue.lists import Pending, fill, names

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue import merge
from s3d.write_queue.list_objects import list_objects

KEYS = st.text(alphabet="ab/é\udcff", min_size=1, max_size=4)
BODIES = st.sampled_from([b"1", b"22"])
REMOTE = st.dictionaries(KEYS, BODIES, max_size=12)
CHANGES = st.dictionaries(KEYS, st.one_of(st.none(), BODIES), max_size=12)


@pytest.fixture(autouse=True, params=[1, 2, 3, 1000], scope="module")
def most(request: pytest.FixtureRequest) -> Iterator[None]:
    """How much is read at a time: so the way from one read to the next is taken with few keys, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "_MOST", request.param)
        yield


class Pushes:
    """Some changes are pushed between the remote's answer and its arrival."""

    def __init__(self, remote: Memory, pending: Pending, order: Iterable[str], each: int) -> None:
        self._remote, self._pending, self._order, self._each = remote, pending, list(order), each
        self.calls = 0

    async def __call__(self, request: S3Request) -> S3Response:
        self.calls += 1
        response = await self._remote(request)
        now, self._order = self._order[: self._each], self._order[self._each :]
        for key in now:
            await self._pending.push(self._remote, key)
        return response


class Short:
    """Fewer entries than asked for, and more to come, which S3 permits."""

    def __init__(self, remote: Memory, most: int) -> None:
        self._remote, self._most = remote, most

    async def __call__(self, request: S3Request) -> S3Response:
        request.query = [
            (name, str(min(int(value), self._most)) if name == "max-keys" else value) for name, value in request.query
        ]
        return await self._remote(request)


async def page(remote: Backend, pending: Pending, **members: Any) -> dict[str, Any]:
    request = codec.build_request("ListObjectsV2", {"Bucket": "bucket", "EncodingType": "url", **members})
    response = await list_objects(request, codec.parse_request(request, b""), remote, pending.changes)
    assert isinstance(response.body, bytes)
    return codec.parse_response("ListObjectsV2", response, response.body)


async def whole(remote: Backend, pending: Pending, **members: Any) -> list[str]:
    """All pages; each but the last is full."""
    seen: list[str] = []
    for _ in range(80):
        found = await page(remote, pending, **members)
        seen += names(found)
        if not found["IsTruncated"]:
            return seen
        assert len(names(found)) == members["MaxKeys"]
        members["ContinuationToken"] = found["NextContinuationToken"]
    raise AssertionError("the list has no end")


def expected(before: dict[str, bytes], changes: dict[str, bytes | None], prefix: str, delimiter: str) -> list[str]:
    keys = [key for key, body in {**before, **changes}.items() if body is not None]
    found = model.page(keys, prefix=prefix, delimiter=delimiter, after="", limit=10_000)
    return sorted(found.keys + found.prefixes, key=model.in_bytes)


async def test_an_object_that_is_pushed_while_the_remote_answers_is_listed() -> None:
    pending = Pending({"d/x": b"1", "y": b"1"})
    remote = Pushes(await fill(Memory(), {"z": b"1"}), pending, ["y"], 1)
    assert names(await page(remote, pending, Delimiter="/")) == ["d/", "y", "z"]


async def test_one_that_is_deleted_while_the_remote_answers_is_not() -> None:
    pending = Pending({"d/x": b"1", "y": None})
    remote = Pushes(await fill(Memory(), {"y": b"1", "z": b"1"}), pending, ["y"], 1)
    assert names(await page(remote, pending, Delimiter="/")) == ["d/", "z"]


async def test_more_deletes_than_are_read_at_once() -> None:
    pending = Pending({f"k{number:05}": None for number in range(1500)})
    remote = Pushes(await fill(Memory(), {"k01400": b"1", "z": b"1"}), pending, ["k01400"], 1)
    assert names(await page(remote, pending)) == ["z"]


async def test_a_full_page_is_one_request() -> None:
    pending = Pending({"b": b"1"})
    remote = Pushes(await fill(Memory(), {f"k{number:05}": b"1" for number in range(1200)}), pending, [], 0)
    found = await page(remote, pending, MaxKeys=1)
    assert (names(found), found["IsTruncated"], remote.calls) == (["b"], True, 1)


@settings(max_examples=300, deadline=None)
@given(
    REMOTE,
    CHANGES,
    st.sampled_from(["", "/", "a"]),
    st.sampled_from(["", "a", "a/"]),
    st.integers(1, 4),
    st.integers(0, 4),
    st.randoms(),
)
def test_pushes_while_the_remote_answers(
    before: dict[str, bytes],
    changes: dict[str, bytes | None],
    delimiter: str,
    prefix: str,
    limit: int,
    each: int,
    random: Any,
) -> None:
    async def check() -> None:
        pending, order = Pending(changes), list(changes)
        random.shuffle(order)
        remote = Pushes(await fill(Memory(), before), pending, order, each)
        seen = await whole(remote, pending, Delimiter=delimiter or None, Prefix=prefix or None, MaxKeys=limit)
        assert seen == expected(before, changes, prefix, delimiter)

    asyncio.run(check())


@settings(max_examples=300, deadline=None)
@given(
    REMOTE,
    CHANGES,
    st.sampled_from(["", "/", "a", "é"]),
    st.sampled_from(["", "a", "a/", "\udcff"]),
    st.integers(1, 5),
    st.integers(1, 2),
)
def test_short_pages_of_the_remote(
    before: dict[str, bytes],
    changes: dict[str, bytes | None],
    delimiter: str,
    prefix: str,
    limit: int,
    short: int,
) -> None:
    async def check() -> None:
        remote, pending = Short(await fill(Memory(), before), short), Pending(changes)
        seen = await whole(remote, pending, Delimiter=delimiter or None, Prefix=prefix or None, MaxKeys=limit)
        assert seen == expected(before, changes, prefix, delimiter)

    asyncio.run(check())
