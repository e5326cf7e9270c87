"""The tour of `make demo`: every step of it checks what it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import peers

ROOT = Path(__file__).parent.parent.parent


def test_the_tour_goes_to_its_end() -> None:
    command = [sys.executable, ROOT / "tools" / "demo.py"]
    done = subprocess.run(command, env=peers.clean_env(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for words in ("If-None-Match", "503 ServiceUnavailable", "no problems", "both were stopped"):
        assert words in done.stdout
