"""Compares the write queue with `rclone serve s3 --vfs-cache-mode full` (write back) in front of the same SeaweedFS, which
is 50 ms away, and its drain with `rclone copy`. See bench/README.md.

python bench/write_queue.py --quick     some minutes
python bench/write_queue.py             about half an hour
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for peers, the servers that tests use too

import peers
import report
from contender import Contender, request
from job import Job, Outcome, Prepared
from objects import Bodies, puts
from procfs import resident_bytes
from queues.launches import LAUNCHES, RCLONE_FLAGS, rclone_remote, running, status, wait_drained
from rounds import Generator, Result, generator, run_rows, throughput
from row import KIB, MIB, Row
from signing import signed_head
from slow_link import slow_link

RESULTS = Path(__file__).resolve().parent / "results"
ROUND_TRIP = 0.05  # seconds
ROWS = (
    Row("PUT", 4 * KIB, 1),
    Row("PUT", 4 * KIB, 16),
    Row("PUT", MIB, 1, minimum=10),
    Row("PUT", MIB, 16, minimum=32),
    Row("PUT", 100 * MIB, 1, minimum=2),
    Row("PUT", 100 * MIB, 16, minimum=16),
)
GOALS = {4 * KIB: 3.0, 100 * MIB: 1.5}
BUCKET = "bench"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, a tenth of the objects")
    parser.add_argument("--rounds", type=int, help="rounds of the rows; 1 with --quick, else 3")
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--skip", default="", help="parts to leave out: rows, drain, pending")
    parser.add_argument("--pending", type=int, help="operations that wait; 10000 with --quick, else 100000")
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 3)
    chosen.pending = chosen.pending or (10_000 if chosen.quick else 100_000)
    chosen.small = 1000 if chosen.quick else 10_000
    return chosen


class Plan:
    """A row of a contender: what is acknowledged is measured, then everything is pushed before the next one begins."""

    def __init__(self, directory: Path) -> None:
        self._bodies = Bodies(directory)

    def measure(self, row: Row, contender: Contender, load: Generator, scale: float) -> Outcome | None:
        os.sync()
        requests, _ = self._bodies.puts(row, contender.url, BUCKET)
        job = Job(
            contender.url,
            requests,
            row.connections,
            seconds=row.seconds * scale,
            minimum=max(row.minimum, row.connections),
            processes={"server": contender.pid},
        )
        outcome = load.run(job)
        wait_drained(contender)
        return outcome


def drain(root: Path, remote: str, small: int, load: Generator) -> list[list[str]]:
    """Seconds until objects are at the remote: s3d's queue, and `rclone copy --transfers 16` of the same files."""
    lines = []
    for count, size in ((small, 4 * KIB), (20, 10 * MIB)):
        body = os.urandom(size)
        files = root / f"files-{size}"
        files.mkdir()
        for index in range(count):
            (files / f"{index:06}").write_bytes(body)
        subprocess.run(["sync"], check=True)
        with running("s3d", remote, root / f"drain-{size}") as (contender, _):
            status(contender, "pause")
            row = Row("PUT", size, 4)
            paths = [f"/{BUCKET}/drain-{size}/{index:06}" for index in range(count)]
            prepared, _ = puts(paths, row, contender.url, body, files / "000000" if size > 64 * KIB else None)
            outcome = load.run(Job(contender.url, prepared, 4, once=True))
            assert outcome.wrong is None, outcome.wrong
            start = time.perf_counter()
            status(contender, "resume")
            wait_drained(contender)
            ours = time.perf_counter() - start
        config = root / f"rclone-{size}.conf"
        config.touch()
        command = [str(peers.BIN / "rclone"), "copy", str(files), f"remote:{BUCKET}/copied-{size}", "--transfers=16"]
        command += ["--checkers=16", *RCLONE_FLAGS]
        start = time.perf_counter()
        subprocess.run(command, env=peers.clean_env(RCLONE_CONFIG=str(config), **rclone_remote(remote)), check=True)
        theirs = time.perf_counter() - start
        name = f"{count:,} x {size // MIB or size // KIB} {'MiB' if size >= MIB else 'KiB'}"
        ratio = theirs / ours
        lines.append(
            [name, f"{ours:.2f} s", f"{theirs:.2f} s", f"{ratio:.2f} (goal 1: {report.verdict(ratio >= 0.95)})"]
        )
    return lines


def pending(root: Path, remote: str, count: int, load: Generator) -> list[list[str]]:
    """GET, HEAD and LIST with so many operations waiting, and memory; the list beside the remote's own."""
    body = os.urandom(KIB)
    rows: list[list[str]] = []
    with running("s3d", remote, root / "pending") as (contender, _):
        listed = [f"/{BUCKET}/list/{index:06}" for index in range(2000)]
        prepared, _ = puts(listed, Row("PUT", KIB, 16), contender.url, body)
        assert load.run(Job(contender.url, prepared, 16, once=True)).wrong is None
        wait_drained(contender)
        direct = _list(load, remote)
        before = resident_bytes(contender.pid)
        status(contender, "pause")
        waiting = [f"/{BUCKET}/list/{index // 40:06}-{index:06}" for index in range(count)]
        prepared, _ = puts(waiting, Row("PUT", KIB, 16), contender.url, body)
        start = time.perf_counter()
        outcome = load.run(Job(contender.url, prepared, 16, once=True))
        assert outcome.wrong is None, outcome.wrong
        rows.append([f"accepted {count:,} of 1 KiB", f"{count / (time.perf_counter() - start):,.0f} /s", "", ""])
        heads = [signed_head(contender.url, "GET", path) for path in waiting[:: max(1, count // 64)]]
        found = load.run(Job(contender.url, [Prepared(head, length=KIB) for head in heads], 1, seconds=1.0))
        rows.append(["GET of a pending object", _median(found), "", ""])
        rows.append(["HEAD of a pending object", f"{_head_milliseconds(contender.url, waiting[0]):.2f} ms", "", ""])
        merged = _list(load, contender.url)
        ratio = _milliseconds(merged) / _milliseconds(direct)
        rows.append(
            ["LIST of 1,000", _median(merged), _median(direct), f"{ratio:.2f} (goal 2: {report.verdict(ratio <= 2)})"]
        )
        resident = resident_bytes(contender.pid)
        sizes = (f"{resident // 1_000_000} MB", f"{before // 1_000_000} MB")
        rows.append(["resident memory", *sizes, f"(goal 150 MB: {report.verdict(resident < 150_000_000)})"])
    return rows


def _head_milliseconds(url: str, path: str) -> float:
    """The median of 200 on one connection. The load generator knows no answers without the body that they announce."""
    address = urlsplit(url)
    times = []
    with contextlib.closing(http.client.HTTPConnection(address.netloc)) as connection:
        for _ in range(200):
            start = time.perf_counter()
            connection.request("HEAD", path)
            assert connection.getresponse().read() == b""
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _list(load: Generator, url: str) -> Outcome:
    query = {"list-type": "2", "max-keys": "1000", "prefix": "list/"}
    head = signed_head(url, "GET", f"/{BUCKET}", query=query)
    return load.run(Job(url, [Prepared(head, keys=1000)], 1, minimum=10))


def _milliseconds(outcome: Outcome) -> float:
    assert outcome.wrong is None, outcome.wrong
    ordered = sorted(outcome.latencies)
    return ordered[len(ordered) // 2] / 1e6


def _median(outcome: Outcome) -> str:
    return f"{_milliseconds(outcome):.2f} ms"


def rows_table(results: list[Result], names: list[str]) -> str:
    """Acknowledged PUTs."""
    lines = []
    for result in results:
        ratio, goal = result.ratio("s3d", "rclone"), GOALS.get(result.row.size)
        shown = report.number(ratio)
        if goal is not None:
            shown += f" (goal {goal:g}: {report.verdict(None if ratio is None else ratio >= goal)})"
        now = report.number(result.ratio("s3d", "rclone-now"))
        lines.append([result.row.name, *(throughput(result, name) for name in names), shown, now])
    return report.table(["acknowledged", *names, "s3d/rclone", "s3d/rclone-now"], lines)


def main() -> int:
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended then, too
    facts = report.machine() | {
        "round trip to the remote": f"{ROUND_TRIP * 1000:g} ms",
        "durable": "s3d's writes are on disk (fsync) when it answers; those of rclone are not",
        "rclone serve s3": " ".join(("--vfs-cache-mode=full", "--transfers=16", *RCLONE_FLAGS)),
        "rclone-now": "the same with --vfs-write-back=100ms: it uploads while it is measured, as s3d does",
    }
    command = f"python {shlex.join(sys.argv)}"
    document: dict[str, Any] = {"command": command, "machine": facts}
    parts = [report.preamble(command, facts)]
    with (
        tempfile.TemporaryDirectory(prefix="s3d-bench-") as directory,
        peers.seaweedfs() as server,
        slow_link(server.url, ROUND_TRIP) as remote,
        generator() as load,
    ):
        root = Path(directory)
        assert request(server.url, "PUT", f"/{BUCKET}")[0] == 200
        names = list(LAUNCHES)
        if "rows" not in chosen.skip:
            with contextlib.ExitStack() as stack:
                contenders = [stack.enter_context(running(name, remote, root / name))[0] for name in names]
                wanted = [row for row in ROWS if chosen.rows in row.name]
                results = run_rows(wanted, contenders, Plan(root), load, rounds=chosen.rounds, scale=0.5)
            parts.append(rows_table(results, names))
            parts += [f"VOID {r.row.name}, {name}: {why}" for r in results for name, why in r.void.items()]
        if "drain" not in chosen.skip:
            parts.append(
                report.table(
                    ["drained in", "s3d", "rclone copy", "times as fast"], drain(root, remote, chosen.small, load)
                )
            )
        if "pending" not in chosen.skip:
            head = [f"{chosen.pending:,} pending", "s3d", "direct, or before", ""]
            parts.append(report.table(head, pending(root, remote, chosen.pending, load)))
    text = "\n\n".join(part for part in parts if part) + "\n"
    path = report.write(RESULTS, "write_queue", document, text)
    print(text)
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
