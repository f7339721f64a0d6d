"""The studies as data: which columns hold what, and how replicates make a variance.

A `Design` names columns by their usual names, several where they differ between cycles; the first that a file has,
in upper or lower case, is taken. Users change one with `dataclasses.replace`, or write their own.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from fastml.errors import ArgumentError, RangeError

__all__ = ["ICCS", "ICILS", "LANA", "NAEP", "PIRLS", "PIRLS_BEFORE_2016", "PISA", "PISA_BEFORE_2015", "TALIS", "TIMSS",
           "TIMSS_BEFORE_2015", "Columns", "Design", "Jackknife", "find_design"]  # fmt: skip

Names = tuple[str, ...]


@dataclass(frozen=True)
class Jackknife:
    """Replicates from zones of paired schools: in one zone at a time, weights are doubled or set to zero.

    Attributes
    ----------
    zone, half : tuple of str
        Columns of the zone and of the half, 0 or 1, that a row belongs to. The half alone decides the factor: zones
        may have any number of schools, or one half only.
    both_halves : bool
        Two replicates per zone, weights x 2 where the half is 1 and x 0 where it is 0, and the reverse; else the
        first alone.

    Examples
    --------
    >>> import fastml
    >>> ours = fastml.designs.Jackknife(zone=("ZONE",), half=("HALF",), both_halves=True)
    """

    zone: Names
    half: Names
    both_halves: bool

    def __post_init__(self) -> None:
        for name in ("zone", "half"):
            _check_names(name, getattr(self, name))


@dataclass(frozen=True)
class Columns:
    """Replicates whose total weights are columns of the file.

    Attributes
    ----------
    pattern : tuple of str
        Name of column r, with ``{r}`` for the number from 1 (``{r:02d}`` with a leading zero).
    count : int
        Number of replicates.

    Examples
    --------
    >>> import fastml
    >>> ours = fastml.designs.Columns(pattern=("REPWT{r:02d}",), count=50)  # REPWT01 to REPWT50
    """

    pattern: Names
    count: int

    def __post_init__(self) -> None:
        _check_names("pattern", self.pattern)
        _check_patterns("pattern", self.pattern, r=1)
        _check_count("count", self.count)


@dataclass(frozen=True)
class Design:
    """A study's columns and variance formula.

    Attributes
    ----------
    name : str
        The study's, which tables and messages say.
    group : tuple of str
        Column of school ids, unique within a country.
    country : tuple of str
        Column of countries; schools and zones live within one.
    plausible : tuple of str
        Name of plausible value k of an outcome, with ``{outcome}`` and ``{k}``.
    n_plausible : int
        How many the study has. A file that has another number of them is taken as it is, and its rows say so.
    weight : tuple of str
        Column of students' total weights.
    group_weight : tuple of tuple of str
        The school's weight: the first of these sets of columns that the file, or else the school file, has all of,
        multiplied. Weights of a questionnaire don't belong here: a school whose principal didn't answer has none.
    replicates : Jackknife or Columns
        Where the replicate weights come from.
    factor : float
        The variance is this times the sum of squared deviations of the replicates from the full sample.
    first_only : bool
        Sampling variance from plausible value 1 alone, else the mean over all.
    class_group : tuple of str
        Column of class ids, where a class can be the group.
    class_weight : tuple of str
        Columns to multiply the school's weight by, if it is.
    missing : tuple of float
        Codes that are no score wherever they stand in for one; those of one or two digits (9, 99) mean it in some
        columns only, so they are named in the call: ``fit_survey(..., missing=9)``.
    school_file : str
        Where the school's weight is, for messages.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import fastml
    >>> ours = replace(fastml.designs.TIMSS, name="ours", weight=("SENWGT",), missing=(9999.0,))
    >>> ours.replicates.zone, ours.factor
    (('JKZONE', 'JKCZONE'), 0.5)
    """

    name: str
    group: Names
    country: Names
    plausible: Names
    n_plausible: int
    weight: Names
    group_weight: tuple[Names, ...]
    replicates: Jackknife | Columns
    factor: float
    first_only: bool = False
    class_group: Names = ()
    class_weight: Names = ()
    missing: tuple[float, ...] = ()
    school_file: str = "the school file"

    def __post_init__(self) -> None:
        for name in ("group", "country", "plausible", "weight", "class_group", "class_weight"):
            _check_names(name, getattr(self, name), may_be_empty=name in ("country", "class_group", "class_weight"))
        for i, names in enumerate(self.group_weight):
            _check_names(f"group_weight[{i}]", names)
        _check_patterns("plausible", self.plausible, outcome="X", k=1)
        _check_count("n_plausible", self.n_plausible)
        if not isinstance(self.replicates, Jackknife | Columns):
            raise RangeError("replicates", self.replicates, "a fastml.designs.Jackknife or Columns")
        if not (math.isfinite(self.factor) and self.factor > 0.0):
            raise RangeError("factor", self.factor, "a finite number above 0")


def _check_names(field: str, names: Any, *, may_be_empty: bool = False) -> None:
    named = isinstance(names, tuple) and all(isinstance(name, str) and name for name in names)
    if not named or not (names or may_be_empty):
        raise RangeError(field, names, "a tuple of column names, as ('IDSCHOOL',)")


def _check_patterns(field: str, patterns: Names, **values: Any) -> None:
    for pattern in patterns:
        try:
            distinct = all(pattern.format(**values) != pattern.format(**values | {name: 12}) for name in values)
        except (KeyError, IndexError, ValueError):
            distinct = False
        if not distinct:
            raise RangeError(field, pattern, "a name with " + " and ".join(f"{{{name}}}" for name in values) + " in it")


def _check_count(field: str, count: Any) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise RangeError(field, count, "a whole number, 1 or more")


# Exact values that programmes of the OECD and the IEA write for "not administered", "invalid", "omitted", ...
_MISSING = tuple(float(f"{nines}{last}") for nines in ("99", "999", "9999", "99999") for last in (6, 7, 8, 9))

TIMSS = Design(
    name="TIMSS",
    group=("IDSCHOOL",),
    country=("IDCNTRY", "CTY", "COUNTRY"),
    plausible=("{outcome}{k:02d}",),
    n_plausible=5,
    weight=("TOTWGT",),
    group_weight=(("SCHWGT",), ("WGTFAC1", "WGTADJ1")),
    replicates=Jackknife(("JKZONE", "JKCZONE"), ("JKREP", "JKCREP"), both_halves=True),
    factor=0.5,
    class_group=("IDCLASS",),
    class_weight=("WGTFAC2", "WGTADJ2"),
    missing=_MISSING,
    school_file="the school context file (BCG, ACG), column SCHWGT",
)
"""TIMSS from 2015 on: paired jackknife over both halves of up to 75 zones."""

TIMSS_BEFORE_2015 = replace(
    TIMSS,
    name="TIMSS before 2015",
    replicates=Jackknife(("JKZONE", "JKCZONE"), ("JKREP", "JKCREP"), both_halves=False),
    factor=1.0,
    first_only=True,
)
"""TIMSS 1995 to 2011: one replicate per zone, sampling variance from plausible value 1."""

PIRLS = replace(TIMSS, name="PIRLS", school_file="the school context file (ACG), column SCHWGT")
"""PIRLS from 2016 on, as TIMSS; 125 zones in 2021."""

PIRLS_BEFORE_2016 = replace(TIMSS_BEFORE_2015, name="PIRLS before 2016", school_file=PIRLS.school_file)
"""PIRLS 2001 to 2011, as TIMSS before 2015."""

LANA = replace(TIMSS, name="LaNA", school_file="the school context file (ACG), column SCHWGT")
"""LaNA, the IEA's assessment of literacy and numeracy, whose scale is that of TIMSS and PIRLS, and whose variance is
theirs (ILSAstats, by an author of the IEA, has LANA with both under JK2-full); compared with no figures."""

PISA = Design(
    name="PISA",
    group=("CNTSCHID",),
    country=("CNT", "CNTRYID"),
    plausible=("PV{k}{outcome}",),
    n_plausible=10,
    weight=("W_FSTUWT",),
    group_weight=(("W_SCHGRNRABWT",),),
    replicates=Columns(("W_FSTURWT{r}",), 80),
    factor=0.05,
    missing=_MISSING,
    school_file="the school questionnaire file, column W_SCHGRNRABWT, key CNTSCHID",
)
"""PISA from 2015 on: balanced repeated replication with Fay's factor .5, 1/(80 (1 - .5)^2) = .05."""

PISA_BEFORE_2015 = replace(
    PISA,
    name="PISA before 2015",
    group=("SCHOOLID", "ID_SCHOOL", "SCHOOL_ID"),
    country=("CNT", "COUNTRY"),
    n_plausible=5,
    group_weight=(("W_FSCHWT",), ("WNRSCHBW",)),
    replicates=Columns(("W_FSTR{r}",), 80),
    school_file="the school questionnaire file, column W_FSCHWT, key SCHOOLID",
)
"""PISA 2000 to 2012."""

ICCS = Design(
    name="ICCS",
    group=("IDSCHOOL",),
    country=("IDCNTRY", "CNTRY", "COUNTRY"),
    plausible=("PV{k}{outcome}",),
    n_plausible=5,
    weight=("TOTWGTS", "TOTWGT"),
    group_weight=(("WGTFAC1", "WGTADJ1S"), ("WGTFAC1", "WGTADJ1"), ("SCHWGT",)),
    replicates=Jackknife(("JKZONES", "JKZONE"), ("JKREPS", "JKREP"), both_halves=False),
    factor=1.0,
    class_group=("IDCLASS",),
    class_weight=("WGTFAC2S", "WGTADJ2S"),
    missing=_MISSING,
    school_file="the students' file, columns WGTFAC1 and WGTADJ1S",
)
"""ICCS: one replicate per zone, averaged over plausible values. TOTWGTC of the school file weights questionnaires."""

ICILS = replace(ICCS, name="ICILS")
"""ICILS, as ICCS."""

TALIS = Design(
    name="TALIS",
    group=("IDSCHOOL",),
    country=("IDCNTRY", "CNTRY"),
    plausible=("PV{k}{outcome}",),
    n_plausible=1,
    weight=("TCHWGT",),
    group_weight=(("SCHWGT",),),
    replicates=Columns(("TRWGT{r}",), 100),
    factor=0.04,
    missing=_MISSING,
    school_file="the principals' file (BCG), column SCHWGT, key IDSCHOOL",
)
"""TALIS: teachers in schools; 100 replicates with Fay's factor .5, 1/(100 (1 - .5)^2) = .04, as in the OECD's Rrepest;
no plausible values. SCHWGT is the school weight, of the principals' file (OECD 2021, Teachers Getting the Best out of
Their Students, annex A); no source was seen for factors of it in the teachers' file."""

NAEP = Design(
    name="NAEP",
    group=("SCRPSU",),
    country=("FIPS",),
    plausible=("{outcome}{k}", "{outcome}{k:02d}"),
    n_plausible=20,
    weight=("ORIGWT",),
    group_weight=(("SCHWT",), ("SMSRSWT",)),
    replicates=Columns(("SRWT{r:02d}", "SRWT{r}"), 62),
    factor=1.0,
    first_only=True,
    missing=_MISSING,
    school_file="the restricted-use school file",
)
"""NAEP: 62 replicate columns, sampling variance from plausible value 1 (``replace(NAEP, first_only=False)`` for all).

Files have 20 plausible values from 2013 on and 5 before; SMSRSWT is the school weight of the public primer.
"""


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


# Studies, and from which cycle on each of their designs holds.
_CYCLES = {
    "timss": {1995: TIMSS_BEFORE_2015, 2015: TIMSS},
    "pirls": {2001: PIRLS_BEFORE_2016, 2016: PIRLS},
    "lana": {2023: LANA},
    "pisa": {2000: PISA_BEFORE_2015, 2015: PISA},
    "iccs": {2009: ICCS},
    "icils": {2013: ICILS},
    "talis": {2008: TALIS},
    "naep": {1990: NAEP},
}

BY_NAME = {_folded(design.name): design for cycles in _CYCLES.values() for design in reversed(cycles.values())}
"""What `find_design` and ``fastml survey --design`` take, besides a study and a year; a new study is a `Design` above
and a line in `_CYCLES`."""

_YEAR = re.compile(r"(?P<study>.*?)_?(?P<year>(?:19|20)\d\d)")
_CYCLE_WORDS = re.compile(r"(?:(?:before|after|since|from|until|grade|g|cycle|\d+|[a-z]\d+)_?)*")


def find_design(design: Design | str) -> Design:
    """Return the design, or the one of that name.

    Parameters
    ----------
    design : Design or str
        A study, perhaps with the year of its cycle ("TIMSS 2011"); without, the design of its latest cycles. A name is
        read without case; blanks and hyphens stand for underscores.

    Returns
    -------
    Design

    Raises
    ------
    ArgumentError
        There is none of that name.

    Examples
    --------
    >>> find_design("TIMSS before 2015").factor, find_design("TIMSS 2011").factor, find_design("TIMSS 2023").factor
    (1.0, 1.0, 0.5)
    """
    if isinstance(design, Design):
        return design
    remedy = "or give a fastml.designs.Design of your own"
    if isinstance(design, str):
        name = _folded(design)
        if name in BY_NAME:
            return BY_NAME[name]
        dated = _YEAR.fullmatch(name)
        if dated and dated["study"] in _CYCLES:
            cycles, year = _CYCLES[dated["study"]], int(dated["year"])
            if year >= min(cycles):
                return cycles[max(first for first in cycles if first <= year)]
            remedy = f"its first cycle is that of {min(cycles)}"
        else:
            remedy = _meant(name) or remedy
    raise ArgumentError("design", design, BY_NAME, remedy)


def _meant(name: str) -> str:
    """Ask for the study whose name is near, with all of its designs: which of them holds is for the user to say."""
    study, _, rest = name.partition("_")
    if not _CYCLE_WORDS.fullmatch(rest):
        return ""  # TIMSS Advanced, TALIS Starting Strong: a relative, with rules of its own
    close = get_close_matches(study.rstrip("0123456789"), _CYCLES, n=1, cutoff=0.7)
    if not close:
        return ""
    *before, (first, latest) = _CYCLES[close[0]].items()
    older = "".join(f", or for cycles before {first} {_folded(design.name)!r}" for _, design in before)
    return f"did you mean {_folded(latest.name)!r}{older}?"
