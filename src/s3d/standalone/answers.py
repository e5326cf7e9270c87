"""Pieces of answers that several operations share."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache


@lru_cache(4096)
def http_date(seconds: int) -> str:
    """Seconds since 1970 in the form of Last-Modified (RFC 9110 section 5.6.7)."""
    return formatdate(seconds, usegmt=True)


def moment(seconds: int) -> datetime:
    """Seconds since 1970 as the codec writes times from."""
    return datetime.fromtimestamp(seconds, UTC)
