from __future__ import annotations

import pytest

from s3d.s3.errors import S3Error
from s3d.standalone.ranges import byte_range, copy_range


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9", (0, 10)),
        ("bytes=0-10", (0, 10)),
        ("bytes=9-99", (9, 1)),
        ("bytes=3-", (3, 7)),
        ("bytes=-1", (9, 1)),
        ("bytes=-10", (0, 10)),
        ("bytes=-99", (0, 10)),
        (" bytes=1-2 ", (1, 2)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=2-1", None),
        ("bytes=99-1", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=\u0661-\u0662", None),
        ("bytes= 0-1", None),
    ],
)
def test_of_ten_bytes(value: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(value, 10) == expected


@pytest.mark.parametrize(("value", "size"), [("bytes=10-", 10), ("bytes=10-11", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_none_of_the_bytes(value: str, size: int) -> None:
    with pytest.raises(S3Error, match="InvalidRange") as raised:
        byte_range(value, size)
    assert raised.value.elements == {"RangeRequested": value, "ActualObjectSize": str(size)}


def test_every_range_of_a_few_bytes_is_what_a_slice_gives() -> None:
    data = b"abcde"
    for first in range(5):
        for last in range(first, 8):
            found = byte_range(f"bytes={first}-{last}", len(data))
            assert found is not None
            assert data[found[0] : sum(found)] == data[first : last + 1]


def test_of_a_copy() -> None:
    assert copy_range("bytes=0-9", 10) == (0, 10)
    assert copy_range("bytes=3-3", 10) == (3, 1)


@pytest.mark.parametrize("value", ["bytes=0-10", "bytes=10-12"])
def test_of_a_copy_beyond_the_source(value: str) -> None:
    with pytest.raises(S3Error):
        copy_range(value, 10)


@pytest.mark.parametrize("value", ["", "bytes=-1", "bytes=1-", "bytes=2-1", "0-1", "bytes=0-1,2-3"])
def test_of_a_copy_malformed(value: str) -> None:
    with pytest.raises(S3Error, match="InvalidArgument"):
        copy_range(value, 10)


@pytest.mark.parametrize("digits", [30, 4300, 5000, 16000])
def test_numbers_of_any_length(digits: int) -> None:
    far = "9" * digits
    assert byte_range(f"bytes=3-{far}", 10) == (3, 7)
    assert byte_range(f"bytes=-{far}", 10) == (0, 10)
    assert byte_range(f"bytes={'0' * digits}3-{'0' * digits}4", 10) == (3, 2)
    for value in (f"bytes={far}-", f"bytes={far}-{far}"):
        with pytest.raises(S3Error, match="InvalidRange"):
            byte_range(value, 10)
    with pytest.raises(S3Error, match="InvalidArgument"):
        copy_range(f"bytes=0-{far}", 10)
