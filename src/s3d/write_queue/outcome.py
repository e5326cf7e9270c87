"""What an error of the remote means for an operation: to be tried again, or refused for good.

Permanent is only what is on this list. Source of the codes: "List of error codes", Amazon S3 API Reference.
"""

from __future__ import annotations

import contextlib
import random
import time
from email.utils import parsedate_to_datetime
from typing import Any

from s3d.s3.codec.remote_error import RemoteError, parse_error
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response

PERMANENT = {
    "AccessDenied": "the credentials may not do this",
    "AccountProblem": "the account cannot be used",
    "AllAccessDisabled": "the object is locked by S3 itself",
    "EntityTooLarge": "it is larger than the remote takes",
    "EntityTooSmall": "a part is smaller than the remote takes",
    "InvalidArgument": "a header is not valid for the remote",
    "InvalidBucketName": "the remote does not have such names",
    "InvalidEncryptionAlgorithmError": "the encryption asked for does not exist",
    "InvalidObjectState": "the object does not allow it",
    "InvalidRequest": "the remote cannot do this with these headers",
    "InvalidStorageClass": "the remote does not have the storage class",
    "InvalidTag": "a tag is not valid",
    "InvalidURI": "the remote does not take this key",
    "KMS.DisabledException": "the key to encrypt with is disabled",
    "KMS.NotFoundException": "the key to encrypt with does not exist",
    "KeyTooLongError": "the key is longer than the remote takes",
    "MalformedXML": "the remote does not understand the tags",
    "MetadataTooLarge": "the metadata is larger than the remote takes",
    "MethodNotAllowed": "the remote does not allow this here",
    "NoSuchBucket": "the bucket does not exist",
    "NoSuchKey": "the object does not exist",
    "NotImplemented": "the remote cannot do this",
    "ObjectLockConfigurationNotFoundError": "the bucket has no object lock",
    "XMinioInvalidObjectName": "the remote does not take this key",
}
"""Code and what is wrong. What a later attempt may well find changed (a quota, credentials, clocks, redirects, a full
disk, a conflict with another request) is not here, and neither is what nobody knows."""

_FIRST_DELAY, _LAST_DELAY = 1.0, 300.0  # seconds


class Refusal(Exception):
    """An answer that is none of success. ``ambiguous``: the change may have been made all the same. ``retry_after``:
    seconds that the remote asked for."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int,
        *,
        ambiguous: bool = False,
        permanent: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.ambiguous = ambiguous
        self.retry_after = retry_after
        self.permanent = permanent or (code in PERMANENT and (status < 500 or status == 501))
        super().__init__(f"{code}: {message}")

    def unsure(self) -> Refusal:
        """The same as an answer to a question about an operation: that decides nothing. (An answer to HEAD has no code,
        and a clock that is wrong looks there like a lack of permission.)"""
        self.ambiguous, self.permanent = True, False
        return self

    def document(self) -> dict[str, Any]:
        """As the journal keeps it."""
        return {"code": self.code, "message": self.message[:500], "status": self.status, "at": round(time.time(), 3)}


def refusal(response: S3Response) -> Refusal:
    """Of an answer whose body is in memory."""
    assert isinstance(response.body, bytes)  # noqa: S101  whoever calls has read it
    return _of(parse_error(response, response.body), _seconds(response.headers.get("Retry-After", "")))


def of_error(error: S3Error) -> Refusal:
    """Of a Backend that raises what another answers."""
    return _of(RemoteError(error.code, error.message, error.status), _seconds(error.headers.get("Retry-After", "")))


def delay(attempts: int) -> float:
    """Seconds until the next attempt, after that many: 1, 2, 4, ... 300, each with up to a quarter more or less."""
    whole = min(_LAST_DELAY, _FIRST_DELAY * 2.0 ** min(max(attempts, 1) - 1, 20))
    return whole * random.uniform(0.75, 1.25)  # noqa: S311  no secret


def _of(error: RemoteError, retry_after: float = 0.0) -> Refusal:
    # A server that fails in the middle, or a proxy in front of it, may have let the request through.
    ambiguous = error.status >= 500
    return Refusal(error.code, error.message, error.status, ambiguous=ambiguous, retry_after=retry_after)


def _seconds(text: str) -> float:
    """Of Retry-After, a number of seconds or a time (RFC 9110, section 10.2.3); never longer than the longest delay."""
    seconds = 0.0
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    elif text:
        with contextlib.suppress(ValueError):
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
    return min(max(seconds, 0.0), _LAST_DELAY)
