from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3 import codec
from s3d.s3.codec import RemoteError
from s3d.s3.errors import S3Error, error_response
from s3d.s3.message import S3Response


def test_an_error_document() -> None:
    body = b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>gone</Message><Key>k</Key><HostId/></Error>'
    error = codec.parse_error(S3Response(404), body)
    assert error == RemoteError("NoSuchKey", "gone", 404, {"Key": "k", "HostId": ""})


def test_our_own_errors() -> None:
    response = error_response(S3Error("InvalidRange", elements={"RangeRequested": "x"}), resource="/b", request_id="1")
    assert isinstance(response.body, bytes)
    error = codec.parse_error(response, response.body)
    assert (error.code, error.status, error.elements["RangeRequested"]) == ("InvalidRange", 416, "x")


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (404, b"", "NotFound", "Why"),
        (412, b"", "PreconditionFailed", "Why"),
        (502, b"<html><h1>Bad Gateway</h1>", "502", "<html><h1>Bad Gateway</h1>"),
        (503, b"<html/>", "ServiceUnavailable", "<html/>"),
        (403, b"<Error/>", "AccessDenied", ""),
    ],
)
def test_other_answers(status: int, body: bytes, code: str, message: str) -> None:
    assert codec.parse_error(S3Response(status, body=body, reason="Why"), body) == RemoteError(code, message, status)


@given(st.integers(300, 599), st.binary())
def test_never_raises(status: int, body: bytes) -> None:
    assert codec.parse_error(S3Response(status), body).code


def test_errors_inside_a_success() -> None:
    assert codec.is_error(b'<?xml version="1.0"?>\n\n<Error><Code>InternalError</Code></Error>')
    assert codec.is_error(b"  \n<?xml version='1.0'?><Error/>")
    assert not codec.is_error(b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
    assert not codec.is_error(b"<DeleteResult><Error><Code>x</Code></Error></DeleteResult>")
    assert not codec.is_error(b"<Error>")
    assert not codec.is_error(b"")
