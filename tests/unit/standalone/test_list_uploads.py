"""ListMultipartUploads."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import Members, call, refused
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import begin

from s3d.s3 import codec
from s3d.standalone import list_uploads
from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import OWNER
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store


async def _list(backend: Standalone, **members: Any) -> Members:
    return await call(backend, "ListMultipartUploads", {"Bucket": BUCKET, **members})


def _keys(page: Members) -> list[str]:
    return [upload["Key"] for upload in page.get("Uploads", [])]


def _prefixes(page: Members) -> list[str]:
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


async def _pages(backend: Standalone, **members: Any) -> list[tuple[list[str], list[str]]]:
    """Keys and common prefixes of each page."""
    markers: Members = {}
    pages = []
    while True:
        page = await _list(backend, **members, **markers)
        pages.append((_keys(page), _prefixes(page)))
        if not page["IsTruncated"]:
            assert "NextKeyMarker" not in page
            return pages
        markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page.get("NextUploadIdMarker", "")}


async def test_the_answer(backend: Standalone) -> None:
    upload = await begin(backend, ChecksumAlgorithm="SHA1", StorageClass="STANDARD_IA")
    found = await _list(backend)
    (entry,) = found.pop("Uploads")
    entry.pop("Initiated")
    assert entry == {
        "UploadId": upload["UploadId"],
        "Key": "k",
        "StorageClass": "STANDARD_IA",
        "Owner": OWNER,
        "Initiator": OWNER,
        "ChecksumAlgorithm": "SHA1",
        "ChecksumType": "COMPOSITE",
    }
    wanted = {"Bucket": BUCKET, "MaxUploads": 1000, "IsTruncated": False}
    assert {name: found[name] for name in wanted} == wanted


async def test_nothing(backend: Standalone) -> None:
    page = await _list(backend)
    assert (_keys(page), _prefixes(page), page["IsTruncated"]) == ([], [], False)
    with refused(404, "NoSuchBucket"):
        await _list(backend, Bucket="none")


async def test_by_key_and_then_as_begun(backend: Standalone) -> None:
    ids = [(key, (await begin(backend, key))["UploadId"]) for key in ("b", "a", "b", "é", "z", "a")]
    wanted = sorted(ids, key=lambda pair: pair[0].encode())
    found = [(upload["Key"], upload["UploadId"]) for upload in (await _list(backend))["Uploads"]]
    assert found == wanted
    for size in (1, 2, 5):
        markers: Members = {}
        walked = []
        while True:
            page = await _list(backend, MaxUploads=size, **markers)
            walked += [(upload["Key"], upload["UploadId"]) for upload in page["Uploads"]]
            if not page["IsTruncated"]:
                break
            assert (page["NextKeyMarker"], page["NextUploadIdMarker"]) == walked[-1]
            markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        assert walked == wanted


async def test_markers(backend: Standalone) -> None:
    first, second = [(await begin(backend, "a"))["UploadId"] for _ in range(2)]
    await begin(backend, "b")
    assert _keys(await _list(backend, KeyMarker="a")) == ["b"]
    assert _keys(await _list(backend, KeyMarker="a", UploadIdMarker=first)) == ["a", "b"]
    assert _keys(await _list(backend, KeyMarker="a", UploadIdMarker=second)) == ["b"]
    assert _keys(await _list(backend, UploadIdMarker=second)) == ["a", "a", "b"]
    assert _keys(await _list(backend, KeyMarker="0", UploadIdMarker=second)) == ["a", "a", "b"]
    await call(backend, "AbortMultipartUpload", {"Bucket": BUCKET, "Key": "a", "UploadId": first})
    assert _keys(await _list(backend, KeyMarker="a", UploadIdMarker=first)) == ["a", "b"]  # also of one that is gone
    with refused(400, "InvalidArgument", elements={"ArgumentName": "upload-id-marker"}):
        await _list(backend, KeyMarker="a", UploadIdMarker="nonsense")


@pytest.mark.parametrize(
    ("members", "keys", "prefixes"),
    [
        ({"Prefix": "d/"}, ["d/1", "d/2", "d/e/3"], []),
        ({"Prefix": "d/", "Delimiter": "/"}, ["d/1", "d/2"], ["d/e/"]),
        ({"Delimiter": "/"}, ["a", "z"], ["d/", "y/"]),
        ({"Delimiter": "/e"}, ["a", "d/1", "d/2", "y/1", "z"], ["d/e"]),
        ({"Delimiter": "/", "KeyMarker": "d/"}, ["z"], ["y/"]),
        ({"Delimiter": "/", "KeyMarker": "z"}, [], []),
        ({"Prefix": "x"}, [], []),
        ({"Prefix": "d/", "KeyMarker": "a"}, ["d/1", "d/2", "d/e/3"], []),
        ({"Prefix": "d/", "KeyMarker": "y"}, [], []),
        ({"MaxUploads": 0}, [], []),
    ],
)
async def test_prefix_and_delimiter(
    backend: Standalone, members: Members, keys: list[str], prefixes: list[str]
) -> None:
    for key in ("a", "d/1", "d/2", "d/e/3", "y/1", "z"):
        await begin(backend, key)
    page = await _list(backend, **members)
    assert (_keys(page), _prefixes(page), page["IsTruncated"]) == (keys, prefixes, False)


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_with_common_prefixes(backend: Standalone, size: int) -> None:
    for key in ("a", "d/1", "d/1", "d/2", "e", "y/1", "z"):
        await begin(backend, key)
    pages = await _pages(backend, Delimiter="/", MaxUploads=size)
    assert [key for keys, _ in pages for key in keys] == ["a", "e", "z"]
    assert [prefix for _, prefixes in pages for prefix in prefixes] == ["d/", "y/"]
    assert all(len(keys) + len(prefixes) <= size for keys, prefixes in pages)


async def test_the_last_prefix_there_can_be(backend: Standalone) -> None:
    """Nothing is behind the keys that begin with the highest byte."""
    for key in ("a", "\udcff\udcff1"):
        await backend(codec.build_request("CreateMultipartUpload", {"Bucket": BUCKET, "Key": key}))
    page = await _list(backend, Delimiter="\udcff", EncodingType="url")
    assert (_keys(page), _prefixes(page)) == (["a"], ["%FF"])


async def test_encoding(backend: Standalone) -> None:
    await begin(backend, "a b/ä\n")
    page = await _list(backend, EncodingType="url", Prefix="a b", KeyMarker="a +", Delimiter="ö")
    assert (_keys(page), page["EncodingType"]) == (["a%20b/%C3%A4%0A"], "url")
    assert (page["Prefix"], page["KeyMarker"], page["Delimiter"]) == ("a%20b", "a%20%2B", "%C3%B6")


async def test_other_buckets_are_not_listed(backend: Standalone) -> None:
    await call(backend, "CreateBucket", {"Bucket": "other"})
    await call(backend, "CreateMultipartUpload", {"Bucket": "other", "Key": "k"})
    assert _keys(await _list(backend)) == []


@pytest.mark.parametrize(
    ("query", "parameters", "step"),
    [
        (list_uploads._OF_KEY, (1, b"k", 1), "(bucket=? AND key=? AND id>?)"),
        (list_uploads._OF_LATER_KEYS, (1, b"k"), "(bucket=? AND key>?)"),
    ],
)
async def test_a_page_is_a_walk_along_the_index(
    store: Store, query: str, parameters: tuple[object, ...], step: str
) -> None:
    plan = [row[3] for row in store.reader.execute(f"EXPLAIN QUERY PLAN {query}", parameters)]
    assert [text.replace("rowid", "id") for text in plan] == [f"SEARCH upload USING INDEX upload_order {step}"]
