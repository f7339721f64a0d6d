"""What a table of results is asked for a comparison of its rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from fastml.designs import BY_NAME
from fastml.inference.contrasts import Estimate
from fastml.results.contrast_table import ContrastTable
from fastml.results.contrasts import Adjust, Compared, Compares, ContrastTerms, contrast_rows, contrast_tables
from fastml.results.samples import CYCLES, SampleIdentity, label_text, most_in_common, school_number

if TYPE_CHECKING:
    from fastml.groupstats.statistics import GroupStats

__all__ = ["Comparable", "fits_compared"]


class Comparable:
    """A table whose rows can be compared."""

    def _compared(self) -> Compared:
        raise NotImplementedError

    def contrast(
        self,
        a: Any = None,
        b: Any = None,
        *,
        parameter: Compares | Sequence[Compares] = "gamma00",
        over: str | None = None,
        link: float | Mapping[Any, float] | None = None,
        adjust: Adjust | None = None,
        independent: bool | None = None,
        level: float = 0.95,
    ) -> ContrastTable:
        """Compare rows: their differences, with the errors that are right for rows of one sample and of several.

        Parameters
        ----------
        a : label, tuple, dict or list of these, optional
            Rows by their labels: one label (792, "BSSSCI"), where one column alone has it; a tuple of the labels of all
            by-columns; a dict of column to label ({"ITSEX": 1}, {"outcome": "BSSSCI"}), which may name several rows.
            All rows without.
        b : the same, "average", "previous", "trend", a table, optional
            What they are compared to. Without, each pair of them that has one outcome. A label or dict: the rows
            that have it, and in all other columns the labels of the row of `a`. A list: the mean of these rows.
            "average": the mean of all rows that differ in the column `over` only, itself among them. "previous": the
            one before in the order of `over`. "trend": no difference, but the slope over the numbers in `over`; of
            several tables see `fastml.trend`. A table: the row of the same labels in it.
        parameter : str or list of str
            "gamma00", "tau00", "sigma2", "icc", "deff"; of a SurveyTable "mean" and "sd" too.
        over : str, optional
            By-column along which there are averages, steps and trends, and the only one in which the two of a pair
            differ. May be left out where there is one by-column, or one that `a` doesn't name.
        link : float or mapping, optional
            Standard error of linking the scales of two cycles, from the study's technical report, where a table, or the
            labels of a by-column "year", "cycle", "CYC" or "wave", are cycles. It moves all rows of a cycle alike, so
            that it is added once to a comparison between cycles, of averages too, and not at all within one. Of
            several cycles: a dict of each cycle but one, to whose scale they are linked. For means only.
        adjust : {"holm", "bh"}, optional
            Adjust the p values for the number of comparisons in the table, as Holm or Benjamini and Hochberg.
        independent : bool, optional
            Whether the rows are of independent samples. Without, rows are of one sample that have schools in common,
            or are of one country in the same data; rows of other data, where more than half of the schools have the
            same ids, each with the same weight. With ``link=`` the rows of another table are of another sample.
        level : float
            Of the intervals, between 0 and 1.

        Returns
        -------
        ContrastTable

        Raises
        ------
        FastmlError
            No row has such a label. A by-column has the name of a column of the result, such as ``se`` or ``ratio``, or
            ``table`` where two are compared; ``over`` is given with a second table. In all comparisons, rows of one
            sample have no replicates, or none that pair, or the data don't tell whether rows are of one sample; where
            only some are so, these have no result.

        Notes
        -----
        Differences are taken for each plausible value and replicate, the k-th of one row with the k-th of the other,
        and pooled by Rubin's rules; degrees of freedom are Barnard and Rubin's. So what rows of one sample have in
        common cancels. Independent samples' variances add, each sample's sampling and imputation variance, with the
        degrees of freedom of Welch and Satterthwaite. Against an average of C countries with one of them,
        Var = (1 - 2/C) V_i + sum V_j/C^2, as the OECD has it (PISA Data Analysis Manual, 2nd edition, 2009).

        Examples
        --------
        >>> import fastml
        >>> scores = {"sector": ["a"] * 6 + ["b"] * 6, "school": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6],
        ...           "score": [1.0, 2, 4, 5, 9, 8, 3, 1, 2, 6, 4, 4]}
        >>> table = fastml.fit_by(scores, "score", "school", by="sector")
        >>> row = table.contrast("a", "b").to_dict()[0]
        >>> round(row["difference"], 3), round(row["se"], 3), row["samples"]
        (1.5, 2.15, 'independent')
        """
        terms = ContrastTerms(parameter, over, link, adjust, independent, level)
        if isinstance(b, Comparable):
            return contrast_tables(self._compared(), b._compared(), a, terms)
        return contrast_rows(self._compared(), a, b, terms)


_COUNTRIES = frozenset(name.casefold() for design in BY_NAME.values() for name in design.country)
_FITTED = ("gamma00", "tau00", "sigma2", "icc", "deff")


def fits_compared(
    rows: list[dict[str, Any]],
    by: tuple[str, ...],
    stats: GroupStats | None,
    vcov: str | None,
    provenance: Mapping[str, Any],
) -> Compared:
    """What a table of fits has for comparisons: no replicates, and schools that tell samples apart."""
    from fastml.inference.robust import KINDS

    for_few = vcov is not None and KINDS[vcov].for_few

    def estimate(row: Mapping[str, Any], parameter: str) -> Estimate | None:
        if row[parameter] is None:
            return None
        # That of deff, which is 1 + icc times a number, follows from the icc's.
        of, times = (parameter, 1.0) if parameter != "deff" else ("icc", (row["deff"] - 1.0) / (row["icc"] or math.nan))
        se = row[f"se_{of}"]
        few = row["n_groups"] - 1.0 if for_few else math.inf
        df = row["df"] if parameter == "gamma00" else few
        variance = math.nan if se is None else times * se * (times * se)  # a power would not end as infinite
        none = math.nan if df is None else float(df)
        return Estimate(np.array([row[parameter]]), np.empty((0, 1)), (), False, 0.0, variance, none)

    @cache
    def samples() -> list[SampleIdentity]:
        return _samples(rows, by, stats)

    return Compared(
        name="",
        by=by,
        rows=rows,
        samples=samples,
        estimates=lambda parameter: [estimate(row, parameter) for row in rows],
        parameters=_FITTED,
        provenance=provenance,
        warn=lambda compared: _of_two_cycles(rows, by, samples(), compared),
    )


def _of_two_cycles(
    rows: list[dict[str, Any]],
    by: tuple[str, ...],
    samples: list[SampleIdentity],
    compared: Sequence[Collection[int]],
) -> list[str]:
    """A note where rows of one country in two cycles are compared, and most of their schools have the same ids."""
    places = [[row[name] for name in by if name.casefold() in _COUNTRIES] for row in rows]
    for cycle in (name for name in by if name.casefold() in CYCLES):
        for i, j in (pair for of in compared for pair in combinations(of, 2)):
            if rows[i][cycle] == rows[j][cycle] or places[i] != places[j]:
                continue
            if most_in_common(samples[i], samples[j]):
                return [f"schools with the same ids in both {cycle}s are taken as others; where they are the same "
                        "schools, fit_survey has the covariance, by independent=False"]  # fmt: skip
    return []


def _samples(rows: list[dict[str, Any]], by: tuple[str, ...], stats: GroupStats | None) -> list[SampleIdentity]:
    """Schools with one label are one, unless they are of two countries, or of two cycles."""
    apart = [name for name in by if name.casefold() in _COUNTRIES | CYCLES]
    schools: dict[tuple[str, ...], Mapping[int, float]] = {}
    for part_labels, part in stats.split() if stats is not None else ():
        names = [name for name in part.keys.column_names if name not in by]
        labels = zip(*(part.keys[name].to_pylist() for name in names), strict=True)
        numbers = dict.fromkeys((school_number(*label) for label in labels), 1.0)
        schools[tuple(label_text(part_labels[name]) for name in by)] = numbers

    def identity(row: Mapping[str, Any]) -> SampleIdentity:
        countries = (" ".join(label_text(row[name]) for name in apart),) if apart else ()
        of_row = schools.get(tuple(label_text(row[name]) for name in by))
        return SampleIdentity(countries, bool(apart), of_row, ())

    return [identity(row) for row in rows]
