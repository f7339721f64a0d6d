"""The slow twins of the pass: codes from a dict, moments from fractions."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction


def total(values: Iterable[Fraction]) -> Fraction:
    """The sum, in integers over the common denominator, which is some ten times as fast as fraction by fraction."""
    values = list(values)
    common = math.lcm(*(v.denominator for v in values))
    return Fraction(sum(v.numerator * (common // v.denominator) for v in values), common)


@dataclass
class Group:
    """The values of one group, and how many rows had none."""

    values: list[Fraction] = field(default_factory=list)
    missing: int = 0

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> Fraction:
        return total(self.values) / self.n

    @property
    def ss(self) -> Fraction:
        return total(v * v for v in self.values) - self.n * self.mean**2


def codes(labels: Iterable[Hashable]) -> tuple[list[int], list[Hashable]]:
    """Codes in the order of first appearance, and the labels."""
    known: dict[Hashable, int] = {}
    found = [known.setdefault(label, len(known)) for label in labels]
    return found, list(known)


def groups(labels: Iterable[Hashable], values: Iterable[float | None]) -> dict[Hashable, Group]:
    """Group by label; a value that is None or NaN is missing."""
    found: dict[Hashable, Group] = {}
    for label, value in zip(labels, values, strict=True):
        group = found.setdefault(label, Group())
        if value is None or math.isnan(value):
            group.missing += 1
        else:
            group.values.append(Fraction(value))
    return found


@dataclass
class Weighted:
    """Sums of one group's rows of positive weight."""

    w: Fraction
    mean: Fraction
    ss: Fraction
    w2: Fraction


def weighted(values: Sequence[float], weights: Sequence[float]) -> Weighted:
    """The weighted moments of one group."""
    rows = [
        (Fraction(v), Fraction(t))
        for v, t in zip(values, weights, strict=True)
        if not math.isnan(v) and not math.isnan(t) and t > 0
    ]
    w = total(t for _, t in rows)
    mean = total(t * v for v, t in rows) / w
    ss = total(t * v * v for v, t in rows) - w * mean**2
    return Weighted(w, mean, ss, total(t * t for _, t in rows))


def runs(keys: Sequence[Hashable]) -> list[int]:
    """First row of each run of equal keys, and the number of rows."""
    return [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]] + [len(keys)]
