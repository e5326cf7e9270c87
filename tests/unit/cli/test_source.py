"""What `put` reads from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from awscrt.checksums import crc64nvme

from s3d.cli import source
from s3d.cli.errors import Failure
from s3d.cli.source import FileSlice, FileSource, Piece, StreamSource, combine, open_source
from s3d.s3.errors import S3Error


async def content(piece: Piece) -> bytes:
    return piece.body if isinstance(piece.body, bytes) else b"".join([block async for block in piece.body])


async def test_a_file_in_pieces(tmp_path: Path) -> None:
    data = os.urandom(2500)
    path = tmp_path / "f"
    path.write_bytes(data)
    with path.open("rb", buffering=0) as file:
        opened = open_source(file)
        assert isinstance(opened, FileSource)
        assert opened.size == 2500
        pieces = [await opened.read(1000) for _ in range(4)]
        assert [piece.length for piece in pieces] == [1000, 1000, 500, 0]
        for piece in pieces:
            data_of_piece = await content(piece)
            assert piece.crc == crc64nvme(data_of_piece)
            assert await content(piece) == data_of_piece  # a second time
        assert b"".join([await content(piece) for piece in pieces]) == data
        opened.check_unchanged()


async def test_a_file_that_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(1000))
    with path.open("rb", buffering=0) as file:
        opened = FileSource(file)
        piece = await opened.read(500)
        os.truncate(path, 400)
        with pytest.raises(S3Error, match="became shorter"):
            await content(piece)
        with pytest.raises(Failure, match="became shorter"):
            await opened.read(500)
        with pytest.raises(Failure, match="changed"):
            opened.check_unchanged()


@pytest.mark.parametrize("in_memory", [1 << 20, 1])
async def test_a_stream_in_pieces(in_memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_IN_MEMORY", in_memory)
    data = os.urandom(2500)
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    with os.fdopen(read, "rb", buffering=0) as file:
        opened = open_source(file)
        assert isinstance(opened, StreamSource)
        assert opened.size is None
        pieces = [await opened.read(1000) for _ in range(4)]
    assert [piece.length for piece in pieces] == [1000, 1000, 500, 0]
    assert b"".join([await content(piece) for piece in pieces]) == data
    assert [piece.crc for piece in pieces[:3]] == [crc64nvme(data[i : i + 1000]) for i in (0, 1000, 2000)]
    for piece in pieces:
        assert isinstance(piece.body, FileSlice) is (in_memory == 1)
        piece.close()


def test_checksums_combine() -> None:
    data = os.urandom(1000)
    cuts = [data[:1], data[1:500], b"", data[500:]]
    assert combine([(crc64nvme(cut), len(cut)) for cut in cuts]) == crc64nvme(data)
    assert combine([]) == 0
