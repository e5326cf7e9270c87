"""Names of objects on the command line: opaque bytes behind the first slash."""

from __future__ import annotations

import os

import click
import pytest

from s3d.cli.target import Target, TargetType, parse


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("bucket", "bucket", ""),
        ("bucket/", "bucket", ""),
        ("bucket/a", "bucket", "a"),
        ("s3://bucket/a", "bucket", "a"),
        ("s3://bucket", "bucket", ""),
        ("bucket//a", "bucket", "/a"),
        ("bucket/../x", "bucket", "../x"),
        ("bucket/a//b/", "bucket", "a//b/"),
        ("bucket/ a +%2F", "bucket", " a +%2F"),
        ("bucket/é😀", "bucket", "é😀"),
        ("bucket/s3://x", "bucket", "s3://x"),
    ],
)
def test_parse(text: str, bucket: str, key: str) -> None:
    assert parse(text) == Target(bucket, key)


@pytest.mark.parametrize("text", ["", "/", "/key", "s3://", "s3:///key"])
def test_without_a_bucket_it_is_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="names no bucket"):
        parse(text)


def test_bytes_that_are_no_utf8_survive() -> None:
    assert (
        TargetType().convert(os.fsdecode(b"b/\xff\xfe"), None, None).key.encode("utf-8", "surrogateescape")
        == b"\xff\xfe"
    )


def test_a_key_can_be_demanded() -> None:
    with pytest.raises(click.BadParameter, match="write bucket/KEY"):
        TargetType(with_key=True).convert("bucket", None, None)


def test_members_have_no_key_for_a_bucket() -> None:
    assert Target("b").members == {"Bucket": "b"}
    assert Target("b", "k").members == {"Bucket": "b", "Key": "k"}
    assert (str(Target("b")), str(Target("b", "/k"))) == ("b", "b//k")
