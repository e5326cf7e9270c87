"""The tables of the bench of the embedded store, with the goals next to what was measured."""

from __future__ import annotations

from typing import Any

from report import latency, number, table, verdict
from rounds import Result, throughput
from row import KIB, MIB, Row

PEERS = ("rclone", "rclone-default", "seaweedfs", "nginx")
# How many times as fast as each of the others, by operation and size. The writes of the others are not durable.
GOALS: dict[tuple[str, int], dict[str, float]] = {
    ("GET", 4 * KIB): {"rclone": 1.2, "rclone-default": 1.2, "seaweedfs": 3.0},
    ("PUT", 4 * KIB): {"rclone": 3.0, "rclone-default": 3.0, "seaweedfs": 3.0},
    ("GET", 100 * MIB): {"nginx": 0.9},
    ("PUT", 100 * MIB): {"rclone": 1.5, "rclone-default": 1.5, "seaweedfs": 1.5},
}
FULL_BUCKET_GOAL = 0.8  # of the throughput in an almost empty bucket
LAST_PAGE_GOAL = 0.95  # of the throughput of the first page: no slower, but for what two equal runs differ


def throughput_table(results: list[Result], names: list[str]) -> str:
    """Throughput by server, and s3d's in terms of each of the others with the goal for it."""
    others = [name for name in PEERS if name in names]
    lines = []
    for result in results:
        goals = GOALS.get((result.row.operation, result.row.size), {})
        ratios = [_ratio(result, "s3d", other, goals.get(other)) for other in others]
        lines.append([result.row.name, *(throughput(result, name) for name in names), *ratios])
    return table(["row", *names, *(f"s3d/{name}" for name in others)], lines)


def _ratio(result: Result, name: str, other: str, goal: float | None) -> str:
    ratio = result.ratio(name, other)
    if goal is None:
        return number(ratio)
    met = None if ratio is None else ratio >= goal
    return f"{number(ratio)} (goal {goal:g}: {'VOID' if name in result.void else verdict(met)})"


def latency_table(results: list[Result], names: list[str]) -> str:
    lines = [[result.row.name, *(latency(result, name) for name in names)] for result in results]
    return table(["ms, median / p99", *names], lines)


def cpu_table(results: list[Result], names: list[str]) -> str:
    """CPU milliseconds per request: server + load generator."""
    lines = [[result.row.name, *(_cpu(result, name) for name in names)] for result in results]
    return table(["CPU ms per request, server + generator", *names], lines)


def _cpu(result: Result, name: str) -> str:
    parts = [result.median(name, lambda one, of=of: one.cpu_ms.get(of, 0.0)) for of in ("server", "generator")]  # type: ignore[misc]
    return "-" if None in parts else " + ".join(number(part, ".3f") for part in parts)


def full_bucket_table(results: list[Result]) -> str:
    """The same requests to an almost empty and to the full bucket; and the first and the last page of its list."""
    lines = []
    for result in results:
        base, other, goal = compared(result.row)
        cells = [throughput(result, base), throughput(result, other), latency(result, base), latency(result, other)]
        lines.append([result.row.name, f"{base}, {other}", *cells, _ratio(result, other, base, goal)])
    return table(["row", "A, B", "A", "B", "A ms, median / p99", "B ms, median / p99", "B/A"], lines)


def compared(row: Row) -> tuple[str, str, float]:
    """The two contenders of a row about the full bucket, and the goal for the second in terms of the first."""
    return (
        ("first page", "last page", LAST_PAGE_GOAL) if row.operation == "LIST" else ("empty", "full", FULL_BUCKET_GOAL)
    )


def facts_table(facts: dict[str, Any]) -> str:
    return table(["with the full bucket", ""], [[name, f"{value}"] for name, value in facts.items()])


def void_list(results: list[Result]) -> str:
    """Why rows are void."""
    found = [f"- {one.row.name}, {name}: {why}" for one in results for name, why in one.void.items()]
    return "\n".join(["VOID:", *found]) if found else ""
