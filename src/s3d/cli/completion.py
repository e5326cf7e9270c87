"""``s3d completion``: the script that teaches a shell the command line."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: eval "$(s3d completion bash)"          in ~/.bashrc
    zsh:  eval "$(s3d completion zsh)"           in ~/.zshrc
    fish: s3d completion fish | source           in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  the choice above lists what click has
    click.echo(kind(context.find_root().command, {}, "s3d", "_S3D_COMPLETE").source())
