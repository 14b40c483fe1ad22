"""The `churn` command: puts the commands together. Each is a few lines that call the core, and imports heavy libraries itself."""

from __future__ import annotations

import errno
import inspect
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import typer.core

from churn import DISTRIBUTION
from churn.config.unknown_settings import unknown_settings
from churn.errors import MACHINE_REFUSALS, ChurnError, InputError, describe_refusal
from churn.gc_tuning import collect_seldom
from pipelines.cli import backup, data, drift, note, score, status, store, system, traffic, train
from pipelines.cli.campaigns import commands as campaign
from pipelines.cli.interrupted import STOPPED
from pipelines.cli.models import commands as model
from pipelines.console import fail, warn


class OneLineErrors(typer.core.TyperGroup):
    """The command and all below it: a wrong option is one line, as any other error is, and not a box below three lines."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the options of the command itself, which has this name however it was started."""
        del info_name
        with _wrong_input():
            return super().make_context("churn", args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read what follows, and run it."""
        with _wrong_input():
            return super().invoke(ctx)


@contextmanager
def _wrong_input() -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        context, said = getattr(error, "ctx", None), error.format_message()
        if context is None or not said:  # a noun alone, whose help was shown
            raise
        raise InputError(f"{said.rstrip('.')}; `{context.command_path} --help` says more") from None


app = typer.Typer(
    name="churn",
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Predict which customers leave, act on it, and keep the model right.",
)
# The help text shows commands in this order, under these headings.
COMMANDS = {
    "The whole system": (system.up, status.status, system.demo),
    "Data and models": (train.train, model.evaluate),
    "Predictions and campaigns": (system.serve, score.score, note.note),
    "Monitoring": (system.monitor, drift.drift, traffic.traffic),
    "The store": (backup.backup, backup.restore),
}
GROUPS = {
    "Data and models": (("data", data.app), ("model", model.app)),
    "Predictions and campaigns": (("campaign", campaign.app),),
    "The store": (("store", store.app),),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
for panel, groups in GROUPS.items():
    for name, group in groups:
        app.add_typer(group, name=name, rich_help_panel=panel)
# Parts of `churn up`, and of a container each.
app.command(hidden=True)(system.exporter)
app.command(hidden=True)(system.flows)
# Typer keeps the line breaks of docstrings, which are wider than most terminals: of a paragraph every second line would be short.
for parts in (app, *(part for named in GROUPS.values() for _, part in named)):
    for registered in parts.registered_commands:
        paragraphs = (inspect.getdoc(registered.callback) or "").split("\n\n")
        registered.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Predict which customers leave, act on it, and keep the model right."""
    del version
    if "--help" not in sys.argv:  # it shall come at once, and to know the settings takes longer than all the rest
        for sentence in unknown_settings(os.environ):
            warn(sentence)


# What only a name that was given can be: too long for a file, or one of a file where a folder must be.
WRONG_NAMES = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}


_SURROGATES = re.compile("[\ud800-\udfff]")


def main() -> None:
    """Run the command; a ChurnError is one line on stderr and its own exit code, and so is a file that the machine refuses."""
    collect_seldom()
    try:
        app()
    except ChurnError as error:
        fail(str(error), error.details)
        sys.exit(error.exit_code)
    except UnicodeEncodeError as error:
        # Half a surrogate pair is how Python keeps a byte of an argument that is no UTF-8: no database, no page takes it.
        if not _SURROGATES.search(error.object):
            raise
        shown = error.object[error.start : error.end].encode("utf-8", "surrogateescape")
        fail(f"an argument, or the name of a file, is no text in UTF-8: it holds {shown!r}")
        sys.exit(InputError.exit_code)
    except SystemExit as left:
        # Typer ends without a word what Ctrl-C stopped; a command that says more about it says it itself.
        if left.__context__ is not None and isinstance(left.__context__.__cause__, KeyboardInterrupt):
            fail(STOPPED)
        raise
    except OSError as error:
        if error.errno not in MACHINE_REFUSALS | WRONG_NAMES:
            raise
        fail(describe_refusal(error))
        sys.exit(InputError.exit_code if error.errno in WRONG_NAMES else ChurnError.exit_code)


if __name__ == "__main__":
    main()
