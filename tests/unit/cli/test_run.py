"""``s3d run``: flags from the table of settings, errors of the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from s3d.cli.main import exit_code
from s3d.cli.run import command
from s3d.daemon.settings import SETTINGS


def test_every_setting_is_a_flag_and_in_the_help() -> None:
    flags = {option for parameter in command.params for option in parameter.opts}
    assert flags == {setting.flag for setting in SETTINGS.values()}
    with command.make_context("run", []) as context:
        text = " ".join(command.get_help(context).split())
    for setting in SETTINGS.values():
        assert setting.name in text


def test_what_was_given_reaches_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("s3d.daemon.run.run", lambda config, **_: seen.append(config) or 75)
    monkeypatch.setenv("S3D_DOMAIN", "from.environment")
    monkeypatch.setenv("S3D_LOG_LEVEL", "debug")
    assert exit_code(["run", "--domain", "from.flag"]) == 75
    assert seen[0].server.domains == ("from.flag",)
    assert seen[0].log.level == "debug"


def test_mistakes_are_told_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["run", "--endpoint", "nonsense://", "--log-level", "loud"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("s3d: ") for line in lines)
