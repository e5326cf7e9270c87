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
from contenders import RCLONE_FLAGS, RCLONE_MODES
from plan import KIB, MIB
from rounds import Result, throughput

BIG_RATIO_GOAL = 0.8  # of the direct throughput, at 100 MiB
ADDED_MS_GOAL = 1.0  # median latency of a small request on an idle gateway
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


def throughput_table(results: list[Result], names: list[str]) -> str:
    """Throughput by contender, the paired ratios, and whether the goals of each row are met."""
    shown = [name for name in names if name != "rclone-fresh"]
    head = ["row", *shown, "rclone-fresh", "s3d/direct", "s3d/rclone", "s3d/fresh", "goal"]
    lines = []
    for result in results:
        direct, rclone, fresh = (result.ratio("s3d", other) for other in ("direct", "rclone", "rclone-fresh"))
        # A list that rclone gives from its memory, up to five minutes old, is not the same answer: not that one counts.
        rival = fresh if result.row.operation == "LIST" else rclone
        goals = [None if rival is None else rival > 1]
        if result.row.size == 100 * MIB:
            goals.append(None if direct is None else direct >= BIG_RATIO_GOAL)
        text = "VOID" if "s3d" in result.void else verdict(None if None in goals else all(goals))
        cells = [throughput(result, name) for name in (*shown, "rclone-fresh")]
        lines.append([result.row.name, *cells, number(direct), number(rclone), number(fresh), text])
    return table(head, lines)


def latency_table(results: list[Result], names: list[str]) -> str:
    """Median and 99th percentile in ms by contender, and what s3d adds to the median."""
    head = ["ms, median / p99", *names, "s3d adds", "rclone adds", "goal"]
    lines = []
    for result in results:
        pairs = [_latency(result, name) for name in names]
        added = result.added_median_ms("s3d", "direct")
        has_goal = result.row.size == 4 * KIB and result.row.connections == 1
        goal = None if added is None or not has_goal else added <= ADDED_MS_GOAL
        rclone = result.added_median_ms("rclone", "direct")
        lines.append([result.row.name, *pairs, number(added, "+.2f"), number(rclone, "+.2f"), verdict(goal)])
    return table(head, lines)


def _latency(result: Result, name: str) -> str:
    median = result.median(name, lambda one: one.median_ms)
    return "-" if median is None else f"{median:.2f} / {number(result.median(name, lambda one: one.p99_ms))}"


def cpu_table(results: list[Result], names: list[str]) -> str:
    """CPU milliseconds per request: gateway + remote + load generator."""
    lines = []
    for result in results:
        cells = []
        for name in names:
            parts = [
                result.median(name, lambda m, process=process: m.cpu_ms.get(process, 0.0))  # type: ignore[misc]
                for process in ("gateway", "remote", "generator")
            ]
            known = [number(part) for part in parts[name == "direct" :] if part is not None]
            cells.append(" + ".join(known) or "-")
        lines.append([result.row.name, *cells])
    heads = [f"{name}: {'' if name == 'direct' else 'gateway + '}remote + generator" for name in names]
    return table(["CPU ms per request", *heads], lines)


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


def write(directory: Path, document: dict[str, Any], text: str) -> Path:
    """Writes gateway-TIME.md and gateway-TIME.json; the path of the first."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"gateway-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1, default=dataclasses.asdict))
    path = stem.with_suffix(".md")
    path.write_text(text)
    return path


def preamble(command: str, facts: dict[str, Any]) -> str:
    lines = [f"`{command}`", "", *(f"- {name}: {value}" for name, value in facts.items())]
    for mode, flags in RCLONE_MODES.items():
        lines.append(f"- {mode}: `rclone serve s3 {' '.join((*RCLONE_FLAGS, *flags))}`")
    return "\n".join(lines)
