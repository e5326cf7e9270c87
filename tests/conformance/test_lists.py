"""ListObjects, both versions: prefix, delimiter, pages, markers, encoding, order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformance.calling import call, refused
from conformance.capabilities import PEERS, cases

from s3d.s3.backend import Backend
from s3d.s3.uri import unquote

KEYS = ["a", "a.txt", "dir/a", "dir/b", "dir/sub/c", "dir/sub/d", "dir2/e", "e", "\u00fc", "\uffee", "\U0001f600"]
"""In UTF-8 byte order, which is not that of UTF-16: the last two would change places there."""
PAGES = 50
"""More than any of these lists has: paging that does not come to an end fails."""
BOTH = pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2"])


@pytest.fixture
async def listed(request: pytest.FixtureRequest, backend: Backend, new_bucket_name: Callable[[], str]) -> str:
    """A bucket with the keys above, which no test changes."""
    place = request.node.callspec.params["backend"]
    if place in _filled:
        return _filled[place]
    name = new_bucket_name()
    await call(backend, "CreateBucket", {"Bucket": name})
    for key in reversed(KEYS):
        await call(backend, "PutObject", {"Bucket": name, "Key": key}, key.encode())
    if place in PEERS:
        _filled[place] = name
    return name


_filled: dict[str, str] = {}
"""The bucket on each server."""


def _names(found: dict[str, Any]) -> tuple[list[str], list[str]]:
    keys = [entry["Key"] for entry in found.get("Contents") or []]
    return keys, [entry["Prefix"] for entry in found.get("CommonPrefixes") or []]


@BOTH
async def test_all_keys_in_byte_order(backend: Backend, listed: str, operation: str) -> None:
    found = await call(backend, operation, {"Bucket": listed})
    assert _names(found) == (KEYS, [])
    assert found["IsTruncated"] is False
    assert (found["Name"], found["MaxKeys"]) == (listed, 1000)


@BOTH
async def test_an_entry_describes_its_object(backend: Backend, listed: str, operation: str) -> None:
    for _ in range(3):  # a queue may push it between the two: then the time is that of its arrival
        found = await call(backend, operation, {"Bucket": listed, "Prefix": "dir/sub/c"})
        head = await call(backend, "HeadObject", {"Bucket": listed, "Key": "dir/sub/c"})
        (entry,) = found["Contents"]
        assert (entry["Size"], entry["ETag"], entry["StorageClass"]) == (9, head["ETag"], "STANDARD")
        modified = entry["LastModified"].replace(microsecond=0)
        if modified == head["LastModified"]:
            break
    assert modified == head["LastModified"]


@BOTH
async def test_an_empty_bucket(backend: Backend, bucket: str, operation: str) -> None:
    found = await call(backend, operation, {"Bucket": bucket})
    assert _names(found) == ([], [])
    assert found["IsTruncated"] is False


PREFIXES: dict[str, tuple[dict[str, str], list[str], list[str]]] = {
    "prefix": ({"Prefix": "dir"}, ["dir/a", "dir/b", "dir/sub/c", "dir/sub/d", "dir2/e"], []),
    "prefix-slash": ({"Prefix": "dir/"}, ["dir/a", "dir/b", "dir/sub/c", "dir/sub/d"], []),
    "prefix-is-a-key": ({"Prefix": "a"}, ["a", "a.txt"], []),
    "prefix-of-nothing": ({"Prefix": "nothing"}, [], []),
    "delimiter": (
        {"Delimiter": "/"},
        ["a", "a.txt", "e", "\u00fc", "\uffee", "\U0001f600"],
        ["dir/", "dir2/"],
    ),
    "both": ({"Prefix": "dir/", "Delimiter": "/"}, ["dir/a", "dir/b"], ["dir/sub/"]),
    "prefix-without-slash": ({"Prefix": "dir", "Delimiter": "/"}, [], ["dir/", "dir2/"]),
}


@BOTH
@pytest.mark.parametrize("case", PREFIXES)
async def test_prefix_and_delimiter(backend: Backend, listed: str, operation: str, case: str) -> None:
    members, keys, prefixes = PREFIXES[case]
    assert _names(await call(backend, operation, {"Bucket": listed, **members})) == (keys, prefixes)


@BOTH
async def test_a_delimiter_of_several_characters(backend: Backend, listed: str, operation: str) -> None:
    found = await call(backend, operation, {"Bucket": listed, "Prefix": "dir", "Delimiter": "ub/"})
    assert _names(found) == (["dir/a", "dir/b", "dir2/e"], ["dir/sub/"])


@pytest.mark.parametrize("delimiter", ["", "/"], ids=["flat", "delimiter"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_pages_of_version_2(backend: Backend, listed: str, size: int, delimiter: str) -> None:
    members: dict[str, Any] = {"Bucket": listed, "MaxKeys": size, **({"Delimiter": delimiter} if delimiter else {})}
    keys: list[str] = []
    prefixes: list[str] = []
    for _ in range(PAGES):
        found = await call(backend, "ListObjectsV2", members)
        assert found["KeyCount"] == len(_names(found)[0]) + len(_names(found)[1]) <= size
        keys, prefixes = keys + _names(found)[0], prefixes + _names(found)[1]
        if not found["IsTruncated"]:
            break
        members["ContinuationToken"] = found["NextContinuationToken"]
    whole = await call(backend, "ListObjectsV2", {"Bucket": listed, **({"Delimiter": delimiter} if delimiter else {})})
    assert (keys, prefixes) == _names(whole)


@pytest.mark.parametrize(
    ("size", "delimiter"),
    [
        (1, ""),
        (2, ""),
        (100, ""),
        (100, "/"),
        pytest.param(1, "/", marks=pytest.mark.capability("pages_with_a_delimiter")),
        pytest.param(2, "/", marks=pytest.mark.capability("pages_with_a_delimiter")),
    ],
)
async def test_pages_of_version_1(backend: Backend, listed: str, size: int, delimiter: str) -> None:
    members: dict[str, Any] = {"Bucket": listed, "MaxKeys": size, **({"Delimiter": delimiter} if delimiter else {})}
    keys: list[str] = []
    prefixes: list[str] = []
    for _ in range(PAGES):
        found = await call(backend, "ListObjects", members)
        keys, prefixes = keys + _names(found)[0], prefixes + _names(found)[1]
        if not found["IsTruncated"]:
            break
        members["Marker"] = found["NextMarker"] if delimiter else _names(found)[0][-1]
    whole = await call(backend, "ListObjects", {"Bucket": listed, **({"Delimiter": delimiter} if delimiter else {})})
    assert (keys, prefixes) == _names(whole)


@BOTH
async def test_start_after_a_key(backend: Backend, listed: str, operation: str) -> None:
    name = "Marker" if operation == "ListObjects" else "StartAfter"
    for start in ("dir/b", "dir/bb"):
        found = await call(backend, operation, {"Bucket": listed, name: start})
        assert _names(found)[0] == KEYS[KEYS.index("dir/sub/c") :]


@pytest.mark.parametrize("operation", cases("says_start", ["ListObjects", "ListObjectsV2"]))
async def test_the_answer_says_where_it_starts(backend: Backend, listed: str, operation: str) -> None:
    name = "Marker" if operation == "ListObjects" else "StartAfter"
    assert (await call(backend, operation, {"Bucket": listed, name: "dir/b"}))[name] == "dir/b"


@BOTH
async def test_no_keys_wanted(backend: Backend, listed: str, operation: str) -> None:
    found = await call(backend, operation, {"Bucket": listed, "MaxKeys": 0})
    assert (_names(found), found["IsTruncated"]) == (([], []), False)


@BOTH
@pytest.mark.capability("max_keys_clamped")
async def test_a_page_has_a_thousand_keys_at_most(backend: Backend, listed: str, operation: str) -> None:
    found = await call(backend, operation, {"Bucket": listed, "MaxKeys": 5000})
    assert (_names(found)[0], found["MaxKeys"]) == (KEYS, 1000)


@BOTH
async def test_encoded_keys(backend: Backend, bucket: str, operation: str) -> None:
    keys = ["a b", "a&<>", "a%2Fb", "pre fix/x", "\u00fc"]
    for key in keys:
        await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, b"x")
    found = await call(backend, operation, {"Bucket": bucket, "EncodingType": "url", "Delimiter": "/"})
    assert found["EncodingType"] == "url"
    written, prefixes = _names(found)
    assert sorted(unquote(key.replace("+", " ")) for key in written) == sorted(set(keys) - {"pre fix/x"})
    assert [unquote(prefix.replace("+", " ")) for prefix in prefixes] == ["pre fix/"]


@pytest.mark.capability("bad_encoding_type")
async def test_an_unknown_encoding(backend: Backend, bucket: str) -> None:
    with refused(400, "InvalidArgument"):
        await call(backend, "ListObjectsV2", {"Bucket": bucket, "EncodingType": "base64"})


@pytest.mark.capability("bad_token")
async def test_a_token_that_is_none(backend: Backend, listed: str) -> None:
    with refused(400, "InvalidArgument"):
        await call(backend, "ListObjectsV2", {"Bucket": listed, "ContinuationToken": "nonsense"})


async def test_owners_only_on_request(backend: Backend, listed: str) -> None:
    plain = await call(backend, "ListObjectsV2", {"Bucket": listed, "Prefix": "e"})
    assert "Owner" not in plain["Contents"][0]
    owned = await call(backend, "ListObjectsV2", {"Bucket": listed, "Prefix": "e", "FetchOwner": True})
    assert owned["Contents"][0]["Owner"]["ID"]
