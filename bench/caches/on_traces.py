"""Hit ratios of the servers themselves on traces: by the bytes that they ask the remote for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from caches.launches import running
from contender import request
from hit_ratio.traces import Trace, traces
from job import Job, Prepared
from report import number, table
from rounds import Generator
from signing import signed_head
from slow_link import counting_link

BUCKET = "bench-traces"
NAMES = ("Zipf 1.0, one size", "Zipf 1.0, scans, one size", "Zipf 1.0, drifting, one size")
ROOM = 0.1  # of the bytes of all objects
_CONNECTIONS = 4


def measure(direct: str, round_trip: float, names: list[str], reads: int, load: Generator, root: Path) -> str:
    """The table. ``direct``: the URL of the remote."""
    chosen = [trace for trace in traces(reads) if trace.name in NAMES]
    objects = {key: size for trace in chosen for key, size in trace.sizes.items()}
    body = os.urandom(max(objects.values()))
    request(direct, "PUT", f"/{BUCKET}")
    heads = [signed_head(direct, "PUT", f"/{BUCKET}/{key}", length=size) for key, size in objects.items()]
    puts = [Prepared(head, body[:size]) for head, size in zip(heads, objects.values(), strict=True)]
    assert (wrong := load.run(Job(direct, puts, _CONNECTIONS, once=True)).wrong) is None, wrong
    lines = []
    for index, trace in enumerate(chosen):
        found = [_hits(trace, name, direct, round_trip, load, root / f"trace-{index}-{name}") for name in names]
        lines.append([trace.name, *found])
    return table([f"hits, % of bytes, in % of the room ({ROOM:.0%} of all)", *names], lines)


def _hits(trace: Trace, name: str, direct: str, round_trip: float, load: Generator, directory: Path) -> str:
    """Percent, and how much of its room it uses then; VOID after a wrong answer. What the remote says besides bodies counts
    as a miss."""
    room = int(trace.footprint * ROOM)
    with counting_link(direct, round_trip) as (remote, bytes_received):
        with running(name, remote, directory, room) as (contender, _):
            requests = [
                Prepared(signed_head(contender.url, "GET", f"/{BUCKET}/{key}"), length=trace.sizes[key])
                for key in trace.keys
            ]
            outcome = load.run(Job(contender.url, requests, _CONNECTIONS, once=True))
            used = sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())
        if outcome.wrong is not None:
            print(f"VOID {trace.name}, {name}: {outcome.wrong[:300]}", file=sys.stderr, flush=True)
            return "VOID"
        return f"{number(100 * (1 - bytes_received() / trace.bytes), '.1f')} in {used / room:.0%}"
