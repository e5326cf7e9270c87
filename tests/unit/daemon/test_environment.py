"""Which environment variables are settings, which are mistakes, and which belong to Kubernetes."""

from __future__ import annotations

import pytest

from s3d.daemon import environment


def read(**environ: str) -> tuple[dict[str, str], list[str]]:
    problems: list[str] = []
    return environment.read(environ, problems), problems


def test_settings_are_found_and_others_left_alone() -> None:
    found, problems = read(S3D_DOMAIN="a b", S3_ENDPOINT="http://x", PATH="/bin", AWS_PROFILE="p", S3_ENDPOINT_URL="?")
    assert found == {"S3D_DOMAIN": "a b", "S3_ENDPOINT": "http://x"}
    assert problems == []


def test_empty_is_unset() -> None:
    assert read(S3D_ADMIN_TOKEN="", S3D_DOMAIN="") == ({}, [])


def test_a_typo_names_the_right_one() -> None:
    _, problems = read(S3D_ENDPIONT="http://localhost")
    assert problems == ["the environment variable S3D_ENDPIONT is not a setting of s3d: did you mean S3D_ENDPOINT?"]


@pytest.mark.parametrize("name", ["S3D_CREDENTIALS", "S3D_FUSE_MOUNT", "S3D_X", "S3D_", "S3D_TEST"])
def test_a_setting_that_is_none_is_refused_even_when_empty(name: str) -> None:
    for value in ("1", ""):
        _, problems = read(**{name: value})
        assert len(problems) == 1
        assert name in problems[0]
        assert "unset it" in problems[0] or "did you mean" in problems[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("S3D_SERVICE_HOST", "10.0.0.1"),
        ("S3D_SERVICE_PORT", "33333"),
        ("S3D_SERVICE_PORT_HTTP", "33333"),
        ("S3D_PORT", "tcp://10.0.0.1:33333"),
        ("S3D_PORT_33333_TCP", "tcp://10.0.0.1:33333"),
        ("S3D_PORT_33333_TCP_PROTO", "tcp"),
        ("S3D_PORT_33333_TCP_PORT", "33333"),
        ("S3D_PORT_33333_TCP_ADDR", "10.0.0.1"),
        ("S3D_ADMIN_SERVICE_HOST", "10.0.0.2"),
        ("S3D_ADMIN_PORT", "tcp://10.0.0.2:33334"),
    ],
)
def test_variables_of_kubernetes_services_are_no_settings(name: str, value: str) -> None:
    assert read(**{name: value}) == ({}, [])


@pytest.mark.parametrize("name", ["S3D_PORT", "S3D_ADMIN_PORT"])
def test_a_port_that_a_person_set_is_a_mistake(name: str) -> None:
    _, problems = read(**{name: "8080"})
    assert len(problems) == 1
