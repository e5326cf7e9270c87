"""The entry point: the list of verbs, and how everything that can happen becomes an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

import s3d
from s3d.cli.errors import Failure, Interrupted

VERBS = {
    "run": "Start the daemon.",
    "status": "Show the state of the daemon, of a bucket or of an object.",
    "ls": "List buckets or objects.",
    "get": "Read an object.",
    "put": "Write an object.",
    "set": "Change or show the tags of an object or a bucket.",
    "rm": "Delete objects.",
    "queue": "Show and control the write queue.",
    "cache": "Show, fill and empty the read cache.",
    "filter": "Try filters out.",
    "explain": "Show which rule decides about an object.",
    "audit": "Compare what was pushed with the remote.",
    "fsck": "Check the embedded store.",
    "completion": "Print the completion script of a shell.",
}
"""The verbs in the order of the help, each with the first sentence of its own: verb ``ls`` is in ``s3d/cli/ls.py``."""


class Verbs(click.Group):
    """A group that imports a verb when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"s3d.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, but from the table: nothing is imported to print the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(s3d.__version__, prog_name="s3d")
def cli() -> None:
    """s3d, the S3 daemon: the S3 API on localhost, in front of one remote S3 storage.

    Objects are named bucket/key or s3://bucket/key.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line (default: the process's own) and ends the process with its exit code."""
    sys.exit(exit_code(arguments))


def exit_code(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code: 0 done, 1 failed, 2 usage, 128 + n after signal n."""
    try:
        result = cli.main(arguments, prog_name="s3d", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Interrupted as error:
        _silence(sys.stdout.fileno())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        _silence(sys.stdout.fileno())
        return 141
    except OSError as error:
        Failure(str(error)).show()
        return 1
    return result if isinstance(result, int) else 0


def _silence(descriptor: int) -> None:
    """Lets the interpreter flush what is left without an error when nobody reads any more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
