"""Which rows of tables are of one sample: those of the same schools, or of one country in the same data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.inference.contrasts import Estimate, unpaired

__all__ = ["CYCLES", "SampleIdentity", "SharedSamples", "components", "label_text", "most_in_common", "paired_samples",
           "same_samples", "school_number"]  # fmt: skip

CYCLES = frozenset(("cyc", "cycle", "year", "wave"))
"""By-columns, in lower case, whose labels are of other samples."""


@dataclass(frozen=True)
class SampleIdentity:
    """What tells the sample of a row from others.

    Attributes
    ----------
    countries : tuple of str
        Countries of the row, with the cycle where that is known; or cycles alone.
    known : bool
        Whether the data have a column of countries.
    schools : mapping of int to float
        Number of each of the row's schools, by `school_number`, to its weight; empty where it has no school ids, or no
        weights of schools. None where nobody kept them.
    data : tuple of str
        Digests of the files, or of a call that read no file; empty of fits, whose schools alone are to decide.
    """

    countries: tuple[str, ...]
    known: bool
    schools: Mapping[int, float] | None
    data: tuple[str, ...]


def school_number(*labels: Any) -> int:
    """A number that stands for a school by its labels; ids that came as floats or texts are as integers."""
    text = "\n".join(map(label_text, labels)).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), signed=True)


def label_text(label: Any) -> str:
    """A label as text: 792.0 as 792."""
    whole = isinstance(label, float) and math.isfinite(label) and label == int(label)
    return str(int(label) if whole else label)


@dataclass(frozen=True, eq=False)
class SharedSamples:
    """Which of n rows are of one sample.

    Attributes
    ----------
    shared : ndarray of bool, shape (n, n)
        True on the diagonal.
    refused : dict of (int, int) to str
        Why two rows, the first of which comes before the other, can't be compared: the data don't tell whether they
        are of one sample, or they are, and nothing tells how they vary together. Not among `shared`.
    """

    shared: npt.NDArray[np.bool_]
    refused: dict[tuple[int, int], str] = field(default_factory=dict)

    def why_not(self, rows: Iterable[int]) -> str | None:
        """Why these rows can't be compared; None where they can."""
        if not self.refused:
            return None
        return next((self.refused[pair] for pair in combinations(sorted(rows), 2) if pair in self.refused), None)


def same_samples(samples: Sequence[SampleIdentity | None], independent: bool | None) -> SharedSamples:
    """Which rows are of one sample.

    Parameters
    ----------
    samples : sequence of SampleIdentity or None, length n
        None for a row without estimates.
    independent : bool, optional
        What the call says of all.

    Returns
    -------
    SharedSamples
    """
    shared = np.eye(len(samples), dtype=bool)
    if independent is not None:
        return SharedSamples(shared if independent else np.ones(shared.shape, bool))
    by_country: dict[str, list[int]] = {}
    for i, sample in enumerate(samples):
        if sample is not None:
            for country in sample.countries or ("",):
                by_country.setdefault(country, []).append(i)
    refused = {}
    for rows in by_country.values():
        for at, i in enumerate(rows):
            for j in rows[:at]:
                same = shared[i, j] or _same(samples[i], samples[j])
                if isinstance(same, str):
                    refused[j, i] = same
                else:
                    shared[i, j] = shared[j, i] = same
    return SharedSamples(shared, refused)


def paired_samples(same: SharedSamples, estimates: Sequence[Estimate]) -> SharedSamples:
    """The same without the rows of one sample whose estimates don't pair, which are refused; of rows with a result.

    Parameters
    ----------
    same : SharedSamples
    estimates : sequence of Estimate, length n
        NaN of a row without a result.

    Returns
    -------
    SharedSamples
    """
    usable = np.array([not np.isnan(estimate.values).all() for estimate in estimates], bool)
    shared, refused = same.shared.copy(), {pair: why for pair, why in same.refused.items() if usable[list(pair)].all()}
    for i, j in np.argwhere(np.triu(shared & usable & usable[:, None], 1)).tolist():
        why = unpaired(estimates[i], estimates[j])
        if why is not None:
            refused[i, j] = why
            shared[i, j] = shared[j, i] = False
    return SharedSamples(shared, refused)


_SAY = ("say whether their samples are independent, as of {} (independent=True), or parts of one, as {} "
        "(independent=False)")  # fmt: skip
_NO_SCHOOLS = ("some rows have no school weights or no school ids, by which to tell whether other data are of the same "
               "schools: " + _SAY.format("cycles", "girls and boys"))  # fmt: skip
_ONE_WEIGHT = ("rows of two data sets have schools of the same ids, all of one weight, which may be the same or other "
               "schools: " + _SAY.format("cycles", "girls and boys"))  # fmt: skip
_NOT_KEPT = ("fits without their statistics, as from a file, don't say which schools rows have in common: "
             + _SAY.format("countries or cycles", "girls and boys"))  # fmt: skip
_NO_COUNTRIES = ("the data have no column of countries, and some rows have no school in common: "
                 + _SAY.format("countries", "school types"))  # fmt: skip


def _same(one: SampleIdentity | None, other: SampleIdentity | None) -> bool | str:
    """Whether two rows, of one country or of none that is known, are of one sample; or why that can't be told."""
    if one is None or other is None:
        return False
    if one.schools is None or other.schools is None:
        return _NOT_KEPT
    some = not one.schools.keys().isdisjoint(other.schools)
    if not (one.data or other.data):
        return some
    if set(one.data).isdisjoint(other.data):
        return _same_elsewhere(one, other)
    return True if some or (one.known and other.known) else _NO_COUNTRIES


def _same_elsewhere(one: SampleIdentity, other: SampleIdentity) -> bool | str:
    """The same for rows of other data: a school of one sample has one weight, and ids start again in a cycle."""
    if not (one.schools and other.schools and one.data and other.data):
        return _NO_SCHOOLS
    weights = {(one.schools[school], other.schools[school]) for school in one.schools.keys() & other.schools}
    if not most_in_common(one, other) or any(of_one != of_other for of_one, of_other in weights):
        return False
    return True if len(weights) > 1 else _ONE_WEIGHT


def most_in_common(one: SampleIdentity, other: SampleIdentity) -> bool:
    """Whether more than half of the schools of the row that has fewer are the other's too; some are by chance."""
    mine, theirs = one.schools or {}, other.schools or {}
    return 2 * len(mine.keys() & theirs) > min(len(mine), len(theirs))


def components(shared: npt.NDArray[np.bool_], used: Iterable[int]) -> list[npt.NDArray[np.intp]]:
    """Rows that belong together, directly or by others between them.

    Examples
    --------
    >>> import numpy as np
    >>> [rows.tolist() for rows in components(np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], bool), range(3))]
    [[0, 2], [1]]
    """
    left, found = dict.fromkeys(used), []
    while left:
        rows = [next(iter(left))]
        del left[rows[0]]
        for row in rows:  # grows
            near = [j for j in np.flatnonzero(shared[row]).tolist() if j in left]
            rows += near
            for j in near:
                del left[j]
        found.append(np.array(sorted(rows), np.intp))
    return found
