"""Percent-encoding as S3 and Signature Version 4 use it, without loss: keys are opaque bytes.

Text here is UTF-8 with surrogates for bytes that are not (PEP 383), so ``quote(unquote(x))`` names the same bytes as x.
"""

from __future__ import annotations

from urllib.parse import quote_from_bytes, unquote_to_bytes

_UNRESERVED = "-._~"  # RFC 3986 section 2.3, with the letters and digits that the library never quotes


def unquote(text: str) -> str:
    """Percent-decodes a path. ``+`` stays: it means a space in a query only."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def quote_path(path: str) -> str:
    """Encodes a key or path for a URL and the canonical request: everything but unreserved characters and ``/``."""
    return quote_from_bytes(path.encode("utf-8", "surrogateescape"), safe="/" + _UNRESERVED)


def quote(text: str) -> str:
    """Encodes one query name or value for a URL and for the canonical request: everything but unreserved characters."""
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe=_UNRESERVED)


def parse_query(text: str) -> list[tuple[str, str]]:
    """Decoded parameters in order; ``+`` is a space (HTML forms); a name without ``=`` has the value ``""``."""
    if not text:
        return []
    pairs: list[tuple[str, str]] = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote(name.replace("+", " ")), unquote(value.replace("+", " "))))
    return pairs


def format_query(pairs: list[tuple[str, str]]) -> str:
    """A query string that every server reads as these pairs. ``("acl", "")`` becomes ``acl=``: the same parameter."""
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
