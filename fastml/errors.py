"""The errors fastml raises: one line each, with the column, the value and the remedy."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

__all__ = [
    "ArgumentError",
    "CallError",
    "ColumnNotFoundError",
    "ColumnTypeError",
    "ColumnsMissingError",
    "DriftError",
    "FastmlBugError",
    "FastmlError",
    "FilterError",
    "FormulaError",
    "MergeError",
    "ModelError",
    "NotANumberError",
    "PartsMissingError",
    "RangeError",
    "SourceError",
    "ValueNotAllowedError",
    "WeightVariesError",
    "called_as",
    "first_line",
    "plain_errors",
    "row_text",
    "visible",
]


# What a terminal obeys or nobody sees: controls and escapes, ends of lines and paragraphs, direction marks and other
# characters without width, halves of surrogates. The joiners U+200C and U+200D belong to the words of some languages.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: object, but: str = "") -> str:
    r"""Return the text with what a terminal would obey, or nobody see, written out as Python and JSON do.

    Parameters
    ----------
    text : object
    but : str
        Characters to leave as they are.

    Returns
    -------
    str

    Examples
    --------
    >>> print(visible("a\x1b[31mred\nb"))
    a\x1b[31mred\nb
    """
    return _HIDDEN.sub(lambda at: at[0] if at[0] in but else repr(at[0])[1:-1], str(text))


class FastmlError(ValueError):
    """Base of every error that fastml raises on purpose.

    The message is one line that names what was wrong and what to do about it;
    the command line prints it as it is.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(message))

    def __reduce__(self) -> tuple[object, ...]:
        # As its message: what the children are made of would be asked for again in another process.
        return _again, (type(self), str(self))


def _again(kind: type[FastmlError], message: str) -> FastmlError:
    error = kind.__new__(kind)
    FastmlError.__init__(error, message)
    return error


class SourceError(FastmlError):
    """The data can't be opened or read."""


class FilterError(FastmlError):
    """A condition on rows that can't be read, or not computed from the columns there are."""

    def __init__(self, text: str, at: int | None, reason: str = "") -> None:
        where = "at its end" if at is not None and at >= len(text) else f"at {_shown(text[at:])}"
        super().__init__(
            f"filter {_shown(text)} " + (f"can't be applied: {reason}" if at is None else f"can't be read {where}; ")
            + ("" if at is None else "write it like: cycle = 2019 and country in ('TUR', 'USA') and score is not null")
        )  # fmt: skip


class FormulaError(FastmlError):
    """A formula other than ``y ~ 1 + (1 | g)``."""

    def __init__(self, formula: str) -> None:
        super().__init__(
            f"formula {formula!r} is not one fastml fits: it fits the null model 'y ~ 1 + (1 | g)' only; "
            "for covariates or random slopes use lme4, MixedModels.jl or WeMix"
        )


def _shown(value: object) -> str:
    """Value in one line of modest length: the repr of a table has many."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else text[:97] + "..."


class ArgumentError(FastmlError):
    """An argument has a value that the function doesn't know."""

    def __init__(self, name: str, value: object, allowed: Iterable[str], remedy: str = "") -> None:
        choices = ", ".join(repr(a) for a in allowed)
        super().__init__(f"{name}={_shown(value)} is not one of {choices}" + (f"; {remedy}" if remedy else ""))


class RangeError(ArgumentError):
    """An argument has a value outside what it can be."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        FastmlError.__init__(self, f"{name}={_shown(value)} can't be: it is {rule}")


# What users of other packages, or of the command line, call an argument.
_MEANT = {
    "outcome": "y outcomes score scores formula response dv",
    "group": "g groups school schools cluster clusters id groupby group_by",
    "weights": "weight student_weights",
    "group_weights": "group_weight school_weights school_weight",
    "schools": "n_groups n_schools groups",
    "cluster_size": "group_size n_students students",
    "missing": "na na_values",
    "filter": "where query",
}


class CallError(FastmlError, TypeError):
    """A function is called with an argument that it doesn't have, or has already.

    Parameters
    ----------
    function, argument : str
        What is called, and the name that it doesn't know; "" for one too many without a name.
    names : sequence of str
        What it has.
    example : str
        A right call.
    """

    def __init__(self, function: str, argument: str, names: Sequence[str], example: str) -> None:
        meant = [name for name in names if argument in _MEANT.get(name, "").split()]
        close = meant or get_close_matches(argument, names, n=1)
        if argument in names:
            said = f"{function}() is given {argument} twice, by its place and by its name"
        elif not argument:
            said = f"{function}() takes the arguments after the first ones by name"
        elif argument == "by":
            said, example = f"{function}() fits all data at once", "fit_by(data, 'score', 'school', by='country')"
        else:
            said = f"{function}() has no argument {argument!r}" + (f", but {close[0]!r}" if close else "")
        super().__init__(f"{said}: {example}")


_P = ParamSpec("_P")
_R = TypeVar("_R")


def called_as(example: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Answer a call with an argument that the function doesn't have by this one, in a line.

    Parameters
    ----------
    example : str
        A call that is right.

    Returns
    -------
    callable
        Of the function: the function that answers so.
    """

    def answering(function: Callable[_P, _R]) -> Callable[_P, _R]:
        code = function.__code__
        places = code.co_varnames[: code.co_argcount]
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

        @wraps(function)
        def call(*args: _P.args, **named: _P.kwargs) -> _R:
            unknown = [name for name in named if name not in names or name in places[: len(args)]]
            if unknown or len(args) > len(places):
                raise CallError(function.__name__, unknown[0] if unknown else "", names, example)
            return function(*args, **named)

        return call

    return answering


class ColumnsMissingError(FastmlError):
    """The call does not name the outcome or the group."""

    def __init__(
        self, remedy: str = "fit(data, outcome='score', group='school')", needed: str = "an outcome and a group"
    ) -> None:
        super().__init__(f"name {needed}: {remedy}")


class ColumnNotFoundError(FastmlError):
    """A column isn't in the data."""

    def __init__(self, column: str, available: Iterable[str], source: str, hint: str = "") -> None:
        names = [str(name) for name in available]
        message = f"column {column!r} is not in {source}"
        folded = {name.casefold(): name for name in reversed(names)}
        close = get_close_matches(column.casefold(), folded, n=3, cutoff=0.6)
        if hint:
            message += f"; {hint}"
        elif close:
            message += "; did you mean " + " or ".join(repr(folded[c]) for c in close) + "?"
        elif names:
            shown = ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")
            message += f"; its columns are {shown}"
        else:
            message += ", which has no columns"
        super().__init__(message)


class ColumnTypeError(FastmlError):
    """A column has a type that its use (outcome, group, weight) does not allow."""

    def __init__(self, argument: str, column: str, dtype: object, remedy: str) -> None:
        super().__init__(f"{argument} column {column!r} has type {dtype}; {remedy}")


class ValueNotAllowedError(FastmlError):
    """A column holds a value that can't be used (an infinity, a negative weight)."""


class NotANumberError(ValueNotAllowedError):
    """A text stands in a column of a file where numbers should."""

    def __init__(self, column: str, file: str, row: int, text: str, remedy: str) -> None:
        super().__init__(
            f"column {column!r} of {file} has {_shown(text)} {row_text(row)}, which is no number; {remedy}"
        )


class WeightVariesError(ValueNotAllowedError):
    """A group has two different group weights; it has one, in all of its rows."""

    def __init__(self, column: str, one: float, other: float, where: str) -> None:
        super().__init__(
            f"group_weights column {column!r} varies within a group: {float(one)!r} and {float(other)!r} {where}; "
            "a group has one weight"
        )


# What a part's status can be; `fastml.report.fields.STATUSES` says what each means.
Status = Literal[
    "ok", "no_rows", "one_group", "singletons", "constant", "constant_in_groups", "almost_constant_in_groups",
    "too_large", "too_small", "no_school_ids", "no_school_weight", "no_result",
]  # fmt: skip


class ModelError(FastmlError):
    """The model can't be fitted to these groups.

    Attributes
    ----------
    status : str
        The reason in a word, as tables of results have it in their column of that name.
    """

    def __init__(self, message: str, status: Status = "no_result") -> None:
        super().__init__(message)
        self.status = status


class PartsMissingError(FastmlError):
    """Some rows of a table have no result."""

    def __init__(self, rows: Sequence[Mapping[str, object]], by: Sequence[str]) -> None:
        failed = [row for row in rows if row["status"] != "ok"]
        several = len({row["outcome"] for row in rows}) > 1
        said = []
        for row in failed[:5]:
            names = [f"{name} {row[name]}" for name in by] + ([f"{row['outcome']}"] if several else [])
            said.append(f"{' '.join(names) or row['outcome']} ({row.get('message') or row['status']})")
        if len(failed) > len(said):
            said.append(f"and {len(failed) - len(said):,} more")
        have = ("part has" if len(rows) == 1 else "parts has") if len(failed) == 1 else "parts have"
        super().__init__(f"{len(failed):,} of {len(rows):,} {have} no result: {', '.join(said)}")


class DriftError(FastmlError):
    """New data are further from old ones than a limit allows."""

    def __init__(self, rows: Sequence[Mapping[str, object]], by: Sequence[str], names: tuple[str, str]) -> None:
        drifted = [row for row in rows if row["status"] != "ok"]
        said = []
        for row in drifted[:5]:
            label = " ".join([*(f"{name} {row[name]}" for name in by), str(row["outcome"])])
            said.append(f"{label} ({row['message']})")
        if len(drifted) > len(said):
            said.append(f"and {len(drifted) - len(said):,} more")
        super().__init__(f"{names[0]} drifted from {names[1]}: {', '.join(said)}")


class MergeError(FastmlError):
    """Two sets of group statistics can't be added."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without its full stop.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def row_text(row: int, label: str = "") -> str:
    """Return where a row is, for a message.

    Parameters
    ----------
    row : int
        Its number in the data; the first is 0.
    label : str
        Its group.

    Returns
    -------
    str
    """
    return f"in row {row:,} (the first is 0{'; ' if label else ''}{label})"


class FastmlBugError(FastmlError):
    """A fault of fastml's own, which nobody foresaw."""

    def __init__(self, what: str, error: Exception, file: str, line: int | None) -> None:
        said = f"{type(error).__name__}: {first_line(error)}; {Path(file).name}, line {line}"
        super().__init__(
            f"{what}: this is a fault of fastml, not of the call ({said}); "
            "please report this line, with the call and what is special about the data"
        )


@contextmanager
def plain_errors(what: str) -> Iterator[None]:
    """Turn whatever a library raises inside into a `FastmlError`, and a fault of fastml's own into a plea to report it.

    What the caller's own code raises inside, such as a stream of batches, comes through as it is; so do warnings made
    errors, and want of memory.

    Parameters
    ----------
    what : str
        What is at hand, for the message: a file, a column, an option.

    Raises
    ------
    FastmlError
    """
    try:
        yield
    except (FastmlError, MemoryError, Warning):
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is of the yield above
        speaks = isinstance(error, OSError | UnicodeError) or type(error).__module__.startswith("pyarrow")
        if not frames or not (_is_own(frames[-1].filename) or _is_library(frames[-1].filename)):
            raise
        if _is_own(frames[-1].filename) and not speaks:
            raise FastmlBugError(what, error, frames[-1].filename, frames[-1].lineno) from error
        raise SourceError(f"{what}: {_said(error)}") from None


def _is_own(file: str) -> bool:
    return Path(file).is_relative_to(Path(__file__).parent)


def _is_library(file: str) -> bool:
    """Whether code is Python's or a package's; compiled packages name their sources without a folder."""
    import sysconfig

    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return file.endswith((".pyx", ".pxi", ".pxd")) or any(Path(file).is_relative_to(folder) for folder in folders)


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return f"it holds text that is not UTF-8 ({first_line(error)})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return first_line(error)
