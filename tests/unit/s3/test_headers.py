"""The header fields that stay on their hop."""

from __future__ import annotations

from s3d.s3.headers import HOP_BY_HOP, NOT_FORWARDED


def test_names_are_in_lower_case() -> None:
    assert all(name == name.lower() for name in NOT_FORWARDED)


def test_the_standard_is_covered() -> None:
    """RFC 9110 section 7.6.1."""
    standard = {"connection", "proxy-connection", "keep-alive", "te", "transfer-encoding", "upgrade"}
    assert standard <= HOP_BY_HOP <= NOT_FORWARDED


def test_what_the_object_needs_goes_on() -> None:
    kept = {
        "content-type",
        "content-md5",
        "content-encoding",
        "range",
        "if-match",
        "x-amz-acl",
        "x-amz-meta-a",
        "origin",
    }
    kept |= {"x-amz-checksum-crc32", "x-amz-server-side-encryption-customer-key", "user-agent", "accept-encoding"}
    assert not kept & NOT_FORWARDED
