"""Guessing media types from names."""

from __future__ import annotations

import pytest

from s3d.cli.content_type import guess


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.html", "text/html"),
        ("x.d/a.JSON", "application/json"),
        ("a.tar.gz", "application/gzip"),
        ("a.txt.xz", "application/x-xz"),
        ("a.tgz", "application/gzip"),
        ("a", None),
        ("a.html/b", None),
        ("", None),
        ("data:text/html,x", None),
        ("http://x/a.png", "image/png"),
    ],
)
def test_guess(name: str, content_type: str | None) -> None:
    assert guess(name) == content_type
