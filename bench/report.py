"""The result as a page of Markdown tables and as JSON, with the goals next to what was measured."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import peers
from rounds import Result

START_GOAL = 0.6  # seconds
IDLE_GOAL, LOAD_GOAL = 70, 120  # MB of resident memory


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table whose columns also line up as plain text."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def verdict(met: bool | None) -> str:
    return {True: "met", False: "MISSED", None: "-"}[met]


def latency(result: Result, name: str) -> str:
    """Median and 99th percentile in ms."""
    median = result.median(name, lambda one: one.median_ms)
    return "-" if median is None else f"{median:.2f} / {number(result.median(name, lambda one: one.p99_ms))}"


def start_table(starts: dict[str, list[float]]) -> str:
    lines = [
        [
            name,
            number(sorted(seconds)[len(seconds) // 2], ".3f"),
            " ".join(number(one, ".3f") for one in seconds),
            verdict(sorted(seconds)[len(seconds) // 2] < START_GOAL) if name == "s3d" else "-",
        ]
        for name, seconds in starts.items()
    ]
    return table(["seconds from start to first answer", "median", "each", f"goal < {START_GOAL}"], lines)


def memory_table(memory: list[dict[str, Any]]) -> str:
    lines = []
    for entry in memory:
        goal = IDLE_GOAL if entry["stage"] == "idle" else LOAD_GOAL
        size = entry.get("resident_mb")
        met = None if size is None or entry["contender"] != "s3d" else size <= goal
        note = entry.get("note", "")
        lines.append([entry["contender"], entry["stage"], number(size, ".1f"), f"{goal}", verdict(met), note])
    return table(["server", "stage", "resident MB, peak", "goal", "", "note"], lines)


def machine() -> dict[str, Any]:
    """What it ran on, and the versions of what ran."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = {
        name: metadata.version(name) for name in ("aiohttp", "botocore", "uvloop", "s3-daemon") if _installed(name)
    }
    return {
        "processor": f"{os.cpu_count()} x {model}",
        "memory_gb": round(memory, 1),
        "load average before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **versions,
        "rclone": _first_line([str(peers.BIN / "rclone"), "version"]),
        "seaweedfs": _first_line([str(peers.BIN / "weed"), "version"]),
        "commit": _first_line(["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]),
    }


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError:
        return "?"
    return next(iter((done.stdout or done.stderr).splitlines()), "?")


def write(directory: Path, kind: str, document: dict[str, Any], text: str) -> Path:
    """Writes KIND-TIME.md and KIND-TIME.json; the path of the first."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1, default=dataclasses.asdict))
    path = stem.with_suffix(".md")
    path.write_text(text)
    return path


def preamble(command: str, facts: dict[str, Any]) -> str:
    """What was run, on what, with which settings."""
    return "\n".join([f"`{command}`", "", *(f"- {name}: {value}" for name, value in facts.items())])
