"""Requests to a policy server: JSON there and back."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from yarl import URL

from s3d.policy.answer import NoAnswer

_AWAY = frozenset({502, 503, 504})  # of a proxy, or of a server that is starting
_HEADERS = {"Content-Type": "application/json"}
_IDLE = 10.0  # seconds that a connection is kept for


class Away(NoAnswer):
    """The server cannot be reached, or is silent.

    NoAnswer
    └── Away
        └── Silent    no answer in time
    """


class Silent(Away):
    """No answer came in time: it is away, or this question takes long."""


class Refused(NoAnswer):
    """An answer with a status that is neither 200 nor one of a server that is away."""

    def __init__(self, status: int, said: str) -> None:
        self.status = status
        super().__init__(f"the server answers {status}{said}")


class Client:
    """Keeps its connections. ``timeout``: seconds for a request and its answer; ``connections``: at a time."""

    def __init__(self, timeout: float, connections: int) -> None:
        self._timeout = timeout
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self.requests = 0

    async def post(self, url: URL, body: bytes) -> object:
        """The answer. Raises NoAnswer."""
        self.requests += 1
        try:
            status, data = await self._exchange(url, body)
        except TimeoutError as error:
            raise Silent(f"no answer within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Away(f"the server cannot be reached: {error or type(error).__name__}") from error
        if status in _AWAY:
            raise Away(f"the server answers {status}")
        if status != 200:
            raise Refused(status, _said(data))
        try:
            document: object = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise NoAnswer("the server answers no JSON") from error
        return document

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, url: URL, body: bytes) -> tuple[int, bytes]:
        try:
            return await self._once(url, body)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # A connection that was kept, and closed by the other side when this was on its way: asking twice does no harm.
            return await self._once(url, body)

    async def _once(self, url: URL, body: bytes) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_IDLE),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
            )
        async with self._session.post(url, data=body, allow_redirects=False) as response:
            return response.status, await response.read()


def _said(data: bytes) -> str:
    """What OPA says with an error: a message, and mostly a better one inside."""
    try:
        body: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    match body:
        case {"errors": [{"message": str(message)}, *_]} | {"message": str(message)}:
            return f" ({message[:200]})"
    return ""
