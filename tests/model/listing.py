"""Pages of keys in UTF-8 byte order, with prefix and delimiter. Pure functions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from s3d.s3.errors import S3Error
from s3d.s3.uri import quote_path


@dataclass
class Page:
    keys: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""
    """The last key or common prefix of the page: the next page begins after it."""


def in_bytes(key: str) -> bytes:
    """What keys are ordered by."""
    return key.encode("utf-8", "surrogateescape")


def page(
    keys: Iterable[str], *, prefix: str, delimiter: str, after: str, limit: int, marker: str | None = None
) -> Page:
    """``after``: only keys behind it, and not the common prefix that it is itself (or that ``marker`` is). ``limit``
    counts keys and prefixes; with 0 the page is empty and not truncated."""
    seen = after if marker is None else marker
    found = Page()
    for key in sorted(keys, key=in_bytes):
        if not key.startswith(prefix) or in_bytes(key) <= in_bytes(after):
            continue
        group = common_prefix(key, prefix, delimiter)
        if group is not None and (group == seen or group in found.prefixes[-1:]):
            continue
        if len(found.keys) + len(found.prefixes) >= limit:
            found.truncated = limit > 0
            break
        (found.keys if group is None else found.prefixes).append(key if group is None else group)
        found.last = key if group is None else group
    return found


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """The part of the key up to and with the first delimiter behind the prefix."""
    position = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if position < 0 else key[: position + len(delimiter)]


def limit_of(value: int | None, name: str) -> int:
    """A page size: 1000 at most and if nothing is asked for."""
    if value is not None and value < 0:
        raise S3Error("InvalidArgument", f"Argument {name} must be an integer between 0 and 2147483647")
    return 1000 if value is None else min(value, 1000)


def token(last: str) -> str:
    return base64.urlsafe_b64encode(b"\x01" + in_bytes(last)).decode()


def from_token(text: str) -> str:
    """Raises InvalidArgument unless the text came from `token`."""
    try:
        raw = base64.urlsafe_b64decode(text.encode())
    except (binascii.Error, ValueError):
        raw = b""
    if raw[:1] != b"\x01":
        elements = {"ArgumentName": "continuation-token", "ArgumentValue": text}
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect", elements=elements)
    return raw[1:].decode("utf-8", "surrogateescape")


def encoder(encoding: str | None) -> Callable[[str], str]:
    """How keys are written in the answer: ``url`` for those that XML 1.0 cannot hold."""
    if encoding not in (None, "url"):
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request")
    return quote_path if encoding else str
