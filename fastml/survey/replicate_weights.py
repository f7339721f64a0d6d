"""Replicates that are columns of the file: every school's moments under each of them, from one pass."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, WeightVariesError, row_text
from fastml.io.arrays import as_arrow, without_blanks
from fastml.io.columns import as_floats
from fastml.io.plain_arrays import plain_array, plain_type
from fastml.kernels.threads import map_on_threads
from fastml.keys.encoder import encode_rows
from fastml.keys.key_table import KeyTable, check_labels
from fastml.survey.cells import Cells, Part, Sample, Sampler
from fastml.survey.choices import Choices
from fastml.survey.cleaning import CleanRows
from fastml.survey.columns import SurveyColumns
from fastml.survey.degrees import replicate_gram, replicate_rank
from fastml.survey.replication import CellMoments
from fastml.survey.school_file import SchoolWeights

__all__ = ["column_parts"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
_ROWS_AT_A_TIME = 1 << 16


def column_parts(
    rows: CleanRows, schools: SchoolWeights | None, choices: Choices, threads: int
) -> tuple[list[Part], int]:
    """Read the stream once; where it has no replicate weights, the full sample alone.

    Parameters
    ----------
    rows : CleanRows
    schools : SchoolWeights or None
        Where the school's weight isn't in the rows.
    choices : Choices
    threads : int

    Returns
    -------
    parts, dropped_by
        As of `Cells.parts`.

    Raises
    ------
    ValueNotAllowedError
        A weight is negative or infinite, a school's weight varies within it.
    """
    columns = rows.columns
    sums = _SchoolSums(rows.schema, columns, choices.unweighted_within, threads)
    for batch in rows.batches:
        for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
            sums.add(batch.slice(start, _ROWS_AT_A_TIME))
    order, found = sums.table.sorted()
    keys = pa.table(dict(zip(columns.keys, found, strict=True)))
    check_labels(keys)
    labels = keys.to_pydict()
    own = sums.v[order] if columns.group_weight else np.ones(len(order))  # without any, for means of students
    cells = Cells(columns, labels, sums.counts[order], own if schools is None else schools)
    n_used = {outcome: sums.n_used(outcome)[order] for outcome in columns.outcomes}
    return cells.parts(n_used, lambda used: _sampler(sums, choices, order[used], cells.v[used]))


class _SchoolSums:
    """The records of `kernels.sums.replicates` for every school, a set per outcome; batches of rows are added."""

    def __init__(self, schema: pa.Schema, columns: SurveyColumns, plain: bool, threads: int) -> None:
        from fastml.kernels.sums.replicates import N_SHARED

        self.columns, self.kinds = columns, (False, True) if plain else (False,)
        self.table = KeyTable([plain_type(schema.field(name).type) for name in columns.keys])
        # Each thread has replicates of its own, so their number changes no bit.
        n = len(columns.weights)
        n_threads = min(threads, n)
        self._edges = [n * i // n_threads for i in range(n_threads + 1)]
        self.counts = np.zeros((0, 3), np.int64)
        self.v = np.empty(0)
        self.shift = {outcome: np.empty((0, len(values))) for outcome, values in columns.outcomes.items()}
        self.sums = {
            (outcome, plain): np.empty((0, N_SHARED + 2 * len(values), n))
            for outcome, values in columns.outcomes.items()
            for plain in self.kinds
        }
        self.grams: dict[int, Floats] = {}  # of the rows without a school id, by their code
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        columns = self.columns
        keys = encode_rows([batch.column(name) for name in columns.keys])
        rows = keys.by_row()
        codes = self._codes(keys.labels, rows)
        self._grow(len(self.table))
        totals = np.stack([as_floats(batch.column(name)) for name in columns.weights])
        weight = totals[0]
        self._refuse(codes, (weight < 0.0) | np.isinf(weight), columns.weight, weight, "0 or more")
        if columns.group_weight:
            value = as_floats(batch.column(columns.group_weight_name))
            self._note_school_weight(value, codes, ~keys.unlabelled()[rows])
            weight = np.where(np.isnan(value), np.nan, weight)
        missing, zero = np.isnan(weight), weight == 0.0
        for i, chosen in enumerate((slice(None), missing, zero)):
            self.counts[:, i] += np.bincount(codes[chosen], minlength=len(self.counts))
        totals[0] = np.where(missing, 0.0, weight)
        if columns.replicates:
            nameless = np.asarray(without_blanks(plain_array(keys.labels[-1])).is_null(nan_is_null=True))
            self._note_directions(codes, np.flatnonzero(nameless[rows]), totals)
        for outcome, names in columns.outcomes.items():
            values = np.stack([as_floats(batch.column(name)) for name in names])
            for name, column, infinite in zip(names, values, np.isinf(values), strict=True):
                self._refuse(codes, infinite, name, column, "not infinite")
            for plain in self.kinds:
                self._accumulate(codes, values, totals, outcome, plain)
        self._rows += batch.num_rows

    def _codes(self, labels: tuple[pa.Array, ...], rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Code of each row's school in the table, which takes those in that have a row; `rows` are places of labels."""
        seen = np.flatnonzero(np.bincount(rows, minlength=len(labels[0])))
        code = np.zeros(len(labels[0]), np.int32)
        code[seen] = self.table.codes_for([column.take(as_arrow(seen)) for column in labels])
        return code[rows]

    def _note_directions(self, codes: npt.NDArray[np.int32], rows: Int64s, totals: Floats) -> None:
        """Note the directions of the replicates of rows without a school, whose sums lose them."""
        for code in np.unique(codes[rows]).tolist():
            some = rows[codes[rows] == code]
            gram = replicate_gram(totals[1:, some], totals[0, some])
            self.grams[code] = gram + self.grams.get(code, 0.0)

    def _accumulate(
        self, codes: npt.NDArray[np.int32], values: Floats, totals: Floats, outcome: str, plain: bool
    ) -> None:
        from fastml.kernels.sums import replicates as kernel

        sums, shift = self.sums[outcome, plain], self.shift[outcome]

        def work(edges: tuple[int, int]) -> int:
            return int(kernel.accumulate(codes, values, totals, plain, *edges, shift, sums))

        found = map_on_threads(work, list(pairwise(self._edges)), len(self._edges) - 1)
        bad = min((x for x in found if x >= 0), default=-1)
        if bad >= 0:
            row, r = divmod(bad, len(totals))
            wrong = np.zeros(len(codes), bool)
            wrong[row] = True
            self._refuse(
                codes, wrong, self.columns.weights[r], totals[r], "0 or more wherever the total weight is above 0"
            )

    def _note_school_weight(self, value: Floats, codes: npt.NDArray[np.int32], named: npt.NDArray[np.bool_]) -> None:
        """Note the school weight of each row, NaN where it has none; rows without a school may have any."""
        name = self.columns.group_weight_name
        given = ~np.isnan(value)
        self._refuse(codes, given & ~((value > 0.0) & np.isfinite(value)), name, value, "above 0")
        given &= named
        old = self.v[codes]
        new = given & np.isnan(old)
        self.v[codes[new]] = value[new]
        varies = given & (value != self.v[codes])
        if varies.any():
            i = int(np.argmax(varies))
            raise WeightVariesError(name, value[i], self.v[codes[i]], self._place(codes, i))

    def _refuse(
        self, codes: npt.NDArray[np.int32], wrong: npt.NDArray[np.bool_], name: str, values: Floats, rule: str
    ) -> None:
        if wrong.any():
            i = int(np.argmax(wrong))
            raise ValueNotAllowedError(
                f"column {name!r} has {values[i]:g} {self._place(codes, i)}; it must be a finite number, {rule}"
            )

    def _place(self, codes: npt.NDArray[np.int32], row: int) -> str:
        label = ", ".join(f"{name} {column[int(codes[row])].as_py()}"
                          for name, column in zip(self.columns.keys, self.table.labels(), strict=True))  # fmt: skip
        return row_text(self._rows + row, label)

    def _grow(self, n_schools: int) -> None:
        have = len(self.counts)
        if n_schools <= have:
            return
        room = max(64, n_schools, have + have // 4)
        _lengthen(self.counts, room, 0)
        _lengthen(self.v, room, np.nan)
        for shift in self.shift.values():
            _lengthen(shift, room, np.nan)
        for sums in self.sums.values():
            _lengthen(sums, room, 0)

    def n_used(self, outcome: str) -> Int64s:
        """Rows of positive weight with a score, by school."""
        return self.sums[outcome, False][:, 0, 0].astype(np.int64)


def _sampler(sums: _SchoolSums, choices: Choices, schools: Int64s, weights: Floats) -> Sampler:
    def sample(outcome: str) -> Sample | None:
        chosen = sums.n_used(outcome)[schools] > 0
        if not chosen.any():
            return None
        rows = schools[chosen]
        shared = [np.ascontiguousarray(sums.sums[outcome, False][rows, i].T) for i in range(3)]
        values = []
        for k in range(sums.shift[outcome].shape[1]):
            last = None if choices.replicates_value(k) else 1
            values.append(_column_moments(sums, outcome, rows, k, [part[:last] for part in shared]))
        total = shared[1]
        gram = sums.grams[rows[0]] if rows[0] in sums.grams else replicate_gram(total[1:], total[0])
        freedom = max(0, replicate_rank(gram) - 1)
        return Sample(weights[chosen], values, float(freedom), [], sums.columns.replicates)

    return sample


def _column_moments(sums: _SchoolSums, outcome: str, rows: Int64s, k: int, shared: list[Floats]) -> CellMoments:
    """Moments of plausible value k; `shared` are rows, total and squares (R, J)."""
    shift = sums.shift[outcome][rows, k]
    origin = float(np.mean(shift))
    count, total, squares = shared
    found = []
    for plain in sums.kinds:
        table, weight = sums.sums[outcome, plain], count if plain else total
        one, two = (table[rows, i, : len(total)].T for i in (3 + 2 * k, 4 + 2 * k))
        with np.errstate(invalid="ignore", divide="ignore"):
            deviation = one / weight
        found += [(shift - origin) + deviation, np.maximum(two - one * deviation, 0.0)]
    return CellMoments(origin, count, total, squares, *found, *(found if len(sums.kinds) == 1 else ()))


def _lengthen(array: npt.NDArray[Any], room: int, fill: float) -> None:
    """Lengthen the first axis in place: the large records of all schools are moved by the system, not copied."""
    have = len(array)
    array.resize((room, *array.shape[1:]), refcheck=False)
    if fill != 0:
        array[have:] = fill
