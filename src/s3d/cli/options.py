"""Options that several verbs share, and the types of their values."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from s3d.cli.target import TargetType

Command = TypeVar("Command", bound=Callable[..., Any])

_Pairs = tuple[tuple[str, str], ...]

S3_ENDPOINT = "http://localhost:33333"
ADMIN_ENDPOINT = "http://localhost:33334"

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ANY_HOST = re.compile(r"^(https?://)(0\.0\.0\.0|\[::\]|\*)?(?=[:/]|$)", re.IGNORECASE)


class EndpointType(click.ParamType[str]):
    """A URL to connect to. An address that a server listens on (``http://0.0.0.0:33333``) means this machine."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).rstrip("/")
        if "://" not in text:
            text = f"http://{text}"
        if not text.startswith(("http://", "https://")):
            self.fail(f"{value!r} is not a URL; write http://host:port", param, ctx)
        return _ANY_HOST.sub(r"\1localhost", text)


class SinceType(click.ParamType[float]):
    """A time, as seconds since 1970: how long ago (``36h``, ``7d``), or a date (``2026-11-01``, ``2026-11-01T12:00Z``)."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        match = re.fullmatch(r"(\d{1,9})([smhd])", text.lower())
        if match is not None:
            return time.time() - int(match[1]) * _SECONDS[match[2]]
        try:
            return datetime.fromisoformat(text).astimezone().timestamp()  # without a zone: that of this machine
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither an age nor a date; write for example 36h, 7d or 2026-11-01", param, ctx)


class SizeType(click.ParamType[int]):
    """A number of bytes such as ``16MiB``, ``64MB`` or ``1048576``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"\s*(\d+)\s*([KMGT]?I?)B?\s*", str(value).upper())
        if match is None or match[2] not in _UNITS:
            self.fail(f"{value!r} is not a size; write for example 16MiB, 64MB or 1048576", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


class PairType(click.ParamType[tuple[str, str]]):
    """``name=value``; the value may be empty and may hold further ``=``."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, separator, text = str(value).partition("=")
        if not separator or not name:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return name, text


def file(short: str, name: str, text: str) -> Callable[[Command], Command]:
    """The option that names a local file in the place of stdin or stdout, as ``path``; ``-`` is none."""
    kind = click.Path(path_type=Path, allow_dash=True)
    return click.option(short, name, "path", metavar="FILE", type=kind, callback=_no_dash, help=text)


def _no_dash(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    return None if str(path) == "-" else path


def part_size(text: str) -> Callable[[Command], Command]:
    """The option for the size of the parts that a large object is transferred in."""
    return click.option("--part-size", metavar="SIZE", type=SizeType(), default="16MiB", show_default=True, help=text)


@dataclass(frozen=True)
class Described:
    """What options say of an object."""

    size: int
    tags: dict[str, str]
    headers: dict[str, str]
    metadata: dict[str, str]
    """Names of headers and metadata are in lower case."""

    @property
    def members(self) -> dict[str, Any]:
        """As the daemon takes it."""
        return {"size": self.size, "tags": self.tags, "headers": self.headers, "metadata": self.metadata}


def described(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what an object is like, as ``described``."""

    @functools.wraps(function)
    def with_description(
        *positional: Any, size: int, tags: _Pairs, headers: _Pairs, metadata: _Pairs, **named: Any
    ) -> Any:
        def lower(pairs: _Pairs) -> dict[str, str]:
            return {name.lower(): value for name, value in pairs}

        found = Described(size, dict(tags), lower(headers), lower(metadata))
        return function(*positional, described=found, **named)

    several: dict[str, Any] = {"metavar": "NAME=VALUE", "type": PairType(), "multiple": True}
    for option in (
        click.option("--metadata", "metadata", help="User metadata; repeatable.", **several),
        click.option("--header", "headers", help="A header, such as content-type=video/mp4; repeatable.", **several),
        click.option("-t", "--tag", "tags", help="A tag; repeatable.", **several),
        click.option("--size", metavar="SIZE", type=SizeType(), default=0, help="Its length."),
    ):
        with_description = option(with_description)
    return with_description


object_target = click.argument("target", metavar="BUCKET/KEY", type=TargetType(with_key=True))
endpoint = click.option(
    "--endpoint",
    type=EndpointType(),
    metavar="URL",
    envvar="S3D_ENDPOINT",
    show_envvar=True,
    default=S3_ENDPOINT,
    show_default=True,
    help="Where the daemon serves S3.",
)
jobs = click.option(
    "--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="How many parts to transfer at a time."
)
version_id = click.option("--version-id", metavar="ID", help="This version of the object.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
admin_endpoint = click.option(
    "--admin-endpoint",
    type=EndpointType(),
    metavar="URL",
    envvar="S3D_ADMIN_ENDPOINT",
    show_envvar=True,
    default=ADMIN_ENDPOINT,
    show_default=True,
    help="Where the daemon's admin listener is. S3D_ADMIN_TOKEN is sent if it is set.",
)
