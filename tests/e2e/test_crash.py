"""The embedded store loses nothing that it acknowledged, whenever its process ends: docs/crash-table.md.

``S3D_TEST_CRASH_ROUNDS`` sets how often the daemon is killed under load (from 100 on every point is tried in both
modes). The figures are in the test's output.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import peers
import pytest
from e2e import crash_checkpoint, crash_points
from e2e.crash_load import BUCKETS, Client, Found
from e2e.crash_scenarios import SCENARIOS
from e2e.crash_verdict import Verdict

from s3d.standalone.fsck import check

ROUNDS = int(os.environ.get("S3D_TEST_CRASH_ROUNDS", "12"))
_CLIENTS = 8
_ENABLE = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: what a disk may forget is undone by the test itself."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    directory = memory / f"s3d-crash-{os.getpid()}"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


@pytest.mark.peer
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_ended_at_every_point(scenario: str, fast: Path) -> None:
    step = "1" if ROUNDS >= 100 else "2"
    command = [sys.executable, crash_points.__file__, scenario, str(fast), step]
    env = {**os.environ, "PYTHONPATH": str(Path(crash_points.__file__).parent.parent)}
    done = subprocess.run(command, capture_output=True, env=env, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    print(f"{scenario}: {len(report['points'])} points")
    assert report["wrong"] == []
    assert SCENARIOS[scenario].passes <= {point.partition(" ")[2] for point in report["points"]}


@pytest.mark.peer
def test_killed_during_checkpoints(fast: Path) -> None:
    command = [sys.executable, crash_checkpoint.__file__, str(fast / "store"), str(max(ROUNDS, 12))]
    env = {**os.environ, "PYTHONPATH": str(Path(crash_points.__file__).parent.parent)}
    done = subprocess.run(command, capture_output=True, env=env, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == []


@pytest.mark.peer
async def test_killed_under_load(tmp_path: Path) -> None:
    seed = int(os.environ.get("S3D_TEST_CRASH_SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"S3D_TEST_CRASH_SEED={seed}")
    found = Found()
    clients = [Client(number, seed, found) for number in range(_CLIENTS)]
    instant = random.Random(seed)
    for number in range(ROUNDS):
        with peers.s3d("local:", tmp_path / "s3d") as server:
            async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(60)) as http:
                if number == 0:
                    await _make_buckets(http)
                await Verdict(http, found).check(clients)
                async with asyncio.TaskGroup() as group:
                    for client in clients:
                        group.create_task(client.run(http))
                    await asyncio.sleep(instant.uniform(0.02, 0.8))
                    os.kill(server.pid, signal.SIGKILL)
        problems = await asyncio.to_thread(_check_copy, tmp_path)
        assert (found.lost, found.torn, problems) == ([], [], []), f"round {number}"
    with peers.s3d("local:", tmp_path / "s3d") as server:
        async with aiohttp.ClientSession(server.url) as http:
            await Verdict(http, found).check(clients)
    assert (found.lost, found.torn, _check_copy(tmp_path)) == ([], [], [])
    print(
        f"{ROUNDS} rounds, {found.acknowledged} acknowledged and {found.unanswered} unanswered operations, 0 lost, 0 torn"
    )
    assert found.acknowledged > ROUNDS * 10


async def _make_buckets(http: aiohttp.ClientSession) -> None:
    for bucket, versions in BUCKETS.items():
        async with http.put(f"/{bucket}") as response:
            assert response.status == 200
        if versions:
            async with http.put(f"/{bucket}?versioning", data=_ENABLE) as response:
                assert response.status == 200


def _check_copy(directory: Path) -> list[str]:
    """What fsck finds in the store as the crash left it; the original is for the next start."""
    problems: list[str] = []
    store, copy = directory / "s3d" / "local" / "standalone", directory / "copy"
    shutil.copytree(store, copy, copy_function=_link_bodies)
    check(copy, problems.append)
    shutil.rmtree(copy)
    return problems


def _link_bodies(source: str, to: str) -> None:
    """Files of bodies never change, so a copy may be a link; the database does."""
    if Path(source).name.startswith("store.db"):
        shutil.copyfile(source, to)
    else:
        os.link(source, to)
