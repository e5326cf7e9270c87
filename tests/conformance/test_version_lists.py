"""ListObjectVersions: order, prefix, delimiter, pages, markers, encoding."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import Members, call, refused
from conformance.capabilities import cases
from conformance.versioned import delete, known, put

from s3d.s3.backend import Backend
from s3d.s3.uri import unquote

PAGES = 50


@pytest.fixture
async def versions(backend: Backend, versioned_bucket: str) -> list[tuple[str, str]]:
    """Keys and ids of what is in the bucket, in the order of the list: three versions of ``a`` (the second a delete
    marker), two of ``dir/b`` (deleted), one of ``dir/c`` and of ``e``."""
    made: dict[str, list[str]] = {}
    for key in ("e", "a", "dir/b", "dir/c", "-a", "a", "-dir/b"):
        at = {"Bucket": versioned_bucket, "Key": key.removeprefix("-")}
        version = (await delete(backend, at))[1] if key[0] == "-" else await put(backend, at, key.encode())
        made.setdefault(at["Key"], []).insert(0, str(version))
    return [(key, version) for key in sorted(made) for version in made[key]]


async def test_a_bucket_without_versioning(backend: Backend, bucket: str) -> None:
    await put(backend, {"Bucket": bucket, "Key": "k"}, b"12345")
    (entry,) = (await call(backend, "ListObjectVersions", {"Bucket": bucket}))["Versions"]
    assert (entry["Key"], entry["VersionId"], entry["IsLatest"], entry["Size"]) == ("k", "null", True, 5)


async def test_versions_and_markers(backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]]) -> None:
    found = await call(backend, "ListObjectVersions", {"Bucket": versioned_bucket})
    ids = [(entry["Key"], entry["VersionId"]) for entry in found["Versions"]]
    markers = [(entry["Key"], entry["VersionId"]) for entry in found["DeleteMarkers"]]
    assert ids == [row for row in versions if row not in markers]
    assert markers == [versions[1], versions[3]]
    latest = [
        entry["VersionId"] for name in ("Versions", "DeleteMarkers") for entry in found[name] if entry["IsLatest"]
    ]
    assert sorted(latest) == sorted([versions[0][1], versions[3][1], versions[5][1], versions[6][1]])
    assert (found["IsTruncated"], found["Name"], found["MaxKeys"]) == (False, versioned_bucket, 1000)


@pytest.mark.capability("version_entry")
async def test_an_entry_describes_its_version(
    backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]]
) -> None:
    found = await call(backend, "ListObjectVersions", {"Bucket": versioned_bucket, "Prefix": "e"})
    head = await call(backend, "HeadObject", {"Bucket": versioned_bucket, "Key": "e"})
    (entry,) = found["Versions"]
    assert (entry["Size"], entry["ETag"], entry["StorageClass"]) == (1, head["ETag"], "STANDARD")
    assert entry["LastModified"].replace(microsecond=0) == head["LastModified"]
    assert entry["Owner"]["ID"]


SELECTIONS: dict[str, tuple[Members, set[str], list[str]]] = {
    "prefix": ({"Prefix": "dir/"}, {"dir/b", "dir/c"}, []),
    "delimiter": ({"Delimiter": "/"}, {"a", "e"}, ["dir/"]),
    "both": ({"Prefix": "dir/", "Delimiter": "/"}, {"dir/b", "dir/c"}, []),
    "prefix-of-nothing": ({"Prefix": "x"}, set(), []),
}


@pytest.mark.parametrize("case", cases("versions", SELECTIONS))
async def test_prefix_and_delimiter(
    backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]], case: str
) -> None:
    members, keys, prefixes = SELECTIONS[case]
    found = await call(backend, "ListObjectVersions", {"Bucket": versioned_bucket, **members})
    assert [entry["Prefix"] for entry in found.get("CommonPrefixes") or []] == prefixes
    rows = await known(backend, versioned_bucket, **members)
    assert {row[:2] for row in rows} == {row for row in versions if row[0] in keys}


@pytest.mark.parametrize("delimiter", ["", "/"], ids=["flat", "delimiter"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.capability("version_pages")
async def test_pages(
    backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]], size: int, delimiter: str
) -> None:
    members: dict[str, Any] = {
        "Bucket": versioned_bucket,
        "MaxKeys": size,
        **({"Delimiter": delimiter} if delimiter else {}),
    }
    seen: list[tuple[str, str]] = []
    prefixes: list[str] = []
    for _ in range(PAGES):
        found = await call(backend, "ListObjectVersions", members)
        rows = [(e["Key"], e["VersionId"]) for name in ("Versions", "DeleteMarkers") for e in found.get(name) or []]
        seen += sorted(rows, key=versions.index)
        prefixes += [entry["Prefix"] for entry in found.get("CommonPrefixes") or []]
        if not found["IsTruncated"]:
            break
        members["KeyMarker"] = found["NextKeyMarker"]
        members["VersionIdMarker"] = found.get("NextVersionIdMarker") or None
    assert seen == [row for row in versions if not (delimiter and delimiter in row[0])]
    assert prefixes == (["dir/"] if delimiter else [])


@pytest.mark.capability("versions_after_key")
async def test_behind_a_key(backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]]) -> None:
    rows = await known(backend, versioned_bucket, KeyMarker="dir/b")
    assert [row[0] for row in rows] == ["dir/c", "e"]


@pytest.mark.capability("behind_a_version")
async def test_behind_a_version(backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]]) -> None:
    found = await call(
        backend, "ListObjectVersions", {"Bucket": versioned_bucket, "KeyMarker": "a", "VersionIdMarker": versions[0][1]}
    )
    assert found["Versions"][0]["VersionId"] == versions[2][1]
    assert found["DeleteMarkers"][0]["VersionId"] == versions[1][1]
    assert (found["KeyMarker"], found["VersionIdMarker"]) == ("a", versions[0][1])


@pytest.mark.capability("version_marker_alone")
async def test_a_version_marker_needs_a_key(
    backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]]
) -> None:
    with refused(400, "InvalidArgument", elements={"ArgumentName": "version-id-marker"}):
        await call(backend, "ListObjectVersions", {"Bucket": versioned_bucket, "VersionIdMarker": versions[0][1]})


@pytest.mark.capability("no_versions_wanted")
async def test_no_keys_wanted(backend: Backend, versioned_bucket: str, versions: list[tuple[str, str]]) -> None:
    found = await call(backend, "ListObjectVersions", {"Bucket": versioned_bucket, "MaxKeys": 0})
    assert (found.get("Versions"), found.get("DeleteMarkers"), found["IsTruncated"]) == (None, None, False)


@pytest.mark.capability("versions_encoded")
async def test_encoded_keys(backend: Backend, bucket: str) -> None:
    await put(backend, {"Bucket": bucket, "Key": "a b+\u00fc"}, b"x")
    await put(backend, {"Bucket": bucket, "Key": "pre fix/x"}, b"x")
    found = await call(
        backend, "ListObjectVersions", {"Bucket": bucket, "EncodingType": "url", "Delimiter": "/", "KeyMarker": " "}
    )
    assert found["EncodingType"] == "url"
    assert unquote(found["Versions"][0]["Key"].replace("+", " ")) == "a b+\u00fc"
    assert unquote(found["CommonPrefixes"][0]["Prefix"].replace("+", " ")) == "pre fix/"
    assert unquote(found["KeyMarker"].replace("+", " ")) == " "
