from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.standalone.filled import DELIMITERS, KEYS, PREFIXES, Filled, expected, shown

from s3d.local.database import connect
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.s3.uri import unquote
from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import OWNER
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.version import key_text

BOTH = pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2"])
PAGES = 300
"""More than any of these lists has."""
CHANGES = st.lists(st.lists(st.tuples(st.booleans(), KEYS), max_size=4), max_size=30)


def following(operation: str, page: dict[str, Any]) -> dict[str, str]:
    """The members that ask for the next page."""
    if operation == "ListObjectsV2":
        return {"ContinuationToken": page["NextContinuationToken"]}
    return {"Marker": unquote(page.get("NextMarker") or page["Contents"][-1]["Key"])}


def walk(filled: Filled, operation: str, changes: list[list[tuple[bool, bytes]]], **members: Any) -> list[list[bytes]]:
    """What each page shows; between pages keys are put and deleted."""
    pages = []
    more: dict[str, str] = {}
    left = iter(changes)
    for _ in range(PAGES):
        page = filled.page(operation, EncodingType="url", **members, **more)
        pages.append(shown(page))
        if "KeyCount" in page:
            assert page["KeyCount"] == len(pages[-1])
        assert ("NextMarker" in page) == (operation == "ListObjects" and page["IsTruncated"] and "Delimiter" in page)
        if not page["IsTruncated"]:
            return pages
        more = following(operation, page)
        for is_put, key in next(left, []):
            filled.put(key) if is_put else filled.delete(key)
    raise AssertionError("there is no last page")


@BOTH
@given(st.sets(KEYS, max_size=25), PREFIXES, DELIMITERS, st.integers(1, 5))
def test_all_pages_together_are_the_list(
    operation: str, keys: set[bytes], prefix: bytes, delimiter: bytes, size: int
) -> None:
    filled = Filled()
    filled.put_many(keys)
    pages = walk(filled, operation, [], Prefix=prefix, Delimiter=delimiter, MaxKeys=size)
    assert [entry for page in pages for entry in page] == [entry for entry, _ in expected(keys, prefix, delimiter)]
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages[-1]) <= size


@BOTH
@given(st.sets(KEYS, max_size=25), DELIMITERS, st.integers(1, 4), CHANGES)
def test_what_is_there_all_the_time_is_shown_once(
    operation: str, keys: set[bytes], delimiter: bytes, size: int, changes: list[list[tuple[bool, bytes]]]
) -> None:
    filled = Filled()
    filled.put_many(keys)
    pages = walk(filled, operation, changes, Delimiter=delimiter, MaxKeys=size)
    entries = [entry for page in pages for entry in page]
    assert entries == sorted(set(entries))
    stable = keys - {key for some in changes for is_put, key in some if not is_put}
    assert {entry for entry, _ in expected(stable, b"", delimiter)} <= set(entries)


@BOTH
def test_a_marker_in_a_common_prefix_is_behind_all_of_it(operation: str) -> None:
    filled = Filled()
    filled.put_many([b"dir/a", b"dir/b", b"e"])
    name = "Marker" if operation == "ListObjects" else "StartAfter"
    for marker in (b"dir/", b"dir/a", b"dir/zzz"):
        assert shown(filled.page(operation, Delimiter="/", EncodingType="url", **{name: marker})) == [b"e"]
    assert shown(filled.page(operation, Delimiter="/", EncodingType="url", **{name: b"dir"})) == [b"dir/", b"e"]
    assert shown(filled.page(operation, Prefix="dir/", EncodingType="url", **{name: b"dir/a"})) == [b"dir/b"]


@pytest.mark.parametrize("members", [{}, {"Delimiter": "/"}, {"Delimiter": "/", "Prefix": "one/"}], ids=str)
@BOTH
def test_a_page_costs_what_it_shows(operation: str, members: dict[str, str]) -> None:
    filled = Filled()
    filled.put_many(b"one/%05d" % number for number in range(50_000))
    filled.put_many([b"a", b"two/1", b"z"])
    name = "Marker" if operation == "ListObjects" else "StartAfter"
    for start in ("", "one/", "one/49990"):
        steps = filled.steps(lambda start=start: filled.page(operation, MaxKeys=5, **members, **{name: start}))
        assert steps <= 3


def test_an_answer_of_version_1() -> None:
    filled = Filled()
    filled.put(b"a&b", modified=1_767_323_045, size=7, etag="0" * 32, checksum="SHA1:AAAA-2", storage_class="GLACIER")
    filled.put(b"b/c")
    filled.put(b"d")
    body = filled.answer("ListObjects", Delimiter="/", MaxKeys=2).body
    assert (
        body
        == (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            b"<Name>b</Name><Prefix></Prefix><Marker></Marker><NextMarker>b/</NextMarker><MaxKeys>2</MaxKeys>"
            b"<Delimiter>/</Delimiter><IsTruncated>true</IsTruncated><Contents><Key>a&amp;b</Key>"
            b"<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;00000000000000000000000000000000&quot;</ETag>"
            b"<ChecksumAlgorithm>SHA1</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType><Size>7</Size>"
            b"<Owner><ID>%s</ID><DisplayName>s3d</DisplayName></Owner><StorageClass>GLACIER</StorageClass></Contents>"
            b"<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>"
        )
        % OWNER["ID"].encode()
    )


def test_the_head_of_an_answer_of_version_2() -> None:
    filled = Filled()
    filled.put_many([b"a", b"b", b"c"])
    first = filled.page("ListObjectsV2", StartAfter="", MaxKeys=1)
    token = first["NextContinuationToken"]
    body = filled.answer(
        "ListObjectsV2", StartAfter="0", ContinuationToken=token, MaxKeys=5000, EncodingType="url"
    ).body
    assert isinstance(body, bytes)
    elements = re.findall(r"<(\w+)>([^<]*)</", body.decode().partition("<Contents>")[0])
    assert elements == [
        ("Name", "b"),
        ("Prefix", ""),
        ("StartAfter", "0"),
        ("ContinuationToken", token),
        ("KeyCount", "2"),
        ("MaxKeys", "1000"),
        ("EncodingType", "url"),
        ("IsTruncated", "false"),
    ]
    assert first["StartAfter"] == ""
    assert "Owner" not in first["Contents"][0]
    assert first["Contents"][0]["StorageClass"] == "STANDARD"


def test_owners_on_request() -> None:
    filled = Filled()
    filled.put(b"a")
    assert filled.page("ListObjectsV2", FetchOwner=True)["Contents"][0]["Owner"] == OWNER


@BOTH
def test_no_keys_wanted(operation: str) -> None:
    filled = Filled()
    filled.put(b"a")
    page = filled.page(operation, MaxKeys=0, Delimiter="/")
    assert (page["MaxKeys"], page["IsTruncated"], page.get("Contents"), page.get("CommonPrefixes")) == (
        0,
        False,
        None,
        None,
    )


@BOTH
def test_everything_that_is_a_key_is_encoded(operation: str) -> None:
    filled = Filled()
    filled.put_many([b"p \xff/a+b", b"p \xff/c d!", b"p \xff/e", b"p \xff/f"])
    marker = {"ListObjects": "Marker", "ListObjectsV2": "StartAfter"}[operation]
    page = filled.page(
        operation, Prefix=b"p \xff", Delimiter="d!", MaxKeys=2, EncodingType="url", **{marker: b"p \xff/a"}
    )
    assert (page["Prefix"], page[marker], page["Delimiter"]) == ("p%20%FF", "p%20%FF/a", "d%21")
    assert [entry["Key"] for entry in page["Contents"]] == ["p%20%FF/a%2Bb"]
    assert page["CommonPrefixes"] == [{"Prefix": "p%20%FF/c%20d%21"}]
    assert page.get("NextMarker") in (None, "p%20%FF/c%20d%21")


@BOTH
def test_without_encoding_bytes_and_references(operation: str) -> None:
    filled = Filled()
    filled.put_many([b"\x01\xff<"])
    body = filled.answer(operation).body
    assert isinstance(body, bytes)
    assert b"<Key>&#1;\xff&lt;</Key>" in body


@pytest.mark.parametrize("token", ["", "a", "nonsense", "AAAA", "AAAAAA==", "YWJj\udcff", "\u00fc"])
def test_a_token_that_is_none(token: str) -> None:
    with pytest.raises(S3Error, match="The continuation token provided is incorrect") as caught:
        Filled().answer("ListObjectsV2", ContinuationToken=token)
    assert caught.value.code == "InvalidArgument"
    assert caught.value.elements == {"ArgumentName": "continuation-token", "ArgumentValue": token}


@given(st.data())
def test_a_changed_token_is_none(data: st.DataObject) -> None:
    filled = Filled()
    filled.put_many([b"a", b"b"])
    token = filled.page("ListObjectsV2", MaxKeys=1)["NextContinuationToken"]
    position = data.draw(st.integers(0, len(token) - 1))
    changed = token[:position] + data.draw(st.sampled_from("Aa0_=\n")) + token[position + 1 :]
    if changed != token:
        with pytest.raises(S3Error, match="token"):
            filled.answer("ListObjectsV2", ContinuationToken=changed)


@given(KEYS)
@settings(max_examples=30)
def test_a_token_carries_any_key(key: bytes) -> None:
    filled = Filled()
    filled.put_many([key, key + b"\0"])
    token = filled.page("ListObjectsV2", MaxKeys=1, EncodingType="url")["NextContinuationToken"]
    assert shown(filled.page("ListObjectsV2", ContinuationToken=token, EncodingType="url")) == [key + b"\0"]


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Standalone]:
    """A store on a disk, with the bucket ``bucket``."""
    embedded = Standalone(StandaloneConfig(tmp_path, buckets=("bucket",)))
    await embedded.open()
    yield embedded
    await embedded.close()


async def test_a_list_of_the_store(embedded: Standalone, tmp_path: Path) -> None:
    for key in ("b/1", "a", "\u00fc", key_text(b"\xff")):
        request = codec.build_request("PutObject", {"Bucket": "bucket", "Key": key})
        request.body = b"12345"
        await embedded(request)
    response = await embedded(codec.build_request("ListObjectsV2", {"Bucket": "bucket", "EncodingType": "url"}))
    assert isinstance(response.body, bytes)
    found = codec.parse_response("ListObjectsV2", response, response.body)
    assert [entry["Key"] for entry in found["Contents"]] == ["a", "b/1", "%C3%BC", "%FF"]
    entry = found["Contents"][0]
    assert (entry["Size"], entry["ETag"]) == (5, '"827ccb0eea8a706c4c34a16891f84e7b"')
    assert (entry["ChecksumAlgorithm"], entry["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")
    other = connect(tmp_path / "store.db")
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0  # nobody reads any more
    other.close()


@BOTH
async def test_no_such_bucket(embedded: Standalone, operation: str) -> None:
    with pytest.raises(S3Error) as caught:
        await embedded(codec.build_request(operation, {"Bucket": "none"}))
    assert caught.value.code == "NoSuchBucket"
    await embedded(codec.build_request(operation, {"Bucket": "bucket"}))


@pytest.mark.parametrize(("name", "value"), [("max-keys", "-1"), ("max-keys", "x"), ("encoding-type", "base64")])
@BOTH
async def test_bad_arguments(embedded: Standalone, operation: str, name: str, value: str) -> None:
    query = [("list-type", "2")] if operation == "ListObjectsV2" else []
    with pytest.raises(S3Error) as caught:
        await embedded(S3Request("GET", operation, "bucket", query=[*query, (name, value)]))
    assert caught.value.code == "InvalidArgument"
    assert caught.value.elements == {"ArgumentName": name, "ArgumentValue": value}
