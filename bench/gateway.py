"""Compares the way to the remote: direct, through s3d, through `rclone serve s3`. See bench/README.md.

python bench/gateway.py --quick        about a minute
python bench/gateway.py                about five minutes
python bench/gateway.py --upload both  also the 5 GiB upload in aws-chunked form, which spools 5 GiB to disk
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
from contender import Contender
from gateways import tables
from gateways.launches import LAUNCHES, running
from gateways.memory import measure_memory
from gateways.plan import ROWS, Plan, is_long
from rounds import Result, generator, run_rows
from startup import start_times

RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two short rounds, fewer rows, no 5 GiB upload")
    parser.add_argument("--only", help="gateways to compare with direct; all, without rclone-writes if --quick")
    parser.add_argument("--rows", default="", help="only rows whose name contains this, e.g. 'GET 4 KiB'")
    parser.add_argument("--rounds", type=int, help="rounds; 2 with --quick, else 4")
    parser.add_argument("--seconds", type=float, help="length of a run of a row; 0.2 with --quick, else 0.5")
    parser.add_argument(
        "--upload", choices=("none", "plain", "chunked", "both"), help="the 5 GiB upload; plain unless --quick"
    )
    parser.add_argument("--upload-gib", type=float, default=5.0, help="its size")
    parser.add_argument("--skip", default="", help="parts to leave out: rows, start, memory")
    parser.add_argument(
        "--directory", type=Path, help="where servers keep their data; the system's temporary directory"
    )
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (2 if chosen.quick else 4)
    chosen.seconds = chosen.seconds or (0.2 if chosen.quick else 0.5)
    chosen.upload = chosen.upload or ("none" if chosen.quick else "plain")
    default = [name for name in LAUNCHES if not (chosen.quick and name == "rclone-writes")]
    chosen.only = default if chosen.only is None else [name for name in chosen.only.split(",") if name]
    if unknown := set(chosen.only) - set(LAUNCHES):
        parser.error(f"--only: no gateway is called {', '.join(unknown)}; there are {', '.join(LAUNCHES)}")
    return chosen


def compare(chosen: argparse.Namespace, remote: peers.Server, plan: Plan, root: Path) -> list[Result]:
    """The rows."""
    rows = [row for row in ROWS if chosen.rows in row.name and not (chosen.quick and is_long(row))]
    with contextlib.ExitStack() as stack:
        contenders = [Contender("direct", remote.url, remote.pid)]
        contenders += [stack.enter_context(running(name, remote.url, root / name))[0] for name in chosen.only]
        load = stack.enter_context(generator())
        return run_rows(rows, contenders, plan, load, rounds=chosen.rounds, scale=chosen.seconds)


def main() -> int:
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended then, too
    names = ["direct", *chosen.only]
    document: dict[str, Any] = {"command": shlex.join(sys.argv), "machine": report.machine()}
    parts = [report.preamble(f"python {document['command']}", document["machine"] | tables.settings())]
    with tempfile.TemporaryDirectory(prefix="s3d-bench-", dir=chosen.directory) as directory:
        root = Path(directory)
        with peers.seaweedfs(root / "remote") as remote:
            plan = Plan(remote, root)
            plan.seed(names)
            if "start" not in chosen.skip:
                document["start"] = start_times(
                    [name for name in chosen.only if name in ("s3d", "rclone")],
                    lambda name, path: running(name, remote.url, path),
                    root,
                    count=2 if chosen.quick else 5,
                )
                parts.append(report.start_table(document["start"]))
            if "rows" not in chosen.skip:
                document["rows"] = results = compare(chosen, remote, plan, root)
                parts += [tables.throughput_table(results, names), tables.latency_table(results, names)]
                parts.append(tables.cpu_table(results, names))
            if "memory" not in chosen.skip:
                document["memory"] = measure_memory(chosen, remote, plan, root)
                parts.append(report.memory_table(document["memory"]))
    text = "\n\n".join(parts) + "\n"
    path = report.write(RESULTS, "gateway", document, text)
    print(text)
    print(f"written to {path} and {path.with_suffix('.json')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
