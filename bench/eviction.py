"""Compares the hit ratios of the read cache's eviction with those of other policies, on traces. Nothing is timed. See
bench/README.md.

python bench/eviction.py --quick     a minute
python bench/eviction.py             five minutes
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for peers, which the report asks

import report
from hit_ratio.policies import POLICIES, Policy
from hit_ratio.product import Product
from hit_ratio.traces import Trace, traces

RESULTS = Path(__file__).resolve().parent / "results"
ROOMS = (0.01, 0.1, 0.3)  # of the bytes of all objects
ALL: dict[str, Callable[[int, Sequence[int]], Policy]] = {"s3d": lambda room, _keys: Product(room), **POLICIES}


def measure(trace: Trace, policy: Policy) -> tuple[float, float]:
    """Hits in percent: of reads, of bytes."""
    hits = hit_bytes = 0
    for key in trace.keys:
        size = trace.sizes[key]
        if policy.read(key, size):
            hits += 1
            hit_bytes += size
    return 100 * hits / len(trace.keys), 100 * hit_bytes / trace.bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the reads")
    parser.add_argument("--reads", type=int, help="per trace; 40000 with --quick, else 200000")
    parser.add_argument("--only", default="", help="only these policies, separated by commas")
    parser.add_argument("--trace", default="", help="only traces whose name contains this")
    chosen = parser.parse_args()
    reads = chosen.reads or (40_000 if chosen.quick else 200_000)
    names = [name for name in ALL if not chosen.only or name in chosen.only.split(",")]
    of_reads, of_bytes, figures = [], [], []
    for trace in traces(reads):
        if chosen.trace not in trace.name:
            continue
        for part in ROOMS:
            room = int(trace.footprint * part)
            found = {name: measure(trace, ALL[name](room, trace.keys)) for name in names}
            figures.append({"trace": trace.name, "room": part, "hits": found})
            head = [trace.name, f"{part:.0%}"]
            of_reads.append([*head, *(f"{found[name][0]:.1f}" for name in names)])
            of_bytes.append([*head, *(f"{found[name][1]:.1f}" for name in names)])
            print(" ".join(of_reads[-1]), file=sys.stderr, flush=True)
    command = f"python {shlex.join(sys.argv)}"
    facts = {"reads per trace": f"{reads:,}", "room": "of the bytes of all objects that are read"}
    document: dict[str, Any] = {"command": command, "figures": figures}
    parts = [
        report.preamble(command, facts),
        report.table(["hits, % of reads", "room", *names], of_reads),
        report.table(["hits, % of bytes", "room", *names], of_bytes),
    ]
    text = "\n\n".join(parts) + "\n"
    path = report.write(RESULTS, "eviction", document, text)
    print(text)
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
