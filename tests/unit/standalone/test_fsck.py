"""fsck reads every byte, finds what belongs to nothing, reports nothing else, and its repair does no harm."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from unit.standalone import whole
from unit.standalone.whole import database, file_of, files, found

from s3d.local.directory import CannotOpen, DirectoryInUse, Lock

original, store = whole.original, whole.store


def test_a_whole_store(store: Path) -> None:
    before = files(store)
    assert found(store) == []
    assert found(store, repair=True) == []
    assert files(store) == before


@pytest.mark.parametrize("damage", ["flipped", "short", "long", "missing"])
def test_a_damaged_body(store: Path, damage: str) -> None:
    """It is named for each that has it, with what can be done, and repair leaves it alone."""
    file = file_of(store, "large")
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"flipped": b"?" + data[1:], "short": data[:-1], "long": data + b"?"}[damage])
    problems = found(store)
    assert [text.partition(":")[0] for text in sorted(problems)] == [
        "version null of 'copy' in bucket 'plain'",
        "version null of 'large' in bucket 'plain'",
    ]
    said = {
        "flipped": "no longer have the MD5",
        "short": "has 200004 bytes instead of 200005",
        "long": "has 200006 bytes",
    }
    for text in problems:
        assert said.get(damage, "is missing") in text
        assert file.name in text
        assert text.endswith("; put the object again or delete it")
    left = files(store)
    assert found(store, repair=True) == problems
    assert files(store) == left


def test_a_damaged_version_and_a_damaged_part(store: Path) -> None:
    with database(store) as connection:
        query = "SELECT file FROM body JOIN {} t ON t.body = body.id WHERE file IS NOT NULL AND {}"
        version, seq = connection.execute(
            "SELECT version, seq FROM noncurrent WHERE size > 1000 AND version NOT NULL"
        ).fetchone()
        names = [
            connection.execute(query.format("noncurrent", f"seq = {seq}")).fetchone()[0],
            connection.execute(query.format("part", "upload = (SELECT id FROM upload)")).fetchone()[0],
        ]
    for name in names:
        (store / "bodies" / name[:2] / name).write_bytes(b"?")
    first, second = found(store)
    assert first.startswith(f"version {version} of 'key'")
    assert first.endswith(f"; delete this version (versionId={version})")
    assert second.startswith("part 7 of upload ")
    assert second.endswith("; upload the part again or abort the upload")


def test_a_file_that_cannot_be_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(store, "large")
    real = Path.open

    def fails(self: Path, *args: Any) -> Any:
        if self == file:
            raise OSError(5, "Input/output error")
        return real(self, *args)

    monkeypatch.setattr(Path, "open", fails)
    assert all(f"cannot be read (the file {file.name}: Input/output error)" in text for text in found(store))
    assert len(found(store)) == 2


def test_a_file_that_belongs_to_nothing(store: Path) -> None:
    stray = store / "bodies" / "ab" / ("ab" * 16)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")
    assert found(store) == [f"the file {stray} belongs to no object"]
    before = files(store)
    assert found(store, repair=True)[-1] == f"the file {stray} was removed"
    assert files(store) == [path for path in before if path != stray]
    assert found(store) == []


def test_what_the_next_start_removes_is_no_problem(store: Path) -> None:
    """An unfinished write, a file in the trash, a file not yet in its place."""
    (store / "incoming" / "unfinished").write_bytes(b"x")
    trash = store / "bodies" / "cd" / "cdef"
    trash.parent.mkdir(exist_ok=True)
    trash.write_bytes(b"x")
    with database(store) as connection:
        connection.execute("INSERT INTO trash VALUES ('cdef')")
    file = file_of(store, "large")
    moved = file.rename(store / "incoming" / file.name)
    assert found(store) == []
    assert found(store, repair=True) == [
        f"the file {store / 'incoming' / 'unfinished'} was removed",
        f"the file {trash} was removed",
    ]
    assert moved.exists()
    with database(store) as connection:
        assert connection.execute("SELECT count(*) FROM trash").fetchone() == (0,)


def test_a_damaged_database(store: Path) -> None:
    data = bytearray((store / "store.db").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    (store / "store.db").write_bytes(data)
    before = files(store)
    reported = found(store, repair=True)
    assert reported
    assert all(text.startswith(f"the database {store / 'store.db'} is damaged (") for text in reported)
    assert files(store) == before


def test_what_is_no_database(store: Path) -> None:
    (store / "store.db").write_bytes(b"no database" * 1000)
    assert found(store) == [
        f"the database {store / 'store.db'} is damaged (file is not a database): restore it, nothing was repaired"
    ]


def test_a_store_in_use(store: Path) -> None:
    lock = Lock(store)
    lock.take()
    with pytest.raises(DirectoryInUse):
        found(store)
    lock.release()
    assert found(store) == []


@pytest.mark.parametrize("name", ["", "absent"])
def test_no_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotOpen, match="there is no store in"):
        found(tmp_path / name)
    assert not (tmp_path / name / "store.db").exists()


def test_a_store_of_another_version(store: Path) -> None:
    with database(store) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CannotOpen, match="later version"):
        found(store)


def test_a_first_start_that_did_not_end(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    assert found(tmp_path) == []


def test_a_directory_without_a_store_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="there is no store in"):
        found(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_looked_at_is_not_called_damaged(store: Path) -> None:
    """Another program has the database: nobody shall restore a backup for that."""
    with contextlib.closing(sqlite3.connect(store / "store.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CannotOpen, match="cannot be used now"):
            found(store)
    assert found(store) == []


def test_a_lock_that_cannot_be_taken(store: Path) -> None:
    (store / "lock").unlink()
    (store / "lock").mkdir()
    with pytest.raises(CannotOpen, match="Is a directory"):
        found(store)
