"""The studies as data: the columns and variance formulas of each, and how they are found."""

from __future__ import annotations

import dataclasses

import pytest

import fastml
from fastml import designs

EVERY = {
    "timss": designs.TIMSS,
    "timss_before_2015": designs.TIMSS_BEFORE_2015,
    "pirls": designs.PIRLS,
    "pirls_before_2016": designs.PIRLS_BEFORE_2016,
    "lana": designs.LANA,
    "pisa": designs.PISA,
    "pisa_before_2015": designs.PISA_BEFORE_2015,
    "iccs": designs.ICCS,
    "icils": designs.ICILS,
    "talis": designs.TALIS,
    "naep": designs.NAEP,
}


@pytest.mark.parametrize("name", EVERY)
def test_by_name(name: str) -> None:
    assert designs.find_design(name) is EVERY[name]
    assert designs.find_design(name.upper().replace("_", " ")) is EVERY[name]
    assert designs.find_design(EVERY[name]) is EVERY[name]


def test_every_study_has_the_name_of_its_design() -> None:
    assert list(designs.BY_NAME) == list(EVERY)
    assert {design for design in vars(designs).values() if isinstance(design, designs.Design)} == set(EVERY.values())


def test_variance_formulas() -> None:
    """The design page's table: factor, replicates, and which plausible values make the sampling variance."""
    assert {name: (d.factor, d.first_only) for name, d in EVERY.items()} == {
        "timss": (0.5, False), "timss_before_2015": (1.0, True), "pirls": (0.5, False), "pirls_before_2016": (1.0, True),
        "lana": (0.5, False), "pisa": (0.05, False), "pisa_before_2015": (0.05, False), "iccs": (1.0, False),
        "icils": (1.0, False), "talis": (0.04, False), "naep": (1.0, True),
    }  # fmt: skip
    both = {name: d.replicates.both_halves for name, d in EVERY.items() if isinstance(d.replicates, designs.Jackknife)}
    assert both == {"timss": True, "timss_before_2015": False, "pirls": True, "pirls_before_2016": False, "lana": True,
                    "iccs": False, "icils": False}  # fmt: skip
    counts = {name: d.replicates.count for name, d in EVERY.items() if isinstance(d.replicates, designs.Columns)}
    assert counts == {"pisa": 80, "pisa_before_2015": 80, "talis": 100, "naep": 62}
    # Fay's factor .5: 1/(R (1 - .5)^2).
    assert designs.PISA.factor == 1.0 / (80 * 0.25)
    assert designs.TALIS.factor == 1.0 / (100 * 0.25)


def test_names_of_plausible_values() -> None:
    assert designs.TIMSS.plausible[0].format(outcome="BSMMAT", k=1) == "BSMMAT01"
    assert designs.PISA.plausible[0].format(outcome="MATH", k=10) == "PV10MATH"
    assert designs.PISA.replicates.pattern[0].format(r=80) == "W_FSTURWT80"
    assert designs.NAEP.replicates.pattern[0].format(r=7) == "SRWT07"


@pytest.mark.parametrize(
    ("name", "design"),
    [
        ("TIMSS 1995", designs.TIMSS_BEFORE_2015),
        ("timss 2011", designs.TIMSS_BEFORE_2015),
        ("TIMSS 2015", designs.TIMSS),
        ("TIMSS-2019", designs.TIMSS),
        ("TIMSS_2023", designs.TIMSS),
        ("PIRLS 2011", designs.PIRLS_BEFORE_2016),
        ("PIRLS 2016", designs.PIRLS),
        ("pirls  2021", designs.PIRLS),
        ("PISA 2000", designs.PISA_BEFORE_2015),
        ("PISA 2012", designs.PISA_BEFORE_2015),
        ("PISA2018", designs.PISA),
        ("Pisa 2025", designs.PISA),
        ("ICCS 2009", designs.ICCS),
        ("ICILS", designs.ICILS),
        ("icils2023", designs.ICILS),
        ("TALIS 2024", designs.TALIS),
        ("LaNA 2023", designs.LANA),
        ("NAEP 2005", designs.NAEP),
    ],
)
def test_a_name_with_a_year_finds_the_rules_of_that_cycle(name: str, design: designs.Design) -> None:
    assert designs.find_design(name) is design


def test_relatives_have_the_rules_of_their_family() -> None:
    def rules(d: designs.Design) -> tuple[object, ...]:
        return (
            d.plausible,
            d.n_plausible,
            d.replicates,
            d.factor,
            d.first_only,
            d.weight,
            d.group_weight,
            d.class_weight,
        )

    assert rules(designs.PIRLS_BEFORE_2016) == rules(designs.TIMSS_BEFORE_2015)
    assert rules(designs.LANA) == rules(designs.PIRLS) == rules(designs.TIMSS)
    assert rules(designs.ICILS) == rules(designs.ICCS)


def test_no_school_weight_is_one_of_a_questionnaire() -> None:
    assert not any("TOTWGTC" in names for design in EVERY.values() for names in design.group_weight)


def test_designs_are_values() -> None:
    mine = dataclasses.replace(designs.NAEP, first_only=False, n_plausible=5)
    assert mine != designs.NAEP
    with pytest.raises(dataclasses.FrozenInstanceError):
        designs.TIMSS.factor = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tims", "did you mean 'timss', or for cycles before 2015 'timss_before_2015'?"),
        ("timms 2011", "did you mean 'timss', or for cycles before 2015 'timss_before_2015'?"),
        ("timss after 2015", "did you mean 'timss', or for cycles before 2015 'timss_before_2015'?"),
        ("PIZA-2009", "did you mean 'pisa', or for cycles before 2015 'pisa_before_2015'?"),
        ("talos", "did you mean 'talis'[?]$"),
        ("iclis 2018", "did you mean 'icils'[?]$"),
        ("PISA 1997", "its first cycle is that of 2000"),
        ("TIMSS Advanced 2015", "Design of your own"),
        ("TALIS Starting Strong", "Design of your own"),
        ("PIAAC", "Design of your own"),
        ("xyz", "Design of your own"),
        (3, "your own"),
    ],
)
def test_unknown_names(name: object, hint: str) -> None:
    with pytest.raises(fastml.FastmlError, match=hint) as caught:
        designs.find_design(name)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert "'timss', 'timss_before_2015', 'pirls'" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": "IDSCHOOL"}, "group='IDSCHOOL' can't be: it is a tuple of column names"),
        ({"weight": ["TOTWGT"]}, "weight=.* a tuple of column names"),
        ({"weight": ()}, "weight=.* a tuple of column names"),
        ({"group": ()}, "group=.* a tuple of column names"),
        ({"plausible": ()}, "plausible=.* a tuple of column names"),
        ({"group_weight": ("SCHWGT",)}, "group_weight.0.='SCHWGT' can't be"),
        (
            {"plausible": ("{outcome}",)},
            r"plausible='\{outcome\}' can't be: it is a name with \{outcome\} and \{k\} in it",
        ),
        ({"plausible": ("{score}{k}",)}, r"a name with \{outcome\} and \{k\}"),
        ({"n_plausible": 0}, "n_plausible=0 can't be"),
        ({"factor": -1.0}, "factor=-1.0 can't be: it is a finite number above 0"),
        ({"replicates": 80}, "replicates=80 can't be: it is a fastml.designs.Jackknife or Columns"),
    ],
)
def test_a_wrong_design_is_refused_when_it_is_made(change: dict, message: str) -> None:
    with pytest.raises(fastml.FastmlError, match=message) as caught:
        dataclasses.replace(designs.TIMSS, **change)
    assert "\n" not in str(caught.value)


def test_wrong_replicates_are_refused_when_they_are_made() -> None:
    with pytest.raises(fastml.FastmlError, match=r"a name with \{r\} in it"):
        designs.Columns(("W_FSTURWT",), 80)
    with pytest.raises(fastml.FastmlError, match="count=0 can't be"):
        designs.Columns(("W{r}",), 0)
    with pytest.raises(fastml.FastmlError, match="zone='JKZONE' can't be"):
        designs.Jackknife("JKZONE", ("JKREP",), both_halves=True)  # type: ignore[arg-type]
