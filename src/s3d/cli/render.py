"""How sizes, times, listings and documents look to a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: int) -> str:
    """``512 B``, ``1.5 KiB``: at most four digits."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def time(moment: datetime | None) -> str:
    """Local time to the second, 19 columns; blank when unknown."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else " " * 19


def bucket_line(bucket: Mapping[str, Any]) -> str:
    """One bucket: when it was made and its name, in the columns of ``aws s3 ls``."""
    return f"{time(bucket.get('CreationDate'))} {bucket['Name']}"


def prefix_line(name: str) -> str:
    """One common prefix, in the columns of ``aws s3 ls``."""
    return f"{'PRE':>30} {name}"


def object_line(entry: Mapping[str, Any], name: str, *, human: bool) -> str:
    """One object: when it was written, bytes, name, in the columns of ``aws s3 ls``."""
    count = entry.get("Size", 0)
    return f"{time(entry.get('LastModified'))} {size(count) if human else count:>10} {name}"


def document_lines(document: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A JSON document as indented ``name: value`` lines."""
    width = max((len(name) for name, value in document.items() if not _is_nested(value)), default=0)
    for name, value in document.items():
        if not _is_nested(value):
            yield f"{indent}{name + ':':<{width + 1}} {_plain(name, value)}"
            continue
        yield f"{indent}{name}:"
        if isinstance(value, dict):
            yield from document_lines(value, indent + "  ")
        else:
            yield from (f"{indent}  - {item}" for item in value)


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _plain(name: str, value: Any) -> str:
    """The names say the units, as in the metrics: ``_bytes``; ``since`` is in seconds of the epoch."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return time(value)
    if name.endswith("_bytes") and isinstance(value, int):
        return size(value)
    if name.endswith("since") and isinstance(value, int | float):
        return time(datetime.fromtimestamp(value).astimezone())
    if value is None:
        return "-"
    return "none" if value in ([], {}) else str(value)
