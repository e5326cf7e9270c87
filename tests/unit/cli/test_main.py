"""The entry point: what the help costs, which verbs there are, and exit codes."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys

import click
import pytest

from s3d.cli import main
from s3d.cli.errors import Failure, Interrupted

HEAVY = ("aiohttp", "asyncio", "awscrt", "botocore", "multidict", "rich", "sqlite3", "uvloop", "urllib.request")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["ls", "--help"], ["get", "--help"], ["run", "--help"], ["fsck", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom s3d.cli.main import exit_code\n"
        f"assert exit_code({arguments!r}) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = done.stderr.strip()
    # The settings of `run` are read by values.py, which may know asyncio, but none of the libraries.
    assert heavy == "[]", heavy


@pytest.mark.parametrize("name", main.VERBS)
def test_each_verb_is_in_its_file_and_says_what_the_table_says(name: str) -> None:
    command = importlib.import_module(f"s3d.cli.{name}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert (command.help or "").split("\n\n")[0].replace("\n", " ") == main.VERBS[name]


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["get"], ["get", "bucket"], ["ls", "/x"], ["rm", "--no-such-flag"], []]
)
def test_usage_errors_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.exit_code(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Failure("no luck"), 1, "s3d: no luck\n"),
        (Interrupted(signal.SIGTERM), 143, ""),
        (KeyboardInterrupt(), 130, "\n"),
        (OSError(28, "No space left on device"), 1, "s3d: [Errno 28] No space left on device\n"),
    ],
)
def test_what_happens_becomes_an_exit_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(main.Verbs, "get_command", lambda *_: click.Command("boom", callback=fail))
    assert main.exit_code(["boom"]) == code
    assert capfd.readouterr().err == message


def test_a_number_that_a_verb_returns_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main.Verbs, "get_command", lambda *_: click.Command("five", callback=lambda: 5))
    with pytest.raises(SystemExit) as ended:
        main.main(["five"])
    assert ended.value.code == 5
