"""Completion scripts, and what they ask for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from s3d.cli.main import VERBS, exit_code


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_command(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["completion", shell]) == 0
    assert f"_S3D_COMPLETE={shell}_complete" in capfd.readouterr().out


def test_verbs_are_completed() -> None:
    env = os.environ | {"_S3D_COMPLETE": "bash_complete", "COMP_WORDS": "s3d ", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "s3d"], capture_output=True, text=True, env=env, check=True)
    assert {line.partition(",")[2] for line in done.stdout.split()} == set(VERBS)


def test_another_shell_is_refused() -> None:
    assert exit_code(["completion", "powershell"]) == 2
