"""GroupStats computed inside an engine: PySpark, DuckDB, Polars, Ibis through narwhals; Dask on its workers.

Nothing is collected but a row per cell. The engine sums y - c and (y - c)^2 over the rows of a cell, with c a rough
mean of the outcome. Where a cell's mean is so far from c, in units of its own spread, that the difference of the two
sums would lose digits, a second aggregate does the same about the cells' own means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ColumnNotFoundError, ColumnTypeError, SourceError, ValueNotAllowedError, WeightVariesError
from fastml.groupstats.statistics import GroupStats
from fastml.io.arrays import as_arrow
from fastml.io.columns import as_floats
from fastml.io.plain_arrays import plain_type
from fastml.keys.key_table import check_ids, check_key_type
from fastml.keys.order import sort_order
from fastml.reduce.columns import LARGEST_WEIGHT, SMALLEST_WEIGHT, CallColumns
from fastml.reduce.dask_frames import from_dask
from fastml.reduce.missing_codes import codes_of_weights

__all__ = ["from_engine", "is_lazy"]

Floats = npt.NDArray[np.float64]

_LAZY = {
    ("pyspark", "DataFrame"), ("dask", "DataFrame"), ("dask_expr", "DataFrame"), ("_duckdb", "DuckDBPyRelation"),
    ("duckdb", "DuckDBPyRelation"), ("polars", "LazyFrame"), ("ibis", "Table"),
}  # fmt: skip

# n (mean - c)^2 / SS from which on the sums about c have lost too many digits.
FAR = 1e4
ROUGH_ROWS = 1000


def is_lazy(data: Any) -> bool:
    """Whether data are a frame of an engine that can aggregate by itself.

    Parameters
    ----------
    data : anything

    Returns
    -------
    bool
    """
    return (type(data).__module__.partition(".")[0], type(data).__name__) in _LAZY


def from_engine(data: Any, columns: CallColumns) -> GroupStats:
    """Group statistics of a lazy frame, computed by its engine.

    Parameters
    ----------
    data : PySpark or Dask DataFrame, DuckDB relation, Polars LazyFrame or Ibis table
    columns : CallColumns
        As in `fastml.reduce.workers.from_source`.

    Returns
    -------
    GroupStats

    Raises
    ------
    ColumnTypeError
        An outcome or a weight isn't numeric.
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    columns.check()
    if type(data).__module__.partition(".")[0] in ("dask", "dask_expr"):
        return from_dask(data, columns)
    frame, inner = _checked(data, columns)
    centres = _rough_means(frame, inner, data)
    table = _collected(sums_about(frame, inner, centres), data)
    _check_weights(table, inner)
    moments, weighted = _moments(table, inner, np.tile(np.array(centres)[:, None], table.num_rows))
    _check_finite(table, inner, moments)
    if _any_far(moments, centres):
        again = _collected(_sums_about_own_means(frame, inner, centres), data)
        _put_in_place(table, again, inner, moments, weighted)
    stats = _statistics(table, inner, moments, weighted)
    return stats.tagged(dict(columns.constant)) if columns.constant else stats


def _engine(data: Any) -> str:
    return type(data).__module__.partition(".")[0].lstrip("_")


def _inner_name(name: str) -> str:
    """The name of the data's column here, where the columns of sums have names of their own, none of them so."""
    return f"_{name}"


def _own_name(name: str) -> str:
    """The name that a column has in the data."""
    return name.removeprefix("_")


def _checked(data: Any, columns: CallColumns) -> tuple[Any, CallColumns]:
    """Return the narwhals frame of the needed columns, and their names in it: numbers as doubles, NaN as null."""
    import narwhals as nw

    kind = f"the {_engine(data)} {type(data).__name__}"
    frame = nw.from_native(data).lazy()
    schema = frame.collect_schema()
    for name in columns.to_read:
        if name not in schema:
            raise ColumnNotFoundError(name, schema.names(), kind)
    made = []
    for name in dict.fromkeys(columns.to_read):
        dtype, column = schema[name], nw.col(name)
        if name in columns.keys:
            if dtype.is_nested() or dtype == nw.Object:
                raise ColumnTypeError("group", name, dtype, "use a column of numbers, strings or dates")
            if dtype.is_float():
                # -0.0 and 0.0 are one label, NaN is none.
                column = nw.when(~column.is_nan()).then(column + 0.0)
            elif dtype in (nw.String, nw.Categorical, nw.Enum):
                # Nor is a text that is empty or all spaces.
                column = nw.when(column.cast(nw.String).str.contains("[^ ]")).then(column)
        else:
            if not (dtype.is_numeric() or dtype == nw.Boolean):
                argument = "outcome" if name in columns.outcomes else "weights"
                raise ColumnTypeError(argument, name, dtype, "it must be numeric: convert the column first")
            column = column.cast(nw.Int8).cast(nw.Float64) if dtype == nw.Boolean else column.cast(nw.Float64)
            if dtype.is_float():
                column = nw.when(~column.is_nan()).then(column)
            codes = columns.missing if name in columns.outcomes else codes_of_weights(columns.missing)
            if codes:
                column = nw.when(~column.is_in(codes)).then(column)
        made.append(column.alias(_inner_name(name)))
    named = CallColumns(
        tuple(map(_inner_name, columns.outcomes)),
        tuple(map(_inner_name, columns.group)),
        tuple(map(_inner_name, columns.split)),
        columns.weights and _inner_name(columns.weights),
        columns.group_weights and _inner_name(columns.group_weights),
    )
    frame = frame.select(*made)
    if columns.factors:
        first, *others = (nw.col(_inner_name(name)) for name in columns.factors)
        for factor in others:
            first = first * factor
        frame = frame.with_columns(first.alias(str(named.group_weights)))
    return frame, named


def _rough_means(frame: Any, columns: CallColumns, data: Any) -> list[float]:
    """Mean of some rows of each outcome, taken in the engine; 0 where there is none."""
    import narwhals as nw

    means = []
    for name in columns.outcomes:
        some = frame.select(name).filter(~nw.col(name).is_null()).head(ROUGH_ROWS)
        mean = _collected(some.select(nw.col(name).mean()), data)[name].to_pylist()
        value = mean[0] if mean and mean[0] is not None else 0.0
        means.append(value if math.isfinite(value) else 0.0)
    return means


def _marked(frame: Any, columns: CallColumns) -> Any:
    """Add the columns w_ (the weight), no_weight_, zero_weight_ and bad_; empty the outcomes that don't count."""
    import narwhals as nw

    if not columns.weighted:
        return frame.with_columns(rows_=nw.lit(1.0))
    weight = nw.col(columns.weights) if columns.weights else nw.lit(1.0)
    if columns.group_weights:
        weight = nw.when(~nw.col(columns.group_weights).is_null()).then(weight)
    frame = frame.with_columns(rows_=nw.lit(1.0), w_=weight)
    frame = frame.with_columns(
        no_weight_=_flag(nw.col("w_").is_null()),
        zero_weight_=_flag(nw.col("w_") == 0.0),
        bad_=_flag(
            (nw.col("w_") < 0.0)
            | (nw.col("w_") > LARGEST_WEIGHT)
            | ((nw.col("w_") > 0.0) & (nw.col("w_") < SMALLEST_WEIGHT))
        ),
        **{name: nw.when(nw.col("w_") > 0.0).then(nw.col(name)) for name in columns.outcomes},
    )
    if columns.group_weights:
        v = nw.col(columns.group_weights)
        frame = frame.with_columns(v_low_=v, v_high_=v)
    return frame


def _flag(condition: Any) -> Any:
    import narwhals as nw

    return nw.when(condition).then(nw.lit(1.0)).otherwise(nw.lit(0.0))


def sums_about(frame: Any, columns: CallColumns, centres: Sequence[Any]) -> Any:
    """Return the lazy frame of the sums by cell.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        As `_checked` returns it.
    columns : CallColumns
    centres : sequence of float or str
        For each outcome a number, or the column that holds one for each row.

    Returns
    -------
    narwhals.LazyFrame
        Columns: the keys, ``rows_``, and for outcome i ``n{i}_``, ``s{i}_`` = sum(y - c), ``q{i}_`` = sum((y - c)^2);
        with weights ``no_weight_``, ``zero_weight_``, ``bad_``, ``w{i}_``, ``ws{i}_``, ``wq{i}_``, ``w2{i}_``, and
        ``v_low_``, ``v_high_``, the least and the greatest of the group weights.
    """
    import narwhals as nw

    frame = _marked(frame, columns)
    sums = ["rows_", *(["no_weight_", "zero_weight_", "bad_"] if columns.weighted else [])]
    for i, (name, centre) in enumerate(zip(columns.outcomes, centres, strict=True)):
        shift = nw.col(centre) if isinstance(centre, str) else nw.lit(centre)
        there = ~nw.col(name).is_null()
        frame = frame.with_columns(
            **{f"n{i}_": _flag(there), f"s{i}_": nw.when(there).then(nw.col(name) - shift).otherwise(nw.lit(0.0))}
        )
        frame = frame.with_columns(**{f"q{i}_": nw.col(f"s{i}_") * nw.col(f"s{i}_")})
        made = [f"n{i}_", f"s{i}_", f"q{i}_"]
        if columns.weighted:
            # An outcome that is there has a weight above 0.
            frame = frame.with_columns(**{f"w{i}_": nw.when(there).then(nw.col("w_")).otherwise(nw.lit(0.0))})
            frame = frame.with_columns(
                **{f"ws{i}_": nw.col(f"w{i}_") * nw.col(f"s{i}_"), f"wq{i}_": nw.col(f"w{i}_") * nw.col(f"q{i}_"),
                   f"w2{i}_": nw.col(f"w{i}_") * nw.col(f"w{i}_")}
            )  # fmt: skip
            made += [f"w{i}_", f"ws{i}_", f"wq{i}_", f"w2{i}_"]
        sums += made
    extremes = [nw.col("v_low_").min(), nw.col("v_high_").max()] if columns.group_weights else []
    return frame.group_by(*columns.keys).agg(*(nw.col(name).sum() for name in sums), *extremes)


def _sums_about_own_means(frame: Any, columns: CallColumns, centres: Sequence[float]) -> Any:
    """Return the sums about each cell's own mean, which the engine computes and joins back, where no label is null."""
    import narwhals as nw

    means = sums_about(frame, columns, centres)
    for i, centre in enumerate(centres):
        n = nw.when(nw.col(f"n{i}_") > 0.0).then(nw.col(f"n{i}_"))
        means = means.with_columns(**{f"m{i}_": nw.col(f"s{i}_") / n + nw.lit(centre)})
    # Keys renamed: some engines can't tell the two sides of a join of a frame with itself.
    keys = {f"key{k}_": name for k, name in enumerate(columns.keys)}
    means = means.select(
        *(nw.col(name).alias(key) for key, name in keys.items()), *(f"m{i}_" for i in range(len(centres)))
    )
    joined = frame.join(means, how="inner", left_on=list(keys.values()), right_on=list(keys))
    names = [f"m{i}_" for i in range(len(centres))]
    return sums_about(joined, replace(columns, group=(*columns.group, *names)), names)


def _collected(frame: Any, data: Any) -> pa.Table:
    try:
        return frame.collect("pyarrow").to_native()
    except Exception as error:
        if type(error).__module__.startswith("fastml"):
            raise
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{_engine(data)} failed to aggregate: {line}") from error


def _column(table: pa.Table, name: str) -> Floats:
    return np.array(as_floats(table[name].combine_chunks()))


def _moments(table: pa.Table, columns: CallColumns, centres: Floats) -> tuple[Floats, Floats | None]:
    """Moments (p, C, 4) and weighted ones (p, C, 5) of sums about the centres (p, C)."""
    p, n_cells = len(columns.outcomes), table.num_rows
    moments = np.zeros((p, n_cells, 4))
    weighted = np.zeros((p, n_cells, 5)) if columns.weighted else None
    for i in range(p):
        n, s, q = (_column(table, f"{field}{i}_") for field in "nsq")
        moments[i] = _finished(n, s, q, centres[i])
        # Doubles about the mean lie so far apart that less than this is rounding: the values are one value.
        with np.errstate(invalid="ignore", over="ignore"):
            least = (np.spacing(np.abs(moments[i, :, 1])) / 4.0) ** 2
        moments[i, (n == 1.0) | (moments[i, :, 3] < least), 3] = 0.0
        if weighted is not None:
            w, ws, wq, w2 = (_column(table, f"{field}{i}_") for field in ("w", "ws", "wq", "w2"))
            weighted[i, :, :4] = _finished(w, ws, wq, centres[i])
            weighted[i, moments[i, :, 3] == 0.0, 3] = 0.0
            weighted[i, :, 4] = w2
    return moments, weighted


def _finished(n: Floats, s: Floats, q: Floats, centre: Floats) -> Floats:
    """Columns n, mean, residual, ss (C, 4)."""
    some = n > 0.0
    # What isn't finite is refused later, by name.
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = np.divide(s, n, out=np.zeros_like(s), where=some)
        mean = centre + deviation
        # What the sum of the two rounds off (Knuth).
        part = mean - centre
        residual = (centre - (mean - part)) + (deviation - part)
        ss = np.maximum(q - s * deviation, 0.0)
    return np.where(some[:, None], np.column_stack([n, mean, residual, ss]), 0.0)


def _any_far(moments: Floats, centres: Sequence[float]) -> bool:
    n, mean, _, ss = np.moveaxis(moments, 2, 0)
    return bool(((n > 1.0) & (n * (mean - np.array(centres)[:, None]) ** 2 > FAR * ss)).any())


def _put_in_place(
    table: pa.Table, again: pa.Table, columns: CallColumns, moments: Floats, weighted: Floats | None
) -> None:
    """Put the second aggregate's moments in the place of the first's."""
    at = {label: row for row, label in enumerate(_labels(table, columns.keys))}
    rows = np.array([at[label] for label in _labels(again, columns.keys)], np.int64)
    p = len(columns.outcomes)
    own = np.array([_column(again, f"m{i}_") for i in range(p)]).reshape(p, len(rows))
    better, better_weighted = _moments(again, columns, np.nan_to_num(own))
    moments[:, rows] = better
    if weighted is not None and better_weighted is not None:
        weighted[:, rows] = better_weighted


def _labels(table: pa.Table, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in keys), strict=True))


def _place(table: pa.Table, columns: CallColumns, row: int) -> str:
    label = ", ".join(str(table[name][row].as_py()) for name in columns.keys)
    return f"in {', '.join(map(_own_name, columns.keys))} {label}"


def _check_finite(table: pa.Table, columns: CallColumns, moments: Floats) -> None:
    for i, name in enumerate(columns.outcomes):
        wrong = ~np.isfinite(moments[i]).all(axis=1)
        if wrong.any():
            raise ValueNotAllowedError(
                f"outcome column {_own_name(name)!r} has an infinite value, or one too large to square, "
                f"{_place(table, columns, int(np.argmax(wrong)))}; recode it to missing or drop the row"
            )


def _check_weights(table: pa.Table, columns: CallColumns) -> None:
    if not columns.weighted:
        return
    if columns.group_weights:
        low, high = _column(table, "v_low_"), _column(table, "v_high_")
        name = _own_name(columns.group_weights)
        wrong = ~np.isnan(low) & ~((low >= SMALLEST_WEIGHT) & (high <= LARGEST_WEIGHT))
        if wrong.any():
            bad = int(np.argmax(wrong))
            value = high[bad] if low[bad] >= SMALLEST_WEIGHT else low[bad]
            raise ValueNotAllowedError(
                f"group_weights column {name!r} has {value:g} {_place(table, columns, bad)}; "
                f"a group's weight is above 0, from {SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}"
            )
        # Rows without a school's label may come from several schools.
        varies = (low < high) & ~_lacks_label(table, columns)
        if varies.any():
            bad = int(np.argmax(varies))
            raise WeightVariesError(name, low[bad], high[bad], _place(table, columns, bad))
    wrong = _column(table, "bad_") > 0.0
    if wrong.any():
        raise ValueNotAllowedError(
            f"weights column {_own_name(columns.weights or '')!r} has a negative or infinite weight "
            f"{_place(table, columns, int(np.argmax(wrong)))}; a weight is 0, or from {SMALLEST_WEIGHT:g} to "
            f"{LARGEST_WEIGHT:g}"
        )


def _lacks_label(table: pa.Table, columns: CallColumns) -> npt.NDArray[np.bool_]:
    """Whether any of a cell's labels is null, shape (C,)."""
    lacks: npt.NDArray[np.bool_] = np.any([np.asarray(table[name].is_null()) for name in columns.keys], axis=0)
    return lacks


def _statistics(table: pa.Table, columns: CallColumns, moments: Floats, weighted: Floats | None) -> GroupStats:
    labels = []
    for name in columns.keys:
        column = table[name].combine_chunks()
        check_key_type("by" if name in columns.by else "group", pa.field(_own_name(name), column.type))
        labels.append(column.cast(plain_type(column.type)))
    order = sort_order(labels)
    for name, column in zip(columns.keys, labels, strict=True):
        if name in columns.group:
            check_ids(_own_name(name), column)
    take = as_arrow(order)
    keys = {_own_name(name): column.take(take) for name, column in zip(columns.keys, labels, strict=True)}
    counts = np.zeros((table.num_rows, 3))
    for k, name in enumerate(["rows_", "no_weight_", "zero_weight_"] if columns.weighted else ["rows_"]):
        counts[:, k] = _column(table, name)
    group_weight = None
    if columns.group_weights:
        group_weight = np.where(_lacks_label(table, columns), np.nan, _column(table, "v_low_"))[order]
    return GroupStats(
        keys=pa.table(keys),
        by=tuple(map(_own_name, columns.by)),
        group=tuple(map(_own_name, columns.group)),
        outcomes=tuple(map(_own_name, columns.outcomes)),
        counts=counts[order],
        moments=np.take(moments, order, axis=1),
        weighted=None if weighted is None else np.take(weighted, order, axis=1),
        group_weight=group_weight,
        weights=columns.weights and _own_name(columns.weights),
        group_weights=columns.group_weights and _own_name(columns.group_weights),
    )
