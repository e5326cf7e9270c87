"""Bodies and numbers of requests to the admin API."""

from __future__ import annotations

from typing import Any

import pytest

from s3d.daemon.admin_request import BadRequest, json_body, number, required


class Request:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def read(self) -> bytes:
        return self._raw


@pytest.mark.parametrize(("raw", "found"), [(b"", {}), (b"{}", {}), (b' {"a": [1]} ', {"a": [1]})])
async def test_a_body(raw: bytes, found: Any) -> None:
    assert await json_body(Request(raw)) == found  # type: ignore[arg-type]  # all that it needs of one


NO_BODIES = [
    b"x", b"[]", b"1", b"null", b"\xff", b"{", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": "\\ud800"}', b'{"\\udfff": 1}',
    b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}",
]  # fmt: skip


async def test_a_key_that_is_no_utf_8() -> None:
    assert await json_body(Request(b'{"key": "\\udcff"}')) == {"key": "\udcff"}  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("raw", NO_BODIES)
async def test_no_body(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="JSON object"):
        await json_body(Request(raw))  # type: ignore[arg-type]  # all that it needs of one


@pytest.mark.parametrize("text", ["0", "7", "10"])
def test_a_number(text: str) -> None:
    assert number(text, "limit", 10) == int(text)


@pytest.mark.parametrize("text", ["", "11", "-1", "1.0", " 1", "٣", "²", "1" * 30])
def test_no_number(text: str) -> None:
    with pytest.raises(BadRequest, match="limit is a number up to 10"):
        number(text, "limit", 10)


def test_no_queue() -> None:
    with pytest.raises(BadRequest, match="S3D_WRITE_QUEUE=on"):
        required(None)
