"""Percent-encoding without loss."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_to_bytes

import pytest
from botocore.compat import quote as botocore_quote
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3.uri import format_query, parse_query, quote, quote_path, unquote

any_bytes = st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(any_bytes)
def test_nothing_is_lost(text: str) -> None:
    assert unquote(quote(text)) == unquote(quote_path(text)) == text
    assert unquote_to_bytes(quote(text)) == text.encode("utf-8", "surrogateescape")
    assert set(quote(text)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")


@given(st.text())
def test_encodes_as_botocore_does(text: str) -> None:
    assert quote(text) == botocore_quote(text, safe="-._~")
    assert quote_path(text) == botocore_quote(text, safe="/-._~")


@pytest.mark.parametrize(
    ("text", "decoded"),
    [("a+b", "a+b"), ("%2B%2f", "+/"), ("%25zz", "%zz"), ("%C3%A9", "\u00e9"), ("%ff", "\udcff"), ("\u00e9", "\u00e9")],
)
def test_unquote(text: str, decoded: str) -> None:
    assert unquote(text) == decoded


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("acl", [("acl", "")]),
        ("&&a=1&", [("a", "1")]),
        ("a=1&a=2&b", [("a", "1"), ("a", "2"), ("b", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d%2B", [("a b", "c d+")]),
        ("=x", [("", "x")]),
    ],
)
def test_parse_query(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_query(text) == pairs


@given(st.lists(st.tuples(any_bytes, any_bytes)))
def test_a_query_survives(pairs: list[tuple[str, str]]) -> None:
    assert parse_query(format_query(pairs)) == pairs


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_others_read_the_query_the_same_way(pairs: list[tuple[str, str]]) -> None:
    pairs = [
        (name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()) for name, value in pairs
    ]
    assert parse_qsl(format_query(pairs), keep_blank_values=True) == pairs
