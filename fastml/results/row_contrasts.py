"""Which rows of tables a call compares: labels -> pairs, averages, steps and trends, each with its weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import combinations, pairwise
from typing import Any

from fastml.errors import FastmlError
from fastml.results.samples import label_text

__all__ = ["RowContrast", "Rows", "compare", "matches", "slope_weights"]

WORDS = ("average", "previous", "trend")


@dataclass(frozen=True)
class RowContrast:
    """One comparison of rows.

    Attributes
    ----------
    a, b : str
        What is compared, in the labels that differ; `b` is empty for a trend.
    labels : dict
        Column to label, where all rows have the same.
    of_a, of_b : dict of int to float
        Row to weight; the contrast is a less b. Of a trend `of_b` is empty.
    """

    a: str
    b: str
    labels: Mapping[str, Any]
    of_a: Mapping[int, float]
    of_b: Mapping[int, float] = field(default_factory=dict)

    @property
    def weights(self) -> dict[int, float]:
        """Row to its weight in the contrast."""
        found = dict(self.of_a)
        for row, weight in self.of_b.items():
            found[row] = found.get(row, 0.0) - weight
        return {row: weight for row, weight in found.items() if weight != 0.0}


class Rows:
    """Rows that can be named by their labels.

    Parameters
    ----------
    rows : sequence of mapping
        Labels of the columns, ``outcome`` among them, and ``usable``: whether there is a result.
    columns : sequence of str
        Columns of labels; the outcome is the last.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        self.rows, self.columns = rows, tuple(columns)
        self.texts = [{name: label_text(row[name]) for name in columns} for row in rows]
        known: set[tuple[str, ...]] = set()
        for row in self.texts:
            if tuple(row.values()) in known:
                raise FastmlError(
                    f"two rows are {' '.join(_named(*of) for of in row.items())}: they can't be told apart"
                )
            known.add(tuple(row.values()))
        self._shown = [{name: _named(name, text) for name, text in row.items()} for row in self.texts]

    def find(self, given: Any) -> tuple[list[int], frozenset[str]]:
        """Rows that a selector names, in their order, and the columns that it names.

        Parameters
        ----------
        given : label, tuple, dict, list of these, or None
            A label of one column; labels of all by-columns; column to label; several; all rows.
        """
        if given is None:
            return list(range(len(self.rows))), frozenset()
        if isinstance(given, list):
            found = [self.find(one) for one in given]
            if not found:
                raise FastmlError("an empty list names no row")
            return list(dict.fromkeys(i for rows, _ in found for i in rows)), frozenset().union(*(n for _, n in found))
        wanted = self._wanted(given)
        rows = [i for i, row in enumerate(self.texts) if all(row[name] == text for name, text in wanted.items())]
        if not rows:
            raise FastmlError(f"no row has {' and '.join(f'{n} {t}' for n, t in wanted.items())} together")
        return rows, frozenset(wanted)

    def _wanted(self, given: Any) -> dict[str, str]:
        if isinstance(given, Mapping):
            wanted = {str(name): label_text(label) for name, label in given.items()}
        elif isinstance(given, tuple):
            if len(given) not in (len(self.columns) - 1, len(self.columns)):
                raise FastmlError(f"{given!r} has {len(given)} labels, of the columns {', '.join(self.columns)}")
            wanted = dict(zip(self.columns, map(label_text, given), strict=False))
        else:
            wanted = {self._column_of(label_text(given)): label_text(given)}
        for name, text in wanted.items():
            if name not in self.columns:
                raise FastmlError(f"the table has no column of labels {name!r}; it has {', '.join(self.columns)}")
            self._check_label(text, [row[name] for row in self.texts], f"no row has {text!r} in {name!r}")
        return wanted

    def _column_of(self, text: str) -> str:
        found = [name for name in self.columns if any(row[name] == text for row in self.texts)]
        if len(found) > 1:
            raise FastmlError(f"{text!r} is a label of {' and of '.join(found)}; say which, as {{{found[0]!r}: ...}}")
        if not found:
            self._check_label(text, [row[name] for row in self.texts for name in self.columns], f"no row has {text!r}")
        return found[0]

    @staticmethod
    def _check_label(text: str, labels: Iterable[str], wrong: str) -> None:
        known = list(dict.fromkeys(labels))
        if text not in known:
            close = get_close_matches(text, known, n=3)
            shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            raise FastmlError(f"{wrong}; " + (f"did you mean {' or '.join(close)}?" if close else f"there are {shown}"))

    def by_others(self, rows: Iterable[int], columns: Iterable[str]) -> dict[tuple[str, ...], list[int]]:
        """The rows by their labels of all columns but these."""
        others = [name for name in self.columns if name not in set(columns)]
        found: dict[tuple[str, ...], list[int]] = {}
        for i in rows:
            found.setdefault(tuple(self.texts[i][name] for name in others), []).append(i)
        return found

    def over(self, given: str | None, named: frozenset[str]) -> str:
        """The column along which rows are averaged or ordered."""
        if given is not None:
            if given not in self.columns:
                raise FastmlError(f"over={given!r} is no column of labels; there are {', '.join(self.columns)}")
            return given
        free = [name for name in self.columns[:-1] if name not in named]
        by = self.columns[:-1]
        if len(by) == 1 or len(free) == 1:
            return by[0] if len(by) == 1 else free[0]
        raise FastmlError(f"say along which column rows are taken together: over= one of {', '.join(self.columns)}")

    def named(self, a: Mapping[int, float], b: Mapping[int, float], words: tuple[str, str] = ("", "")) -> RowContrast:
        """A comparison, its sides named by the labels that differ, or by a word."""
        rows = [*a, *b]
        first = self.texts[rows[0]]
        same = [name for name in self.columns if all(self.texts[i][name] == first[name] for i in rows)]
        labels = {name: self.rows[rows[0]][name] for name in same}
        sides = [word or self._side(side, same) for word, side in zip(words, (a, b), strict=True)]
        return RowContrast(sides[0], sides[1], labels, a, b)

    def _side(self, side: Mapping[int, float], same: Sequence[str]) -> str:
        names = [" ".join(self._shown[i][name] for name in self.columns if name not in same) for i in side]
        return names[0] if len(names) == 1 else f"mean of {', '.join(names[:4])}{', ...' * (len(names) > 4)}"


def _named(column: str, text: str) -> str:
    """A label; one that is a number has its column's name before it."""
    return f"{column} {text}" if text.replace(".", "", 1).lstrip("-").isdecimal() else text


def _mean(rows: Sequence[int]) -> dict[int, float]:
    return dict.fromkeys(rows, 1.0 / len(rows))


def compare(rows: Rows, a: Any, b: Any, over: str | None) -> list[RowContrast]:
    """Comparisons of the rows of one table; see `ResultTable.contrast`.

    Raises
    ------
    FastmlError
        Nothing is compared.
    """
    chosen, named = rows.find(a)
    word = b if isinstance(b, str) and b in WORDS else None
    if b is None:
        found = list(_pairs(rows, chosen, over))
    elif word == "average":
        found = list(_against_average(rows, chosen, rows.over(over, named)))
    elif word == "previous":
        found = list(_steps(rows, chosen, rows.over(over, named)))
    elif word == "trend":
        found = list(_trends(rows, chosen, rows.over(over, named)))
    elif isinstance(b, list):
        found = list(_against_mean(rows, chosen, b))
    else:
        found = list(matches(rows, chosen, *rows.find(b)))
    if not found and word == "trend":
        raise FastmlError("a trend needs two rows or more with a result that differ in nothing but what it is over")
    if not found:
        raise FastmlError("nothing is left to compare: name rows that differ, of the same outcome or of both outcomes")
    return found


def _pairs(rows: Rows, chosen: list[int], over: str | None) -> Iterator[RowContrast]:
    """Each pair of the rows that have the same outcome; with `over` that differ in nothing else."""
    columns = rows.columns[:-1] if over is None else [rows.over(over, frozenset())]
    for alike in rows.by_others(chosen, columns or rows.columns).values():
        for i, j in combinations(alike, 2):
            yield rows.named({i: 1.0}, {j: 1.0})


def matches(rows: Rows, chosen: list[int], others: list[int], named: frozenset[str]) -> Iterator[RowContrast]:
    """Each row with those that are named and have its labels in all columns that are not."""
    by_labels = rows.by_others(others, named)
    for labels, mine in rows.by_others(chosen, named).items():
        for i in mine:
            for j in by_labels.get(labels, []):
                if i != j:
                    yield rows.named({i: 1.0}, {j: 1.0})


def _against_mean(rows: Rows, chosen: list[int], given: list[Any]) -> Iterator[RowContrast]:
    others, named = rows.find(given)
    by_labels = rows.by_others(others, named)
    for labels, mine in rows.by_others(chosen, named).items():
        for i in mine:
            if by_labels.get(labels, [i]) != [i]:
                yield rows.named({i: 1.0}, _mean(by_labels[labels]))


def _against_average(rows: Rows, chosen: list[int], over: str) -> Iterator[RowContrast]:
    """Each row against the mean of all that differ from it in one column only and have a result, itself included."""
    everyone = rows.by_others(range(len(rows.rows)), [over])
    for labels, mine in rows.by_others(chosen, [over]).items():
        members = [i for i in everyone[labels] if rows.rows[i]["usable"]]
        for i in mine:
            if members and members != [i]:
                made = rows.named({i: 1.0}, _mean(members), ("", "average"))
                yield made


def _number(label: Any) -> float:
    """A label as a number; a ValueError where it is none that can be ordered, nor written as Python alone does."""
    number = float(label)
    if not math.isfinite(number) or "_" in str(label):
        raise ValueError(label)
    return number


def _in_order(rows: Rows, alike: list[int], over: str) -> list[int]:
    labels = {i: rows.rows[i][over] for i in alike}
    try:
        return sorted(alike, key=lambda i: _number(labels[i]))
    except (TypeError, ValueError):
        return sorted(alike, key=lambda i: label_text(labels[i]))


def _steps(rows: Rows, chosen: list[int], over: str) -> Iterator[RowContrast]:
    for alike in rows.by_others(chosen, [over]).values():
        ordered = _in_order(rows, alike, over)
        for before, i in pairwise(ordered):
            yield rows.named({i: 1.0}, {before: 1.0})


def _trends(rows: Rows, chosen: list[int], over: str) -> Iterator[RowContrast]:
    for alike in rows.by_others(chosen, [over]).values():
        usable = [i for i in _in_order(rows, alike, over) if rows.rows[i]["usable"]]
        if len(usable) < 2:
            continue
        try:
            x = [_number(rows.rows[i][over]) for i in usable]
        except (TypeError, ValueError):
            raise FastmlError(f"a trend is over numbers, such as years; {over!r} has other labels") from None
        slopes = slope_weights(x)
        span = ", ".join(label_text(rows.rows[i][over]) for i in usable)
        yield rows.named(dict(zip(usable, slopes, strict=True)), {}, (f"slope over {span}", " "))


def slope_weights(x: Sequence[float]) -> list[float]:
    """Weights of the least squares slope over x, in which every value counts the same.

    Examples
    --------
    >>> slope_weights([2011.0, 2015.0, 2019.0])
    [-0.125, 0.0, 0.125]
    """
    centre = sum(x) / len(x)
    squares = sum((value - centre) ** 2 for value in x)
    if squares == 0.0:
        raise FastmlError("a trend needs two different years")
    return [(value - centre) / squares for value in x]
