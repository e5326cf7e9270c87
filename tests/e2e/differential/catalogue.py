"""All scenarios."""

from __future__ import annotations

from e2e.differential import buckets, lists, multipart, reads, unusual, writes
from e2e.differential.scenario import Scenario

SCENARIOS: list[Scenario] = [
    scenario for module in (reads, lists, writes, multipart, buckets, unusual) for scenario in module.scenarios()
]
