"""What is put: the thread that writes it, and who has the descriptor afterwards."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
from conformance.calling import call
from unit.read_cache.caching import BLOCK, BUCKET, caching

from s3d.local import block_files


async def test_a_put_that_is_cancelled_writes_to_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, begun, ended = threading.Event(), threading.Event(), threading.Event()
    write = block_files.write_blocks

    def slow(handle: int, first: int, data: bytes) -> list[int]:
        begun.set()
        go.wait(10)
        try:
            return write(handle, first, data)
        finally:
            ended.set()

    monkeypatch.setattr(block_files, "write_blocks", slow)
    async with caching(tmp_path / "cache") as it:
        putting = call(it.cache, "PutObject", {"Bucket": BUCKET, "Key": "k"}, os.urandom(5 * BLOCK))
        task = asyncio.get_running_loop().create_task(putting)
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        others = [(tmp_path / f"other{number}").open("w+b") for number in range(4)]
        go.set()
        await asyncio.to_thread(ended.wait, 10)
        await asyncio.gather(task, return_exceptions=True)
        sizes = [os.fstat(other.fileno()).st_size for other in others]
        for other in others:
            other.close()
        assert sizes == [0, 0, 0, 0]
