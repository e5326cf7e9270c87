"""Byte ranges as S3 reads them (RFC 9110 section 14). Pure functions."""

from __future__ import annotations

import re

from s3d.s3.errors import S3Error

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_FAR = 1 << 64
"""Behind every byte. What has more digits is that, too: Python reads no more than 4,300 of them."""


def byte_range(value: str | None, size: int) -> tuple[int, int] | None:
    """Offset and length that a Range names in ``size`` bytes; None for all of them, which is also what S3 makes of a
    malformed range and of several. Raises InvalidRange when none of the bytes is in it."""
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - _position(last), 0), size
    else:
        if last and _position(last) < _position(first):
            return None
        start, end = _position(first), min(_position(last) + 1, size) if last else size
    if start >= end:
        raise S3Error("InvalidRange", elements={"RangeRequested": value or "", "ActualObjectSize": str(size)})
    return start, end - start


def edges(value: str | None) -> tuple[int | None, int | None] | None:
    """First and last byte that a Range names, when the size is not known; (None, n) are the last n bytes. None: all."""
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = (_position(digits) if digits else None for digits in match.groups())
    if first is not None and last is not None and last < first:
        return None
    return first, last


def copy_range(value: str, size: int) -> tuple[int, int]:
    """Offset and length of ``x-amz-copy-source-range``, which must be ``bytes=first-last`` inside the source. Raises
    InvalidArgument for another form, InvalidRange for one beyond the source."""
    match = _RANGE.fullmatch(value)
    if match is None or "" in match.groups() or _position(match[2]) < _position(match[1]):
        message = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        elements = {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": value}
        raise S3Error("InvalidArgument", message, elements=elements)
    first, last = _position(match[1]), _position(match[2])
    if last >= size:
        message = f"Range specified is not valid for source object of size: {size}"
        elements = {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": value}
        raise S3Error("InvalidArgument", message, elements=elements)
    return first, last - first + 1


def _position(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) < 20 else _FAR
