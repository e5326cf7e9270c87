"""What a read asks for; what is not kept, by the headers of an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from multidict import CIMultiDict

from s3d.read_cache import rules
from s3d.read_cache.rules import unkept
from s3d.s3.message import S3Request


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], None),
        ([("Cache-Control", "max-age=5")], None),
        ([("Cache-Control", "max-age=5, No-Store")], "no-store"),
        ([("Cache-Control", "max-age=5"), ("Cache-Control", "no-store")], "no-store"),
        ([("Cache-Control", 'private="a"')], "no-store"),
        ([("x-amz-server-side-encryption-customer-algorithm", "AES256")], "customer-key"),
        ([("ETag", 'W/"b"')], "encoded"),
    ],
)
def test_headers(fields: list[tuple[str, str]], reason: str | None) -> None:
    headers = CIMultiDict([("ETag", '"a"')])
    headers.update(CIMultiDict(fields[:1]))
    headers.extend(fields[1:])
    assert unkept(headers, 10, 100) == reason


def test_sizes() -> None:
    headers = CIMultiDict({"ETag": '"a"'})
    assert [unkept(headers, size, 100) for size in (None, 100, 101)] == ["encoded", None, "size"]


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
@pytest.mark.parametrize("mode", [[], [("X-Amz-Checksum-Mode", "ENABLED")], [("x-amz-checksum-mode", "enabled")]])
@pytest.mark.parametrize(
    "more",
    [
        [],
        [("Accept", "*/*"), ("X-Amz-User-Agent", "aws-sdk-js/3"), ("AMZ-SDK-Request", "attempt=1")],
        [("Range", "bytes=0-1")],
        [("If-Match", '"1"')],
        [("If-Range", '"1"'), ("Range", "bytes=0-1")],
    ],
)
def test_what_sdks_always_send_changes_nothing(
    operation: str, mode: list[tuple[str, str]], more: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = S3Request("GET", operation, "b", "k", headers=CIMultiDict([("User-Agent", "x"), *mode, *more]))
    soon = rules.wanted(request)
    monkeypatch.setattr(rules, "_SAY_NOTHING", frozenset())
    looked_at = rules.wanted(request)
    assert isinstance(soon, rules.Wanted)
    assert isinstance(looked_at, rules.Wanted)
    assert replace(soon, members={}) == replace(looked_at, members={})
    assert not soon.conditional or soon.members == looked_at.members


def test_other_requests_are_looked_at() -> None:
    for name in ("x-amz-expected-bucket-owner", "Origin", "x-amz-new", "x-amz-server-side-encryption-customer-key"):
        assert isinstance(rules.wanted(S3Request("GET", "GetObject", "b", "k", headers=CIMultiDict({name: "1"}))), str)
    query = S3Request("GET", "GetObject", "b", "k", query=[("versionId", "1")])
    found = rules.wanted(query)
    assert isinstance(found, rules.Wanted)
    assert found.version == "1"
