"""The fields of every output: name, type, unit, meaning. They change with the schema's number only.

The number is `SCHEMA` in `fastml.report.provenance`. Tables are made with these types, and the manual prints these
lists (docs/outputs.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastml.errors import Status

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CHECK_TABLE", "CONTRAST_TABLE", "COUNTS", "DROPPED", "ESTIMATES", "FIT", "FIT_INTERVALS", "FIT_TABLE",
           "FIT_TABLE_INTERVALS", "PARTS_OF_ERROR", "PLAN", "PROVENANCE", "SCHOOLS", "STAMP_FIELDS", "STATUSES",
           "SURVEY_FIGURES", "SURVEY_TABLE", "Field", "Fields"]  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A field of an output.

    Attributes
    ----------
    type : str
        "double", "int64", "string" or "bool", in Arrow's words.
    unit : str
        Empty where it has none.
    what : str
        Its meaning, in a few words.
    """

    type: str
    unit: str
    what: str

    @property
    def arrow(self) -> pa.DataType:
        """Its type in Arrow and Parquet."""
        import pyarrow as pa

        return pa.type_for_alias(self.type)


Fields = Mapping[str, Field]


def _doubles(unit: str, **what: str) -> dict[str, Field]:
    return {name: Field("double", unit, text) for name, text in what.items()}


def _counts(unit: str, **what: str) -> dict[str, Field]:
    return {name: Field("int64", unit, text) for name, text in what.items()}


def _texts(**what: str) -> dict[str, Field]:
    return {name: Field("string", "", text) for name, text in what.items()}


def _ordered(fields: Fields, names: Iterable[str]) -> dict[str, Field]:
    return {name: fields[name] for name in names}


_POINTS, _SQUARED = "score points", "score points squared"

_ESTIMATES: Fields = {
    **_doubles(_POINTS, gamma00="grand mean", se_gamma00="its standard error", tau_sd="root of tau00",
               sigma="root of sigma2"),
    **_doubles("", df="degrees of freedom of gamma00", t="gamma00 / se_gamma00", p_value="of gamma00 = 0, two-sided",
               deff="design effect, 1 + icc (n_obs/n_groups - 1)", se_deff="its standard error", deft="root of deff",
               loglik="log likelihood", deviance="-2 loglik", aic="Akaike's criterion", bic="Bayes' criterion"),
    **_doubles(_SQUARED, tau00="variance between groups", sigma2="variance within groups",
               se_tau00="standard error of tau00", se_sigma2="standard error of sigma2"),
    **_doubles("share, 0 to 1", icc="intraclass correlation", se_icc="its standard error",
               reliability="mean reliability of the group means"),
    **_doubles("students", n_eff="effective sample size, n_obs/deff"),
}  # fmt: skip
_ORDER = (
    "gamma00", "se_gamma00", "df", "t", "p_value", "tau00", "sigma2", "tau_sd", "sigma", "se_tau00", "se_sigma2",
    "se_icc", "se_deff", "icc", "deff", "deft", "n_eff", "reliability", "loglik", "deviance", "aic", "bic",
)  # fmt: skip
ESTIMATES = _ordered(_ESTIMATES, _ORDER)

COUNTS = {
    **_counts("students", n_obs="rows that are used"),
    **_counts("groups", n_groups="groups that they are in"),
    **_counts("students", n_dropped="rows that are left out"),
}
DROPPED = _counts(
    "students",
    dropped_group="of them, those without a group label",
    dropped_weights="without a weight",
    dropped_zero_weight="of weight zero",
    dropped_outcome="without an outcome",
)
_WITHOUT_BY = _counts("students", rows_without_by="rows of all the data without a by-label, which are in no part")
_SINGULAR = {"singular": Field("bool", "", "tau00 is 0, on the boundary")}
_METHOD = _texts(method="reml, ml or anova", df_method="how df was found")
_OUTCOME = _texts(outcome="the scores")
_STATUS = _texts(status="ok, or a code that says why there is no result", message="why, in a sentence")

FIT: Fields = {
    **ESTIMATES,
    **COUNTS,
    **DROPPED,
    **_SINGULAR,
    **_METHOD,
    **_OUTCOME,
    **_texts(
        group="column of groups; several joined by a comma",
        weights="column of student weights",
        group_weights="column of group weights",
        weights_are="total or conditional",
        weight_scaling="scaling of the conditional weights",
        vcov="kind of robust standard errors",
        bias="corrected, where tau00 is",
    ),
}

_LEVEL = _doubles("share, 0 to 1", level="confidence level of the limits")
# What has an interval: `fastml.inference.parameters.PARAMETERS`; theta is tau00/sigma2.
_LIMITS = ("gamma00", "tau00", "tau_sd", "sigma2", "sigma", "theta", "icc", "deff", "deft", "n_eff", "reliability")


def _limits(names: Iterable[str]) -> dict[str, Field]:
    units = {name: ESTIMATES[name].unit if name in ESTIMATES else "" for name in names}
    return {
        f"ci_{end}_{name}": Field("double", unit, f"{word} confidence limit of {name}")
        for name, unit in units.items()
        for end, word in (("low", "lower"), ("high", "upper"))
    }


_CI_NOTES = _texts(ci_notes="what a reader must know of the limits")
FIT_INTERVALS: Fields = {**_LEVEL, **_limits(_LIMITS), **_CI_NOTES}

FIT_TABLE: Fields = {
    **_OUTCOME, **COUNTS, **DROPPED, **_WITHOUT_BY, **ESTIMATES, **_SINGULAR, **_METHOD, **_STATUS
}  # fmt: skip
FIT_TABLE_INTERVALS: Fields = {**_LEVEL, **_limits(["icc"]), **_CI_NOTES}

SURVEY_FIGURES = _ordered(
    {**_ESTIMATES, **_doubles(_POINTS, mean="official weighted mean of the scores", sd="their standard deviation")},
    ("gamma00", "tau00", "sigma2", "icc", "deff", "mean", "sd"),
)
# What stands before the name of a figure, and how its unit follows from the figure's.
PARTS_OF_ERROR: Mapping[str, tuple[str, str]] = {
    "": ("", "the estimate"),
    "se_": ("", "its standard error"),
    "sampling_variance_": ("squared", "the part of se² from sampling"),
    "imputation_variance_": ("squared", "the part of se² from the plausible values"),
    "df_": ("none", "degrees of freedom"),
    "ci_low_": ("", "lower confidence limit"),
    "ci_high_": ("", "upper confidence limit"),
}


def _unit(unit: str, how: str) -> str:
    if not unit or not how:
        return unit
    return "" if how == "none" else f"({unit}) squared"


SURVEY_TABLE: Fields = {
    **_OUTCOME,
    **_ordered(COUNTS, ("n_obs", "n_groups")),
    **{
        f"{prefix}{name}": Field("double", _unit(figure.unit, how), figure.what if not prefix else f"{what} of {name}")
        for name, figure in SURVEY_FIGURES.items()
        for prefix, (how, what) in PARTS_OF_ERROR.items()
    },
    **_ordered(COUNTS, ("n_dropped",)),
    **DROPPED,
    **_WITHOUT_BY,
    **_STATUS,
    **_texts(notes="what there is to know of the row"),
}

_OF_PARAMETER = "that of the parameter"
CONTRAST_TABLE: Fields = {
    **_texts(a="what is compared, by the labels that differ", b="what it is compared to; null for a trend",
             outcome="the scores; null where they are what differs", parameter="what of them"),
    **_doubles(_OF_PARAMETER, estimate_a="of a; null for a trend", estimate_b="of b",
               difference="a less b; of a trend the change per year", se="its standard error"),
    **_doubles(f"({_OF_PARAMETER}) squared", sampling_variance="the part of se² from sampling",
               imputation_variance="from the plausible values", linking_variance="from linking the cycles' scales"),
    **_doubles("", df="degrees of freedom; null where infinite", t="difference / se",
               p_value="of no difference, two-sided", p_adjusted="for the number of comparisons"),
    **_doubles(_OF_PARAMETER, ci_low="lower confidence limit", ci_high="upper confidence limit"),
    **_doubles("", ratio="a over b, of variances and sd; of a trend the factor per year; null against a mean of rows",
               p_value_ratio="of a ratio of 1, on the logarithm", p_adjusted_ratio="for the number of comparisons",
               ci_low_ratio="lower confidence limit", ci_high_ratio="upper confidence limit"),
    **_texts(samples="one, independent, or both kinds; null without a result"),
    **_STATUS,
}  # fmt: skip

_OF_OLD = "share of the old"
CHECK_TABLE: Fields = {
    **_OUTCOME,
    **_counts("groups", n_groups_old="those with observations", n_groups_new="the same of the new data",
              groups_lost="in the old data only", groups_added="in the new data only"),
    **_texts(first_lost="the first ten of their labels", first_added="the same"),
    **_counts("students", n_obs_old="rows that are used", n_obs_new="the same of the new data"),
    **_doubles(_OF_OLD, n_change="their change"),
    **_doubles("share, 0 to 1", missing_old="rows without a score, a group or a weight",
               missing_new="the same of the new data"),
    **_doubles(_POINTS, mean_old="mean of all students", mean_new="the same of the new data", mean_shift="its change"),
    **_doubles("old standard deviations", mean_shift_sd="the same change"),
    **_doubles(_POINTS, sd_old="standard deviation, divisor n - 1 without weights", sd_new="the same of the new data"),
    **_doubles(_OF_OLD, sd_change="its change"),
    **_doubles("share, 0 to 1", icc_old="by REML, with weights by pseudo ML", icc_new="the same of the new data",
               icc_shift="its change"),
    **_counts("students", rows_without_by_old="rows of all the data without a by-label, which are in no part",
              rows_without_by_new="the same of the new data"),
    **_texts(status="ok or drift", drifted="the fields beyond their limits, separated by commas",
             message="the same in words"),
}  # fmt: skip

SCHOOLS: Fields = {
    **_counts("students", n="rows of the group"),
    **_doubles(_POINTS, mean="their mean", se_mean="its standard error given the group's true mean"),
    **_doubles("share, 0 to 1", reliability="of the mean"),
    **_doubles(_POINTS, eb_mean="shrunken mean", eb_se="its prediction error", post_mean="mean of the posterior",
               post_sd="its standard deviation", ci_low="lower limit of the true mean", ci_high="upper limit",
               cond_se="root of lme4's condVar", u="eb_mean - gamma00, lme4's ranef"),
}  # fmt: skip

PLAN: Fields = {
    **_doubles("share, 0 to 1", icc="intraclass correlation to expect"),
    **_doubles(_POINTS, sd="standard deviation of the scores"),
    **_counts("groups", n_groups="schools, of all arms together"),
    **_counts("students", group_size="students in each school"),
    **_counts("", arms="1, or 2 to compare two halves of the schools"),
    **_doubles("", size_cv="coefficient of variation of the school sizes"),
    **_texts(estimator="gls or kish"),
    **_doubles("share, 0 to 1", level="confidence level", power="power that detectable is for"),
    **_counts("students", n_obs="students of all schools"),
    **_doubles("", deff="design effect of the mean"),
    **_doubles("students", n_eff="effective sample size"),
    **_doubles("", deff_lecture="1 + icc (group_size - 1)", deff_gls="design effect of gamma00",
               deff_kish="design effect of the mean of all students"),
    **_doubles(_POINTS, se="standard error of the mean, or of the difference"),
    **_doubles("", df="its degrees of freedom"),
    **_doubles(_POINTS, margin="half the width of its interval", detectable="least difference found with that power",
               difference="a difference of interest"),
    **_doubles("share, 0 to 1", power_at_difference="power to find it", reliability="of a school mean",
               icc_low="lower limit of the icc, as expected", icc_high="upper limit", icc_width="its width"),
    **_texts(solved_for="the size that was found: n_groups or group_size; empty where both were given"),
}  # fmt: skip

STAMP_FIELDS: Fields = {
    **_texts(fastml="version that wrote it"),
    **_counts("", schema="number of these lists"),
    **_texts(provenance="what made it: an object in JSON, its text in CSV"),
}

PROVENANCE: Mapping[str, tuple[str, str]] = {
    "content": ("text", "fit, fit table, survey table, contrast table, check, school means or plan"),
    "fastml": ("text", "version that wrote it"),
    "schema": ("integer", "number of the lists of fields"),
    "files": ("list of texts", "files that were read, or that statistics were made of; none of data in memory"),
    "n_files": ("integer", "how many these are; rows of a table of several name the first 20"),
    "filter": ("text", "which rows; several of statistics that were added, joined by a semicolon"),
    "missing": ("list of numbers and texts", "codes of missing values; in a survey those of the design too"),
    "csv_options": ("object", "how text files were read, where the call says so"),
    "outcomes": ("object", "each outcome, and the columns that it stands for"),
    "by": ("list of texts", "columns that split the data"),
    "group": ("text", "column of groups; a list where there are several"),
    "weights": ("text", "column of student weights"),
    "group_weights": ("text", "column of group weights, or their product"),
}
"""Fields of what made a result, that every provenance has; the types are JSON's."""

STATUSES: Mapping[Status, str] = {
    "ok": "there is a result",
    "no_rows": "no row has an outcome, a group and a weight",
    "one_group": "there is one group only",
    "singletons": "every group has a single row",
    "constant": "the outcome is the same in every row",
    "constant_in_groups": "the outcome is the same in all rows of a group",
    "almost_constant_in_groups": "the outcome differs too much more between groups than within",
    "too_large": "the sums of squares are too large for doubles; divide the outcome by a constant",
    "too_small": "the outcome is too small to square in doubles; multiply it by a constant",
    "no_school_ids": "survey: no row of the part has a school id; mean and sd are reported",
    "no_school_weight": "survey: there is no school weight; mean and sd are reported",
    "no_result": "survey, the average: no part has a result",
}
