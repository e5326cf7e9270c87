"""The progress bar."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

PROGRAM = """
import sys
from s3d.cli import progress
with progress.bar("bucket/k[bold]", 100) as advance:
    advance(50)
print("rich" in sys.modules)
"""


def test_no_terminal_no_bar_no_rich() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_terminal_shows_it() -> None:
    ours, theirs = pty.openpty()
    try:
        env = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=theirs, env=env, check=True
        )
        assert done.stdout == b"True\n"
        assert b"bucket/k[bold]" in os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
