"""What ``s3d run`` prints for a person who has just started an embedded store: lines that work as they are pasted.

They hold nothing that the machine would have to have but the client itself: the keys (any will do), the region and the
address are in them, and they change no configuration. Nothing is indented, since Python would not take that.
"""

from __future__ import annotations

import shlex

from s3d.daemon.values import Endpoint
from s3d.server.config import ServerConfig
from s3d.standalone.config import StandaloneConfig

_KEYS = "AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any"
_BUCKET = "demo"
"""What the lines make where no bucket was asked for."""


def text(server: ServerConfig, port: int, store: StandaloneConfig) -> str:
    """The lines, for a listener on ``port``."""
    url = address(server, port)
    bucket = store.buckets[0] if store.buckets else _BUCKET
    new = not store.buckets
    return (
        "\n\n".join(
            [
                f"S3 is on {url} and keeps its objects in {store.directory}.\n"
                f"Clients on this machine may use any access key and secret. Ctrl-C stops it; the objects stay.",
                *([_tls(server)] if server.tls_cert else []),
                "# aws cli\n" + "\n".join(_aws(url, bucket, new=new)),
                "# boto3, in Python\n" + "\n".join(_boto3(url, bucket, new=new)),
                "# rclone\n" + "\n".join(_rclone(url, bucket, new=new)),
                f"# other clients, in a shell of their own\nexport {_KEYS} AWS_REGION=us-east-1 AWS_ENDPOINT_URL_S3={url}",
            ]
        )
        + "\n"
    )


def address(server: ServerConfig, port: int) -> str:
    """The URL for clients on this machine: an address that means all of its addresses is none to connect to."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104  compared with, not bound
    return Endpoint("https" if server.tls_cert else "http", host, port).url


def _tls(server: ServerConfig) -> str:
    file = shlex.quote(str(server.tls_cert))
    return (
        "Where this machine does not trust the certificate, add to the lines below:\n"
        f"aws: --ca-bundle {file}   boto3: verify={str(server.tls_cert)!r}   rclone: --ca-cert {file}"
    )


def _aws(url: str, bucket: str, *, new: bool) -> list[str]:
    aws = f"{_KEYS} aws --endpoint-url {url} --region us-east-1 s3"
    return [
        *([f"{aws} mb s3://{bucket}"] if new else []),
        f"echo hello | {aws} cp - s3://{bucket}/hello.txt",
        f"{aws} ls s3://{bucket}",
    ]


def _boto3(url: str, bucket: str, *, new: bool) -> list[str]:
    keys = 'region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"'
    return [
        "import boto3",
        f's3 = boto3.client("s3", endpoint_url="{url}", {keys})',
        *([f's3.create_bucket(Bucket="{bucket}")'] if new else []),
        f's3.put_object(Bucket="{bucket}", Key="hello.txt", Body=b"hello")',
        f's3.get_object(Bucket="{bucket}", Key="hello.txt")["Body"].read()',
    ]


def _rclone(url: str, bucket: str, *, new: bool) -> list[str]:
    remote = f":s3,provider=Other,region=us-east-1,access_key_id=any,secret_access_key=any,endpoint='{url}':{bucket}"
    return [
        *([f'rclone mkdir "{remote}"'] if new else []),
        f'echo hello | rclone rcat "{remote}/hello.txt"',
        f'rclone ls "{remote}"',
    ]
