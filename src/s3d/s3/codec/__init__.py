"""S3 messages to and from dicts of members, by botocore's member names.

Values are str, int, bool, datetime (aware, UTC), list and dict; the streaming body of an object is never one of them.
"""

from s3d.s3.codec.remote_error import RemoteError, is_error, parse_error
from s3d.s3.codec.requests import build_request, parse_request
from s3d.s3.codec.responses import build_response, parse_response

__all__ = [
    "RemoteError",
    "build_request",
    "build_response",
    "is_error",
    "parse_error",
    "parse_request",
    "parse_response",
]
