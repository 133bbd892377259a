"""The reference of all commands, made from their own help: ``python -m datalab.cli.reference > docs/reference/cli.md``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from datalab.cli.main import group

_WIDTH = 100
_HEAD = """# The commands

This page is made from the commands' own help: `python -m datalab.cli.reference > docs/reference/cli.md`.

Exit codes: 0 done, 1 a gate or a verification failed, 2 usage, 3 refused by policy, 4 a source failed, 130 interrupted.
Settings come from `datalab.toml`; `DATALAB_CONFIG`, `DATALAB_HOME`, `DATALAB_ACTOR`, `DATALAB_WORKERS` and `DATALAB_LEDGER_URL`
override it.
"""


def reference() -> str:
    """Return the page as Markdown."""
    return _HEAD + "".join(f"\n## {name}\n\n```text\n{text}\n```\n" for name, text in _helps(group, "datalab", None))


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    """Yield (path, help) of a command and of all below it."""
    names = group.context_settings["help_option_names"]
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=names
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _helps(found, below, context)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
