"""Which errors are for good, and when the next attempt is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from multidict import CIMultiDict

from s3d.s3.errors import S3Error, error_response
from s3d.s3.message import S3Response
from s3d.write_queue.outcome import PERMANENT, Refusal, delay, of_error, refusal


@pytest.mark.parametrize(
    "code",
    [
        *("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "ExpiredToken", "SignatureDoesNotMatch"),
        *("RequestTimeTooSkewed", "BadDigest", "IncompleteBody", "NoSuchUpload", "PreconditionFailed", "BadRequest"),
        *("ConditionalRequestConflict", "InvalidPart", "AuthorizationHeaderMalformed"),
    ],
)
def test_what_may_pass(code: str) -> None:
    assert not of_error(S3Error(code)).permanent
    assert not refusal(error_response(S3Error(code), resource="/", request_id="")).permanent


@pytest.mark.parametrize("code", sorted(PERMANENT))
def test_what_is_for_good_is_so_with_the_status_of_a_refusal_only(code: str) -> None:
    assert Refusal(code, "", 400).permanent
    assert Refusal(code, "", 501).permanent
    assert not Refusal(code, "", 503).permanent
    assert PERMANENT[code]


@pytest.mark.parametrize(("status", "ambiguous"), [(400, False), (403, False), (429, False), (500, True), (504, True)])
def test_a_server_that_fails_may_have_done_it(status: int, ambiguous: bool) -> None:
    response = S3Response(status, body=b"<html>")
    assert refusal(response).ambiguous is ambiguous


@pytest.mark.parametrize("status", [301, 307, 402, 404, 409, 412, 418, 429, 500, 502])
def test_an_answer_that_is_not_s3_s_is_never_for_good(status: int) -> None:
    assert not refusal(S3Response(status, body=b"<h1>proxy</h1>")).permanent


def test_an_answer_to_a_question_decides_nothing() -> None:
    error = Refusal("AccessDenied", "", 403).unsure()
    assert (error.permanent, error.ambiguous) == (False, True)


def test_the_document_is_short() -> None:
    document = Refusal("SlowDown", "x" * 10_000, 503).document()
    assert (document["code"], document["status"], len(document["message"])) == ("SlowDown", 503, 500)


def test_pauses_grow_to_a_limit() -> None:
    middle = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]
    for attempts, expected in enumerate(middle, 1):
        assert all(0.75 * expected <= delay(attempts) <= 1.25 * expected for _ in range(20))
    assert delay(10**9) <= 375
    assert len({delay(5) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("0", 0), ("7", 7), ("99999999999999", 300), ("-1", 0), ("soon", 0), ("²", 0)]
)
def test_the_remote_says_when_to_come_again(text: str, seconds: float) -> None:
    response = S3Response(503, CIMultiDict({"Retry-After": text}))
    assert refusal(response).retry_after == seconds
    assert of_error(S3Error("SlowDown", headers={"Retry-After": text})).retry_after == seconds


def test_it_says_it_as_a_time() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < refusal(S3Response(503, CIMultiDict({"Retry-After": when}))).retry_after <= 100
    assert refusal(S3Response(503, CIMultiDict({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}))).retry_after == 0
