"""``s3d explain``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from s3d.cli import admin, explain

PUT = {
    "upload": {
        "state": "held",
        "by": "filter",
        "why": ["videos/* does not fit: bucket videos"],
        "priority": 7,
        "deadline": 90.0,
        "room": "3 of 3 objects are there",
    },
    "cache": {"kept": None, "by": "filter", "why": ["\x1b[1m"]},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []

    def ask(endpoint: str, path: str, token: str | None, **named: Any) -> Any:
        seen.append((path, named["body"]))
        return PUT if named["body"]["operation"] == "put" else {"state": "pending", "cache": None}

    monkeypatch.setattr(admin, "ask", ask)
    return seen


def run(*arguments: str) -> str:
    result = CliRunner().invoke(explain.command, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_put(asked: list[Any]) -> None:
    output = run("put", "b/k/l", "-t", "a=b", "--header", "Content-Type=x", "--size", "1kB")
    assert asked == [
        (
            "/explain",
            {
                "operation": "put",
                "bucket": "b",
                "key": "k/l",
                "size": 1000,
                "tags": {"a": "b"},
                "headers": {"content-type": "x"},
                "metadata": {},
            },
        )
    ]
    assert output.splitlines() == [
        "upload: held, by filter",
        "  videos/* does not fit: bucket videos",
        "  priority 7, deadline after 90 s",
        "  no room now: 3 of 3 objects are there",
        "cache: not known, by filter",
        "  \\x1b[1m",
    ]


def test_get_and_json(asked: list[Any]) -> None:
    assert run("get", "b/k") == "queue: pending\n"
    assert json.loads(run("put", "b/k", "--json")) == PUT


def test_without_a_queue() -> None:
    assert explain.lines({"upload": None, "cache": None}) == ["upload: at once, there is no write queue"]
