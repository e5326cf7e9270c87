"""Resident memory of a server: idle and under load."""

from __future__ import annotations

import sys
import time
from typing import Any

import procfs
from contender import Contender
from rounds import Generator, Plan
from row import KIB, MIB, Row

_LOAD = (
    ("16 x 4 KiB", Row("GET", 4 * KIB, 16), Row("PUT", 4 * KIB, 16)),
    ("16 x 1 MiB", Row("GET", MIB, 16), Row("PUT", MIB, 16)),
    ("4 x 100 MiB", Row("GET", 100 * MIB, 4), Row("PUT", 100 * MIB, 4)),
    ("16 x LIST", Row("LIST", 0, 16, label="LIST")),
)


def entry(name: str, stage: str, size: int, note: str = "") -> dict[str, Any]:
    """One line of the result: ``contender``, ``stage``, ``resident_mb`` (10**6 bytes), ``note``."""
    print(f"memory: {name}, {stage}: {size / 1e6:.1f} MB {note}", file=sys.stderr, flush=True)
    return {"contender": name, "stage": stage, "resident_mb": size / 1e6, "note": note}


def settled(name: str, stage: str, contender: Contender) -> dict[str, Any]:
    """What it uses two seconds after its last request."""
    time.sleep(2)
    return entry(name, stage, procfs.resident_bytes(contender.pid), "not a peak: 2 s after the last request")


def under_load(contender: Contender, plan: Plan, load: Generator, *, scale: float) -> list[dict[str, Any]]:
    """The peak in each kind of load that it can do."""
    entries = []
    for stage, *rows in _LOAD:
        notes = []
        with procfs.PeakSampler(contender.pid) as sampler:
            for row in rows:
                outcome = plan.measure(row, contender, load, scale)
                if outcome is None:
                    notes.append(f"without {row.operation}")
                elif outcome.wrong:
                    notes.append(f"{row.name}: {outcome.wrong}")
        if len(notes) < len(rows):
            entries.append(entry(contender.name, stage, sampler.peak, "; ".join(notes)))
    return entries
