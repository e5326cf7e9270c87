"""What x-amz-copy-source names."""

from __future__ import annotations

import pytest

from s3d.s3.errors import S3Error
from s3d.standalone.copy_source import CopySource, parse


@pytest.mark.parametrize(
    ("text", "bucket", "key", "version_id"),
    [
        ("b/k", "b", b"k", None),
        ("/b/k", "b", b"k", None),
        ("b%2Fk", "b", b"k", None),
        ("%2Fb%2Fk", "b", b"k", None),
        ("b//k", "b", b"/k", None),
        ("b/dir/k/", "b", b"dir/k/", None),
        ("b/a+b%20c", "b", b"a+b c", None),
        ("b/%C3%A4", "b", "ä".encode(), None),
        ("b/ä", "b", "ä".encode(), None),
        ("b/%FF", "b", b"\xff", None),
        ("b/k?versionId=null", "b", b"k", "null"),
        ("b/k?versionId=a%3Db", "b", b"k", "a=b"),
        ("b/k?versionId=", "b", b"k", ""),
        ("b/k%3FversionId=1", "b", b"k?versionId=1", None),
        ("b/why?", "b", b"why?", None),
    ],
)
def test_forms(text: str, bucket: str, key: bytes, version_id: str | None) -> None:
    assert parse(text) == CopySource(bucket, key, version_id)


@pytest.mark.parametrize("text", ["", "b", "/b", "b/", "/", "//k", "?versionId=1", "b?versionId=1", "b/%zz", "b/50%"])
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(S3Error) as refusal:
        parse(text)
    assert refusal.value.code == "InvalidArgument"
    assert refusal.value.elements == {"ArgumentName": "x-amz-copy-source", "ArgumentValue": text}


@pytest.mark.parametrize("text", ["arn:aws:s3:us-east-1:1:accesspoint/a/object/k", "/arn%3Aaws%3As3:::b/k"])
def test_access_points(text: str) -> None:
    with pytest.raises(S3Error) as refusal:
        parse(text)
    assert refusal.value.code == "NotImplemented"
