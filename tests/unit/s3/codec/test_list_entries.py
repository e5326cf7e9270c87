from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3 import codec
from s3d.s3.codec import list_entries, xml_write

KEYS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('<>&"\r\n\x01\udcff'), max_size=8)
CHECKSUMS = st.sampled_from([None, ("CRC32", "FULL_OBJECT"), ("SHA256", "COMPOSITE")])
OWNERS = st.sampled_from([None, {"ID": "i&d", "DisplayName": "name"}])
MOMENTS = st.integers(0, 4_000_000_000)


def written(wire: str, structure: str, **members: Any) -> str:
    """As the writer for any structure has it."""
    parts: list[str] = []
    xml_write.element(wire, structure)(members, parts.append)
    return "".join(parts)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def described(checksum: tuple[str, str] | None, size: int, owner: dict[str, str] | None) -> dict[str, Any]:
    return {
        "ETag": '"abc-2"',
        "ChecksumAlgorithm": checksum and [checksum[0]],
        "ChecksumType": checksum and checksum[1],
        "Size": size,
        "Owner": owner,
        "StorageClass": "STANDARD",
    }


@given(KEYS, MOMENTS, st.integers(0, 2**63), CHECKSUMS, OWNERS)
def test_contents(
    key: str, modified: int, size: int, checksum: tuple[str, str] | None, owner: dict[str, str] | None
) -> None:
    element = list_entries.owner_element(owner) if owner else ""
    assert list_entries.contents(key, modified, "abc-2", size, "STANDARD", checksum, element) == written(
        "Contents", "Object", Key=key, LastModified=moment(modified), **described(checksum, size, owner)
    )


@given(KEYS, st.booleans(), MOMENTS, CHECKSUMS)
def test_versions(key: str, is_latest: bool, modified: int, checksum: tuple[str, str] | None) -> None:
    owner = {"ID": "id"}
    element = list_entries.owner_element(owner)
    identity = {"Key": key, "VersionId": "v", "IsLatest": is_latest, "LastModified": moment(modified)}
    assert list_entries.version(key, "v", is_latest, modified, "abc-2", 3, "STANDARD", checksum, element) == written(
        "Version", "ObjectVersion", **identity, **described(checksum, 3, owner)
    )
    assert list_entries.delete_marker(key, "v", is_latest, modified, element) == written(
        "DeleteMarker", "DeleteMarkerEntry", **identity, Owner=owner
    )


@given(KEYS)
def test_common_prefixes(prefix: str) -> None:
    assert list_entries.common_prefix(prefix) == written("CommonPrefixes", "CommonPrefix", Prefix=prefix)


def test_elements_come_behind_the_members() -> None:
    elements = [list_entries.common_prefix("a/"), list_entries.contents("k", 0, "e", 1, "STANDARD", None, "")]
    response = codec.build_response("ListObjectsV2", {"KeyCount": 2}, elements=elements)
    assert isinstance(response.body, bytes)
    assert b"<KeyCount>2</KeyCount><CommonPrefixes>" in response.body
    assert response.headers["Content-Length"] == str(len(response.body))
    found = codec.parse_response("ListObjectsV2", response, response.body)
    assert found["CommonPrefixes"] == [{"Prefix": "a/"}]
    assert [entry["Key"] for entry in found["Contents"]] == ["k"]


@pytest.mark.parametrize("seconds", [0, 59, 60, 3599, 3600, 86_399, 86_400, 951_782_400, 4_102_444_799])
def test_moments(seconds: int) -> None:
    expected = f"<LastModified>{moment(seconds):%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
    assert expected in list_entries.delete_marker("k", "v", True, seconds, "")
