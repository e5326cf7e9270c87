"""Answers: responses from members, and members from what a remote answered. Compiled per operation at its first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from s3d.s3.codec import fields, values, xml_read, xml_write
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.s3.model import OPERATIONS, Member, Operation

_Put = Callable[[S3Response, Any], None]


def build_response(
    operation: str, members: dict[str, Any], *, status: int | None = None, elements: Iterable[str] = ()
) -> S3Response:
    """The successful answer with these output members; members that are None do not count.

    ``status`` is the model's unless given (206 for a range). A streaming body is not a member: set ``body`` of what is
    returned, and its length as the member ``ContentLength``. ``elements`` are elements of the document that are written
    already (`s3d.s3.codec.list_entries`); they come behind the members. ValueError for members that the operation does
    not have.
    """
    return _builder(operation)(members, status, elements)


def parse_response(operation: str, response: S3Response, body: bytes) -> dict[str, Any]:
    """The output members of a successful answer, without a streaming body; ``body`` is the XML (or text) body.

    Elements that are missing are missing in the result, whatever the model requires: a list without entries may be
    absent. Raises `S3Error` InternalError for an answer that is not S3's. A body that is an error in spite of its
    status (CopyObject, CompleteMultipartUpload) is for `parse_error`; see `is_error`.
    """
    return _parser(operation)(response, body)


@cache
def _parser(name: str) -> Callable[[S3Response, bytes], dict[str, Any]]:
    operation = OPERATIONS[name]
    headers = fields.compile_headers(operation.output)
    read_body = _body_reader(operation)

    def parse(response: S3Response, body: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {}
        try:
            headers.read(response.headers, found)
            if body and read_body is not None:
                found |= read_body(body)
        except ValueError as error:
            raise S3Error("InternalError", f"The remote's answer to {name} is not valid: {error}") from error
        return found

    return parse


def _body_reader(operation: Operation) -> Callable[[bytes], dict[str, Any]] | None:
    parts = [member for member in operation.output if member.location == "body"]
    if parts:
        rows = [(part.name, part.wire, part.type) for part in parts]
        read_parts = xml_read.members(operation.name, rows, strict=False, required=[])
        return lambda body: read_parts(xml_read.parse_answer(body))
    for member in operation.output:
        name = member.name
        if member.location == "text":
            return lambda body: {name: body.decode("utf-8", "surrogateescape")}
        if member.location == "root-text":
            return lambda body: {name: xml_read.parse_answer(body).text or ""}
        if member.location == "payload":
            read = xml_read.content(member.type, strict=False)
            return lambda body: {name: read(xml_read.parse_answer(body))}
    return None


@cache
def _builder(name: str) -> Callable[[dict[str, Any], int | None, Iterable[str]], S3Response]:
    operation = OPERATIONS[name]
    puts = {member.name: put for member in operation.output if (put := _put(member)) is not None}
    write = xml_write.members(name, {member.name: _xml(member) for member in operation.output if _is_xml(member)})
    is_streaming = operation.method == "HEAD" or any(member.location == "stream" for member in operation.output)

    def build(members: dict[str, Any], status: int | None, elements: Iterable[str]) -> S3Response:
        response = S3Response(status or operation.status)
        inner: dict[str, Any] = {}
        for member, value in members.items():
            put = puts.get(member)
            if put is None:
                inner[member] = value
            elif value is not None:
                put(response, value)
        if operation.output_root:
            response.headers["Content-Type"] = "application/xml"
            response.body = xml_write.document(operation.output_root, lambda append: write(inner, append), elements)
        elif inner:
            raise ValueError(f"{name} has no member {', '.join(sorted(inner))}")
        if not is_streaming and response.status not in (204, 304) and isinstance(response.body, bytes):
            response.headers["Content-Length"] = str(len(response.body))
        return response

    return build


def _is_xml(member: Member) -> bool:
    return member.location in ("body", "payload", "root-text")


def _xml(member: Member) -> xml_write.Write:
    """Writes one member into the root element."""
    if member.location == "payload":
        return xml_write.content(member.type)
    if member.location == "root-text":
        return lambda value, append: append(xml_write.escape(value))
    return xml_write.element(member.wire, member.type)


def _put(member: Member) -> _Put | None:
    """Puts one member's value into a response; None if its place is the XML, or the stream."""
    wire = member.wire
    if member.location == "header":
        format_value = values.http_formatter(member.type)

        def put_header(response: S3Response, value: Any) -> None:
            response.headers[wire] = value if format_value is None else format_value(value)

        return put_header
    if member.location == "headers":

        def put_map(response: S3Response, value: dict[str, str]) -> None:
            response.headers.extend({wire + key: text for key, text in value.items()})

        return put_map
    return _put_text if member.location == "text" else None


def _put_text(response: S3Response, value: str) -> None:
    response.headers["Content-Type"] = "application/json"  # the one text is GetBucketPolicy's
    response.body = value.encode("utf-8", "surrogateescape")
