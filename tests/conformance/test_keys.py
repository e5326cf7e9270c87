"""Keys are opaque bytes: every key is its own object, whatever it looks like."""

from __future__ import annotations

import pytest
from conformance.calling import call, refused
from conformance.capabilities import cases

from s3d.s3.backend import Backend
from s3d.s3.uri import quote_path, unquote

PLAIN = {
    "space": "sp ace",
    "spaces-around": " a ",
    "plus": "a+b",
    "percent-2F": "a%2Fb",
    "percent": "100%",
    "emoji": "\U0001f600/\U0001f9ff",
    "composed": "\u00fc",
    "decomposed": "u\u0308",
    "question": "a?b=c&d",
    "hash": "a#b",
    "reserved": "!$&'()*,;:=@[]\"<>^`{|}~",
    "dots-inside": "a..b/...",
    "long-path": "/".join(["y" * 204] * 5),
}

ODD = {
    "long": "x" * 1024,
    "backslash": "a\\b",
    "double-slash": "a//b",
    "trailing-slash": "dir/",
    "trailing-slashes": "dir//",
    "leading-slash": "/a",
    "dot-dot-first": "../x",
    "dot-dot": "a/../b",
    "dot": "a/./b",
    "only-dot-dot": "..",
    "control": "\x01\x02\x7f",
    "line": "a\nb\r\n",
    "tab": "a\tb",
}


@pytest.mark.parametrize("name", cases("key", [*PLAIN, *ODD]))
async def test_a_key_names_its_object_and_no_other(backend: Backend, bucket: str, name: str) -> None:
    key = {**PLAIN, **ODD}[name]
    body = b"the body of this key"
    await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, body)
    assert (await call(backend, "GetObject", {"Bucket": bucket, "Key": key}))["Body"] == body
    listed = await call(backend, "ListObjectsV2", {"Bucket": bucket, "EncodingType": "url"})
    assert [unquote(entry["Key"].replace("+", " ")) for entry in listed["Contents"]] == [key]
    source = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/{quote_path(key)}"}
    await call(backend, "CopyObject", source)
    assert (await call(backend, "GetObject", {"Bucket": bucket, "Key": "copy"}))["Body"] == body
    await call(backend, "DeleteObject", {"Bucket": bucket, "Key": key})
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", {"Bucket": bucket, "Key": key})


ALIKE = {
    "slashes": ("a/b", "a//b"),
    "trailing": ("a", "a/"),
    "dot": ("a/b", "a/./b"),
    "dot-dot": ("b", "a/../b"),
}


@pytest.mark.parametrize("name", cases("alike", ALIKE))
async def test_keys_that_look_alike_are_two(backend: Backend, bucket: str, name: str) -> None:
    pair = ALIKE[name]
    for key in pair:
        await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, key.encode())
    for key in pair:
        assert (await call(backend, "GetObject", {"Bucket": bucket, "Key": key}))["Body"] == key.encode()


@pytest.mark.parametrize("pair", [("a", "A"), ("\u00fc", "u\u0308"), ("a b", "a+b"), ("a%20b", "a b")])
async def test_keys_that_differ_only_in_writing_are_two(backend: Backend, bucket: str, pair: tuple[str, str]) -> None:
    for key in pair:
        await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, key.encode())
    for key in pair:
        assert (await call(backend, "GetObject", {"Bucket": bucket, "Key": key}))["Body"] == key.encode()


@pytest.mark.parametrize("key", ["x" * 1025, "\u00fc" * 513])
@pytest.mark.capability("key_length")
async def test_a_key_has_1024_bytes_at_most(backend: Backend, bucket: str, key: str) -> None:
    with refused(400, "KeyTooLongError"):
        await call(backend, "PutObject", {"Bucket": bucket, "Key": key}, b"x")
