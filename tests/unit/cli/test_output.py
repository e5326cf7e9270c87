"""Writing to stdout."""

from __future__ import annotations

import os

import pytest

from s3d.cli import output
from s3d.cli.errors import Interrupted


def test_bytes_of_a_key_come_out_as_they_are(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output.write_line("a\x01\udcff😀")
    output.flush()
    assert capfdbinary.readouterr().out == b"a\x01\xff\xf0\x9f\x98\x80\n"


def test_a_terminal_is_not_steered(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    output.write_line("a\x1b[31m\n\x9b")
    output.flush()
    assert capfdbinary.readouterr().out == b"a\\x1b[31m\\x0a\\x9b\n"


def test_nobody_reads() -> None:
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(Interrupted) as ended:
        output.write_all(write, b"x")
    os.close(write)
    assert ended.value.exit_code == 141


def test_write_all_writes_all() -> None:
    read, write = os.pipe()
    output.write_all(write, b"x" * 60000)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"x" * 60000
