"""Requests: members from what a client sent, and requests from members. Compiled per operation at its first use."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

from multidict import CIMultiDict

from s3d.s3.codec import fields, values, xml_read, xml_write
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.s3.model import OPERATIONS, Member, Operation

_COUNTS = {"max-keys": "maxKeys", "max-parts": "max-parts", "max-uploads": "max-uploads"}
"""Parameters for which tests of clients look at S3's wording, with the name that they have in it."""
_NEGATIVE = re.compile(r"-\d+", re.ASCII)

_Put = Callable[[S3Request, Any], None]


def parse_request(request: S3Request, body: bytes) -> dict[str, Any]:
    """The input members of the operation that ``request`` is routed to, without a streaming body.

    ``body`` is the XML (or text) body, empty where the operation has none or streams it. Raises `S3Error`:
    InvalidArgument for a bad header or parameter, InvalidRequest for a missing one, MalformedXML for a bad body.
    KeyError if the model does not have the operation.
    """
    return _parser(request.operation)(request, body)


def build_request(operation: str, members: dict[str, Any]) -> S3Request:
    """The request with these input members; members that are None do not count.

    A streaming body is not a member: set ``body`` of what is returned. Bodies of which the model requires a checksum get
    a Content-MD5 unless there is one or an ``x-amz-checksum-*``. ValueError for members that the operation does not have
    or lacks: that is the caller's mistake.
    """
    return _builder(operation)(members)


@cache
def _parser(name: str) -> Callable[[S3Request, bytes], dict[str, Any]]:
    operation = OPERATIONS[name]
    headers = fields.compile_headers(operation.input)
    query = fields.compile_query(operation.input)
    required = {member.name for member in operation.input if member.required and member.location != "stream"}
    has_bucket = any(member.location == "bucket" for member in operation.input)
    has_key = any(member.location == "key" for member in operation.input)
    read_body = _body_parser(operation)

    def parse(request: S3Request, body: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if has_bucket and request.bucket is not None:
            found["Bucket"] = request.bucket
        if has_key and request.key is not None:
            found["Key"] = request.key
        try:
            headers.read(request.headers, found)
            for wire, text in request.query:
                entry = query.get(wire)
                if entry is not None:
                    member, parse_value = entry
                    if not text and parse_value is not None and member not in required:
                        continue  # ``max-keys=`` is no number, and S3 takes it for none
                    if member not in found:  # of a parameter given twice the first counts
                        found[member] = text if parse_value is None else fields.parsed(parse_value, wire, text)
        except fields.BadField as bad:
            raise _invalid_argument(bad) from bad
        if body and read_body is not None:
            read_body(body, found)
        if not required <= found.keys():
            raise _missing(operation, required - found.keys())
        return found

    return parse


def _invalid_argument(bad: fields.BadField) -> S3Error:
    message = f"The value of {bad.wire} is {bad.reason}"
    if bad.wire in _COUNTS:
        message = f"Provided {bad.wire} not an integer or within integer range"
        if _NEGATIVE.fullmatch(bad.text):
            message = f"Argument {_COUNTS[bad.wire]} must be an integer between 0 and 2147483647"
    return S3Error("InvalidArgument", message, elements={"ArgumentName": bad.wire, "ArgumentValue": bad.text})


def _missing(operation: Operation, names: set[str]) -> S3Error:
    member = next(member for member in operation.input if member.name in names)
    if member.location in ("payload", "text", "body"):
        return S3Error("MalformedXML", f"The request body lacks {member.wire or member.name}.")
    return S3Error("InvalidRequest", f"Missing required parameter for this request: {member.wire or member.name}")


def _body_parser(operation: Operation) -> Callable[[bytes, dict[str, Any]], None] | None:
    """Adds the members that the body holds; None if the operation has no body, or streams it."""
    for member in operation.input:
        if member.location == "text":
            return _text_parser(member.name)
        if member.location == "payload":
            return _xml_parser(operation, _named(member.name, xml_read.content(member.type, strict=True)))
        if member.location == "body":
            parts = [member for member in operation.input if member.location == "body"]
            required = [part.name for part in parts if part.required]
            rows = [(part.name, part.wire, part.type) for part in parts]
            return _xml_parser(operation, xml_read.members(operation.name, rows, strict=True, required=required))
    return None


def _named(name: str, read: xml_read.Read) -> xml_read.Read:
    return lambda root: {name: read(root)}


def _text_parser(name: str) -> Callable[[bytes, dict[str, Any]], None]:
    def parse(body: bytes, found: dict[str, Any]) -> None:
        found[name] = body.decode("utf-8", "surrogateescape")

    return parse


def _xml_parser(operation: Operation, read: xml_read.Read) -> Callable[[bytes, dict[str, Any]], None]:
    def parse(body: bytes, found: dict[str, Any]) -> None:
        try:
            root = xml_read.parse(body)
            if xml_read.local_name(root.tag) != operation.input_root:
                raise ValueError(f"the root element is not {operation.input_root}")
            found |= read(root)
        except ValueError as error:
            raise S3Error("MalformedXML", elements={"Reason": str(error)}) from error

    return parse


@cache
def _builder(name: str) -> Callable[[dict[str, Any]], S3Request]:
    operation = OPERATIONS[name]
    puts = {member.name: _put(member) for member in operation.input if member.location not in ("body", "stream")}
    parts = [member for member in operation.input if member.location == "body"]
    write_parts = xml_write.members(name, {part.name: xml_write.element(part.wire, part.type) for part in parts})
    part_names = {part.name for part in parts}
    required = {member.name for member in operation.input if member.required and member.location != "stream"}
    literals = list(operation.query.items())

    def build(members: dict[str, Any]) -> S3Request:
        request = S3Request(operation.method, name, operation.bucket, query=literals.copy())
        if not required <= members.keys():
            raise ValueError(f"{name} lacks {', '.join(sorted(required - members.keys()))}")
        for member, value in members.items():
            if value is None or member in part_names:
                continue
            put = puts.get(member)
            if put is None:
                raise ValueError(f"{name} has no member {member}")
            put(request, value)
        if parts:
            body = {member: value for member, value in members.items() if member in part_names}
            request.body = xml_write.document(operation.input_root or name, lambda append: write_parts(body, append))
        if operation.checksum_required:
            _add_checksum(request)
        return request

    return build


def _put(member: Member) -> _Put:
    """Puts one member's value into a request."""
    wire, location = member.wire, member.location
    if location == "payload":
        write = xml_write.content(member.type)

        def put_payload(request: S3Request, value: Any) -> None:
            request.body = xml_write.document(wire, lambda append: write(value, append))

        return put_payload
    if location in ("query", "header"):
        return _put_field(member, values.http_formatter(member.type))
    return {"bucket": _put_bucket, "key": _put_key, "text": _put_text, "headers": _map_putter(wire)}[location]


def _put_field(member: Member, format_value: values.Format | None) -> _Put:
    wire = member.wire

    def put_query(request: S3Request, value: Any) -> None:
        request.query.append((wire, value if format_value is None else format_value(value)))

    def put_header(request: S3Request, value: Any) -> None:
        request.headers[wire] = value if format_value is None else format_value(value)

    return put_query if member.location == "query" else put_header


def _put_bucket(request: S3Request, value: str) -> None:
    request.bucket = value


def _put_key(request: S3Request, value: str) -> None:
    request.key = value


def _put_text(request: S3Request, value: str) -> None:
    request.body = value.encode("utf-8", "surrogateescape")


def _map_putter(prefix: str) -> _Put:
    def put(request: S3Request, value: dict[str, str]) -> None:
        request.headers.extend({prefix + key: text for key, text in value.items()})

    return put


def _add_checksum(request: S3Request) -> None:
    headers: CIMultiDict[str] = request.headers
    if "Content-MD5" in headers or any(name.lower().startswith("x-amz-checksum-") for name in headers):
        return
    assert isinstance(request.body, bytes)  # noqa: S101 - no operation that requires a checksum streams its body
    digest = hashlib.md5(request.body, usedforsecurity=False).digest()
    headers["Content-MD5"] = b64encode(digest).decode("ascii")
