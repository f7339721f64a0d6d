"""What an engine is asked, as expressions of narwhals: the columns that are needed, and their sums by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from fastml.errors import ColumnNotFoundError, ColumnTypeError
from fastml.reduce.columns import LARGEST_WEIGHT, SMALLEST_WEIGHT, CallColumns
from fastml.reduce.missing_codes import codes_of_weights

__all__ = [
    "checked_columns",
    "engine_name",
    "inner_columns",
    "inner_name",
    "own_name",
    "sums_about",
    "sums_about_own_means",
]


def engine_name(data: Any) -> str:
    """The engine's name, for messages."""
    return type(data).__module__.partition(".")[0].lstrip("_")


def inner_name(name: str) -> str:
    """The name of the data's column here, where the columns of sums have names of their own, none of them so."""
    return f"_{name}"


def inner_columns(columns: CallColumns) -> CallColumns:
    """The columns of a call by their names here.

    Parameters
    ----------
    columns : CallColumns

    Returns
    -------
    CallColumns
        Without tags and codes of missing values; a product of weights is one column.
    """
    return CallColumns(
        tuple(map(inner_name, columns.outcomes)),
        tuple(map(inner_name, columns.group)),
        tuple(map(inner_name, columns.split)),
        columns.weights and inner_name(columns.weights),
        columns.group_weights and inner_name(columns.group_weights),
    )


def own_name(name: str) -> str:
    """The name that a column has in the data."""
    return name.removeprefix("_")


def checked_columns(data: Any, columns: CallColumns, condition: Any = None) -> tuple[Any, CallColumns]:
    """Return the frame of the needed columns, numbers as doubles, NaN as null.

    Parameters
    ----------
    data : PySpark DataFrame, DuckDB relation, Polars LazyFrame or Ibis table
    columns : CallColumns
    condition : callable, optional
        The expression of narwhals that is true for the rows to take, of the data's schema; or a bool, for all rows.

    Returns
    -------
    frame : narwhals.LazyFrame
    inner : CallColumns
        The names of its columns.

    Raises
    ------
    ColumnNotFoundError, ColumnTypeError
    """
    import narwhals as nw

    kind = f"the {engine_name(data)} {type(data).__name__}"
    frame = nw.from_native(data).lazy()
    schema = frame.collect_schema()
    for name in columns.to_read:
        if name not in schema:
            raise ColumnNotFoundError(name, schema.names(), kind)
    if condition is not None:
        met = condition(schema)
        if met is not True:
            frame = frame.head(0) if met is False else frame.filter(met)
    made = []
    for name in dict.fromkeys(columns.to_read):
        dtype, column = schema[name], nw.col(name)
        if name in columns.keys:
            if dtype.is_nested() or dtype == nw.Object:
                raise ColumnTypeError("group", name, dtype, "use a column of numbers, strings or dates")
            if dtype.is_float():
                # -0.0 and 0.0 are one label, NaN is none.
                column = nw.when(~column.is_nan()).then(column + 0.0)
            elif dtype in (nw.String, nw.Categorical, nw.Enum, nw.Unknown):
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
        made.append(column.alias(inner_name(name)))
    named = inner_columns(columns)
    frame = frame.select(*made)
    if columns.factors:
        first, *others = (nw.col(inner_name(name)) for name in columns.factors)
        for factor in others:
            first = first * factor
        frame = frame.with_columns(first.alias(str(named.group_weights)))
    return frame, named


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
        As `checked_columns` returns it.
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


def sums_about_own_means(frame: Any, columns: CallColumns, how: Literal["inner", "left"] = "inner") -> Any:
    """Return the sums about each cell's own mean, which the engine computes and joins back.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        As `checked_columns` returns it.
    columns : CallColumns
    how : {"inner", "left"}
        Of the join: whether rows without a label are kept, to be counted.

    Returns
    -------
    narwhals.LazyFrame
        As of `sums_about`, with ``m{i}_``, the mean of outcome i, null where there is none or a label is null.
    """
    import narwhals as nw

    names = [f"m{i}_" for i in range(len(columns.outcomes))]
    # Keys renamed: some engines can't tell the two sides of a join of a frame with itself.
    keys = {f"key{k}_": name for k, name in enumerate(columns.keys)}
    marked = _marked(frame, columns) if columns.weighted else frame
    means = marked.group_by(*columns.keys).agg(
        *(nw.col(outcome).mean().alias(name) for name, outcome in zip(names, columns.outcomes, strict=True))
    )
    means = means.select(*(nw.col(name).alias(key) for key, name in keys.items()), *names)
    joined = frame.join(means, how=how, left_on=list(keys.values()), right_on=list(keys))
    return sums_about(joined, replace(columns, group=(*columns.group, *names)), names)
