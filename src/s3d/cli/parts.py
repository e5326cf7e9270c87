"""Cutting an object into parts: sizes that keep within S3's limits. Pure.

Source: "Amazon S3 multipart upload limits" in the User Guide.
"""

from __future__ import annotations

MIB = 1 << 20
MAX_PARTS = 10_000
MIN_PART = 5 * MIB
"""Of all parts but the last."""
MAX_PART = 5 << 30
DEFAULT_PART = 16 * MIB

_DOUBLE_EVERY = 1_000  # parts of a stream: sixteen MiB become 16 TiB in 10,000 parts, 156 GiB pass before they double


def size_for_file(total: int, wanted: int) -> int:
    """The part size for ``total`` bytes: ``wanted``, or as many whole MiB as 10,000 parts need."""
    needed = -(-total // MAX_PARTS)
    return wanted if wanted >= needed else -(-needed // MIB) * MIB


def size_in_stream(number: int, wanted: int) -> int:
    """The size of part ``number`` (from 1) of a stream whose end is not known: doubles every 1,000 parts."""
    return min(wanted << ((number - 1) // _DOUBLE_EVERY), MAX_PART)


def ranges(total: int, size: int) -> list[tuple[int, int]]:
    """``total`` bytes as (offset, length) pieces of ``size``, the last one shorter."""
    return [(offset, min(size, total - offset)) for offset in range(0, total, size)]
