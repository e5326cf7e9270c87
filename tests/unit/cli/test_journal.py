"""The journal of a download: says nothing that is not so."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3d.cli.journal import Journal

IDENTITY = ["etag", 100, 10]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f.s3d-part.journal"


def test_what_was_added_is_there_again(path: Path) -> None:
    with Journal(path, IDENTITY) as journal:
        assert journal.done == set()
        journal.add(3)
        journal.add(11)
    with Journal(path, IDENTITY) as journal:
        assert journal.done == {3, 11}
        journal.add(4)
    with Journal(path, IDENTITY) as journal:
        assert journal.done == {3, 4, 11}


def test_another_object_starts_anew(path: Path) -> None:
    with Journal(path, IDENTITY) as journal:
        journal.add(3)
    with Journal(path, ["other", 100, 10]) as journal:
        assert journal.done == set()
    with Journal(path, IDENTITY) as journal:
        assert journal.done == set()


def test_every_cut_loses_at_most_what_was_cut(path: Path) -> None:
    with Journal(path, IDENTITY) as journal:
        for index in (10, 11, 12):
            journal.add(index)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with Journal(path, IDENTITY) as journal:
            assert journal.done <= {10, 11, 12}
            journal.add(7)
            kept = set(journal.done)
        with Journal(path, IDENTITY) as journal:
            assert journal.done == kept


def test_rubbish_is_no_journal(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\n3.\n")
    with Journal(path, IDENTITY) as journal:
        assert journal.done == set()


def test_restart_forgets(path: Path) -> None:
    with Journal(path, IDENTITY) as journal:
        journal.add(1)
        journal.restart()
        journal.add(2)
    with Journal(path, IDENTITY) as journal:
        assert journal.done == {2}


def test_remove(path: Path) -> None:
    with Journal(path, IDENTITY) as journal:
        journal.remove()
    assert not path.exists()
