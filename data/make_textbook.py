"""Write the text-book sets (columns `group`, `y`) and check them against published figures.

dyestuff, dyestuff2: Davies and Goldsmith (1972), Box and Tiao (1973). The other eleven: NIST's Statistical
Reference Datasets for the analysis of variance. `check_nist` recomputes NIST's certified values in exact
rational arithmetic; no file is written unless all digits agree (nist_certified.json, published.json).

Run: python data/make_textbook.py
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent

DYESTUFF = {  # yield in grams of standard colour, six batches
    "A": (1545, 1440, 1440, 1520, 1580),
    "B": (1540, 1555, 1490, 1560, 1495),
    "C": (1595, 1550, 1605, 1510, 1560),
    "D": (1445, 1440, 1595, 1465, 1545),
    "E": (1595, 1630, 1515, 1635, 1625),
    "F": (1520, 1455, 1450, 1480, 1445),
}
DYESTUFF2 = {  # constructed by Box and Tiao: the batches differ less than chance would have them
    "A": (7.298, 3.846, 2.434, 9.566, 7.990),
    "B": (5.220, 6.556, 0.608, 11.788, -0.892),
    "C": (0.110, 10.386, 13.434, 5.510, 8.166),
    "D": (2.212, 4.852, 7.092, 9.288, 4.980),
    "E": (0.282, 9.014, 4.458, 9.446, 7.198),
    "F": (1.722, 4.782, 8.106, 0.758, 3.758),
}
SIRSTV = {  # resistance of silicon, five instruments
    1: (196.3052, 196.1240, 196.1890, 196.2569, 196.3403),
    2: (196.3042, 196.3825, 196.1669, 196.3257, 196.0422),
    3: (196.1303, 196.2005, 196.2889, 196.0343, 196.1811),
    4: (196.2795, 196.1748, 196.1494, 196.1485, 195.9885),
    5: (196.2119, 196.1051, 196.1850, 196.0052, 196.2090),
}
ATMWTAG = {  # atomic weight of silver, two instruments
    1: (
        107.8681568, 107.8681465, 107.8681572, 107.8681785, 107.8681446, 107.8681903,
        107.8681526, 107.8681494, 107.8681616, 107.8681587, 107.8681519, 107.8681486,
        107.8681419, 107.8681569, 107.8681508, 107.8681672, 107.8681385, 107.8681518,
        107.8681662, 107.8681424, 107.8681360, 107.8681333, 107.8681610, 107.8681477,
    ),
    2: (
        107.8681079, 107.8681344, 107.8681513, 107.8681197, 107.8681604, 107.8681385,
        107.8681642, 107.8681365, 107.8681151, 107.8681082, 107.8681517, 107.8681448,
        107.8681198, 107.8681482, 107.8681334, 107.8681609, 107.8681101, 107.8681512,
        107.8681469, 107.8681360, 107.8681254, 107.8681261, 107.8681450, 107.8681368,
    ),
}  # fmt: skip


def table(groups: Mapping[Any, tuple[float, ...]]) -> pa.Table:
    """Rows ordered by group, in the order given."""
    labels = [label for label, values in groups.items() for _ in values]
    y = np.array([value for values in groups.values() for value in values], dtype=np.float64)
    return pa.table({"group": labels, "y": y})


def smls(k: int) -> pa.Table:
    """NIST's SmLs01 to SmLs09 (k = 1 to 9), after Simon and Lesage (1989).

    Nine treatments of 21, 201 or 2,001 values, with a constant leading 1, 1000000 or 1000000000000. The first
    value of a treatment is its mean, then come one tenth below and one tenth above in turn.
    """
    if not 1 <= k <= 9:
        raise ValueError(f"k is {k}; NIST has SmLs01 to SmLs09")
    size = (21, 201, 2001)[(k - 1) % 3]
    leading = (1, 10**6, 10**12)[(k - 1) // 3]
    means = np.array([4, 3, 5, 3, 5, 3, 5, 3, 5])  # in tenths, like everything until the last line
    steps = np.concatenate([[0], np.tile([-1, 1], size // 2)])
    tenths = 10 * leading + means[:, None] + steps
    # Whole tenths are exact in a double, so the division rounds once: to the double nearest to the decimal.
    return pa.table({"group": np.repeat(np.arange(1, 10), size), "y": tenths.ravel() / 10})


def textbook_tables() -> dict[str, pa.Table]:
    """All sets by file name, without the suffix."""
    tables = {"dyestuff": table(DYESTUFF), "dyestuff2": table(DYESTUFF2)}
    tables |= {"SiRstv": table(SIRSTV), "AtmWtAg": table(ATMWTAG)}
    return tables | {f"SmLs{k:02d}": smls(k) for k in range(1, 10)}


def exact_anova(data: pa.Table) -> dict[str, Fraction]:
    """One-way analysis of variance of the decimal data, without rounding."""
    # str of a double is the shortest decimal that gives it back: here, the decimal NIST prints.
    decimals = {value: Fraction(str(value)) for value in data["y"].unique().to_pylist()}
    groups: dict[str | int, list[Fraction]] = {}
    for label, value in zip(data["group"].to_pylist(), data["y"].to_pylist(), strict=True):
        groups.setdefault(label, []).append(decimals[value])

    grand_mean = sum_of(value for values in groups.values() for value in values) / data.num_rows
    ss_between = ss_within = Fraction()
    for values in groups.values():
        mean = sum_of(values) / len(values)
        ss_between += len(values) * (mean - grand_mean) ** 2
        ss_within += sum_of((value - mean) ** 2 for value in values)
    df_between, df_within = len(groups) - 1, data.num_rows - len(groups)
    ms_between, ms_within = ss_between / df_between, ss_within / df_within
    return {
        "n_obs": Fraction(data.num_rows),
        "n_groups": Fraction(len(groups)),
        "df_between": Fraction(df_between),
        "ss_between": ss_between,
        "ms_between": ms_between,
        "f": ms_between / ms_within,
        "df_within": Fraction(df_within),
        "ss_within": ss_within,
        "ms_within": ms_within,
        "r_squared": ss_between / (ss_between + ss_within),
        # The ANOVA estimate; every set here is balanced. Negative in dyestuff2.
        "tau00": (ms_between - ms_within) * len(groups) / data.num_rows,
    }


def sum_of(values: Iterable[Fraction]) -> Fraction:
    """Sum fractions; the sum of none is a Fraction too."""
    return sum(values, Fraction())


def check_nist(name: str, data: pa.Table) -> None:
    """Raise ValueError unless the data give NIST's certified values to all 15 printed digits."""
    certified = read_json("nist_certified.json")["datasets"][name]
    fifteen, fifty = Context(prec=15), Context(prec=50)
    exact = {
        field: fifty.divide(Decimal(value.numerator), Decimal(value.denominator))
        for field, value in exact_anova(data).items()
    }
    exact["residual_sd"] = fifty.sqrt(exact["ms_within"])
    for field, value in certified.items():
        if field not in ("source", "difficulty") and fifteen.plus(exact[field]) != value:
            raise ValueError(f"{name}: {field} is {exact[field]}; NIST certifies {value}")


def check_dyestuff(name: str, data: pa.Table) -> None:
    """Raise ValueError unless the data give the mean squares in published.json, exactly."""
    exact = exact_anova(data)
    for field, value in read_json("published.json")[name]["anova"].items():
        if exact[field] != Fraction(value):
            raise ValueError(f"{name}: {field} is {exact[field]}, not {value}")


def read_json(name: str) -> Any:
    """Read a JSON file of this folder, keeping its numbers as the decimals they are written as."""
    text = (HERE / name).read_text(encoding="utf-8")
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def main() -> None:
    """Check every set, then write all files."""
    tables = textbook_tables()
    for name, data in tables.items():
        check = check_dyestuff if name.startswith("dyestuff") else check_nist
        check(name, data)
    for name, data in tables.items():
        unfinished = HERE / f"{name}.tmp"
        pq.write_table(data, unfinished, compression="zstd")
        unfinished.replace(HERE / f"{name}.parquet")
        print(f"{name}.parquet: {data.num_rows} rows")


if __name__ == "__main__":
    main()
