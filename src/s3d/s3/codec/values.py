"""Single values as text: in queries, headers and XML.

Parsers raise ValueError with a sentence that says what was expected. Timestamps are aware and in UTC; whichever of the
two formats a place calls for, both are read there, because clients of all ages send either and S3 takes either.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from s3d.s3 import model

Parse = Callable[[str], Any]
Format = Callable[[Any], str]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LIMITS = {"integer": 2**31 - 1, "long": 2**63 - 1}
_BOOLEANS = {"true": True, "false": False}
_XML_BOOLEANS = {**_BOOLEANS, "1": True, "0": False}  # XML Schema part 2, section 3.2.2


def parse_timestamp(text: str) -> datetime:
    """An HTTP-date in any of its three forms (RFC 9110 section 5.6.7) or ISO 8601; without a zone it is UTC."""
    text = text.strip()
    try:
        time = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError) as error:  # what the library raises on nonsense
        raise ValueError("not a valid date") from error


def format_iso8601(time: datetime) -> str:
    """As S3 writes it in XML: ``2026-01-02T03:04:05.000Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def format_http_date(time: datetime) -> str:
    """IMF-fixdate (RFC 9110 section 5.6.7), whatever the process's locale: ``Fri, 02 Jan 2026 03:04:05 GMT``."""
    utc = time.astimezone(UTC)
    return (
        f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} "
        f"{utc.hour:02}:{utc.minute:02}:{utc.second:02} GMT"
    )


def format_boolean(value: bool) -> str:
    """``true`` or ``false``."""
    return "true" if value else "false"


def http_parser(kind: str) -> Parse | None:
    """Of queries and headers; None for a string, which needs none."""
    if kind == "string":
        return None
    if kind.startswith("[,]"):
        return parse_comma_list
    if kind in _LIMITS:
        return _count_parser(_LIMITS[kind])
    if kind == "boolean":
        return _lookup_parser(_BOOLEANS)
    if kind in ("iso8601", "rfc822"):
        return parse_timestamp
    values = model.enumeration(kind)
    if values is None:
        raise ValueError(f"type {kind} has no place in a query or header")
    return _choice_parser(values)


def http_formatter(kind: str) -> Format | None:
    """Of queries and headers; None for a string."""
    if kind.startswith("[,]"):
        return ",".join
    return _FORMATTERS.get(kind)


def xml_parser(kind: str) -> Parse | None:
    """Of XML; None for a string. Enumerations are open there: the remote judges the values."""
    if kind in _LIMITS:
        return _integer_parser(_LIMITS[kind])
    if kind == "boolean":
        return _lookup_parser(_XML_BOOLEANS)
    return parse_timestamp if kind in ("iso8601", "rfc822") else None


def xml_formatter(kind: str) -> Format | None:
    """Of XML; None for a string."""
    return format_iso8601 if kind == "rfc822" else _FORMATTERS.get(kind)


def parse_comma_list(text: str) -> list[str]:
    """The items of a comma-separated header; empty ones do not count (RFC 9110 section 5.6.1)."""
    return [item for part in text.split(",") if (item := part.strip())]


_FORMATTERS: dict[str, Format] = {
    "integer": str,
    "long": str,
    "boolean": format_boolean,
    "iso8601": format_iso8601,
    "rfc822": format_http_date,
}


def _count_parser(limit: int) -> Parse:
    """Sizes, numbers and counts: no place in a query or header of S3 takes a negative one."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 19):
            raise ValueError("not an integer or not within the integer range")
        value = int(text)
        if value > limit:
            raise ValueError(f"not between 0 and {limit}")
        return value

    return parse


def _integer_parser(limit: int) -> Parse:
    count = _count_parser(limit)

    def parse(text: str) -> int:
        digits = text.strip()
        return -count(digits[1:]) if digits.startswith("-") else count(digits.removeprefix("+"))  # type: ignore[no-any-return]

    return parse


def _lookup_parser(values: dict[str, bool]) -> Parse:
    def parse(text: str) -> bool:
        try:
            return values[text.strip().lower()]
        except KeyError:
            raise ValueError("neither true nor false") from None

    return parse


def _choice_parser(values: tuple[str, ...]) -> Parse:
    """In any case: clients send ``x-amz-checksum-mode: enabled`` (the AWS Common Runtime does), and S3 takes it."""
    by_text = {value.lower(): value for value in values}

    def parse(text: str) -> str:
        value = by_text.get(text.lower())
        if value is None:
            raise ValueError(f"not one of {', '.join(values)}")
        return value

    return parse
