from __future__ import annotations

import json

import pytest
from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.standalone import metadata
from s3d.standalone.store import Call


def kept(*headers: tuple[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in metadata.headers_of(metadata.stored_headers(CIMultiDict(headers)))]


def test_what_is_kept() -> None:
    found = kept(
        ("content-type", "text/plain"),
        ("CACHE-CONTROL", "no-cache"),
        ("X-Amz-Meta-Name", "Value"),
        ("x-amz-acl", "private"),
        ("Accept", "*/*"),
        ("x-amz-website-redirect-location", "/other"),
        ("Content-Encoding", "gzip"),
    )
    assert found == [
        ("Content-Type", "text/plain"),
        ("Cache-Control", "no-cache"),
        ("x-amz-meta-name", "Value"),
        ("x-amz-website-redirect-location", "/other"),
        ("Content-Encoding", "gzip"),
    ]


@pytest.mark.parametrize("headers", [[], [("Content-Type", "")]])
def test_the_type_of_what_has_none(headers: list[tuple[str, str]]) -> None:
    assert kept(*headers) == [("Content-Type", "binary/octet-stream")]


def test_a_field_that_comes_twice_is_joined() -> None:
    assert ("x-amz-meta-a", "1,2") in kept(("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2"))


def test_bytes_that_are_no_utf_8_come_back() -> None:
    assert ("x-amz-meta-a", "\udcff") in kept(("x-amz-meta-a", "\udcff"))


def test_the_limit_of_user_metadata() -> None:
    """Names without their prefix, and values; in bytes."""
    assert kept(("x-amz-meta-ab", "ä" * 1023))
    with pytest.raises(S3Error, match="MetadataTooLarge") as raised:
        kept(("x-amz-meta-abc", "ä" * 1023))
    assert raised.value.elements == {"Size": "2049", "MaxSizeAllowed": "2048"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ("", None), ("STANDARD", None), ("GLACIER", "GLACIER"), ("STANDARD_IA", "STANDARD_IA")],
)
def test_storage_class(value: str | None, expected: str | None) -> None:
    headers = CIMultiDict() if value is None else CIMultiDict({"x-amz-storage-class": value})
    assert metadata.storage_class(headers) == expected


def test_a_storage_class_that_s3_does_not_have() -> None:
    with pytest.raises(S3Error, match="InvalidStorageClass"):
        metadata.storage_class(CIMultiDict({"x-amz-storage-class": "standard"}))


@pytest.mark.parametrize(
    "name",
    [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-key",
        "X-Amz-Object-Lock-Mode",
        "x-amz-object-lock-legal-hold",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-write-offset-bytes",
    ],
)
def test_what_would_be_a_pretence(name: str) -> None:
    with pytest.raises(S3Error, match="NotImplemented") as raised:
        metadata.refuse_unsupported(CIMultiDict({name: "x"}))
    assert raised.value.elements == {"Header": name}


def test_of_a_request() -> None:
    headers = CIMultiDict({"x-amz-tagging": "a=b", "x-amz-storage-class": "GLACIER", "Content-Type": "a/b"})
    found = metadata.of_request(Call(S3Request("PUT", "PutObject", headers=headers), {}))
    assert (json.loads(found.headers), found.tags) == ([["Content-Type", "a/b"]], '{"a": "b"}')
    assert (found.storage_class, found.acl) == ("GLACIER", None)
