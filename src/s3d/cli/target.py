"""What a command is about: ``bucket/key``, ``bucket/prefix`` or ``bucket``, with or without ``s3://`` in front."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import click

_SCHEME = "s3://"


@dataclass(frozen=True, slots=True)
class Target:
    """A bucket, and a key or prefix in it. Text is UTF-8 with surrogates for other bytes: keys are opaque."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def members(self) -> dict[str, str]:
        """The two as members of an S3 operation."""
        return {"Bucket": self.bucket, "Key": self.key} if self.key else {"Bucket": self.bucket}


def parse(text: str) -> Target:
    """Everything behind the first ``/`` is the key, byte for byte. Raises ValueError when there is no bucket."""
    bucket, _, key = text.removeprefix(_SCHEME).partition("/")
    if not bucket:
        raise ValueError(f"{text!r} names no bucket; write bucket/key")
    return Target(bucket, key)


class TargetType(click.ParamType[Target]):
    """A command-line argument that is a `Target`; ``with_key`` refuses a bare bucket."""

    name = "target"

    def __init__(self, *, with_key: bool = False) -> None:
        self._with_key = with_key

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        if isinstance(value, Target):
            return value
        try:
            # Python decoded the argument as the locale says; S3 keys are UTF-8, or whatever bytes they are.
            target = parse(os.fsencode(value).decode("utf-8", "surrogateescape"))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if self._with_key and not target.key:
            self.fail(f"{target.bucket!r} names a bucket but no key; write {target.bucket}/KEY", param, ctx)
        return target
