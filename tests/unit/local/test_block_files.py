"""Files in blocks: checksums tell what is damaged; what nobody knows goes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from s3d.local.block_files import BLOCK, BlockFiles, blocks_of, checksum, damaged_blocks, write_blocks

DATA = os.urandom(3 * BLOCK + 7)


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[int]:
    found = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield found
    os.close(found)


@pytest.mark.parametrize(("size", "blocks"), [(0, 0), (1, 1), (BLOCK, 1), (BLOCK + 1, 2), (2 * BLOCK, 2)])
def test_blocks_of(size: int, blocks: int) -> None:
    assert blocks_of(size) == blocks


def test_crc_32c() -> None:
    assert checksum(b"123456789") == 0xE3069283  # the check value of the CRC catalogue


@pytest.mark.parametrize("size", [1, BLOCK, 2 * BLOCK, len(DATA)])
def test_what_was_written_is_whole(handle: int, size: int) -> None:
    crcs = write_blocks(handle, 5, DATA[:size])
    assert len(crcs) == blocks_of(size)
    assert os.pread(handle, size + 1, 5 * BLOCK) == DATA[:size]
    assert damaged_blocks(handle, 5, 5 * BLOCK + size, crcs) == []


def test_damaged_ones_are_named(handle: int) -> None:
    crcs = write_blocks(handle, 2, DATA)
    os.pwrite(handle, bytes([DATA[BLOCK + 9] ^ 1]), 3 * BLOCK + 9)
    os.ftruncate(handle, 2 * BLOCK + len(DATA) - 1)
    assert damaged_blocks(handle, 2, 2 * BLOCK + len(DATA), crcs) == [3, 5]


def test_what_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        assert damaged_blocks(directory, 0, 2 * BLOCK, [0, 0]) == [0, 1]
    finally:
        os.close(directory)


def test_a_short_write_goes_on(handle: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:1000], offset))
    crcs = write_blocks(handle, 0, DATA)
    monkeypatch.undo()
    assert damaged_blocks(handle, 0, len(DATA), crcs) == []


async def test_unknown_files_go(tmp_path: Path) -> None:
    before = BlockFiles(tmp_path / "blocks")
    before.open()
    names = []
    for _ in range(3):
        name, descriptor = before.create()
        os.close(descriptor)
        names.append(name)
    files = BlockFiles(tmp_path / "blocks")
    files.open()
    new, descriptor = files.create()
    os.close(descriptor)
    theirs = tmp_path / "blocks" / "00" / "theirs"
    theirs.parent.mkdir(exist_ok=True)
    theirs.touch()

    def known(asked: Sequence[str]) -> set[str]:
        return set(asked) & {names[0]}

    assert await files.remove_unknown(known) == 2
    left = {path.name for path in (tmp_path / "blocks").glob("*/*")}
    assert left == {names[0], new, "theirs"}


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    files = BlockFiles(tmp_path / "blocks")
    files.open()
    files.remove("00" * 16)
    with pytest.raises(FileNotFoundError):
        files.reopen("00" * 16)
