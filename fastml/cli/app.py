"""The `fastml` command: parses, calls the api, prints its report. No logic."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from fastml._version import __version__
from fastml.cli import commands, comparing, pipelines
from fastml.cli.once import OnceCommand
from fastml.cli.output import printing
from fastml.cli.wording import in_own_words, without_types
from fastml.errors import DriftError, FastmlBugError, FastmlError, PartsMissingError, plain_errors, visible
from fastml.io.progress import is_terminal

__all__ = ["main"]


class _Command(OnceCommand):
    def get_help(self, ctx: Any) -> str:
        return without_types(super().get_help(ctx))


app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
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


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with whatever a library raises in it as a `FastmlError`."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        with plain_errors(f"fastml {command.__name__}"):
            try:
                Path.cwd()
            except FileNotFoundError:
                raise FastmlError("the working folder doesn't exist any more; cd to one that does") from None
            command(*args, **options)

    return run


for command in (
    commands.fit, commands.survey, comparing.contrast, commands.report, commands.stats, commands.merge, pipelines.check,
    pipelines.sql, commands.simulate, commands.plan, commands.warmup,
):  # fmt: skip
    _doc, _, _examples = (inspect.getdoc(command) or "").partition("\n\n")
    app.command(cls=_Command, help=_doc, epilog=f"\b\n{_examples}")(_guarded(command))  # \b: its lines stay as they are


def main() -> None:
    """Run the command.

    Exit status 0; 2 with one line on stderr for an error of the call or the data; 3 with one when a part has no result;
    4 with one when new data drifted from old; 1 with one for a fault of fastml's own.
    """
    _hold_closed_streams()
    warnings.showwarning = _notice
    try:
        with printing():  # the help and the version; results see to themselves
            code = app(standalone_mode=False)
    except PartsMissingError as error:
        _fail(in_own_words(str(error)), 3)
    except DriftError as error:
        _fail(str(error), 4)
    except FastmlBugError as error:
        if os.environ.get("FASTML_TRACEBACK"):
            raise
        _fail(f"{in_own_words(str(error))} (FASTML_TRACEBACK=1 shows where it comes from)", 1)
    except FastmlError as error:
        _fail(in_own_words(str(error)))
    except _CLICK_ERROR as error:
        if len(sys.argv) == 1:
            sys.stderr.write(error.format_message() + "\n")  # no arguments: the whole help
            raise SystemExit(2) from None
        _fail(in_own_words(error.format_message()))
    except Warning as warning:  # Python was told to make errors of them
        _fail(str(warning))
    except MemoryError as error:
        _fail(f"there is not enough memory: {error}" if str(error) else "there is not enough memory")
    except typer.Abort:
        _fail("interrupted")
    except KeyboardInterrupt:  # before typer listens
        code = _INTERRUPTED
    except SystemExit:  # typer's, when the reader of the help is gone: `fastml --help | head` is no error
        code = 0
    if code == _INTERRUPTED:
        _say("interrupted", "1;31")
    raise SystemExit(code or 0)


def _hold_closed_streams() -> None:
    """Put something in the places of streams that are closed, which the next files opened would take.

    What is written to stdout then fails, as it should; stderr swallows what is said to nobody.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the first free place, which is this
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # for as long as the process runs


def _fail(message: str, status: int = 2) -> None:
    _say(message, "1;31")
    raise SystemExit(status)


def _say(message: str, colour: str) -> None:
    """A line on stderr, its first word in colour on a terminal (unless NO_COLOR is set)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(sys.stderr)
    name = "fastml:" if plain else f"\033[{colour}mfastml:\033[0m"
    with contextlib.suppress(OSError, ValueError):  # full or closed: the status has to do
        sys.stderr.write(f"{name} {visible(' '.join(message.split()))}\n")
        sys.stderr.flush()


def _notice(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as a line, without the place in the code."""
    _say(in_own_words(str(message)), "1")
