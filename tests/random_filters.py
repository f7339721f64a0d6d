"""Random filters over a table of every type that a filter compares, and DuckDB's word on which rows they keep."""

from __future__ import annotations

import datetime
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ROWS = 240
KINDS = {
    "number": ["i8", "i32", "i64", "u16", "u64", "f32", "f64", "fdict", "dec", "decwide"],
    "text": ["text", "textdict", "large"],
    "date": ["day", "micro", "nano", "second"],
    "flag": ["flag"],
}
_SIGNS = ["=", "<>", "!=", "<", "<=", ">", ">="]
_EPOCH = datetime.datetime(2020, 1, 1)  # of columns without a zone


def table(seed: int) -> pa.Table:
    """Some columns rise with the rows, so that row groups of Parquet can be skipped; all have nulls."""
    rng = np.random.default_rng(seed)

    def numbers(spread: int) -> np.ndarray:
        rising = np.arange(ROWS) * 12 // ROWS - 6 if rng.random() < 0.6 else np.zeros(ROWS, int)
        return rising + rng.integers(-spread, spread + 1, ROWS)

    def column(values: object, dtype: pa.DataType) -> pa.Array:
        rare = 0.03 if rng.random() < 0.7 else 0.3
        masked = rng.random(ROWS) < rare
        return pa.array([None if m else v for m, v in zip(masked, values, strict=True)], dtype)

    def floats(dtype: pa.DataType) -> pa.Array:
        values = numbers(2) / 2.0
        values[values == 0.0] = rng.choice([0.0, -0.0], int((values == 0.0).sum()))
        special = rng.random(ROWS)
        values[special < 0.06] = np.nan
        values[special > 0.98] = rng.choice([np.inf, -np.inf])
        return column(values.tolist(), dtype)

    def times(unit: int) -> list[datetime.datetime]:
        return [_EPOCH + datetime.timedelta(seconds=int(v) * unit) for v in numbers(3)]

    letters = np.array(["", "a", "ab", "b", "B", "é", "z'"])
    words = letters[np.clip(numbers(3) // 2 + 3, 0, 6)].tolist()
    cents = [Decimal(int(v)) / 4 for v in numbers(4)]
    return pa.table({
        "row": np.arange(ROWS),
        "i8": column(numbers(2).tolist(), pa.int8()),
        "i32": column((numbers(2) * 10_000_001).tolist(), pa.int32()),
        "i64": column([int(v) * (2**53 + 1) // 4 for v in numbers(2)], pa.int64()),
        "u16": column(np.abs(numbers(2)).tolist(), pa.uint16()),
        "u64": column([int(v) * (2**60) for v in np.abs(numbers(3))], pa.uint64()),
        "f32": floats(pa.float32()), "f64": floats(pa.float64()), "fdict": floats(pa.float64()).dictionary_encode(),
        "dec": column(cents, pa.decimal128(9, 2)), "decwide": column(cents, pa.decimal128(38, 6)),
        "text": column(words, pa.string()), "textdict": column(words, pa.string()).dictionary_encode(),
        "large": column(words, pa.large_string()),
        "day": column([t.date() for t in times(86_400)], pa.date32()),
        "micro": column(times(43_200), pa.timestamp("us")), "nano": column(times(43_200), pa.timestamp("ns")),
        "second": column(times(86_400), pa.timestamp("s")),
        "flag": column((numbers(2) > 0).tolist(), pa.bool_()),
    })  # fmt: skip


class Filters:
    """A stream of random conditions."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def _pick(self, choices: list[str]) -> str:
        return choices[self._rng.integers(len(choices))]

    def _value(self, kind: str, column: str) -> str:
        at = int(self._rng.integers(-8, 9))
        if kind == "number":
            wide = {"i32": 10_000_001, "i64": (2**53 + 1) // 4, "u64": 2**60}.get(column, 1)
            if wide > 1:
                return str(at * wide + int(self._rng.integers(-1, 2)))
            return self._pick(
                [str(at), f"{at / 4}", f"{at / 2}", "0", "-0.0", "0.0", str(at * 10**15), f"{at}e0", "1e300"]
            )
        if kind == "text":
            return self._pick(["''", "'a'", "'ab'", "'b'", "'B'", "'é'", "'z'''", "'0'"])
        if kind == "flag":
            return self._pick(["TRUE", "FALSE"])
        moment = _EPOCH + datetime.timedelta(seconds=at * 43_200)
        odd = moment + datetime.timedelta(microseconds=1)
        far = self._pick(["TIMESTAMP '2600-01-01 00:00:00'", "TIMESTAMP '0001-01-01 00:00:00'"])
        return self._pick([f"DATE '{moment.date()}'", f"TIMESTAMP '{moment}'", f"TIMESTAMP '{odd}'", far])

    def _predicate(self) -> str:
        kind = self._pick(["number", "number", "number", "text", "date", "flag"])
        column = self._pick(KINDS[kind])
        form = self._rng.random()
        if form < 0.08:
            return f"{column} IS {self._pick(['', 'NOT '])}NULL"
        if form < 0.25:
            several = int(self._rng.choice([1, 2, 5, 25, 40]))
            values = [self._value(kind, column) for _ in range(several)]
            return f"{column} {self._pick(['', 'NOT '])}IN ({', '.join(values)})"
        if form < 0.35:
            low, high = (self._value(kind, column) for _ in range(2))
            return f"{column} {self._pick(['', 'NOT '])}BETWEEN {low} AND {high}"
        sign = self._pick(_SIGNS)
        if form < 0.5:
            return f"{column} {sign} {self._pick(KINDS[kind])}"
        if form < 0.6:
            return f"{self._value(kind, column)} {sign} {column}"
        return f"{column} {sign} {self._value(kind, column)}"

    def condition(self, depth: int = 3) -> str:
        """Return the next one."""
        form = self._rng.random()
        if depth == 0 or form < 0.35:
            return self._predicate()
        if form < 0.5:
            return f"NOT ({self.condition(depth - 1)})"
        word = self._pick(["AND", "OR"])
        return f"({self.condition(depth - 1)}) {word} ({self.condition(depth - 1)})"


def kept_by_duckdb(rows: pa.Table, conditions: list[str]) -> list[list[int]]:
    """The rows that DuckDB's WHERE keeps; NaN is made null first, which is a number there."""
    plain = {}
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        if column.type == pa.timestamp("ns"):  # which DuckDB holds against no far time
            column = column.cast(pa.timestamp("us"))
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
        plain[name] = column
    with duckdb.connect() as connection:
        connection.register("rows", pa.table(plain))
        return [
            [row for (row,) in connection.execute(f"SELECT row FROM rows WHERE {text} ORDER BY row").fetchall()]
            for text in conditions
        ]
