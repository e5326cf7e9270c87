"""Asking the daemon's admin listener."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from s3d.cli.errors import Failure, Unreachable

if TYPE_CHECKING:
    from http.client import HTTPResponse

_TIMEOUT = 10  # seconds: the daemon answers from memory


def ask(
    endpoint: str, path: str, token: str | None, *, body: dict[str, Any] | None = None, timeout: float = _TIMEOUT
) -> dict[str, Any]:
    """The document that it answers: to a POST with ``body``, or to a GET. Raises Unreachable, and Failure for an answer
    that is none."""
    with _answer(endpoint, path, token, body, timeout) as answer:
        document = json.load(answer)
    if not isinstance(document, dict):
        raise Failure(f"{endpoint}{path} is not an answer of s3d.")
    return document


def lines(
    endpoint: str, path: str, token: str | None, body: dict[str, Any], *, timeout: float
) -> Iterator[dict[str, Any]]:
    """The documents that it answers one after the other to a POST; ``timeout``: seconds without one. Raises as `ask`."""
    with _answer(endpoint, path, token, body, timeout) as answer:
        for line in answer:
            document = json.loads(line)
            if isinstance(document, dict):
                yield document


@contextmanager
def _answer(
    endpoint: str, path: str, token: str | None, body: dict[str, Any] | None, timeout: float
) -> Iterator[HTTPResponse]:
    """The answer, open. Raises Unreachable, Failure: also for what the caller finds in it."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, Request, build_opener

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    request = Request(endpoint + path, data, headers)  # noqa: S310  EndpointType lets pass http and https only
    try:
        # Without a proxy: the admin listener is on this machine or beside it.
        with build_opener(ProxyHandler({})).open(request, timeout=timeout) as answer:
            yield answer
    except HTTPError as error:
        with error:
            raise Failure(f"{endpoint}{path} answers {error.code} {error.reason}{_hint(error)}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(endpoint, getattr(reason, "strerror", None) or str(reason)) from error
    except ValueError as error:
        raise Failure(f"{endpoint}{path} is not an answer of s3d: {error}") from error


def _hint(error: Any) -> str:
    """What the daemon says about it."""
    if error.code in (401, 403):
        return "; set S3D_ADMIN_TOKEN to the daemon's"
    try:
        return f": {json.load(error)['error']}"
    except (ValueError, KeyError, TypeError, OSError):
        return ""
