"""Dicts of members from XML documents.

Any namespace will do, or none, and unknown elements are skipped, as S3 does. Document types are refused: they are what
makes entity expansion possible, and no S3 document has one. A *strict* reader (requests) insists on required members and
on one element where the model has one; the other (answers of a remote) takes what it finds. Both raise ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from s3d.s3 import model
from s3d.s3.codec import values
from s3d.s3.codec.xml_write import NAMESPACE

Read = Callable[[Element], Any]

_Entry = tuple[str, Read, bool]
"""Member, reader of one element, whether the elements of that name make a list."""


class _Builder(TreeBuilder):
    """Ends the parsing at ``<!DOCTYPE``, before any entity is declared."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a document type is not allowed")


def parse(body: bytes) -> Element:
    """The root element; ValueError if the document is not well-formed."""
    parser = XMLParser(target=_Builder())  # noqa: S314 - entity declarations need a document type, which is refused
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (ParseError, LookupError) as error:  # LookupError: an encoding that does not exist
        raise ValueError(f"not well-formed: {error}") from error
    return root


def parse_answer(body: bytes) -> Element:
    """As `parse`, for a remote's answer: some servers keep a slow one alive with spaces before the document."""
    return parse(body.lstrip())


def local_name(tag: str) -> str:
    """The name without its namespace."""
    return tag.rpartition("}")[2]


@cache
def content(structure: str, strict: bool) -> Read:
    """Reads an element as a structure: its child elements and attributes."""
    parts = model.elements(structure)
    attributes = {local_name(part.wire.replace(":", "}")): part.name for part in parts if part.is_attribute}
    required = [part.name for part in parts if part.required]
    fields = [(part.name, part.wire, part.type) for part in parts if not part.is_attribute]
    return members(structure, fields, strict, required=required, attributes=attributes)


def members(
    owner: str,
    fields: list[tuple[str, str, str]],
    strict: bool,
    *,
    required: list[str],
    attributes: dict[str, str] | None = None,
) -> Read:
    """Reads child elements; ``fields`` are (member, element name, type)."""
    table = _table(fields, strict)
    needed = required if strict else []

    def read(node: Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in node:
            entry = table.get(child.tag) or table.get(local_name(child.tag))
            if entry is None:
                continue
            name, read_value, is_list = entry
            value = read_value(child)
            if is_list:
                found.setdefault(name, []).append(value)
            elif strict and name in found:
                raise ValueError(f"{owner} has more than one {name}")
            elif value is not None:
                found[name] = value
        if attributes:
            found |= {attributes[key]: text for tag, text in node.items() if (key := local_name(tag)) in attributes}
        for name in needed:
            if name not in found:
                raise ValueError(f"{owner} lacks {name}")
        return found

    return read


def _table(fields: list[tuple[str, str, str]], strict: bool) -> dict[str, _Entry]:
    """Entries by bare name, and by the name in S3's namespace, which nearly every document has."""
    table: dict[str, _Entry] = {}
    for name, wire, kind in fields:
        flattened = kind.startswith("[]")
        entry = (name, reader(kind[2:] if flattened else kind, strict), flattened)
        table[wire] = table[f"{{{NAMESPACE}}}{wire}"] = entry
    return table


def reader(kind: str, strict: bool) -> Read:
    """Reads one element as a value of that type."""
    if kind.startswith("["):
        item_wire, _, item_kind = kind[1:].partition("]")
        return _wrapped(item_wire, reader(item_kind, strict))
    if model.is_structure(kind):
        return content(kind, strict)
    return _scalar(kind, values.xml_parser(kind), strict)


def _wrapped(item_wire: str, read_item: Read) -> Read:
    def read(node: Element) -> list[Any]:
        return [read_item(child) for child in node if local_name(child.tag) == item_wire]

    return read


def _scalar(kind: str, parse_value: values.Parse | None, strict: bool) -> Read:
    def read_text(node: Element) -> str:
        if strict and len(node):
            raise ValueError(f"{local_name(node.tag)} is not a text")
        return node.text or ""

    def read_value(node: Element) -> Any:
        text = node.text or ""
        if not text and not strict:
            return None  # <PartNumberMarker/>: some servers write what they do not have
        try:
            return parse_value(text)  # type: ignore[misc]  # chosen only if there is one
        except ValueError as error:
            raise ValueError(f"{local_name(node.tag)} is not a valid {kind}: {error}") from error

    return read_text if parse_value is None else read_value
