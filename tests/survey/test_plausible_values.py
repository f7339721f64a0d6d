"""The plausible values of an outcome: as many as the file has, and what is said where that is not the design's number."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from surveys import SMALL_PISA, only, pisa, timss

import fastml
from fastml import designs
from fastml.io.column_finder import ColumnFinder
from fastml.survey.plausible_values import find_values, number_notes, part_notes


def finder(*names: str) -> ColumnFinder:
    return ColumnFinder({name: [1.0] for name in names})


@pytest.mark.parametrize(
    ("design", "outcome", "names", "found"),
    [
        (designs.TIMSS, "BSMMAT", ["BSMMAT01", "BSMMAT02", "BSMMAT03", "BSMMAT04", "BSMMAT05"], 5),
        (designs.TIMSS, "BSMMAT", ["BSMMAT02", "BSMMAT01"], 2),
        (designs.PISA, "MATH", [f"PV{k}MATH" for k in range(1, 6)], 5),
        (designs.PISA_BEFORE_2015, "MATH", [f"pv{k}math" for k in range(1, 11)], 10),
        (designs.NAEP, "MRPCM", [f"MRPCM{k}" for k in range(1, 6)], 5),
        (designs.NAEP, "MRPS1", [f"MRPS{s}{k}" for s in (1, 2) for k in range(1, 6)], 5),
        (designs.NAEP, "RRPCM", [f"RRPCM{k:02d}" for k in range(1, 21)], 20),
        (designs.ICILS, "CIL", [f"PV{k}CIL" for k in range(1, 6)], 5),
        (designs.TALIS, "T4SELF", ["T4SELF"], 1),
        (designs.NAEP, "AGE", ["AGE", "AGE1", "AGE2"], 1),  # the column of that name, no values of it
    ],
)
def test_as_many_as_the_file_has(design: designs.Design, outcome: str, names: list[str], found: int) -> None:
    values = find_values(finder(*names), design, outcome)
    assert len(values) == found
    assert values == sorted(values, key=lambda name: (len(name), name))
    said = number_notes(design, outcome, values)
    assert bool(said) == (found not in (1, design.n_plausible))
    if said:
        assert said == [f"{outcome} has {found} plausible values, where the design has {design.n_plausible}"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["BSMMAT01", "BSMMAT02", "BSMMAT04", "BSMMAT05"], "'BSMMAT03' is not in .*plausible value 3 of the 5"),
        (["BSMMAT02", "BSMMAT03"], "'BSMMAT01' is not in .*plausible value 1 of the 5"),
        (
            ["BSMMAT01"],
            "'BSMMAT02' is not in .*plausible value 2 of the 5 of 'BSMMAT' in TIMSS, and the file has BSMMAT01",
        ),
        ([f"BSMMAT{k:02d}" for k in (1, 2, 3, 4, 5, 6, 8)], "'BSMMAT07' is not in .*plausible value 7 of the 8"),
        (["BSMMET"], "outcome 'BSMMAT': column 'BSMMAT01' is not in"),
    ],
)
def test_a_gap_is_an_error(names: list[str], message: str) -> None:
    with pytest.raises(fastml.FastmlError, match=message):
        find_values(finder(*names), designs.TIMSS, "BSMMAT")


def test_another_number_than_the_design_is_said_and_all_count() -> None:
    """The same scores by a design that has five of the ten, and by one that has ten."""
    students, schools = pisa()
    five = dataclasses.replace(SMALL_PISA, n_plausible=5)
    row = only(fastml.fit_survey(students, "MATH", five, school_data=schools))
    assert row["notes"] == "MATH has 10 plausible values, where the design has 5"
    assert row | {"notes": ""} == only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools))


def test_the_public_primer_of_naep() -> None:
    """Five plausible values and SMSRSWT, by the same rules as the restricted files."""
    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(12), 6)
    total = rng.uniform(1.0, 3.0, len(school))
    data = {"SCRPSU": school, "ORIGWT": total, "SMSRSWT": 0.5 + school / 12}
    data |= {f"SRWT{r:02d}": total * rng.choice([0.5, 1.5], 12)[school] for r in range(1, 63)}
    score = 270 + rng.normal(0, 15, 12)[school] + rng.normal(0, 30, len(school))
    data |= {f"MRPCM{k}": score + rng.normal(0, 8, len(school)) for k in range(1, 6)}
    table = fastml.fit_survey(data, "MRPCM", "NAEP 2005")
    row = only(table)
    assert table.provenance["group_weights"] == "SMSRSWT"
    assert "MRPCM has 5 plausible values, where the design has 20" in row["notes"]
    mean = np.mean([np.average(data[f"MRPCM{k}"], weights=total) for k in range(1, 6)])
    assert row["mean"] == pytest.approx(mean, rel=1e-12)


def test_one_value_of_several_is_said_to_be_one() -> None:
    names = [f"BSMMAT{k:02d}" for k in range(1, 6)]
    said = ["BSMMAT02 is one plausible value of 5, so the errors lack their variance; name BSMMAT for all"]
    assert part_notes(finder(*names), designs.TIMSS, "BSMMAT02") == said
    assert part_notes(finder(*names), designs.TIMSS, "BSMMAT") == []
    assert part_notes(finder("ITEM01", "ITEM03"), designs.TIMSS, "ITEM01") == []
    assert "of 5" in only(fastml.fit_survey(timss(), "BSMMAT02", "timss"))["notes"]
