"""The read cache answers right after its process was ended or the power went, wherever that was: docs/read-cache.md.

``S3D_TEST_CACHE_CRASH_ROUNDS`` from 100 on: all points are tried, not only some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.cache_crash import points
from e2e.cache_crash.scenarios import SCENARIOS
from e2e.queue_crash.memory import in_memory

STEP = 1 if int(os.environ.get("S3D_TEST_CACHE_CRASH_ROUNDS", "5")) >= 100 else 101


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """The machine goes on, so nothing need be synced."""
    with in_memory(tmp_path) as directory:
        yield directory


@pytest.mark.peer
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_ended_at_every_point(scenario: str, fast: Path) -> None:
    command = [sys.executable, points.__file__, scenario, str(fast), str(STEP)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(points.__file__).parents[2]), *sys.path])}
    done = subprocess.run(command, capture_output=True, env=env, timeout=900)
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    print(f"{scenario}: {len(report['points'])} points")
    assert report["wrong"] == []
    assert SCENARIOS[scenario].passes <= set(report["points"])
