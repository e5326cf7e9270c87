"""XML documents from dicts of members, as S3 writes them.

A writer appends text for one value to a list; writers are compiled from the structures of the model at first use.
Members are written in the order of the dict; those that are None are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from s3d.s3 import model
from s3d.s3.codec import values

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

Append = Callable[[str], None]
Write = Callable[[Any, Append], None]

_XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_AS_REFERENCE = re.compile("[\x00-\x1f\ufffe\uffff]")


def document(root: str, body: Callable[[Append], None], elements: Iterable[str] = ()) -> bytes:
    """A document with S3's namespace on the root; ``elements`` are written behind what ``body`` writes. Bytes that are not
    UTF-8 (surrogates) are written as they are."""
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">']
    body(parts.append)
    parts.extend(elements)
    parts.append(f"</{root}>")
    return "".join(parts).encode("utf-8", "surrogateescape")


def escape(text: str) -> str:
    """Character data. Control characters become references, as S3 writes them: a parser would else normalise ``\\r``
    away. Those that XML 1.0 cannot express at all are for ``encoding-type=url`` to avoid."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text if text.isprintable() else _AS_REFERENCE.sub(_reference, text)


def copied(element: Element) -> str:
    """An element that was read, without namespaces and attributes."""
    tag = element.tag.rpartition("}")[2]
    inner = "".join(map(copied, element)) if len(element) else escape(element.text or "")
    return f"<{tag}>{inner}</{tag}>"


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


@cache
def content(structure: str) -> Write:
    """Writes the child elements of a structure, without its own element."""
    return members(
        structure, {e.name: element(e.wire, e.type) for e in model.elements(structure) if not e.is_attribute}
    )


def members(owner: str, writers: Mapping[str, Write]) -> Write:
    """Writes a dict whose members have these writers; ValueError for one that has none."""

    def write(value: Mapping[str, Any], append: Append) -> None:
        for name, item in value.items():
            if item is None:
                continue
            writer = writers.get(name)
            if writer is None:
                raise ValueError(f"{owner} has no member {name}")
            writer(item, append)

    return write


def element(wire: str, kind: str) -> Write:
    """Writes a value of that type as an element (a flattened list: elements) of that name."""
    if kind.startswith("[]"):
        return _each(element(wire, kind[2:]))
    if kind.startswith("["):
        item_wire, _, item_kind = kind[1:].partition("]")
        return _enclosed(wire, _each(element(item_wire, item_kind)))
    if not model.is_structure(kind):
        return _scalar(wire, values.xml_formatter(kind))
    attributes = [(e.name, e.wire) for e in model.elements(kind) if e.is_attribute]
    return _with_attributes(wire, kind, attributes) if attributes else _enclosed(wire, content(kind))


def _scalar(wire: str, format_value: values.Format | None) -> Write:
    start, end = f"<{wire}>", f"</{wire}>"

    def write_text(value: str, append: Append) -> None:
        append(f"{start}{escape(value)}{end}")

    def write_formatted(value: Any, append: Append) -> None:
        append(f"{start}{format_value(value)}{end}")  # type: ignore[misc]  # chosen only if there is one

    return write_text if format_value is None else write_formatted


def _each(write_item: Write) -> Write:
    def write(items: list[Any], append: Append) -> None:
        for item in items:
            write_item(item, append)

    return write


def _enclosed(wire: str, inner: Write) -> Write:
    start, end = f"<{wire}>", f"</{wire}>"

    def write(value: Any, append: Append) -> None:
        append(start)
        inner(value, append)
        append(end)

    return write


def _with_attributes(wire: str, structure: str, attributes: list[tuple[str, str]]) -> Write:
    """For ``Grantee``, the one structure with an attribute: ``<Grantee xmlns:xsi="..." xsi:type="Group">``."""
    inner, names = content(structure), {name for name, _ in attributes}

    def write(value: Mapping[str, Any], append: Append) -> None:
        text = "".join(f' {attribute}="{escape(value[name])}"' for name, attribute in attributes if name in value)
        append(f"<{wire}{_XSI}{text}>")
        inner({name: item for name, item in value.items() if name not in names}, append)
        append(f"</{wire}>")

    return write
