"""The tables of the bench of the gateway, with the goals next to what was measured."""

from __future__ import annotations

from gateways.launches import RCLONE_FLAGS, RCLONE_MODES
from report import latency, number, table, verdict
from rounds import Result, throughput
from row import KIB, MIB

BIG_RATIO_GOAL = 0.8  # of the direct throughput, at 100 MiB
ADDED_MS_GOAL = 1.0  # median latency of a small request on an idle gateway


def settings() -> dict[str, str]:
    """The command of each mode of rclone."""
    return {
        mode: f"`rclone serve s3 remote: {' '.join((*RCLONE_FLAGS, *flags))}`" for mode, flags in RCLONE_MODES.items()
    }


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
        pairs = [latency(result, name) for name in names]
        added = result.added_median_ms("s3d", "direct")
        has_goal = result.row.size == 4 * KIB and result.row.connections == 1
        goal = None if added is None or not has_goal else added <= ADDED_MS_GOAL
        rclone = result.added_median_ms("rclone", "direct")
        lines.append([result.row.name, *pairs, number(added, "+.2f"), number(rclone, "+.2f"), verdict(goal)])
    return table(head, lines)


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
