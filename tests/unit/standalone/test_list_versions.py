from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.standalone.filled import DELIMITERS, KEYS, PREFIXES, Filled, expected

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.s3.uri import unquote
from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import OWNER
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.version import key_bytes, new_version_id

PAGES = 300
"""More than any of these lists has."""
Entry = tuple[bytes, str, bool, bool]
"""Key, version id, whether it is a delete marker, whether it is the latest."""
STATES = st.sampled_from([None, "Enabled", "Enabled", "Suspended"])
DEEDS = st.lists(st.tuples(st.sampled_from(["put", "put", "delete", "remove"]), KEYS, STATES), max_size=30)


class Naive:
    """All versions of each key, newest first, beside a filled store."""

    def __init__(self) -> None:
        self.filled = Filled()
        self.versions: dict[bytes, list[tuple[str, bool]]] = {}
        self.removed: set[tuple[bytes, str]] = set()

    def do(self, deed: str, key: bytes, state: str | None) -> None:
        """One change; versioning only goes on from where it is."""
        if state is not None or self.filled.versioning is None:
            self.filled.versioning = state
        versions = self.versions.setdefault(key, [])
        if deed == "remove":
            if versions:
                self.remove(key, versions[len(versions) // 2][0])
            return
        made = self.filled.put(key) if deed == "put" else self.filled.delete(key)
        if self.filled.versioning != "Enabled":
            self.removed |= {(key, name) for name, _ in versions if name == "null"}
            versions[:] = [one for one in versions if one[0] != "null"]
        if made is not None:
            versions.insert(0, (made.version_id, deed == "delete"))

    def remove(self, key: bytes, version: str) -> None:
        self.filled.remove(key, version)
        self.versions[key] = [one for one in self.versions[key] if one[0] != version]
        self.removed.add((key, version))

    def all(self, prefix: bytes = b"", delimiter: bytes = b"") -> Iterator[Entry | bytes]:
        """The whole list."""
        for entry, is_group in expected((key for key, some in self.versions.items() if some), prefix, delimiter):
            if is_group:
                yield entry
            else:
                for place, (version, is_marker) in enumerate(self.versions[entry]):
                    yield entry, version, is_marker, place == 0


def entries(body: object) -> list[Entry | bytes]:
    """What an answer with ``encoding-type=url`` shows, in the order of the document; common prefixes in their place."""
    assert isinstance(body, bytes)
    pattern = (
        r"<(Version|DeleteMarker)><Key>(.*?)</Key><VersionId>(.*?)</VersionId><IsLatest>(.*?)</IsLatest>"
        r"|<CommonPrefixes><Prefix>(.*?)</Prefix>"
    )
    rows: list[Entry | bytes] = []
    groups: list[bytes] = []
    for kind, key, version, is_latest, prefix in re.findall(pattern, body.decode()):
        if kind:
            rows.append((key_bytes(unquote(key)), version, kind == "DeleteMarker", is_latest == "true"))
        else:
            groups.append(key_bytes(unquote(prefix)))
    return sorted([*rows, *groups], key=place)


def place(entry: Entry | bytes) -> bytes:
    return entry if isinstance(entry, bytes) else entry[0]


def walk(naive: Naive, between: Callable[[], None] = lambda: None, **members: Any) -> list[list[Entry | bytes]]:
    """What each page shows."""
    pages = []
    more: dict[str, str] = {}
    for _ in range(PAGES):
        response = naive.filled.answer("ListObjectVersions", EncodingType="url", **members, **more)
        assert isinstance(response.body, bytes)
        found = codec.parse_response("ListObjectVersions", response, response.body)
        pages.append(entries(response.body))
        if not found["IsTruncated"]:
            assert "NextKeyMarker" not in found
            return pages
        more = {"KeyMarker": unquote(found["NextKeyMarker"])}
        if "NextVersionIdMarker" in found:
            more["VersionIdMarker"] = found["NextVersionIdMarker"]
        between()
    raise AssertionError("there is no last page")


def flat(pages: list[list[Entry | bytes]]) -> list[Entry | bytes]:
    return [entry for page in pages for entry in page]


@given(DEEDS, PREFIXES, DELIMITERS, st.integers(1, 5))
def test_all_pages_together_are_the_list(
    deeds: list[tuple[str, bytes, str | None]], prefix: bytes, delimiter: bytes, size: int
) -> None:
    naive = Naive()
    for deed in deeds:
        naive.do(*deed)
    pages = walk(naive, Prefix=prefix, Delimiter=delimiter, MaxKeys=size)
    assert flat(pages) == list(naive.all(prefix, delimiter))
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages[-1]) <= size


@given(DEEDS, DELIMITERS, st.integers(1, 4), DEEDS)
def test_what_is_there_all_the_time_is_shown(
    deeds: list[tuple[str, bytes, str | None]],
    delimiter: bytes,
    size: int,
    changes: list[tuple[str, bytes, str | None]],
) -> None:
    naive = Naive()
    for deed in deeds:
        naive.do(*deed)
    before = {entry[:2] for entry in naive.all() if not isinstance(entry, bytes)}
    left = iter(changes)

    def between() -> None:
        for deed, _ in zip(left, range(2), strict=False):
            naive.do(*deed)

    pages = walk(naive, between, Delimiter=delimiter, MaxKeys=size)
    shown = {entry if isinstance(entry, bytes) else entry[:2] for entry in flat(pages)}
    for key, version in before - naive.removed:
        ((entry, is_group),) = expected([key], b"", delimiter)
        assert (entry if is_group else (key, version)) in shown
    for page in pages:
        assert page == sorted(page, key=place)
        assert len({entry if isinstance(entry, bytes) else entry[:2] for entry in page}) == len(page)


@given(DEEDS, st.integers(1, 3))
def test_removing_page_by_page_leaves_nothing(deeds: list[tuple[str, bytes, str | None]], size: int) -> None:
    naive = Naive()
    for deed in deeds:
        naive.do(*deed)
    more: dict[str, str] = {}
    for _ in range(PAGES):
        found = naive.filled.page("ListObjectVersions", EncodingType="url", MaxKeys=size, **more)
        for entry in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
            naive.remove(key_bytes(unquote(entry["Key"])), entry["VersionId"])
        if not found["IsTruncated"]:
            break
        more = {"KeyMarker": unquote(found["NextKeyMarker"]), "VersionIdMarker": found["NextVersionIdMarker"]}
    assert list(naive.all()) == []
    assert naive.filled.page("ListObjectVersions").get("Versions") is None


def three(filled: Filled) -> list[str]:
    """Versions of ``k``: the null one, a delete marker, another; newest first."""
    made = [filled.put(b"k")]
    filled.versioning = "Enabled"
    marker = filled.delete(b"k")
    assert marker is not None
    made += [marker, filled.put(b"k", size=5, checksum="CRC32:AAAA", storage_class="GLACIER", modified=86_399)]
    return [version.version_id for version in reversed(made)]


def test_an_answer() -> None:
    filled = Filled()
    ids = three(filled)
    filled.put(b"z/1")
    filled.put(b"zz")
    body = filled.answer("ListObjectVersions", Delimiter="/", MaxKeys=4, KeyMarker="a").body
    owner = f"<Owner><ID>{OWNER['ID']}</ID><DisplayName>s3d</DisplayName></Owner>"
    assert isinstance(body, bytes)
    assert body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Name>b</Name><Prefix></Prefix><KeyMarker>a</KeyMarker><VersionIdMarker></VersionIdMarker>"
        "<NextKeyMarker>z/</NextKeyMarker><MaxKeys>4</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>"
        f"<Version><Key>k</Key><VersionId>{ids[0]}</VersionId><IsLatest>true</IsLatest>"
        f"<LastModified>1970-01-01T23:59:59.000Z</LastModified><ETag>&quot;{'e' * 32}&quot;</ETag>"
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size>"
        f"{owner}<StorageClass>GLACIER</StorageClass></Version>"
        f"<DeleteMarker><Key>k</Key><VersionId>{ids[1]}</VersionId><IsLatest>false</IsLatest>"
        f"<LastModified>1970-01-01T00:00:00.000Z</LastModified>{owner}</DeleteMarker>"
        "<Version><Key>k</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>"
        f"<LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>&quot;{'e' * 32}&quot;</ETag><Size>1</Size>"
        f"{owner}<StorageClass>STANDARD</StorageClass></Version>"
        "<CommonPrefixes><Prefix>z/</Prefix></CommonPrefixes></ListVersionsResult>"
    )


def after(filled: Filled, key: str, version: str, **members: Any) -> list[tuple[str, bool]]:
    """Ids behind the markers, with IsLatest."""
    asked = {"KeyMarker": key, "VersionIdMarker": version, "EncodingType": "url", **members}
    found = entries(filled.answer("ListObjectVersions", **asked).body)
    return [(entry[1], entry[3]) for entry in found if not isinstance(entry, bytes)]


def test_behind_a_version() -> None:
    filled = Filled()
    ids = three(filled)
    assert after(filled, "k", ids[0]) == [(ids[1], False), ("null", False)]
    assert after(filled, "k", ids[1]) == [("null", False)]
    assert after(filled, "k", "null") == []
    assert after(filled, "", ids[1]) == [(ids[0], True), (ids[1], False), ("null", False)]
    assert after(filled, "k", ids[0], Prefix="x") == []
    assert after(filled, "z", ids[0]) == after(filled, "z", "null") == []
    assert [entry[0] for entry in after(filled, "a", "null")] == ids


def test_behind_a_version_that_is_no_more() -> None:
    filled = Filled()
    ids = three(filled)
    filled.remove(b"k", ids[0])
    assert after(filled, "k", ids[0]) == [(ids[1], True), ("null", False)]
    filled.remove(b"k", ids[1])
    assert after(filled, "k", ids[0]) == [("null", True)]


def test_behind_a_null_version_that_is_no_more_comes_all_of_the_key() -> None:
    filled = Filled()
    ids = three(filled)
    filled.remove(b"k", "null")
    assert after(filled, "k", "null") == [(ids[0], True), (ids[1], False)]


def test_a_marker_in_a_common_prefix_is_behind_all_of_it() -> None:
    filled = Filled("Enabled")
    filled.put(b"dir/a")
    newest = filled.put(b"dir/a")
    filled.put(b"dir/b")
    filled.put(b"e")
    for asked in ({}, {"VersionIdMarker": newest.version_id}):
        found = filled.page("ListObjectVersions", Delimiter="/", KeyMarker="dir/a", **asked)
        assert [entry["Key"] for entry in found["Versions"]] == ["e"]
        assert "CommonPrefixes" not in found


def test_no_versions_wanted() -> None:
    filled = Filled()
    ids = three(filled)
    found = filled.page("ListObjectVersions", MaxKeys=0, KeyMarker="k", VersionIdMarker=ids[0])
    assert (found["IsTruncated"], found["MaxKeys"], found.get("Versions")) == (False, 0, None)


def test_an_empty_delimiter_is_said_again() -> None:
    assert Filled().page("ListObjectVersions", Delimiter="")["Delimiter"] == ""
    assert "Delimiter" not in Filled().page("ListObjectVersions")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"VersionIdMarker": "null"}, "A version-id marker cannot be specified without a key marker."),
        ({"VersionIdMarker": ""}, "A version-id marker cannot be specified without a key marker."),
        ({"KeyMarker": "k", "VersionIdMarker": ""}, "A version-id marker cannot be empty."),
        ({"KeyMarker": "", "VersionIdMarker": ""}, "A version-id marker cannot be empty."),
        ({"KeyMarker": "k", "VersionIdMarker": "bad"}, "Invalid version id specified"),
        ({"KeyMarker": "k", "VersionIdMarker": new_version_id(5)[:-1]}, "Invalid version id specified"),
        ({"KeyMarker": "k", "VersionIdMarker": "\udcff"}, "Invalid version id specified"),
    ],
)
def test_bad_markers(members: dict[str, str], message: str) -> None:
    with pytest.raises(S3Error) as caught:
        Filled().answer("ListObjectVersions", **members)
    assert (caught.value.code, caught.value.message) == ("InvalidArgument", message)
    elements = {"ArgumentName": "version-id-marker", "ArgumentValue": members["VersionIdMarker"]}
    assert caught.value.elements == elements


@pytest.mark.parametrize("table", ["object", "noncurrent"])
@pytest.mark.parametrize("members", [{}, {"Delimiter": "/"}, {"Delimiter": "/", "Prefix": "one/"}], ids=str)
def test_a_page_costs_what_it_shows(table: str, members: dict[str, str]) -> None:
    filled = Filled()
    filled.put_many((b"one/%05d" % number for number in range(50_000)), table)
    filled.put_many([b"a", b"two/1", b"z"])
    for start in (
        {},
        {"KeyMarker": "one/"},
        {"KeyMarker": "one/49990"},
        {"KeyMarker": "one/5", "VersionIdMarker": "null"},
    ):
        steps = filled.steps(lambda start=start: filled.page("ListObjectVersions", MaxKeys=5, **members, **start))
        assert steps <= 6


def test_a_page_costs_what_it_shows_among_the_versions_of_one_key() -> None:
    filled = Filled("Enabled")
    made = [filled.put(b"k").version_id for _ in range(3000)]
    for version in (made[-2], made[1500], made[1]):
        asked = {"MaxKeys": 5, "KeyMarker": "k", "VersionIdMarker": version}
        assert filled.steps(lambda asked=asked: filled.page("ListObjectVersions", **asked)) <= 6


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Standalone]:
    """A store on a disk, with the bucket ``bucket``."""
    embedded = Standalone(StandaloneConfig(tmp_path, buckets=("bucket",)))
    await embedded.open()
    yield embedded
    await embedded.close()


async def test_a_list_of_the_store(embedded: Standalone) -> None:
    put = codec.build_request("PutObject", {"Bucket": "bucket", "Key": "k"})
    put.body = b"12345"
    await embedded(put)
    response = await embedded(codec.build_request("ListObjectVersions", {"Bucket": "bucket"}))
    assert isinstance(response.body, bytes)
    (entry,) = codec.parse_response("ListObjectVersions", response, response.body)["Versions"]
    assert (entry["Key"], entry["VersionId"], entry["IsLatest"], entry["Size"]) == ("k", "null", True, 5)
    with pytest.raises(S3Error) as caught:
        await embedded(S3Request("GET", "ListObjectVersions", "none", query=[("versions", "")]))
    assert caught.value.code == "NoSuchBucket"
