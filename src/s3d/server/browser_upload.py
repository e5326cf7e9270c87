"""Browser uploads: a POST form to a bucket becomes a PutObject."""

from __future__ import annotations

from pathlib import Path

from aiohttp.web import BaseRequest

from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response


async def put_form(
    http: BaseRequest, request: S3Request, backend: Backend, *, idle: float, spool_dir: Path | None
) -> S3Response:
    raise S3Error("NotImplemented")
