"""A body that is kept as it passes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from s3d.local.block_files import BLOCK
from s3d.read_cache.tee import Tee


class Pieces:
    """A body that comes in these."""

    def __init__(self, *pieces: bytes) -> None:
        self.length = sum(map(len, pieces))
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (b"a",),
        (b"", b"a", b"", b"b", b""),
        (b"a" * BLOCK, b""),
        (b"", b"a" * (3 * BLOCK + 1), b"b" * BLOCK),
        (b"a" * (1 << 20), b"b" * (1 << 20), b""),
        (b"a" * ((1 << 20) + 7), b"", b"b" * 9),
    ],
)
async def test_all_of_it_is_kept_and_sent(pieces: tuple[bytes, ...]) -> None:
    kept: dict[int, bytes] = {}

    async def keep(block: int, data: bytes) -> None:
        assert data
        assert block not in kept
        kept[block] = data

    tee = Tee(Pieces(*pieces), keep)
    sent = [piece async for piece in tee]
    assert b"".join(sent) == b"".join(pieces)
    assert all(sent)
    assert tee.passed
    whole, at = b"", 0
    for block, data in sorted(kept.items()):
        assert block * BLOCK == at
        whole, at = whole + data, at + len(data)
    assert whole == b"".join(pieces)
