"""The AWS chain, from the files and variables that people set; and credentials that expire."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError

from s3d.remote import credentials as module
from s3d.remote.credentials import ANONYMOUS, Chain, Location, NoCredentials, Static
from s3d.s3.sigv4 import Credentials


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: no variable, no file and no instance metadata of this machine counts."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


async def test_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    assert await Chain().get() == Credentials("A", "S", None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "T")
    assert await Chain().get() == Credentials("A", "S", "T")


async def test_profiles(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "credentials").write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = S\n"
        "[other]\naws_access_key_id = B\naws_secret_access_key = S2\n"
    )
    (home / "config").write_text("[profile other]\nregion = eu-west-1\nendpoint_url = http://profile:1/\n")
    assert await Chain().get() == Credentials("A", "S")
    monkeypatch.setenv("AWS_PROFILE", "other")
    chain = Chain()
    assert await chain.get() == Credentials("B", "S2")
    assert await chain.locate(None, None) == Location("http://profile:1", "eu-west-1", is_aws=False)


async def test_a_process_gives_credentials(home: Path) -> None:
    answer = '{"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "S", "SessionToken": "T"}'
    (home / "answer").write_text(answer)
    (home / "config").write_text(f"[default]\ncredential_process = cat {home / 'answer'}\n")
    assert await Chain().get() == Credentials("P", "S", "T")


async def test_none_and_then_some(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may come later; but not every request looks for them."""
    chain = Chain()
    with pytest.raises(NoCredentials, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        await chain.get()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    with pytest.raises(NoCredentials):
        await chain.get()
    monkeypatch.setattr(module, "_ASK_AGAIN", 0.0)
    assert await chain.get() == Credentials("A", "S")


async def test_an_unknown_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(NoCredentials, match="missing"):
        await Chain().get()
    with pytest.raises(NoCredentials, match="missing"):
        await Chain().locate(None, None)


class Refreshable:
    """Credentials of botocore's refreshing kind."""

    def __init__(self) -> None:
        self.loads = 0
        self.stale = False
        self.error: Exception | None = None

    def refresh_needed(self) -> bool:
        return self.stale

    def get_frozen_credentials(self) -> Any:
        if self.error is not None:
            raise self.error
        self.loads += 1
        self.stale = False
        return SimpleNamespace(access_key=f"A{self.loads}", secret_key="S", token="T")


@pytest.fixture
def refreshable(home: Path, monkeypatch: pytest.MonkeyPatch) -> Refreshable:
    source = Refreshable()
    monkeypatch.setattr(module, "_ASK_AGAIN", 0.0)
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda self: source)
    return source


async def test_refreshed_when_they_expire_and_only_then(refreshable: Refreshable) -> None:
    chain = Chain()
    assert [(await chain.get()).access_key for _ in range(3)] == ["A1", "A1", "A1"]
    refreshable.stale = True
    found = await asyncio.gather(*(chain.get() for _ in range(10)))
    assert {credentials.access_key for credentials in found if credentials} == {"A2"}
    assert refreshable.loads == 2, "requests at the same time share one refresh"


async def test_a_refresh_that_fails_is_no_credentials(refreshable: Refreshable) -> None:
    chain = Chain()
    await chain.get()
    refreshable.stale, refreshable.error = True, CredentialRetrievalError(provider="sso", error_msg="log in again")
    with pytest.raises(NoCredentials, match="log in again"):
        await chain.get()
    refreshable.error = None
    assert (await chain.get()) == Credentials("A2", "S", "T")


@pytest.mark.parametrize(
    ("environ", "endpoint", "region", "expected"),
    [
        ({}, None, None, Location("https://s3.us-east-1.amazonaws.com", "us-east-1", True)),
        (
            {"AWS_DEFAULT_REGION": "eu-west-1"},
            None,
            None,
            Location("https://s3.eu-west-1.amazonaws.com", "eu-west-1", True),
        ),
        (
            {"AWS_DEFAULT_REGION": "eu-west-1"},
            None,
            "us-west-2",
            Location("https://s3.us-west-2.amazonaws.com", "us-west-2", True),
        ),
        ({}, None, "cn-north-1", Location("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1", True)),
        ({}, "http://given:1/", None, Location("http://given:1", "us-east-1", False)),
        ({"AWS_ENDPOINT_URL": "http://all:1"}, None, None, Location("http://all:1", "us-east-1", False)),
        (
            {"AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_S3": "http://s3:1"},
            None,
            None,
            Location("http://s3:1", "us-east-1", False),
        ),
        (
            {"AWS_ENDPOINT_URL_S3": "http://s3:1"},
            "http://given:1",
            None,
            Location("http://given:1", "us-east-1", False),
        ),
        (
            {"AWS_ENDPOINT_URL_S3": "http://s3:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            None,
            None,
            Location("https://s3.us-east-1.amazonaws.com", "us-east-1", True),
        ),
        (
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            None,
            "eu-west-1",
            Location("https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1", True),
        ),
        (
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            None,
            "us-east-2",
            Location("https://s3-fips.us-east-2.amazonaws.com", "us-east-2", True),
        ),
    ],
)
async def test_location(
    environ: dict[str, str],
    endpoint: str | None,
    region: str | None,
    expected: Location,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert await Chain().locate(endpoint, region) == expected


async def test_anonymous_and_static() -> None:
    assert await ANONYMOUS.get() is None
    assert await ANONYMOUS.locate("http://x:1", None) == Location("http://x:1", "us-east-1", is_aws=False)
    with pytest.raises(NoCredentials):
        await ANONYMOUS.locate(None, None)
    static = Static(Credentials("A", "S"))
    assert await static.get() == Credentials("A", "S")
    assert await static.locate("http://x:1", "r") == Location("http://x:1", "r", is_aws=False)


async def test_a_refresh_that_fails_early_is_not_tried_by_every_request(
    refreshable: Refreshable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore then gives the old ones, which still hold, and goes on saying that they are soon over."""
    monkeypatch.setattr(module, "_ASK_AGAIN", 60.0)
    monkeypatch.setattr(refreshable, "refresh_needed", lambda: True)
    chain = Chain()
    for _ in range(10):
        await chain.get()
    assert refreshable.loads == 1


async def test_a_refusal_of_the_token_service_is_no_credentials(refreshable: Refreshable) -> None:
    refreshable.error = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "AssumeRole")
    with pytest.raises(NoCredentials, match="not you"):
        await Chain().get()
