"""Which rows of tables are of one sample: those of the same schools, or of one country in the same data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import FastmlError

__all__ = ["CYCLES", "SampleIdentity", "components", "label_text", "most_in_common", "same_samples", "school_number"]

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
    schools : frozenset of int
        Numbers of the row's schools, by `school_number`; empty where it has no school ids, or no weights of schools.
    data : tuple of str
        Digests of the files, or of a call that read no file; empty where the schools alone are to decide.
    """

    countries: tuple[str, ...]
    known: bool
    schools: frozenset[int]
    data: tuple[str, ...]


def school_number(*labels: Any) -> int:
    """A number that stands for a school by its labels; ids that came as floats or texts are as integers."""
    text = "\n".join(map(label_text, labels)).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), signed=True)


def label_text(label: Any) -> str:
    """A label as text: 792.0 as 792."""
    whole = isinstance(label, float) and math.isfinite(label) and label == int(label)
    return str(int(label) if whole else label)


def same_samples(samples: Sequence[SampleIdentity | None], independent: bool | None) -> npt.NDArray[np.bool_]:
    """Which rows are of one sample.

    Parameters
    ----------
    samples : sequence of SampleIdentity or None, length n
        None for a row without estimates.
    independent : bool, optional
        What the call says of all.

    Returns
    -------
    ndarray of bool, shape (n, n)
        True on the diagonal.

    Raises
    ------
    FastmlError
        Parts of one data set, or rows of two without schools, of which it can't be told.
    """
    shared = np.eye(len(samples), dtype=bool)
    if independent is not None:
        return shared if independent else np.ones(shared.shape, bool)
    by_country: dict[str, list[int]] = {}
    for i, sample in enumerate(samples):
        if sample is not None:
            for country in sample.countries or ("",):
                by_country.setdefault(country, []).append(i)
    for rows in by_country.values():
        for at, i in enumerate(rows):
            for j in rows[:at]:
                if not shared[i, j]:
                    shared[i, j] = shared[j, i] = _same(samples[i], samples[j])
    return shared


def _same(one: SampleIdentity | None, other: SampleIdentity | None) -> bool:
    """Whether two rows, of one country or of none that is known, are of one sample."""
    if one is None or other is None:
        return False
    some = not one.schools.isdisjoint(other.schools)
    if set(one.data).isdisjoint(other.data):
        if one.data == other.data:  # the schools alone are to decide
            return some
        if not (one.schools and other.schools):
            raise FastmlError(
                "some rows have no school weights or no school ids, by which to tell whether other data are of the "
                "same schools: say whether their samples are independent, as of cycles (independent=True), or parts of "
                "one, as girls and boys (independent=False)"
            )
        return most_in_common(one, other)
    if not (some or (one.known and other.known)):
        raise FastmlError(
            "the data have no column of countries, and some rows have no school in common: say whether their samples "
            "are independent, as of countries (independent=True), or parts of one, as school types (independent=False)"
        )
    return True


def most_in_common(one: SampleIdentity, other: SampleIdentity) -> bool:
    """Whether more than half of the schools of the row that has fewer are the other's too; some are by chance."""
    return 2 * len(one.schools & other.schools) > min(len(one.schools), len(other.schools))


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
