from __future__ import annotations

import json

import pytest

from s3d.s3.errors import S3Error
from s3d.standalone import tags


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("a=b", {"a": "b"}),
        ("a=b&c=", {"a": "b", "c": ""}),
        ("c=d&a", {"a": "", "c": "d"}),
        ("a=b&&c=d", {"a": "b", "c": "d"}),
        ("a%20b=c+d", {"a b": "c d"}),
        ("%C3%A4=%E6%97%A5", {"ä": "日"}),
        ("a=x%3Dy%2F%40", {"a": "x=y/@"}),
    ],
)
def test_of_a_header(header: str | None, expected: dict[str, str] | None) -> None:
    stored = tags.of_header(header)
    assert (json.loads(stored) if stored else None) == expected
    assert tags.members(stored) == [{"Key": key, "Value": value} for key, value in (expected or {}).items()]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("a=%zz", "InvalidArgument"),
        ("=b", "InvalidTag"),
        ("a=1&a=2", "InvalidArgument"),
        ("a=%3C", "InvalidTag"),
        ("aws:x=1", "InvalidTag"),
        (f"{'k' * 129}=v", "InvalidTag"),
        (f"k={'v' * 257}", "InvalidTag"),
        ("&".join(f"k{number}=v" for number in range(11)), "BadRequest"),
    ],
)
def test_a_wrong_header(header: str, code: str) -> None:
    with pytest.raises(S3Error, match=code):
        tags.of_header(header)


def test_the_limits_themselves() -> None:
    pairs = [("k" * 128, "v" * 256), *((f"k{number}", "") for number in range(9))]
    assert len(json.loads(tags.stored(pairs, tags.OBJECT_LIMIT) or "")) == 10


def test_of_a_document() -> None:
    assert tags.of_members({"TagSet": []}, 10) is None
    assert tags.of_members({"TagSet": [{"Key": "a", "Value": "b"}]}, 10) == '{"a": "b"}'
    many = {"TagSet": [{"Key": str(number), "Value": ""} for number in range(51)]}
    with pytest.raises(S3Error, match="Bucket tags cannot be greater than 50"):
        tags.of_members(many, tags.BUCKET_LIMIT)
