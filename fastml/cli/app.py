"""The `fastml` command: parses, calls the api, prints its report. No logic."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, Any

import typer

from fastml._version import __version__
from fastml.cli import commands
from fastml.errors import FastmlError, visible

__all__ = ["main"]

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Fit the one-way random-effects (null multilevel) model of students in schools.",
)

# Typer's own errors, whichever click it stands on: UsageError and its base.
_USAGE_ERROR: Any = typer.BadParameter.__base__
_CLICK_ERROR: Any = _USAGE_ERROR.__base__

# What typer returns after Ctrl-C, as shells do: 128 and the signal's number.
_INTERRUPTED = 130


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastml {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True,
                                          help="Print the version.")] = False,
) -> None:  # fmt: skip
    pass


for command in (
    commands.fit, commands.survey, commands.report, commands.stats, commands.merge, commands.simulate, commands.plan,
    commands.warmup,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Run the command; exit status 0, 2 with one line on stderr for a user's error, 3 when a part has no result."""
    warnings.showwarning = _notice
    try:
        code = app(standalone_mode=False)
    except FastmlError as error:
        _fail(str(error))
    except _CLICK_ERROR as error:
        if len(sys.argv) == 1:
            sys.stderr.write(error.format_message() + "\n")  # no arguments: the whole help
            raise SystemExit(2) from None
        _fail(error.format_message())
    except MemoryError as error:
        _fail(f"there is not enough memory: {error}" if str(error) else "there is not enough memory")
    except typer.Abort:
        _fail("interrupted")
    except SystemExit:  # typer's, when the reader of the help is gone: `fastml --help | head` is no error
        code = 0
    if code == _INTERRUPTED:
        _say("interrupted", "1;31")
    raise SystemExit(code or 0)


def _fail(message: str) -> None:
    _say(message, "1;31")
    raise SystemExit(2)


def _say(message: str, colour: str) -> None:
    """A line on stderr, its first word in colour on a terminal (unless NO_COLOR is set)."""
    if sys.stderr is None:
        return  # closed: the status has to do
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty()
    name = "fastml:" if plain else f"\033[{colour}mfastml:\033[0m"
    sys.stderr.write(f"{name} {visible(' '.join(message.split()))}\n")


def _notice(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as a line, without the place in the code."""
    _say(str(message), "1")
