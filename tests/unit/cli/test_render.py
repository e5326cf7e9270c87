"""How things look to a person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from s3d.cli import render

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOCAL = f"{MOMENT.astimezone():%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 60, "1024.0 PiB"),
    ],
)
def test_size(count: int, text: str) -> None:
    assert render.size(count) == text


def test_lines_have_the_columns_of_aws_s3_ls() -> None:
    assert render.bucket_line({"Name": "b", "CreationDate": MOMENT}) == f"{LOCAL} b"
    assert render.prefix_line("a/") == "                           PRE a/"
    entry = {"LastModified": MOMENT, "Size": 1234567}
    assert render.object_line(entry, "k", human=False) == f"{LOCAL}    1234567 k"
    assert render.object_line(entry, "k", human=True) == f"{LOCAL}    1.2 MiB k"


def test_a_document_as_lines() -> None:
    document = {
        "name": "x",
        "memory_bytes": 2048,
        "on": True,
        "missing": None,
        "part": {"a": 1, "since": MOMENT.timestamp()},
        "some": [1, 2],
        "none": {},
    }
    assert list(render.document_lines(document)) == [
        "name:         x",
        "memory_bytes: 2.0 KiB",
        "on:           yes",
        "missing:      -",
        "part:",
        "  a:     1",
        f"  since: {LOCAL}",
        "some:",
        "  - 1",
        "  - 2",
        "none:         none",
    ]
