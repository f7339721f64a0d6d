"""The plausible values of an outcome: as many columns as the file has."""

from __future__ import annotations

from fastml.designs import Design
from fastml.errors import ColumnNotFoundError
from fastml.io.column_finder import ColumnFinder

__all__ = ["find_values", "number_notes", "part_notes"]

_MOST = 100  # plausible values that are looked for


def find_values(finder: ColumnFinder, design: Design, outcome: str) -> list[str]:
    """Columns of an outcome: of its plausible values, or the one of its name.

    Parameters
    ----------
    finder : ColumnFinder
    design : Design
    outcome : str

    Returns
    -------
    list of str
        Values 1 to M, for the M that the file has.

    Raises
    ------
    ColumnNotFoundError
        There are none, or one of those before the last is missing.
    """
    alone, found = finder.find([outcome]), _columns(finder, design, outcome)
    if found and (alone is None or len(found) == design.n_plausible):
        for k in range(1, max(*found, min(design.n_plausible, 2)) + 1):
            if k not in found:
                hint = (
                    f"it is plausible value {k} of the {max(design.n_plausible, *found)} of {outcome!r} in "
                    f"{design.name}, and the file has {', '.join(found.values())}"
                )
                raise ColumnNotFoundError(_names(design, outcome, k)[0], finder.names, finder.source, hint)
        return list(found.values())
    if alone is not None:
        return [alone]  # a score measured once: no imputation variance
    first = _names(design, outcome, 1)[0] if design.n_plausible > 1 else outcome
    error = ColumnNotFoundError(first, finder.names, finder.source)
    if first != outcome:
        error.args = (f"outcome {outcome!r}: {error}",)  # what the user wrote, and what it stands for
    raise error


def _names(design: Design, outcome: str, k: int) -> list[str]:
    return [pattern.format(outcome=outcome, k=k) for pattern in design.plausible]


def _columns(finder: ColumnFinder, design: Design, outcome: str) -> dict[int, str]:
    """Plausible value to its column, in order."""
    found = {k: finder.find(_names(design, outcome, k)) for k in range(1, _MOST + 1)}
    return {k: column for k, column in found.items() if column is not None}


def number_notes(design: Design, outcome: str, values: list[str]) -> list[str]:
    """What to say where the file has another number of plausible values than the design."""
    if len(values) in (1, design.n_plausible):
        return []
    return [f"{outcome} has {len(values)} plausible values, where the design has {design.n_plausible}"]


def part_notes(finder: ColumnFinder, design: Design, outcome: str) -> list[str]:
    """What to say where the outcome is itself one plausible value, whose standard error would be too small."""
    name = outcome.casefold()
    for pattern in design.plausible:
        for k in range(1, _MOST + 1):
            before, after = pattern.format(outcome="\0", k=k).casefold().split("\0")
            if not (name.startswith(before) and name.endswith(after)):
                continue
            stem = outcome[len(before) : len(outcome) - len(after)]
            found = _columns(finder, design, stem) if stem else {}
            if len(found) > 1 and list(found) == list(range(1, len(found) + 1)) and k in found:
                return [
                    f"{outcome} is one plausible value of {len(found)}, so the errors lack their variance; "
                    f"name {stem} for all"
                ]
    return []
