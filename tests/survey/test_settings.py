"""Designs changed on the command line are those that `replace` makes in Python."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from fastml import designs
from fastml.errors import FastmlError
from fastml.survey.settings import _READ, changed_design

COLUMNS = designs.Columns(("rep_{r:03d}", "REP{r}"), 60)


@pytest.mark.parametrize(
    ("design", "texts", "fields"),
    [
        (designs.NAEP, ["n_plausible=5"], {"n_plausible": 5}),
        (designs.NAEP, ["first_only=false"], {"first_only": False}),
        (designs.TIMSS, ["first_only=True", "factor=1"], {"first_only": True, "factor": 1.0}),
        (designs.TIMSS, ["weight=SENWGT, HOUWGT"], {"weight": ("SENWGT", "HOUWGT")}),
        (designs.TIMSS, [" group = SCHOOL "], {"group": ("SCHOOL",)}),
        (designs.TIMSS, ["group_weight=V"], {"group_weight": (("V",),)}),
        (designs.TIMSS, ["group_weight=SCHWGT,A * B"], {"group_weight": (("SCHWGT",), ("A", "B"))}),
        (designs.TIMSS, ["plausible={outcome}_pv{k}"], {"plausible": ("{outcome}_pv{k}",)}),
        (designs.TIMSS, ["missing=9,99"], {"missing": (9.0, 99.0)}),
        (designs.PISA, ["country=LAND"], {"country": ("LAND",)}),
        (designs.PISA, ["count=60"], {"replicates": replace(designs.PISA.replicates, count=60)}),
        (designs.TIMSS, ["zone=Z"], {"replicates": replace(designs.TIMSS.replicates, zone=("Z",))}),
        (designs.TIMSS, ["both_halves=no"], {"replicates": replace(designs.TIMSS.replicates, both_halves=False)}),
        (designs.TIMSS, ["pattern=rep_{r:03d},REP{r}", "count=60"], {"replicates": COLUMNS}),
        (designs.PISA, ["zone=Z", "half=H", "both_halves=true"],
         {"replicates": designs.Jackknife(("Z",), ("H",), both_halves=True)}),
        (designs.ICCS, ["class_group=KLASSE", "class_weight=A,B"], {"class_group": ("KLASSE",), "class_weight": ("A", "B")}),
        (designs.TIMSS, ["name=ours", "school_file=none"], {"name": "ours", "school_file": "none"}),
        (designs.TIMSS, [], {}),
    ],
)  # fmt: skip
def test_as_replace_in_python(design: designs.Design, texts: list[str], fields: dict[str, object]) -> None:
    made = changed_design(design, texts)
    assert made == replace(design, **fields, **({} if "name" in fields else {"name": made.name}))
    said = ", ".join(text.replace(" = ", "=").strip() for text in texts)
    if "name" not in fields:
        assert made.name == (f"{design.name} with {said}" if texts else design.name)


def test_every_field_can_be_set() -> None:
    every = {field.name for kind in (designs.Design, designs.Jackknife, designs.Columns) for field in fields(kind)}
    assert _READ.keys() == every - {"replicates"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["n_plausible"], "--set 'n_plausible' is not NAME=VALUE"),
        (["=5"], "is not NAME=VALUE"),
        (["n_plausible="], "is not NAME=VALUE"),
        (["plausibles=5"], "a design has no 'plausibles'; it has name, group"),
        (["n_plausible=five"], "--set n_plausible=five: it is a whole number"),
        (["factor=half"], "--set factor=half: it is a number"),
        (["first_only=maybe"], "--set first_only=maybe: it is true or false"),
        (["missing=9,x"], "--set missing=9,x: it is numbers, with commas"),
        (["n_plausible=5", "n_plausible=10"], "--set gives 'n_plausible' twice, as '5' and '10'"),
        (["n_plausible=0"], "n_plausible=0 can't be"),
        (["factor=-1"], "factor=-1.0 can't be"),
        (["plausible=score"], r"a name with \{outcome\} and \{k\}"),
        (["group=,"], "a tuple of column names"),
        (["count=60"], "makes other replicates than the design has; set pattern too"),
        (["pattern=R{r}", "zone=Z"], "'zone' and 'pattern', which are of two kinds of replicates"),
    ],
)
def test_what_a_design_can_not_be(texts: list[str], message: str) -> None:
    with pytest.raises(FastmlError, match=message) as caught:
        changed_design(designs.TIMSS, texts)
    assert "\n" not in str(caught.value)
