"""Cutting objects into parts: within S3's limits, whatever the size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from s3d.cli.parts import DEFAULT_PART, MAX_PART, MAX_PARTS, MIB, MIN_PART, ranges, size_for_file, size_in_stream

SIZES = st.integers(MIN_PART, MAX_PART)


@given(st.integers(0, MAX_PART * MAX_PARTS), SIZES)
def test_a_file_fits_into_the_parts(total: int, wanted: int) -> None:
    size = size_for_file(total, wanted)
    assert size * MAX_PARTS >= total
    assert wanted <= size <= MAX_PART
    assert size == wanted or size - MIB < -(-total // MAX_PARTS)  # no larger than needed


def test_a_stream_reaches_five_tebibytes() -> None:
    sizes = [size_in_stream(number, DEFAULT_PART) for number in range(1, MAX_PARTS + 1)]
    assert sum(sizes) >= 5 << 40
    assert sizes == sorted(sizes)
    assert set(sizes[:1000]) == {DEFAULT_PART}
    assert sizes[1000] == 2 * DEFAULT_PART
    assert max(sizes) <= MAX_PART


@given(st.integers(0, 10**6), st.integers(1, 10**5).filter(lambda size: size > 100))
def test_ranges_cover_everything_once(total: int, size: int) -> None:
    position = 0
    for offset, length in ranges(total, size):
        assert offset == position
        assert 0 < length <= size
        position += length
    assert position == total
