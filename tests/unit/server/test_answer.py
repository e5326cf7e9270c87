"""Writing answers. Most of it is in tests/wire/golden.py; here are bodies that come from files."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO

import pytest
from multidict import CIMultiDict
from wire.rig import DATE, Broken, Client, Recorder, connected, head, serving

from s3d.s3.message import FileRange, S3Request, S3Response


class Files:
    """A Backend that answers with a part of a file."""

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self._path, self._offset, self._length = path, offset, length
        self.opened: list[BinaryIO] = []

    async def __call__(self, request: S3Request) -> S3Response:
        file = self._path.open("rb")
        self.opened.append(file)
        return S3Response(200, CIMultiDict({"Date": DATE}), FileRange(file, self._offset, self._length))


async def ask(client: Client, method: str = "GET") -> bytes:
    client.send(head(f"{method} /bucket/key"))
    return (await client.answer(method)).body


@pytest.mark.parametrize(("offset", "length"), [(0, 1_000_000), (5, 300_000), (999_999, 1), (7, 0)])
async def test_a_part_of_a_file(offset: int, length: int, tmp_path: Path) -> None:
    data = os.urandom(1_000_000)
    (tmp_path / "body").write_bytes(data)
    backend = Files(tmp_path / "body", offset, length)
    async with serving(backend) as server, connected(server.port) as client:
        for _ in range(2):
            assert await ask(client) == data[offset : offset + length]
    assert all(file.closed for file in backend.opened)


async def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    """The client cannot take what it got for the whole."""
    (tmp_path / "body").write_bytes(b"short")
    backend = Files(tmp_path / "body", 0, 1000)
    async with serving(backend) as server, connected(server.port) as client:
        with pytest.raises(Broken):
            await ask(client)
    assert backend.opened[0].closed


@pytest.mark.parametrize("said", [3, 9])
async def test_a_stream_that_has_not_its_length(said: int, caplog: pytest.LogCaptureFixture) -> None:
    """A defect of the Backend ends the connection: the next answer must not become a part of this one."""

    async def body() -> AsyncGenerator[bytes, None]:
        yield b"hello"

    async def backend(request: S3Request) -> S3Response:
        return S3Response(200, CIMultiDict({"Content-Length": str(said)}), body())

    async with serving(backend) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key") * 2)
        assert (await client.closed()).count(b"HTTP/1.1") == 1
    assert "an answer broke off" in [record.getMessage() for record in caplog.records]


async def test_a_date_is_added_where_none_is() -> None:
    async def backend(request: S3Request) -> S3Response:
        return S3Response(200)

    async with serving(backend) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        answer = await client.answer()
        assert answer.headers["Date"].endswith(" GMT")
        assert answer.headers["Content-Length"] == "0"


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\rb", "a\nb"])
async def test_a_header_that_would_be_two_breaks_the_answer_off(value: str) -> None:
    def answers(request: S3Request, body: bytes) -> S3Response:
        return S3Response(200, CIMultiDict({"x-a": value}), b"hello")

    async with serving(Recorder(answers)) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        assert await client.closed() == b""
