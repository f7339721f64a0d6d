"""Codes of missing answers: those that a call names are taken out, those that look like ones are noticed.

Assessments write 6 to 9, 96 to 99, 996 to 999 and so on for an answer that is missing. Such a code stands above all
answers and apart from them, so the largest value of some rows tells whether there is any among them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import RangeError
from fastml.io.pieces import Pieces

__all__ = ["Seen", "as_argument", "codes_of_weights", "in_words", "look", "missing_values", "tell", "without_codes"]

Floats = npt.NDArray[np.float64]

# Values are looked at in blocks of this length, a tile's.
_BLOCK = 1 << 20
_GLANCE = 4096  # values that tell most columns without codes
_MOST_DIGITS = 9
_MANY = 20  # different answers; of more, the steps between them say little
_FEW = 5  # answers; fewer say nothing of where answers end


def missing_values(missing: Any) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Sort out the argument `missing` of a call.

    Parameters
    ----------
    missing : float, str, collection of them, or None

    Returns
    -------
    codes : tuple of float
        Numbers, and texts that are numbers.
    texts : tuple of str
        The others.

    Raises
    ------
    RangeError

    Examples
    --------
    >>> missing_values([9, "99", "k.A."])
    ((9.0, 99.0), ('k.A.',))
    """
    given = list(missing) if isinstance(missing, Iterable) and not isinstance(missing, str) else [missing]
    codes, texts = [], []
    for one in [] if missing is None else given:
        if isinstance(one, str):
            try:
                codes.append(float(one))
            except ValueError:
                texts.append(one)
        elif isinstance(one, Real) and not isinstance(one, bool) and not (isinstance(one, int) and abs(one) > 1e308):
            codes.append(float(one))
        else:
            raise RangeError("missing", missing, "a number, a text, or a list of them")
    return tuple(code for code in codes if not math.isnan(code)), tuple(texts)


def codes_of_weights(codes: Iterable[float]) -> tuple[float, ...]:
    """Those codes that are taken out of weights too: not 6 to 9, as a school's weight may well be 8.

    Examples
    --------
    >>> codes_of_weights((9.0, 99.0, 999999.0))
    (99.0, 999999.0)
    """
    return tuple(code for code in codes if abs(code) >= 10.0)


def without_codes(values: Floats, codes: Sequence[float]) -> Floats:
    """Values with NaN in the place of the codes; the same array where it has none.

    Parameters
    ----------
    values : ndarray, shape (n,)
    codes : sequence of float

    Returns
    -------
    ndarray, shape (n,)
    """
    if not len(codes) or not np.fmax.reduce(values, initial=-math.inf) >= min(codes):
        return values
    is_code = values == codes[0]
    for code in codes[1:]:
        is_code |= values == code
    return np.where(is_code, np.nan, values) if is_code.any() else values


# 6 to 9, 96 to 99, 996 to 999, ...
_CODES = frozenset(10.0**digits - k for digits in range(1, _MOST_DIGITS + 1) for k in range(1, 5))
_SORTED = np.array(sorted(_CODES))


@dataclass(frozen=True)
class Seen:
    """What was seen of some rows of a column; what was seen of others adds to it.

    Attributes
    ----------
    low, high : float
        Least and greatest value that has not the look of a code. The least is that of the blocks with codes.
    n : int
        How many such values those blocks have.
    whole : bool
        Whether all of these are whole numbers.
    codes : dict of float to int
        How often each value with the look of a code occurs there.
    answers : frozenset of float
        The different values without that look, where they are few.
    """

    low: float = math.inf
    high: float = -math.inf
    n: int = 0
    whole: bool = True
    codes: Mapping[float, int] = field(default_factory=dict)
    answers: frozenset[float] = frozenset()

    def __add__(self, other: Seen) -> Seen:
        codes = {code: self.codes.get(code, 0) + other.codes.get(code, 0) for code in {*self.codes, *other.codes}}
        return Seen(min(self.low, other.low), max(self.high, other.high), self.n + other.n,
                    self.whole and other.whole, codes, self.answers | other.answers)  # fmt: skip

    def apart(self, *, weight: bool = False) -> dict[float, int]:
        """Codes that stand apart from all other values, with how often each occurs.

        Parameters
        ----------
        weight : bool
            Whether the column holds weights, whose large values may stand by themselves.

        Returns
        -------
        dict of float to int
            Empty where there is none.
        """
        if not self.codes:
            return {}
        low, high, n = self.low, self.high, self.n
        steps = np.diff(sorted(self.answers))
        step = max(1.0, float(steps.max(initial=0.0))) if len(self.answers) <= _MANY else 1.0
        found = {}
        for code in sorted(self.codes):
            if code <= high:
                continue
            if high == -math.inf or code - high <= max(step, 0.125 * (high - low)):
                # Next to the answers, or the first of them: grades 7 to 9, marks from 1 to 6, 100 items.
                low, high, n = min(low, code), code, n + self.codes[code]
            elif _stands_out(code, high - low, code - high, n, self.whole, weight):
                found[code] = self.codes[code]
        return found


def look(values: Floats | Pieces, top: float = math.nan) -> Seen:
    """Look at values for codes; NaN is none.

    Parameters
    ----------
    values : ndarray, shape (n,), or Pieces, length n
    top : float
        Their greatest, where it is known: in most columns it is no code, and nothing has to be read.

    Examples
    --------
    >>> import numpy as np
    >>> look(np.array([1.0, 3.0, 2.0, np.nan, 9.0])).codes
    {9.0: 1}
    """
    if not math.isnan(top) and top not in _CODES:
        return Seen(high=top)
    seen = Seen()
    values = values.joined if isinstance(values, Pieces) else values
    for first in range(0, len(values), _BLOCK):
        seen += _look(values[first : first + _BLOCK])
    return seen


def _look(values: Floats) -> Seen:
    top = float(values.max(initial=-math.inf))  # half the time of the one that passes over NaN
    if math.isnan(top):
        top = float(np.fmax.reduce(values, initial=-math.inf))
    if top not in _CODES or _are_next_to_answers(values, top):
        return Seen(high=top)
    given = values[~np.isnan(values)]
    coded = np.isin(given, _SORTED)
    answers = given[~coded]
    codes, counts = np.unique(given[coded], return_counts=True)
    return Seen(
        float(answers.min(initial=math.inf)),
        float(answers.max(initial=-math.inf)),
        len(answers),
        bool((answers == np.floor(answers)).all()),
        dict(zip(codes.tolist(), counts.tolist(), strict=True)),
        frozenset(np.unique(answers)[: _MANY + 1].tolist()),
    )


def _are_next_to_answers(values: Floats, top: float) -> bool:
    """Whether the values up to `top` that look like codes follow upon the others by ones, such as grades 1 to 7.

    Those never stand apart, whatever other rows hold, and most columns with such values are of that kind.
    """
    some = values[:: max(len(values) // _GLANCE, 1)]  # what it finds holds for all: others fill gaps, and make none
    codes = [code for code in _SORTED[top > _SORTED].tolist() if (some == code).any()] + [top]
    high = float(some[some < codes[0]].max(initial=-math.inf))
    for code in codes:
        if code - high > 1.0:
            return False
        high = code
    return True


def _stands_out(code: float, span: float, gap: float, n: int, whole: bool, weight: bool) -> bool:
    """Whether a code is no answer by where it is: `gap` above n answers over a `span`."""
    if n < _FEW:
        return False
    if weight:
        return code > 10.0 and gap > span
    if code > 100.0:
        return True
    if whole:
        return n >= 3 * (span + 1.0)  # an item, whose answers repeat
    return code > 10.0 and gap > span


def in_words(column: str, found: Mapping[float, int]) -> str:
    """What was found in a column, for a notice or an error.

    Examples
    --------
    >>> in_words("BOOKS", {96.0: 3, 99.0: 1})
    "column 'BOOKS' has 96 (3 rows) and 99 (1 row), apart from all its other values"
    """
    words = [f"{code:.0f} ({count:,} row{'' if count == 1 else 's'})" for code, count in found.items()]
    return f"column {column!r} has {' and '.join(words)}, apart from all its other values"


def tell(seen: Mapping[str, Seen], weights: Iterable[str]) -> None:
    """Give notice of codes that were seen in columns, some of them columns of weights."""
    for column, found in seen.items():
        codes = found.apart(weight=column in weights)
        if codes:
            warnings.warn(
                f"{in_words(column, codes)}: they count as values; say {as_argument(codes)} if they stand for missing "
                "ones, missing=() if not",
                stacklevel=2,
            )


def as_argument(codes: Iterable[float]) -> str:
    """Codes as the argument that names them.

    Examples
    --------
    >>> as_argument([96.0]), as_argument([6.0, 999999.0])
    ('missing=96', 'missing=[6, 999999]')
    """
    shown = [f"{code:.0f}" for code in codes]
    return f"missing={shown[0]}" if len(shown) == 1 else f"missing=[{', '.join(shown)}]"
