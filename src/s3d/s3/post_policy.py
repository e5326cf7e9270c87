"""The policy of a browser upload: which form fields and which sizes the author of the page allows.

    {"expiration": "2030-01-01T00:00:00Z",
     "conditions": [{"acl": "private"}, ["starts-with", "$key", "photos/"], ["content-length-range", 0, 1048576]]}

Source: "POST policy" in the Amazon S3 API Reference (sigv4-HTTPPOSTConstructPolicy). Codes and wordings are those that S3
answers with, which is not in all cases what its table of errors says. Not checked here: the signature of the policy.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from s3d.s3.errors import S3Error

_EXEMPT = frozenset({"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"})
_V2_FIELDS = ("AWSAccessKeyId", "Signature")
_V4_FIELDS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")
_IGNORED_PREFIX = "x-ignore-"
_RANGE = "content-length-range"


@dataclass(frozen=True, slots=True)
class Condition:
    """``operator`` is ``eq`` or ``starts-with``; ``field`` is ``$`` and a form field's name, as the policy spells it."""

    operator: str
    field: str
    value: str

    @property
    def name(self) -> str:
        """The lower-case name of the field."""
        return self.field.removeprefix("$").lower()

    def holds(self, actual: str | None) -> bool:
        if not self.field.startswith("$"):
            return False
        if self.operator == "eq":
            return actual == self.value
        if not self.value:
            return True  # "any content"; S3 itself wants the field to be there at all, other servers do not
        if actual is None:
            return False
        # "Content-Types values for a starts-with condition that include commas are interpreted as lists."
        parts = [part.strip() for part in actual.split(",")] if self.name == "content-type" else [actual]
        return all(part.startswith(self.value) for part in parts)


@dataclass(frozen=True, slots=True)
class LengthRange:
    """Bytes that the file may have, both bounds included. S3 takes numbers also as strings."""

    minimum: int | str
    maximum: int | str

    def bounds(self) -> tuple[int, int]:
        """Raises AccessDenied if a bound is no number, which S3 notices only now."""
        try:
            return int(self.minimum), int(self.maximum)
        except ValueError:
            raise _failed(_RANGE, self.minimum, self.maximum) from None


@dataclass(frozen=True, slots=True)
class Policy:
    expiration: datetime
    conditions: tuple[Condition, ...]
    ranges: tuple[LengthRange, ...]

    def check(self, fields: Mapping[str, str], *, bucket: str, now: datetime) -> None:
        """Checks all but the size of the file. ``fields`` by lower-case name, with ``${filename}`` expanded; ``bucket``
        is that of the URL; ``now`` is aware. Raises AccessDenied."""
        if now > self.expiration:
            raise S3Error("AccessDenied", "Invalid according to Policy: Policy expired.")
        for condition in self.conditions:
            if not condition.holds(bucket if condition.name == "bucket" else fields.get(condition.name)):
                raise _failed(condition.operator, condition.field, condition.value)
        for length_range in self.ranges:
            length_range.bounds()
        covered = _EXEMPT | {condition.name for condition in self.conditions}
        for name in fields:
            if name not in covered and not name.startswith(_IGNORED_PREFIX):
                raise S3Error("AccessDenied", f"Invalid according to Policy: Extra input fields: {name}")

    def check_length(self, length: int, *, final: bool = True) -> None:
        """Checks the size of the file in bytes. ``final=False``: that many have arrived and more may follow. Raises
        EntityTooLarge, EntityTooSmall."""
        for length_range in self.ranges:
            minimum, maximum = length_range.bounds()
            if length > maximum:
                elements = {"ProposedSize": str(length), "MaxSizeAllowed": str(maximum)}
                message = "Your proposed upload exceeds the maximum allowed size"
                raise S3Error("EntityTooLarge", message, elements=elements)
            if final and length < minimum:
                elements = {"ProposedSize": str(length), "MinSizeAllowed": str(minimum)}
                message = "Your proposed upload is smaller than the minimum allowed size"
                raise S3Error("EntityTooSmall", message, elements=elements)


def check_signed(fields: Mapping[str, str]) -> None:
    """A policy comes with a signature, of the old kind or the new. ``fields`` by lower-case name.
    Raises InvalidArgument."""
    needed = _V4_FIELDS if any(name.lower() in fields for name in _V4_FIELDS) else _V2_FIELDS
    for name in needed:
        if name.lower() not in fields:
            message = (
                f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the "
                "fields."
            )
            raise S3Error("InvalidArgument", message, elements={"ArgumentName": name, "ArgumentValue": ""})


def parse(encoded: str) -> Policy:
    """Reads the form field ``policy``: base64 of JSON. Raises InvalidPolicyDocument."""
    document = _decode(encoded)
    for name in document:
        if name not in ("expiration", "conditions"):
            raise _invalid(f"Unexpected: '{name.lower()}'")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    if "conditions" not in document:
        raise _invalid("Policy missing conditions.")
    if not isinstance(document["conditions"], list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
    parsed = [_condition(condition) for condition in document["conditions"]]
    return Policy(
        _expiration(document["expiration"]),
        tuple(item for item in parsed if isinstance(item, Condition)),
        tuple(item for item in parsed if isinstance(item, LengthRange)),
    )


def _decode(encoded: str) -> dict[str, Any]:
    try:
        text = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("invalid Base64 encoding.") from None
    try:
        document = json.loads(text, parse_float=_not_in_policies, parse_constant=_not_in_policies)
        # An escape such as \ud800 is no text, and no error could quote it.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    return document


def _not_in_policies(_text: str) -> NoReturn:
    raise ValueError


_EXPIRATION = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z", re.ASCII)


def _expiration(value: object) -> datetime:
    """UTC only, with ``T`` and ``Z``: S3 refuses offsets and spaces."""
    match = _EXPIRATION.fullmatch(value) if isinstance(value, str) else None
    try:
        if match:
            return datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        pass  # a day or an hour that does not exist: refused below like any other text
    raise _invalid(f"Invalid 'expiration' value: '{value}'")


def _condition(condition: object) -> Condition | LengthRange:
    if isinstance(condition, dict):
        return _simple_condition(condition)
    if not isinstance(condition, list):
        raise _invalid(f"Invalid condition {json.dumps(condition)}: must be a List or Object.")
    if not condition or not isinstance(condition[0], str):
        raise _invalid("Invalid Condition: missing operation identifier.")
    operator, *operands = condition
    operator = operator.lower()
    if operator not in ("eq", "starts-with", _RANGE):
        raise _invalid(f"Invalid Condition: unknown operation '{operator}'.")
    if len(operands) != 2:
        raise _invalid(f"Invalid {operator}: wrong number of arguments.")
    kinds = (int, str) if operator == _RANGE else (str,)
    if not all(type(operand) in kinds for operand in operands):
        raise _invalid("Invalid JSON.")
    return LengthRange(*operands) if operator == _RANGE else Condition(operator, *operands)


def _simple_condition(condition: dict[str, Any]) -> Condition:
    prefix = "Invalid Simple-Condition: "
    if len(condition) != 1:
        raise _invalid(prefix + "Simple-Conditions must have exactly one property specified.")
    ((name, value),) = condition.items()
    if not isinstance(value, str):
        raise _invalid(prefix + "value must be a string.")
    return Condition("eq", f"${name}", value)


def _invalid(why: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {why}")


def _failed(*condition: object) -> S3Error:
    text = json.dumps(condition, ensure_ascii=False)
    return S3Error("AccessDenied", f"Invalid according to Policy: Policy Condition failed: {text}")
