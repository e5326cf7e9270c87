"""``s3d run``: the daemon. Its flags are the table of settings."""

from __future__ import annotations

import os

import click

from s3d.cli.errors import Misconfigured
from s3d.daemon.settings import SETTINGS, Setting


def _option(setting: Setting) -> click.Option:
    """One flag. The default and the environment stay with the loader, which also knows the file."""
    default = f"; default: {setting.default}" if setting.default is not None else ""
    text = f"{setting.help}  [{setting.name}{default}]"
    return click.Option([setting.flag, setting.key], metavar=setting.metavar, help=text)


def _run(**flags: str | None) -> int:
    from s3d.daemon.config import ConfigError, load

    try:
        config = load(flags, os.environ)
    except ConfigError as error:
        raise Misconfigured(str(error)) from error
    from s3d.daemon.run import run

    return run(config, load=lambda: load(flags, os.environ))


command = click.Command(
    "run",
    callback=_run,
    params=[_option(setting) for setting in SETTINGS.values()],
    help="""Start the daemon.

    It serves the S3 API of the remote, or of the embedded store on this machine's disk (--s3-endpoint local:), until
    SIGTERM or Ctrl-C. Each setting is a flag, an environment variable or a line in the TOML file of --config; flags win
    over the environment, the environment over the file.""",
)
