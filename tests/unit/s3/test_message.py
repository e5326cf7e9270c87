"""Requests, responses and bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from s3d.s3.message import S3Request, S3Response, body_length, is_replayable


class Stream:
    length = 7

    def __init__(self, replayable: bool) -> None:
        self.replayable = replayable

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"1234567"


def test_bodies() -> None:
    assert (body_length(b"abc"), is_replayable(b"abc")) == (3, True)
    assert (body_length(Stream(False)), is_replayable(Stream(False))) == (7, False)
    assert is_replayable(Stream(True))


def test_parameter() -> None:
    request = S3Request("GET", "GetObject", query=[("a", "1"), ("a", "2"), ("b", "")])
    assert [request.parameter(name) for name in ("a", "b", "A")] == ["1", "", None]


def test_requests_share_nothing() -> None:
    one, two = S3Request("GET", "GetObject"), S3Request("GET", "GetObject")
    one.headers["a"] = "b"
    one.query.append(("a", "b"))
    assert (len(two.headers), two.query) == (0, [])
    S3Response(200).headers["a"] = "b"
    assert len(S3Response(200).headers) == 0


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(AttributeError):
        S3Request("GET", "GetObject").bucket_name = "b"
