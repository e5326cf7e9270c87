"""One request and the head of its answer on one connection.

aiohttp's client session is not used here. It costs more than half of a small request (72 us of 130, measured), repeats
requests on its own judgement, writes headers in its own spelling and drops bytes that are not UTF-8. Its connector and
its connection handler with the C parser are: what is left to do is to write a head, a body, and to wait.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from aiohttp.streams import StreamReader

from s3d.remote.upload import Upload

_READ_BUFFER = 1 << 18  # bytes read ahead from a connection, twice
_HEAD_LIMIT = 1 << 15  # bytes of one header line of an answer
_MAX_HEADERS = 512


@dataclass(slots=True)
class Reply:
    """The head of an answer, and the connection on which its body comes."""

    message: RawResponseMessage
    payload: StreamReader
    connection: Connection
    handler: ResponseHandler


async def exchange(connection: Connection, method: str, head: bytes, upload: Upload) -> Reply:
    """Sends a request and waits for the head of the answer, which may come before all of the body was sent.

    Errors: aiohttp.ClientError, OSError; `Upload.failure` if the body itself failed. After an error the connection is
    closed, so that the remote can tell a body that was not sent to its end.
    """
    handler = connection.protocol
    if handler is None or handler.transport is None:
        raise aiohttp.ServerDisconnectedError
    expect_answer(handler, without_body=method == "HEAD")
    try:
        data = upload.data()
        if isinstance(data, bytes):
            handler.transport.write(head + data)
            message, payload = await _read_head(handler)
        else:
            message, payload = await _send_and_read(handler, head, data, upload)
    except BaseException:
        connection.close()
        raise
    return Reply(message, payload, connection, handler)


def expect_answer(handler: ResponseHandler, *, without_body: bool = False) -> None:
    """Sets up a new parser: what comes next on the connection is the head of an answer."""
    handler.set_response_params(
        skip_payload=without_body,
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=_HEAD_LIMIT,
        max_field_size=_HEAD_LIMIT,
        max_headers=_MAX_HEADERS,
    )


async def _send_and_read(
    handler: ResponseHandler, head: bytes, pieces: AsyncIterator[bytes], upload: Upload
) -> tuple[RawResponseMessage, StreamReader]:
    sender = asyncio.get_running_loop().create_task(_send(handler, head, pieces))
    try:
        message, payload = await _read_head(handler)
    except BaseException as error:
        problem = await _settle(handler, sender)
        if not isinstance(error, aiohttp.ClientError | OSError):
            raise
        if upload.failure is not None:
            raise upload.failure from None
        if problem is not None and not isinstance(problem, aiohttp.ClientError | OSError):
            raise problem from None  # a defect, not the network
        raise
    if not sender.done():
        # The remote has answered without the rest of the body (a refusal): what follows on this connection would be
        # taken for that rest.
        handler.force_close()
        sender.cancel()
        await asyncio.wait([sender])
    return message, payload


async def _settle(handler: ResponseHandler, sender: asyncio.Task[None]) -> BaseException | None:
    """Ends the sending of a body to whose request no answer will be heard; what went wrong with it, if anything did."""
    if not sender.done():
        _reset(handler)
    sender.cancel()
    await asyncio.wait([sender])
    return None if sender.cancelled() else sender.exception()


async def _send(handler: ResponseHandler, head: bytes, pieces: AsyncIterator[bytes]) -> None:
    """The head goes out with the first piece, not before: a server that gets a head and then the end of the connection
    may take that for an empty body (SeaweedFS 4.48 stores an empty object), whatever Content-Length said."""
    writer = StreamWriter(handler, asyncio.get_running_loop())
    unsent = head
    try:
        async for piece in pieces:
            if unsent:
                await writer.write(unsent, drain=False)
                unsent = b""
            await writer.write(piece)
        if unsent:
            await writer.write(unsent)
    except Exception:
        _reset(handler)  # also wakes the reader of the answer
        raise


def _reset(handler: ResponseHandler) -> None:
    """Breaks the connection with RST, for the same reason: nobody takes that for the end of a body. (``abort`` alone
    lets the kernel end it in order.)"""
    transport = handler.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.abort()


async def _read_head(handler: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """The final answer; interim ones (RFC 9110 section 15.2) are passed over."""
    try:
        while True:
            message, payload = await handler.read()
            if message.code >= 200:
                return message, payload
    except HttpProcessingError as error:
        text = (error.message or "malformed head").splitlines()[0]
        raise aiohttp.ClientPayloadError(f"this is no HTTP answer: {text}") from error
