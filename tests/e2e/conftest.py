"""What the real-client tests share: the address under test, the store behind it, a bucket, and a clean environment.

Each runs against s3d in front of SeaweedFS, and against s3d on the embedded store. With ``S3D_TEST_DIRECT=1`` they run
straight against SeaweedFS. That is the control: what fails there too is the remote's own limit, what fails only without
it is a defect of s3d.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import peers
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from e2e.boto import REMOTE_KEYS, s3_client
from e2e.target import TARGETS, Target
from fault_proxy import FaultProxy

DIRECT = os.environ.get("S3D_TEST_DIRECT") == "1"
# Through s3d the clients sign with keys that the remote has never seen: only a request that s3d signed anew gets in.
ACCESS_KEY, SECRET_KEY = (peers.ACCESS_KEY, peers.SECRET_KEY) if DIRECT else ("someclient", "someclientsecret01234567")


class Run(Protocol):
    def __call__(self, *command: str | Path, stdin: bytes | None = None, code: int = 0, **env: str) -> str: ...


@pytest.fixture
def proxy(seaweedfs: peers.Server) -> Iterator[FaultProxy]:
    """The link to SeaweedFS."""
    with FaultProxy(seaweedfs.url).running() as proxy:
        yield proxy


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for loopback that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "s3d test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("certificate")
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "key.pem").write_bytes(key.private_bytes(*form))
    return directory / "cert.pem", directory / "key.pem"


@pytest.fixture(scope="session", params=["control"] if DIRECT else ["gateway", "standalone"])
def target(request: pytest.FixtureRequest) -> Target:
    """Every test runs against each. One that starts daemons of its own in front of the remote says so:
    ``pytest.mark.parametrize("target", ["gateway"], indirect=True)``."""
    return Target(request.param, *[request.getfixturevalue(name) for name in TARGETS[request.param]])


@pytest.fixture(scope="session")
def endpoint(target: Target) -> str:
    """The URL that clients are pointed at."""
    return target.server.url


@pytest.fixture(scope="session")
def direct() -> bool:
    """Whether this run is the control."""
    return DIRECT


@pytest.fixture(scope="session")
def credentials() -> dict[str, str]:
    """What the client under test signs with, by boto3's names."""
    return {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "region_name": peers.REGION}


@pytest.fixture(scope="session")
def remote(target: Target) -> Iterator[Any]:
    """A boto3 client straight at the store: what is really there."""
    client = s3_client(target.store.url, REMOTE_KEYS, attempts=2)
    yield client
    client.close()


@pytest.fixture
def bucket(remote: Any) -> Iterator[str]:
    """A new bucket, made at the store and emptied and removed there afterwards."""
    name = f"client-{uuid.uuid4().hex[:12]}"
    remote.create_bucket(Bucket=name)
    yield name
    for page in remote.get_paginator("list_objects_v2").paginate(Bucket=name):
        keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
        if keys:
            remote.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
    remote.delete_bucket(Bucket=name)


@pytest.fixture
def client_env(endpoint: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a client process: an empty home; keys, region and endpoint in the variables of AWS tools."""
    home = tmp_path / "home"
    home.mkdir()
    return peers.clean_env(
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        AWS_REGION=peers.REGION,
        AWS_ENDPOINT_URL=endpoint,
        HOME=str(home),
        XDG_CACHE_HOME=str(home / ".cache"),
        XDG_CONFIG_HOME=str(home / ".config"),
    )


@pytest.fixture
def run(client_env: dict[str, str], tmp_path: Path) -> Run:
    """Runs a client program to its end in a directory of its own; its standard output as text.

    Fails with everything that the program said when it ends with another exit code than `code`.
    """

    def call(*command: str | Path, stdin: bytes | None = None, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            command, input=stdin, capture_output=True, env=client_env | env, cwd=tmp_path, timeout=180
        )
        output = done.stdout.decode(errors="replace")
        assert done.returncode == code, f"{command} ended with {done.returncode}\n{output}\n{done.stderr.decode()}"
        return output

    return call
