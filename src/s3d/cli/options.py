"""Options that several verbs share, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from s3d.cli.target import TargetType

Command = TypeVar("Command", bound=Callable[..., Any])

S3_ENDPOINT = "http://localhost:33333"
ADMIN_ENDPOINT = "http://localhost:33334"

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
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
