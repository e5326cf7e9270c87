"""Members in headers and queries: compiled tables of what may arrive, and the loops over what did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from s3d.s3.codec import values
from s3d.s3.model import Member

Entry = tuple[str, values.Parse | None]
"""Member and parser; no parser for a string."""

_NO_CONDITION_IF_BAD = frozenset({"if-modified-since", "if-unmodified-since"})
"""To be ignored if the value is no date (RFC 9110 sections 13.1.3 and 13.1.4)."""


class BadField(ValueError):
    """A header or parameter whose value is not what the model says: its wire name, its text and what was expected."""

    def __init__(self, wire: str, text: str, reason: str) -> None:
        self.wire, self.text, self.reason = wire, text, reason
        super().__init__(f"{wire} is {reason}: {text!r}")


@dataclass(frozen=True, slots=True)
class Headers:
    """The header members of one side of one operation."""

    entries: dict[str, Entry]
    """By lower-case name."""
    prefix: str | None
    """Of the headers that make a map (``x-amz-meta-``)."""
    map_member: str

    def read(self, headers: CIMultiDict[str], found: dict[str, Any]) -> None:
        """Adds the members that are there to ``found``. A field that occurs twice is one list (RFC 9110 section 5.3)."""
        entries = self.entries
        for name, text in headers.items():
            lower = name.lower()
            entry = entries.get(lower)
            if entry is None:
                if self.prefix is not None and lower.startswith(self.prefix):
                    self._add_to_map(lower[len(self.prefix) :], text, found)
                continue
            member, parse = entry
            whole = ",".join(headers.getall(name)) if member in found else text
            try:
                found[member] = whole if parse is None else parsed(parse, name, whole)
            except BadField:
                if lower not in _NO_CONDITION_IF_BAD:
                    raise

    def _add_to_map(self, key: str, text: str, found: dict[str, Any]) -> None:
        entries = found.setdefault(self.map_member, {})
        entries[key] = f"{entries[key]},{text}" if key in entries else text


def parsed(parse: values.Parse, wire: str, text: str) -> Any:
    """The value; `BadField` if it is none."""
    try:
        return parse(text)
    except ValueError as error:
        raise BadField(wire, text, str(error)) from error


def compile_headers(members: Iterable[Member]) -> Headers:
    """The table of the header members among ``members``."""
    entries: dict[str, Entry] = {}
    prefix, map_member = None, ""
    for member in members:
        if member.location == "header":
            entries[member.wire.lower()] = member.name, values.http_parser(member.type)
        elif member.location == "headers":
            prefix, map_member = member.wire.lower(), member.name
    return Headers(entries, prefix, map_member)


def compile_query(members: Iterable[Member]) -> dict[str, Entry]:
    """The table of the query members, whose names S3 compares with case."""
    return {m.wire: (m.name, values.http_parser(m.type)) for m in members if m.location == "query"}
