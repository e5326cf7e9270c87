from __future__ import annotations

import base64

import pytest

from s3d.s3.errors import S3Error
from s3d.standalone.version import Version, check_length, key_bytes, key_text, new_version_id, seq_of


@pytest.mark.parametrize("seq", [0, 1, 1_800_000_000_000_000, (1 << 63) - 1])
def test_a_version_id_holds_its_order(seq: int) -> None:
    version_id = new_version_id(seq)
    assert seq_of(version_id) == seq
    assert len(version_id) == 32
    assert new_version_id(seq) != version_id


def test_version_ids_are_safe_in_a_url() -> None:
    ids = "".join(new_version_id(number) for number in range(500))
    assert ids.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "nul",
        "ä" * 32,
        "\udcff" * 32,
        "A" * 31,
        "A" * 33,
        "A" * 36,
        "/" * 32,
        base64.urlsafe_b64encode(b"\xff" * 24).decode(),
    ],
)
def test_what_is_no_version_id(text: str) -> None:
    with pytest.raises(S3Error, match="InvalidArgument") as raised:
        seq_of(text)
    assert raised.value.elements["ArgumentName"] == "versionId"


@pytest.mark.parametrize("raw", [b"", b"a", "ä".encode(), b"\xff\x00", b"a\xed\xa0\x80"])
def test_keys_are_bytes(raw: bytes) -> None:
    assert key_bytes(key_text(raw)) == raw


def test_the_longest_key() -> None:
    check_length(b"x" * 1024)
    with pytest.raises(S3Error, match="KeyTooLongError") as raised:
        check_length(b"x" * 1025)
    assert raised.value.elements == {"Size": "1025", "MaxSizeAllowed": "1024"}


def test_names() -> None:
    version = Version(1, b"k", 1, None, 0, 0, "abc", None, None, "[]", tags='{"a": "b"}')
    assert (version.version_id, version.quoted_etag, version.tag_set()) == ("null", '"abc"', {"a": "b"})
    version.version, version.tags = "x", None
    assert (version.version_id, version.tag_set()) == ("x", {})
