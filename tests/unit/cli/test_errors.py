"""How failures look."""

from __future__ import annotations

import signal

import pytest

from s3d.cli.errors import Failure, Interrupted, Misconfigured, S3Failure, readable


def test_every_line_says_who_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    Misconfigured("one\ntwo").show()
    assert capsys.readouterr().err == "s3d: one\ns3d: two\n"


def test_exit_codes() -> None:
    assert (Failure("x").exit_code, Misconfigured("x").exit_code) == (1, 2)
    assert Interrupted(signal.SIGINT).exit_code == 130


def test_a_key_in_a_message_is_readable() -> None:
    assert (
        S3Failure("Code", "Sentence.", status=404, resource="b/\x1b\udcff😀").message
        == "Code: Sentence. (b/\\x1b\\xff😀)"
    )
    assert readable("é /") == "é /"
