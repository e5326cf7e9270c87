"""What a bucket may be called, and where it may be. Pure functions.

Source: "General purpose bucket naming rules", Amazon S3 User Guide. That a label between two dots begins and ends with
a letter or digit stands in its earlier editions only; a name that breaks it is no host name.
"""

from __future__ import annotations

import re

from s3d.s3.errors import S3Error

REGION = "us-east-1"
"""The region whose location is empty."""

_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_LOCATION = re.compile(r"EU|[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def check(name: str) -> None:
    """Raises InvalidBucketName."""
    length_fits = 3 <= len(name) <= 63
    is_reserved = name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS)
    if not length_fits or is_reserved or not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name):
        raise S3Error("InvalidBucketName", elements={"BucketName": name})


def location(constraint: str | None) -> str:
    """A LocationConstraint as it is stored; '' is us-east-1. Raises InvalidLocationConstraint.

    Whatever has the form of a region's name will do: clients of other stores name regions that Amazon does not have.
    """
    if constraint in (None, "", REGION):
        return ""
    if len(constraint) > 64 or not _LOCATION.fullmatch(constraint):
        raise S3Error("InvalidLocationConstraint", elements={"LocationConstraint": constraint})
    return constraint


def region(location: str) -> str:
    """The region that a stored location means."""
    return {"": REGION, "EU": "eu-west-1"}.get(location, location)
