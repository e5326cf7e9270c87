"""Starts the programs that cut the power."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e.queue_crash.memory import in_memory

_SOURCE = Path(__file__).with_name("unsynced.c")


def compiled(directory: Path) -> Path:
    """The compiled `unsynced.c`."""
    library = directory / "unsynced.so"
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "there is no C compiler: tools/install_system_packages.sh installs one"
    options = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra"]
    subprocess.run([compiler, *options, "-o", library, _SOURCE, "-ldl", "-lpthread"], check=True, timeout=60)
    return library


def cut(program: str, tmp_path: Path, library: Path, cuts: int, *options: str) -> Any:
    """What a program like `e2e.queue_crash.power` reports: the members of a `Report`."""
    seed = os.environ.get("S3D_TEST_CRASH_SEED") or str(random.SystemRandom().randrange(1 << 30))
    print(f"S3D_TEST_CRASH_SEED={seed}")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    with in_memory(tmp_path) as directory:
        command = [sys.executable, program, str(directory), str(library), str(cuts), seed, *options]
        done = subprocess.run(command, capture_output=True, env=env, timeout=1800)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
