"""The examples of docs/policy.md, with both engines."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from s3d.policy.answer import Answer
from s3d.policy.policy import Policy
from s3d.policy.question import Question

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT = (DOCS / "policy.md").read_text()
FILES = sorted((DOCS / "policy").glob("*.rego"))
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC).timestamp()  # half past midnight in Berlin
EVENING = datetime(2026, 7, 1, 19, 59, 59, tzinfo=UTC).timestamp()
TEN = datetime(2026, 7, 1, 20, 0, tzinfo=UTC).timestamp()
WINTER_TEN = datetime(2026, 12, 1, 20, 0, tzinfo=UTC).timestamp()
PUT = Question(
    "PutObject", "charts", "maps/1.png", 1000, {}, {}, {"content-type": "image/png"}, {}, "", "10.9.8.7", NOON
)

CASES: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {  # what differs from PUT, and what is said
    "small-objects.rego": [
        ({}, {}),
        ({"size": 1_000_000}, {}),
        ({"size": 1_000_001}, {"upload": False}),
        ({"size": 10**13}, {"upload": False}),
        ({"size": 1_000_001, "tags": None}, {"upload": False}),
        ({"size": 1_000_001, "tags": {"s3d.upload": "true"}}, {}),
        ({"size": 1_000_001, "tags": {"s3d.upload": "no"}}, {"upload": False}),
        ({"operation": "ListBuckets", "bucket": None, "key": None, "size": 0, "tags": None}, {}),
    ],
    "hold-until-released.rego": [
        ({}, {}),
        ({"bucket": "recordings"}, {}),
        ({"bucket": "recordings", "key": "a/b.mp4"}, {"upload": False}),
        ({"bucket": "recordings", "key": "a/b.mp4", "tags": None}, {"upload": False}),
        ({"bucket": "recordings", "key": "a/b.mp4", "tags": {"release": "no"}}, {"upload": False}),
        ({"bucket": "recordings", "key": "a/b.mp4", "tags": {"release": "yes", "x": "y"}}, {"upload": True}),
        ({"bucket": "recordings", "key": "ü\n'\"\\ .mp4", "tags": {"release": "yes"}}, {"upload": True}),
    ],
    "at-night.rego": [
        ({}, {"upload": True}),
        ({"size": 10_000_000}, {"upload": True}),
        ({"size": 10_000_001}, {"upload": False}),
        ({"size": 10_000_001, "time": MIDNIGHT}, {"upload": True}),
        ({"size": 10_000_001, "time": EVENING}, {"upload": False}),
        ({"size": 10_000_001, "time": TEN}, {"upload": True}),
        ({"size": 10_000_001, "time": WINTER_TEN}, {"upload": False}),
    ],
    "protect-deletes.rego": [
        ({}, {}),
        ({"operation": "DeleteObject"}, {"allow": False}),
        ({"operation": "DeleteBucket", "key": None}, {"allow": False}),
        ({"operation": "DeleteObject", "source_address": "127.0.0.1"}, {}),
        ({"operation": "DeleteObject", "source_address": "::1"}, {}),
        ({"operation": "DeleteObjects", "source_address": "10.20.30.4"}, {}),
        ({"operation": "DeleteObjects", "source_address": "10.20.3.4"}, {"allow": False}),
        ({"operation": "DeleteObject", "source_address": ""}, {"allow": False}),
    ],
    "alarms-first.rego": [
        ({}, {}),
        ({"key": "alarms/1"}, {"priority": 9, "pin": True}),
        ({"metadata": {"severity": "critical"}}, {"priority": 9, "pin": True}),
        ({"metadata": {"severity": "low"}}, {}),
        ({"tags": {"class": "bulk"}}, {"priority": 1}),
        ({"tags": {"class": "bulk"}, "key": "alarms/1"}, {"priority": 9, "pin": True}),
    ],
    "cache-one-prefix.rego": [
        ({}, {"cache": True}),
        ({"key": "maps"}, {"cache": False}),
        ({"bucket": "chart"}, {"cache": False}),
    ],
}


def said(answer: Answer) -> dict[str, Any]:
    """What is not None."""
    fields = dataclasses.asdict(answer)
    return {name: value for name, value in fields.items() if name not in ("why", "failed") and value is not None}


def test_each_example_is_here_and_in_the_document() -> None:
    assert [path.name for path in FILES] == sorted(CASES)
    assert re.findall(r"\]\(policy/([^)]+)\)", DOCUMENT) == list(CASES)
    for path in FILES:
        assert path.read_text().startswith("# ")


@pytest.mark.parametrize("name", CASES)
async def test_example(name: str, policy_of: Callable[..., Policy]) -> None:
    policy = policy_of((DOCS / "policy" / name).read_text(), max_age=0.0)  # the time is not compared
    for differs, expected in CASES[name]:
        answer = await policy.ask(dataclasses.replace(PUT, **differs))
        assert (answer.failed, said(answer)) == (False, expected), f"{differs}: {answer.why}"


async def test_the_policy_in_the_document(policy_of: Callable[..., Policy]) -> None:
    (text,) = re.findall(r"^```rego\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    policy = policy_of(text)
    assert said(await policy.ask(PUT)) == {}
    assert said(await policy.ask(dataclasses.replace(PUT, size=1_000_001))) == {"upload": False}
