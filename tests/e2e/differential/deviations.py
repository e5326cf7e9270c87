"""Where an answer through s3d may differ from the remote's own, and why.

Each entry names the remote (``*``: every one), the scenario (a shell pattern), the step (None: every step of it) and the
parts that differ. The test demands exactly these differences: a deviation that is gone must be taken out of here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Deviation:
    remote: str
    scenario: str
    step: int | None
    parts: frozenset[str]
    reason: str


def _deviation(remote: str, scenario: str, step: int | None, parts: str, reason: str) -> Deviation:
    return Deviation(remote, scenario, step, frozenset(parts.split()), reason)


DEVIATIONS: list[Deviation] = []


def expected(remote: str, scenario: str, step: int) -> Deviation | None:
    """The deviation recorded for this step."""
    for entry in DEVIATIONS:
        if entry.remote in ("*", remote) and fnmatchcase(scenario, entry.scenario) and entry.step in (None, step):
            return entry
    return None
