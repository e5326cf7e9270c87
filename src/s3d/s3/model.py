"""The operations of S3, typed: a view of the generated table `s3d.s3._model`.

Locations of members: ``bucket`` and ``key`` (the path), ``query``, ``header``, ``headers`` (a map, one header per entry,
the wire name is their prefix), ``body`` (an element in the XML root), ``payload`` (the XML root itself), ``text`` (the
whole body as a string), ``root-text`` (the text of the XML root) and ``stream`` (the body; never a value in a dict).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from s3d.s3 import _model

Level = Literal["root", "bucket", "object", "any"]
Location = Literal["bucket", "key", "query", "header", "headers", "body", "payload", "text", "root-text", "stream"]


@dataclass(frozen=True, slots=True)
class Member:
    """One input or output member of an operation. ``type`` is in the notation at the top of the table."""

    name: str
    location: Location
    wire: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Element:
    """One member of an XML structure; ``is_attribute`` for an XML attribute instead of an element."""

    name: str
    wire: str
    type: str
    required: bool
    is_attribute: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    ``query`` are the parameters (and values) that name the operation, ``header_discriminators`` the required headers
    that do. ``errors`` are the codes that the model lists, beside those that every operation may answer with.
    """

    name: str
    method: str
    level: Level
    """What the request line names; ``any`` is a bucket or a key."""
    status: int = 200
    """Of success, unless the answer says otherwise (206, 304)."""
    query: Mapping[str, str] = field(default_factory=dict)
    header_discriminators: tuple[str, ...] = ()
    input: tuple[Member, ...] = ()
    output: tuple[Member, ...] = ()
    input_root: str | None = None
    output_root: str | None = None
    errors: tuple[str, ...] = ()
    checksum_required: bool = False
    checksum_algorithm: str | None = None
    """The member that names the algorithm of the request's checksum."""
    checksum_mode: str | None = None
    """The member that asks for a checksum in the answer."""
    twin_of: str | None = None
    """The operation with the same request line that a request means unless ``x-id`` says otherwise."""
    bucket: str | None = None
    """The path segment in the place of a bucket, for an operation that has none."""
    any_query: bool = False
    form: bool = False
    """The body is a browser's form (``multipart/form-data``)."""


class _Operations(Mapping[str, Operation]):
    """Builds an operation when it is first asked for: all of them take 4 ms, a process uses a dozen."""

    def __init__(self) -> None:
        self._built: dict[str, Operation] = {}

    def __getitem__(self, name: str) -> Operation:
        operation = self._built.get(name)
        if operation is None:
            operation = self._built[name] = _operation(name, _model.OPERATIONS[name])
        return operation

    def __iter__(self) -> Iterator[str]:
        return iter(_model.OPERATIONS)

    def __len__(self) -> int:
        return len(_model.OPERATIONS)


OPERATIONS: Mapping[str, Operation] = _Operations()
"""Every operation by its name."""


def with_request_line(method: str, level: str) -> list[Operation]:
    """The operations of a method at a level (``root``, ``bucket``, ``object``)."""
    levels = (level,) if level == "root" else (level, "any")
    rows = _model.OPERATIONS.items()
    return [OPERATIONS[name] for name, fields in rows if fields["method"] == method and fields["level"] in levels]


def elements(structure: str) -> tuple[Element, ...]:
    """The members of an XML structure, in the order of the model."""
    return tuple(
        Element(name, wire.removeprefix("@"), kind, required, wire.startswith("@"))
        for name, wire, kind, required in _model.STRUCTURES[structure]
    )


def is_structure(kind: str) -> bool:
    """Whether a type is an XML structure."""
    return kind in _model.STRUCTURES


def enumeration(kind: str) -> tuple[str, ...] | None:
    """The values of a closed enumeration; None for any other type."""
    return _model.ENUMERATIONS.get(kind)


def _operation(name: str, fields: Mapping[str, Any]) -> Operation:
    rows = {"input": fields.get("input", ()), "output": fields.get("output", ())}
    return Operation(name, **{**fields, **{side: tuple(Member(*row) for row in rows[side]) for side in rows}})
