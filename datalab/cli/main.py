"""The entry point of ``datalab``: one lazy group, one way to show errors, the exit codes.

0 done · 1 a gate or a verification failed · 2 usage · 3 refused by policy · 4 a source failed · 130 interrupted
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from datalab.cli.interrupt import how_to_resume, interruptible
from datalab.errors import harmless

COMMANDS = {
    "discover": "Search the catalogues for datasets on offer.",
    "offer": "Show one offer with its terms in words, or a profile of its data.",
    "catalogue": "Harvest catalogues into the index, or list what is in it.",
    "login": "Log in at a data space that wants a person.",
    "profile": "Look at a bounded sample of a dataset before committing to it.",
    "plan": "Show what a run would do, without doing it.",
    "run": "Run a pipeline to a candidate.",
    "slurm": "Write the Slurm job that works a run off on many nodes.",
    "runs": "List the runs and what became of them.",
    "releases": "List candidates and releases.",
    "show": "Show one candidate or release.",
    "approve": "Approve a candidate: it becomes a numbered release.",
    "reject": "Reject a candidate, with a reason.",
    "pull": "Copy an approved release to where it will be used.",
    "publish": "Offer a release to a data space, or list what is on offer.",
    "serve": "Answer other labs for what is published.",
    "verify": "Verify every byte and row of a release.",
    "report": "Show where the report of a release is, or open it.",
    "lineage": "Show where the columns, or one row, of a release come from.",
    "policy": "Explain terms, and vouch for one that is unknown.",
    "ledger": "Read and verify the ledger.",
    "quarantine": "List what was quarantined, or remove what is past its retention.",
    "sandbox": "Start, stop and look at the sandbox data space.",
    "doctor": "Check this installation and this lab.",
    "demo": "Do the main job on real data, end to end.",
    "dev": "Open Dagster on the pipelines.",
}
"""Every command with its one-line help, so that ``datalab --help`` imports none of them."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"datalab.cli.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; an unknown one gets "did you mean"."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from datalab.errors import NotFound

            raise NotFound.among("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aif-datalab", prog_name="datalab")
def group() -> None:
    """Prepare data for AI, from a data-space offer to an approved, proven, training-ready release."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors become two or three plain lines and an exit code."""
    os.umask(0o077)
    output = sys.stdout
    try:
        with interruptible():
            result: Any = group.main(args=arguments, prog_name="datalab", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail(how_to_resume(sys.argv[1:] if arguments is None else arguments), 130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SystemExit:
        if sys.stdout is not output:  # click put another in its place because the reader went away: that is no failure
            sys.exit(0)
        raise
    except Exception as error:
        from datalab.errors import DatalabError

        if isinstance(error, DatalabError):
            _fail(str(error), error.exit_code)
        if isinstance(error, OSError) or type(error).__module__ == "sqlite3":
            _fail(_of_the_machine(error), 1)
        raise
    sys.exit(result if isinstance(result, int) else 0)


def _of_the_machine(error: Exception) -> str:
    """Say plainly what the disk, the network or the ledger's database answered."""
    place = getattr(error, "filename", None) or ("the ledger" if not isinstance(error, OSError) else "")
    where = f"\n  where: {place}" if place else ""
    return f"{getattr(error, 'strerror', None) or error}{where}\n  next:  make room, or mend what is named; then run it again: nothing is lost"


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"datalab: {harmless(message)}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
