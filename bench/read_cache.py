"""Compares the read cache with `rclone serve s3 --vfs-cache-mode full` and nginx's `proxy_cache` in front of the same
SeaweedFS, which is 50 ms away, and with nginx and files as the limit. See bench/README.md.

python bench/read_cache.py --quick     some minutes
python bench/read_cache.py             half an hour
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for peers, the servers that tests use too

import peers
import report
from caches import on_traces
from caches.launches import LAUNCHES, running, settings
from caches.plan import COLD, COLD_RANGES, HITS, ROWS, WARM, Plan
from contender import Contender
from procfs import PeakSampler
from rounds import Result, generator, run_rows, throughput
from row import KIB, MIB
from slow_link import slow_link
from stores.launches import available

RESULTS = Path(__file__).resolve().parent / "results"
ROUND_TRIP = 0.05  # seconds
MEMORY = 150  # MB, the goal
OF_RCLONE, OF_STATIC = {4 * KIB: 1.2}, {4 * KIB: 0.25, 100 * MIB: 0.9}
RANGES_OF_RCLONE = 2.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, help="rounds of the rows; 1 with --quick, else 3")
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--only", default="", help="only these servers, separated by commas")
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 3)
    return chosen


def goal(value: float | None, least: float | None) -> str:
    """A ratio, with what it has to be."""
    shown = report.number(value)
    if least is None:
        return shown
    return f"{shown} (goal {least:g}: {report.verdict(None if value is None else value >= least)})"


def hits_table(results: list[Result], names: list[str]) -> str:
    lines = []
    for result in results:
        size, is_hit = result.row.size, result.row in HITS
        of_rclone = OF_RCLONE.get(size) if is_hit else RANGES_OF_RCLONE
        lines.append(
            [
                result.row.name,
                *(throughput(result, name) for name in names),
                goal(result.ratio("s3d", "rclone"), of_rclone),
                goal(result.ratio("s3d", "static"), OF_STATIC.get(size) if is_hit else None),
            ]
        )
    return report.table(["hits", *names, "s3d/rclone", "s3d/static"], lines)


def cold_table(results: list[Result], names: list[str]) -> str:
    lines = []
    for result in results:
        ratios = {name: result.ratio("s3d", name) for name in names if name != "s3d"}
        least = min((value for value in ratios.values() if value is not None), default=None)
        of_rclone = RANGES_OF_RCLONE if result.row in COLD_RANGES else None
        lines.append(
            [
                result.row.name,
                *(throughput(result, name) for name in names),
                goal(ratios.get("rclone"), of_rclone),
                goal(least, 1.0 if result.row is COLD else None),
            ]
        )
    return report.table(["cold", *names, "s3d/rclone", "s3d/best of the others"], lines)


def cpu_table(results: list[Result], names: list[str]) -> str:
    """Of the server, per request."""
    lines = []
    for result in results:
        medians = [result.median(name, lambda one: one.cpu_ms.get("server", 0.0)) for name in names]
        lines.append([result.row.name, *(report.number(median, ".3f") for median in medians)])
    return report.table(["CPU ms per request", *names], lines)


def main() -> int:
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended then, too
    names = [name for name in LAUNCHES if not chosen.only or name in chosen.only.split(",")]
    missing = available(["nginx", "rclone", "seaweedfs"])
    if missing:
        print("\n".join(missing.values()), file=sys.stderr)
        return 1
    facts = report.machine() | {"round trip to the remote": f"{ROUND_TRIP * 1000:g} ms"} | settings()
    command = f"python {shlex.join(sys.argv)}"
    document: dict[str, Any] = {"command": command, "machine": facts}
    parts = [report.preamble(command, facts)]
    with (
        tempfile.TemporaryDirectory(prefix="s3d-bench-") as directory,
        peers.seaweedfs(volume_megabytes=4096, anonymous_reads=True) as server,
        slow_link(server.url, ROUND_TRIP) as remote,
        generator() as load,
        contextlib.ExitStack() as stack,
    ):
        root = Path(directory)
        root.chmod(0o755)
        plan = Plan(root, server.url)
        plan.seed(load, root / "static" / "files")
        contenders: list[Contender] = [stack.enter_context(running(name, remote, root / name))[0] for name in names]
        samplers = {one.name: stack.enter_context(PeakSampler(one.pid)) for one in contenders if one.name != "static"}
        wanted = [row for row in ROWS if chosen.rows in row.name]
        results = run_rows(wanted, contenders, plan, load, rounds=chosen.rounds, scale=0.5 if chosen.quick else 2.0)
        ratios = ""
        if not chosen.rows:
            caches = [name for name in names if name != "static"]
            ratios = on_traces.measure(server.url, ROUND_TRIP, caches, 4000 if chosen.quick else 20_000, load, root)
        peaks = {name: sampler.peak / 1e6 for name, sampler in samplers.items()}
    document |= {"results": results, "peaks": peaks}
    hits = [result for result in results if result.row in (*HITS, *WARM)]
    cold = [result for result in results if result.row not in (*HITS, *WARM)]
    memory = [
        [name, f"{peak:.1f}", report.verdict(peak < MEMORY) if name == "s3d" else "-"] for name, peak in peaks.items()
    ]
    parts += [hits_table(hits, names), cold_table(cold, names), cpu_table(results, names)]
    parts.append(report.table(["server", "resident MB, peak", f"goal < {MEMORY}"], memory))
    parts += [ratios] if ratios else []
    parts += [f"VOID {r.row.name}, {name}: {why}" for r in results for name, why in r.void.items()]
    text = "\n\n".join(parts) + "\n"
    path = report.write(RESULTS, "read_cache", document, text)
    print(text)
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
