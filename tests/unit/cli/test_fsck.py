"""``s3d fsck``: which directory, which exit code, what is printed. The check itself is s3d.standalone's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from s3d.cli.main import exit_code
from s3d.local.directory import CannotOpen, DirectoryInUse

Report = Callable[[str], None]


class Check:
    """Stands in for the check: reports these problems, or raises."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.error: CannotOpen | None = None
        self.calls: list[tuple[Path, bool]] = []

    def __call__(self, directory: Path, report: Report, *, repair: bool = False) -> int:
        self.calls.append((directory, repair))
        if self.error is not None:
            raise self.error
        for problem in self.problems:
            report(problem)
        return len(self.problems)


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    stand_in = Check()
    module = ModuleType("s3d.standalone.fsck")
    module.check = stand_in  # type: ignore[attr-defined]  # a module made of one function
    monkeypatch.setitem(sys.modules, "s3d.standalone.fsck", module)
    for name in ("S3_ENDPOINT", "S3D_LOCAL_DIR", "S3D_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return stand_in


def test_nothing_found_is_0(check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["fsck", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", f"{tmp_path}: no problems\n")
    assert check.calls == [(tmp_path, False)]


def test_problems_are_1_and_a_line_each(check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check.problems = ["the first.", "of a\nkey.", "third \udcff"]
    assert exit_code(["fsck", "--repair", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == ["the first.", "of a\\x0akey.", "third \\xff"]
    assert err == f"{tmp_path}: 3 problems\n"
    assert check.calls == [(tmp_path, True)]
    check.problems = ["one."]
    assert exit_code(["fsck", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{tmp_path}: 1 problem\n"


@pytest.mark.parametrize("error", [CannotOpen("it is none"), DirectoryInUse("it is in use")])
def test_what_cannot_be_checked_is_2(
    check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: CannotOpen
) -> None:
    check.error = error
    assert exit_code(["fsck", str(tmp_path)]) == 2
    assert capsys.readouterr() == ("", f"s3d: {error}\n")


def test_a_directory_that_is_not_there_is_2_and_is_not_made(
    check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["fsck", str(tmp_path / "none")]) == 2
    assert (
        capsys.readouterr().err == f"s3d: There is no directory {tmp_path / 'none'}: name the directory of a store.\n"
    )
    assert (check.calls, list(tmp_path.iterdir())) == ([], [])


def test_without_a_directory_it_is_the_one_of_the_settings(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("S3D_LOCAL_DIR", str(tmp_path))
    assert exit_code(["fsck"]) == 2
    (tmp_path / "standalone").mkdir()
    assert exit_code(["fsck"]) == 0
    monkeypatch.setenv("S3_ENDPOINT", f"local:{tmp_path}")
    assert exit_code(["fsck"]) == 0
    assert [directory for directory, _ in check.calls] == [tmp_path / "standalone", tmp_path]
    monkeypatch.setenv("S3_ENDPOINT", "nonsense")
    assert exit_code(["fsck"]) == 2
    assert "S3_ENDPOINT is 'nonsense'" in capsys.readouterr().err
