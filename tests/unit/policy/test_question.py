"""The input document."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from s3d.policy.question import Question

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "policy.md").read_text()
FULL = Question(
    "PutObject",
    "b",
    "k/ü",
    7,
    {"t": "1"},
    {"u": "2"},
    {"content-type": "a/b"},
    {"m": "ö"},
    "me",
    "::1",
    1_763_910_000.123456,
)


def test_the_whole_document() -> None:
    assert FULL.document() == {
        "operation": "PutObject",
        "bucket": "b",
        "key": "k/ü",
        "size": 7,
        "tags": {"t": "1"},
        "bucket_tags": {"u": "2"},
        "headers": {"content-type": "a/b"},
        "metadata": {"m": "ö"},
        "identity": "me",
        "source_address": "::1",
        "time": 1_763_910_000.123456,
        "time_ns": 1_763_910_000_123_456_000,
    }


def test_what_is_not_known_is_not_there() -> None:
    there = set(Question("ListBuckets").document())
    assert set(FULL.document()) - there == {"bucket", "key", "size", "tags", "bucket_tags", "source_address"}


def test_the_names_are_those_of_the_document() -> None:
    table = DOCUMENT.partition("## Input\n")[2].partition("\n## ")[0]
    names = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert names == list(FULL.document())


def test_what_lasts_is_the_same_text_for_equal_questions() -> None:
    later = dataclasses.replace(FULL, time=2.0, tags={"t": "1"})
    assert later.lasting() == FULL.lasting()
    assert json.loads(FULL.lasting()) == {k: v for k, v in FULL.document().items() if not k.startswith("time")}
    both = (Question("Op", metadata={"a": "1", "b": "2"}), Question("Op", metadata={"b": "2", "a": "1"}))
    assert both[0].lasting() == both[1].lasting()
    for other in ({"operation": "x"}, {"key": None}, {"tags": None}, {"tags": {}}, {"identity": ""}, {"size": 8}):
        assert dataclasses.replace(FULL, **other).lasting() != FULL.lasting()


def test_what_is_no_utf_8_is_replaced() -> None:
    odd = Question("Op", "b", "a\udcff", tags={"\udc80": "x"}, metadata={"m": "\ud800\N{GRINNING FACE}"})
    document = odd.document()
    assert document["key"] == "a?"
    assert document["tags"] == {"?": "x"}
    assert document["metadata"] == {"m": "?\N{GRINNING FACE}"}
