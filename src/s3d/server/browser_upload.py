"""Browser uploads: a POST form to a bucket becomes a PutObject.

The form does not say how long its file is, so the file is taken in whole before it goes on. The policy in the form is
what the author of the page relies on (expiry, sizes, keys); it is enforced here, since the remote sees only the PutObject.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from aiohttp.web import BaseRequest

from s3d.s3.addressing import virtual_host_bucket
from s3d.s3.backend import Backend
from s3d.s3.checksums import declared
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.s3.post_form import Parser, boundary_of, success, to_put_request
from s3d.s3.post_policy import Policy, check_signed, parse
from s3d.s3.uri import quote
from s3d.server.answer import release
from s3d.server.body import ReceivedBody, received
from s3d.server.spool import spool

_IN_MEMORY = 1 << 18  # bytes of a file


async def read_form(
    http: BaseRequest, request: S3Request, *, idle: float, spool_dir: Path | None
) -> tuple[S3Request, dict[str, str]]:
    """The PutObject that a form means, with its body, and the form's fields.

    Errors: MalformedPOSTRequest, InvalidArgument, AccessDenied (policy), EntityTooLarge, EntityTooSmall, and those of
    bodies in general.
    """
    parser = Parser(boundary_of(request.headers.get("Content-Type", "")))
    source = received(http, idle)
    first = await _read_fields(parser, source)
    policy = _policy(parser.fields, request.bucket or "")
    put = to_put_request(request.bucket or "", parser.fields)
    put.request_id = request.request_id
    file = ReceivedBody(_file(parser, first, source, policy), 0, declared(put.headers))
    put.body = await spool(file, spool_dir, in_memory=_IN_MEMORY)
    if policy is not None:
        policy.check_length(body_length(put.body))
    return put, parser.fields


async def put_form(
    http: BaseRequest, put: S3Request, fields: dict[str, str], backend: Backend, domains: tuple[str, ...]
) -> S3Response:
    """Sends the PutObject and gives the answer that the form asks for; an error answer is the remote's own."""
    response = await backend(put)
    if response.status >= 300:
        return response
    await release(response.body)  # the form's answer has its own
    host = http.headers.get("Host", "")
    bucket, key = put.bucket or "", put.key or ""
    by_path = virtual_host_bucket(host, domains) is None
    bucket_url = f"{http.scheme}://{host}" + (f"/{quote(bucket)}" if by_path else "")
    return success(response, fields, bucket=bucket, key=key, bucket_url=bucket_url)


async def _read_fields(parser: Parser, source: AsyncIterator[bytes]) -> list[bytes]:
    """Reads up to the file; returns what of the file came in the same piece."""
    while not parser.file_reached:
        try:
            data = await anext(source)
        except StopAsyncIteration:
            parser.finish()
            raise S3Error("MalformedPOSTRequest") from None
        pieces = parser.feed(data)
    return pieces


def _policy(fields: dict[str, str], bucket: str) -> Policy | None:
    encoded = fields.get("policy")
    if encoded is None:
        return None
    check_signed(fields)
    policy = parse(encoded)
    policy.check(fields, bucket=bucket, now=datetime.now(UTC))
    return policy


async def _file(
    parser: Parser, first: list[bytes], source: AsyncIterator[bytes], policy: Policy | None
) -> AsyncIterator[bytes]:
    size = 0
    pieces = first
    while True:
        for piece in pieces:
            size += len(piece)
            yield piece
        if policy is not None:
            policy.check_length(size, final=False)
        if parser.complete:
            break
        try:
            pieces = parser.feed(await anext(source))
        except StopAsyncIteration:
            break
    parser.finish()
