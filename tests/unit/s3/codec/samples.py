"""Hypothesis strategies for the members of any operation, made from the operation table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from s3d.s3 import model
from s3d.s3.model import Element, Member

OPERATIONS = [name for name in model.OPERATIONS if name not in ("PostObject", "PreflightRequest")]
"""Those of botocore's model."""

_XML_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32)] + ["￾", "￿"])
XML_TEXT = st.text(_XML_CHARACTERS | st.sampled_from("\t\n\r<>&\"'"), max_size=6)
HEADER_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=6)
KEY = st.binary(min_size=1, max_size=8).map(lambda key: key.decode("utf-8", "surrogateescape"))
TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=6)
SECONDS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
MILLISECONDS = st.builds(lambda time, part: time + timedelta(milliseconds=part), SECONDS, st.integers(0, 999))
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(0, 2**31 - 1),
    "long": st.integers(0, 2**63 - 1),
    "boolean": st.booleans(),
    "iso8601": MILLISECONDS,
    "rfc822": SECONDS,
}


@cache
def members(
    rows: tuple[Member, ...], *, full: bool = False, minimal: bool = False
) -> st.SearchStrategy[dict[str, Any]]:
    """Dicts with every required member (and the payload), and some, all or none of the others."""
    carried = [row for row in rows if row.location != "stream"]
    always = [row for row in carried if row.required or full or row.location in ("payload", "text", "root-text")]
    if minimal:
        return _dicts([row for row in carried if row.required], [], full)
    return _dicts(always, [row for row in carried if row not in always], full)


def _dicts(always: Iterable[Any], sometimes: Iterable[Any], full: bool) -> st.SearchStrategy[dict[str, Any]]:
    required = {row.name: value(row, full) for row in always}
    return st.fixed_dictionaries(required, optional={row.name: value(row, full) for row in sometimes})


def value(row: Member | Element, full: bool) -> st.SearchStrategy[Any]:
    """Values of one member that the wire can carry."""
    location = row.location if isinstance(row, Member) else "body"
    if location in ("bucket", "key", "query", "text"):
        return _scalar(row.type, KEY)
    if location == "header":
        return st.lists(TOKEN, min_size=1, max_size=3) if "[" in row.type else _scalar(row.type, HEADER_TEXT)
    if location == "headers":
        return st.dictionaries(TOKEN, HEADER_TEXT, min_size=1, max_size=3)
    return _of_type(row.type, full)


def _scalar(kind: str, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    values = model.enumeration(kind)
    return SCALARS.get(kind, text) if values is None else st.sampled_from(values)


@cache
def _of_type(kind: str, full: bool) -> st.SearchStrategy[Any]:
    """Values in XML."""
    if kind.startswith("[]"):  # an empty list of bare elements leaves no trace
        return st.lists(_of_type(kind[2:], full), min_size=1, max_size=2)
    if kind.startswith("["):
        return st.lists(_of_type(kind.partition("]")[2], full), max_size=2)
    if model.is_structure(kind):
        rows = model.elements(kind)
        always = [row for row in rows if row.required or full]
        return _dicts(always, [row for row in rows if row not in always], full)
    return _scalar(kind, XML_TEXT)
