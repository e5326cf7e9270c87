"""Compares s3d on its embedded store with `rclone serve s3`, SeaweedFS and nginx. See bench/README.md.

python bench/standalone.py --quick            two minutes or three
python bench/standalone.py                    about half an hour, with 1,000,000 objects in a bucket
python bench/standalone.py --million 0        without them
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

import report
from memory import settled, under_load
from rounds import Result, generator, run_rows
from startup import start_times
from stores import tables
from stores.full_bucket import measure_full_bucket
from stores.launches import LAUNCHES, available, running, settings
from stores.plan import ROWS, Plan, is_long

RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two short rounds, fewer rows, a list of 10,000")
    parser.add_argument("--only", help="servers to measure; all")
    parser.add_argument("--rows", default="", help="only rows whose name contains this, e.g. 'GET 4 KiB'")
    parser.add_argument("--rounds", type=int, help="rounds; 2 with --quick, else 5")
    parser.add_argument("--seconds", type=float, help="length of a run of a row; 0.2 with --quick, else 0.5")
    parser.add_argument(
        "--listed", type=int, help="objects in the bucket that is listed; 10000 with --quick, else 100000"
    )
    parser.add_argument("--million", type=int, help="objects in the full bucket; 0 with --quick, else 1000000")
    parser.add_argument("--skip", default="", help="parts to leave out: rows, start, memory")
    parser.add_argument(
        "--directory", type=Path, help="where servers keep their data; the system's temporary directory"
    )
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (2 if chosen.quick else 5)
    chosen.seconds = chosen.seconds or (0.2 if chosen.quick else 0.5)
    chosen.listed = chosen.listed or (10_000 if chosen.quick else 100_000)
    if chosen.million is None:
        chosen.million = 0 if chosen.quick else 1_000_000
    chosen.only = list(LAUNCHES) if chosen.only is None else [name for name in chosen.only.split(",") if name]
    if unknown := set(chosen.only) - set(LAUNCHES):
        parser.error(f"--only: no server is called {', '.join(unknown)}; there are {', '.join(LAUNCHES)}")
    if chosen.listed < 1000 or 0 < chosen.million < 2000:
        parser.error("--listed and --million: there have to be two pages of keys at least")
    return chosen


def compare(chosen: argparse.Namespace, plan: Plan, root: Path) -> list[Result]:
    """The rows."""
    rows = [row for row in ROWS if chosen.rows in row.name and not (chosen.quick and is_long(row))]
    with contextlib.ExitStack() as stack:
        load = stack.enter_context(generator())
        contenders = []
        for name in chosen.only:
            contender, _ = stack.enter_context(running(name, root / name))
            plan.seed(contender, load, root / name)
            contenders.append(contender)
        return run_rows(rows, contenders, plan, load, rounds=chosen.rounds, scale=chosen.seconds)


def measure_memory(chosen: argparse.Namespace, plan: Plan, root: Path) -> list[dict[str, Any]]:
    """Each server with the data of the rows, started anew."""
    entries: list[dict[str, Any]] = []
    for name in chosen.only:
        with running(name, root / f"memory-{name}") as (contender, _), generator() as load:
            entries.append(settled(name, "idle", contender))
            plan.seed(contender, load, root / f"memory-{name}")
            entries += under_load(contender, plan, load, scale=0.3 if chosen.quick else 1.0)
            entries.append(settled(name, "afterwards", contender))
    return entries


def main() -> int:
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended then, too
    left_out = available(chosen.only)
    chosen.only = [name for name in chosen.only if name not in left_out]
    document: dict[str, Any] = {"command": shlex.join(sys.argv), "machine": report.machine()}
    facts = document["machine"] | settings() | {f"left out, {name}": why for name, why in left_out.items()}
    facts["listed"] = f"{chosen.listed:,} objects"
    parts = [report.preamble(f"python {document['command']}", facts)]
    with tempfile.TemporaryDirectory(prefix="s3d-bench-", dir=chosen.directory) as directory:
        root = Path(directory)
        if "start" not in chosen.skip:
            document["start"] = start_times(chosen.only, running, root, count=2 if chosen.quick else 5)
            parts.append(report.start_table(document["start"]))
        plan = Plan(root, chosen.listed)
        if "rows" not in chosen.skip:
            document["rows"] = results = compare(chosen, plan, root)
            parts += [tables.throughput_table(results, chosen.only), tables.void_list(results)]
            parts += [tables.latency_table(results, chosen.only), tables.cpu_table(results, chosen.only)]
        if "memory" not in chosen.skip:
            document["memory"] = measure_memory(chosen, plan, root)
            parts.append(report.memory_table(document["memory"]))
        if chosen.million and "s3d" in chosen.only:
            document["full bucket"], document["full bucket, facts"] = measure_full_bucket(chosen, root)
            parts.append(tables.full_bucket_table(document["full bucket"]))
            parts.append(tables.void_list(document["full bucket"]))
            parts.append(tables.facts_table(document["full bucket, facts"]))
    text = "\n\n".join(part for part in parts if part) + "\n"
    path = report.write(RESULTS, "standalone", document, text)
    print(text)
    print(f"written to {path} and {path.with_suffix('.json')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
