from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from unit.local.stores import LARGE, MIGRATIONS, file_of, files, md5, opened, put

from s3d.local import examine
from s3d.local.directory import CannotOpen


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    async with opened(tmp_path / "store") as bodies:
        await put(bodies, "small", b"small")
        await put(bodies, "large", LARGE)
    return tmp_path / "store"


@pytest.mark.parametrize(
    ("size", "digest", "data", "said"),
    [
        (3, md5(b"abc"), b"abc", None),
        (0, md5(b""), b"", None),
        (4, md5(b"abc"), b"abc", "has 3 bytes instead of 4"),
        (3, md5(b"abd"), b"abc", "is damaged: its bytes no longer have the MD5 they had"),
        (3, md5(b"abc"), None, "is neither in the database nor in a file, or in both"),
    ],
)
def test_a_row(tmp_path: Path, size: int, digest: bytes, data: bytes | None, said: str | None) -> None:
    assert examine.damage(tmp_path, (size, digest, None, data), []) == said


def test_more_digests(tmp_path: Path) -> None:
    row = (3, md5(b"abc"), None, b"abc")
    good, bad = hashlib.sha1(b"abc").digest(), hashlib.sha1(b"abd").digest()
    assert examine.damage(tmp_path, row, [("SHA1", hashlib.sha1(), good)]) is None
    assert "no longer have the SHA1" in (examine.damage(tmp_path, row, [("SHA1", hashlib.sha1(), bad)]) or "")


async def test_a_file_in_its_place_and_where_a_crash_leaves_it(store: Path) -> None:
    async with opened(store) as bodies:
        name, path = file_of(bodies, "large"), bodies.path(file_of(bodies, "large"))
    row = (len(LARGE), md5(LARGE), name, None)
    assert examine.damage(store, row, []) is None
    moved = path.rename(store / "incoming" / name)
    assert examine.damage(store, row, []) is None
    with examine.database(store / "store.db", len(MIGRATIONS)) as connection:
        assert list(examine.leftovers(store, connection)) == []
    moved.unlink()
    assert examine.damage(store, row, []) == f"is missing (the file {name})"


def test_strays_and_leftovers(store: Path) -> None:
    stray, left = store / "bodies" / "00" / "stray", store / "incoming" / "left"
    stray.parent.mkdir(exist_ok=True)
    for path in (stray, left):
        path.write_bytes(b"x")
    with examine.database(store / "store.db", len(MIGRATIONS)) as connection:
        assert list(examine.strays(store, connection)) == [stray]
        assert list(examine.leftovers(store, connection)) == [left]
    before = files(store)
    examine.remove(stray)
    examine.remove(stray)
    assert len(files(store)) == len(before) - 1


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="there is no store"), examine.database(tmp_path / "store.db", 1):
        pass


def test_a_damaged_page(store: Path) -> None:
    data = bytearray((store / "store.db").read_bytes())
    data[4096 * 2 : 4096 * 2 + 50] = b"\xff" * 50
    (store / "store.db").write_bytes(data)
    with pytest.raises(examine.Damaged), examine.database(store / "store.db", len(MIGRATIONS)):
        pass
