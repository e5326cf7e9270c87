"""Values of options."""

from __future__ import annotations

import click
import pytest

from s3d.cli.options import EndpointType, PairType, SizeType


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://localhost:33333", "http://localhost:33333"),
        ("http://localhost:33333/", "http://localhost:33333"),
        ("localhost:1", "http://localhost:1"),
        ("http://0.0.0.0:1", "http://localhost:1"),
        ("http://[::]:1", "http://localhost:1"),
        ("http://:1", "http://localhost:1"),
        ("https://*:1", "https://localhost:1"),
        ("https://example.org", "https://example.org"),
        ("http://0.0.0.0.example.org:1", "http://0.0.0.0.example.org:1"),
    ],
)
def test_an_address_to_listen_on_is_one_to_connect_to(text: str, url: str) -> None:
    assert EndpointType().convert(text, None, None) == url


def test_other_schemes_are_refused() -> None:
    with pytest.raises(click.BadParameter, match="write http://host:port"):
        EndpointType().convert("ftp://x", None, None)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("5", 5),
        ("1K", 1000),
        ("16MiB", 16 << 20),
        ("16mib", 16 << 20),
        ("2GB", 2 * 10**9),
        ("1 TiB", 1 << 40),
        ("7B", 7),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert SizeType().convert(text, None, None) == count


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5MiB", "5I", "5IB", "5 M M"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a size"):
        SizeType().convert(text, None, None)


def test_pairs() -> None:
    assert PairType().convert("a=b=c", None, None) == ("a", "b=c")
    assert PairType().convert("a=", None, None) == ("a", "")
    for text in ("a", "=b", ""):
        with pytest.raises(click.BadParameter, match="is not NAME=VALUE"):
            PairType().convert(text, None, None)
