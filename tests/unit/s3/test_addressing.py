"""Which bucket and key a request target names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3.addressing import is_dns_name, parse_target, virtual_host_bucket
from s3d.s3.errors import S3Error
from s3d.s3.uri import quote_path

DOMAINS = ("localhost", "s3.example.com", "example.com")


@pytest.mark.parametrize(
    ("target", "bucket", "key"),
    [
        ("/", None, None),
        ("/bucket", "bucket", None),
        ("/bucket/", "bucket", None),
        ("/bucket/key", "bucket", "key"),
        ("/bucket//", "bucket", "/"),
        ("/bucket/a//../b/", "bucket", "a//../b/"),
        ("/bucket/%2F%2e%2E", "bucket", "/.."),
        ("/bucket/a+b%20c%2B", "bucket", "a+b c+"),
        ("/bucket/%ff", "bucket", "\udcff"),
        ("/b%75cket/key", "bucket", "key"),
        ("http://localhost/bucket/key", "bucket", "key"),
        ("HTTPS://other:99/bucket", "bucket", None),
        ("http://localhost", None, None),
        ("*", None, None),
    ],
)
def test_path_style(target: str, bucket: str | None, key: str | None) -> None:
    found = parse_target(target, "localhost:33333", DOMAINS)
    assert (found.bucket, found.key, found.query) == (bucket, key, [])


def test_query() -> None:
    found = parse_target("/b/k?acl&versionId=a%2Bb+c&a=?x", "localhost", DOMAINS)
    assert found.query == [("acl", ""), ("versionId", "a+b c"), ("a", "?x")]


@pytest.mark.parametrize(
    ("target", "key"), [("/", None), ("/key", "key"), ("//", "/"), ("/a/b/", "a/b/"), ("/?acl", None), ("/%2F", "/")]
)
def test_virtual_host_style(target: str, key: str | None) -> None:
    found = parse_target(target, "bucket.localhost", DOMAINS)
    assert (found.bucket, found.key) == ("bucket", key)


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("", None),
        ("localhost", None),
        ("LOCALHOST.", None),
        ("localhost:33333", None),
        ("127.0.0.1:33333", None),
        ("[::1]:33333", None),
        ("[::1]", None),
        ("bucket.localhost", "bucket"),
        ("Bucket.LocalHost:33333", "bucket"),
        ("a.b.c.localhost.", "a.b.c"),
        ("bucket.s3.example.com", "bucket"),
        ("s3.example.com", None),
        ("bucket.example.com", "bucket"),
        ("notlocalhost", None),
        ("example.org", None),
    ],
)
def test_hosts(host: str, bucket: str | None) -> None:
    assert virtual_host_bucket(host, DOMAINS) == bucket


@pytest.mark.parametrize(
    "target", ["/%", "/%4", "/%zz/key", "/b/k?a=%x", "relative", "ftp://localhost/", "localhost:80", ""]
)
def test_no_uri(target: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_target(target, "localhost", DOMAINS)
    assert caught.value.code == "InvalidURI"


@pytest.mark.parametrize("target", ["//key", "//", "///"])
def test_an_empty_bucket(target: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_target(target, "localhost", DOMAINS)
    assert caught.value.code == "InvalidBucketName"


@given(st.text(st.characters(exclude_categories=[]), min_size=1))
def test_any_key_survives(key: str) -> None:
    key = key.encode("utf-8", "replace").decode()
    assert parse_target(f"/bucket/{quote_path(key)}", "localhost", DOMAINS).key == key
    assert parse_target(f"/{quote_path(key)}", "b.localhost", DOMAINS).key == key


def test_dns_names() -> None:
    assert all(map(is_dns_name, ["abc", "a-b-c", "1bc", "a" * 63]))
    assert not any(map(is_dns_name, ["ab", "Abc", "a.b", "-bc", "bc-", "a_b", "a" * 64, "1.2.3.4", ""]))


@pytest.mark.parametrize("target", ["//", "//key", "//a/b?x", "http://localhost//key"])
def test_an_empty_bucket_is_none_that_exists(target: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_target(target, "localhost", ("localhost",))
    assert caught.value.code == "InvalidBucketName"


def test_the_host_of_an_absolute_target_wins() -> None:
    found = parse_target("http://other.localhost:1/key?a", "localhost", ("localhost",))
    assert (found.bucket, found.key, found.host) == ("other", "key", "other.localhost:1")
    assert parse_target("/bucket", "localhost", ("localhost",)).host == "localhost"
