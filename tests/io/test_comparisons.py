"""Comparisons beside Python's, which are exact: columns of all types with values of their kind."""

from __future__ import annotations

import datetime
import math
import operator
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from fastml.io.comparisons import Typed, compare, is_in

SIGNS = {"=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def worked_out(expression: pc.Expression, **columns: pa.Array) -> list[bool | None]:
    table = pa.table(columns)
    return (
        ds.Scanner.from_batches(table.to_batches(), schema=table.schema, columns={"x": expression})
        .to_table()["x"]
        .to_pylist()
    )


WHOLE = [
    pa.int8(),
    pa.uint8(),
    pa.int64(),
    pa.uint64(),
    pa.decimal128(5, 2),
    pa.decimal128(38, 4),
    pa.decimal256(60, 10),
]


@pytest.mark.parametrize("dtype", WHOLE, ids=str)
def test_whole_numbers_and_decimals_are_compared_exactly(dtype: pa.DataType) -> None:
    if pa.types.is_decimal(dtype):
        values = [Decimal(0), Decimal("1.25"), Decimal("-3.5"), Decimal("999.99")]
    else:
        low, high = np.iinfo(dtype.to_pandas_dtype()).min, np.iinfo(dtype.to_pandas_dtype()).max
        values = [int(low), int(high), 0, 3, int(high) - 1]
    column = pa.array([*values, None], dtype)
    asked = [0, 3, -1, 2.5, -3.5, 1.25, 1.3, 127, 128, 255, 256, -129, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1,
             10**60, 1e300, -1e300, float("inf"), -float("inf"), 999.99, 1000]  # fmt: skip
    for value in asked:
        exact = value if isinstance(value, float) and np.isinf(value) else Fraction(Decimal(repr(value)))
        for sign, meant in SIGNS.items():
            expected = [meant(Fraction(v), exact) for v in values] + [None]
            typed = Typed(pc.field("c"), dtype)
            assert worked_out(compare(typed, sign, value), c=column) == expected, (sign, value)
            swapped = [meant(exact, Fraction(v)) for v in values] + [None]
            assert worked_out(compare(value, sign, typed), c=column) == swapped, (sign, value)
    for several in (asked, asked + [7] * 20):
        expected = [any(v == exact for exact in several) for v in map(Fraction, values)]
        listed = is_in(Typed(pc.field("c"), dtype), [v for v in several if not isinstance(v, float)] * 2)
        assert listed is not None
        whole = [any(v == n for n in several if not isinstance(n, float)) for v in map(Fraction, values)]
        assert worked_out(listed, c=column) == [*whole, None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Istanbul"])
def test_times_of_every_unit(unit: str, zone: str | None) -> None:
    moments = [datetime.datetime(2020, 1, 1, 12), datetime.datetime(1950, 6, 1), datetime.datetime(2020, 1, 2)]
    moments = [m.replace(tzinfo=datetime.UTC) if zone else m for m in moments]
    dtype = pa.timestamp(unit, zone)
    column = pa.array([*moments, None], dtype)
    second = datetime.timedelta(seconds=1)
    for value in (*moments, moments[0] + second / 3, moments[0].replace(year=2500), moments[0].replace(year=1)):
        for sign, meant in SIGNS.items():
            expected = [meant(m, value) for m in moments] + [None]
            assert worked_out(compare(Typed(pc.field("c"), dtype), sign, value), c=column) == expected, (sign, value)


def test_days_of_both_widths() -> None:
    days = [datetime.date(2020, 1, 1), datetime.date(1900, 2, 3), datetime.date(9999, 12, 31)]
    for dtype in (pa.date32(), pa.date64()):
        column = pa.array([*days, None], dtype)
        for value in (*days, datetime.datetime(2020, 1, 1, 12), datetime.date(1, 1, 1)):
            moments = [datetime.datetime.combine(d, datetime.time()) for d in days]
            asked = value if isinstance(value, datetime.datetime) else datetime.datetime.combine(value, datetime.time())
            for sign, meant in SIGNS.items():
                expected = [meant(m, asked) for m in moments] + [None]
                assert worked_out(compare(Typed(pc.field("c"), dtype), sign, value), c=column) == expected


def test_columns_of_two_types_are_brought_to_one() -> None:
    columns = {
        "u": pa.array([2**64 - 1, 5, 0, None], pa.uint64()), "i": pa.array([-1, 5, 2**53 + 1, 1], pa.int64()),
        "b": pa.array([1, 5, 0, 2], pa.int8()), "d": pa.array([Decimal("1.5"), Decimal(5), None, Decimal(2)]),
        "f": pa.array([0.5, 5.0, 2.0**53, None]), "s": pa.array([0.5, 5.0, 1.0, 2.0], pa.float32()),
        "t": pa.array([True, False, True, None]), "n": pa.nulls(4),
        "hundreds": pa.array([Decimal("1E2"), Decimal(0), None, Decimal("-9E2")], pa.decimal128(5, -2)),
    }  # fmt: skip
    for one, left in columns.items():
        for other, right in columns.items():
            pairs = list(zip(left.to_pylist(), right.to_pylist(), strict=True))
            for sign, meant in SIGNS.items():
                expected = [None if a is None or b is None else meant(a, b) for a, b in pairs]
                if {one, other} & {"f", "s"}:  # doubles, where one is a float
                    expected = [None if a is None or b is None else meant(float(a), float(b)) for a, b in pairs]
                found = compare(Typed(pc.field(one), left.type), sign, Typed(pc.field(other), right.type))
                assert worked_out(found, **columns) == expected, (one, sign, other)


@pytest.mark.parametrize(
    ("one", "other"), [("UTC", "Europe/Berlin"), ("Asia/Tokyo", "UTC"), ("+05:30", "America/Lima")]
)
@pytest.mark.parametrize("units", [("s", "s"), ("ns", "us"), ("ms", "s")])
def test_times_of_two_zones_are_compared_as_the_moments_they_are(one: str, other: str, units: tuple[str, str]) -> None:
    noon = datetime.datetime(2020, 1, 1, 12, tzinfo=datetime.UTC)
    a = [noon, noon, None, noon + datetime.timedelta(days=1)]
    b = [noon, noon + datetime.timedelta(seconds=1), noon, None]
    columns = {"a": pa.array(a, pa.timestamp(units[0], one)), "b": pa.array(b, pa.timestamp(units[1], other))}
    for sign, meant in SIGNS.items():
        found = compare(Typed(pc.field("a"), columns["a"].type), sign, Typed(pc.field("b"), columns["b"].type))
        assert worked_out(found, **columns) == [
            None if x is None or y is None else meant(x, y) for x, y in zip(a, b, strict=True)
        ]


@pytest.mark.parametrize("dtype", [pa.float64(), pa.float32()], ids=str)
@pytest.mark.parametrize("zeros", [[-0.0], [0.0], [0], [-0.0, 0.0], []])
def test_zero_is_in_a_long_list_whatever_its_sign_in_both(dtype: pa.DataType, zeros: list[float]) -> None:
    column = pa.array([0.0, -0.0, None, 3.0, 77.0], dtype)
    found = is_in(Typed(pc.field("c"), dtype), [*range(1, 30), *zeros])
    assert worked_out(found, c=column) == [bool(zeros), bool(zeros), None, True, False]


def test_short_lists_and_lists_of_other_kinds_are_left_to_comparisons() -> None:
    number, text = Typed(pc.field("c"), pa.int64()), Typed(pc.field("c"), pa.string())
    assert is_in(number, [1, 2]) is None
    assert is_in(number, [*range(30), "a"]) is None
    assert is_in(text, list(range(30))) is None
    assert worked_out(is_in(text, ["a"] * 30), c=pa.array(["a", None, "b"])) == [True, None, False]


NUMBERS = [
    -(10**30),
    -(2**63) - 1,
    -1.5,
    0,
    1,
    2**53,
    float(2**53),
    2**53 + 1,
    1.8e19,
    2**64 - 1,
    2**64,
    10**30,
    math.inf,
]


@pytest.mark.parametrize("sign", SIGNS)
def test_two_numbers_of_any_size_are_compared_as_they_are_written(sign: str) -> None:
    for one in NUMBERS:
        for other in NUMBERS:
            assert worked_out(compare(one, sign, other), x=pa.array([1])) == [SIGNS[sign](one, other)], (
                one,
                sign,
                other,
            )


def test_a_text_beside_a_number_of_any_size_is_refused() -> None:
    for number in (10**30, -(10**30), 1):
        with pytest.raises(pa.ArrowException):
            pa.table({"x": ["a"]}).filter(compare(Typed(pc.field("x"), pa.string()), "<", number))
