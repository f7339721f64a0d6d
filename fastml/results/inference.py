"""What can be asked of a fit beyond its figures: it is handed to fastml.inference, and comes back as a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastml.errors import FastmlError, ModelError
from fastml.results.figures import FitFigures

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from fastml.inference.conventions import DesignEffect
    from fastml.inference.intervals import Method
    from fastml.inference.parameters import Interval, Parameter
    from fastml.inference.robust import RobustMethod
    from fastml.planning import Plan

__all__ = ["FitInference", "interval_notes", "limits_of"]

# What the parameters of one interval are called together; by the one that they follow from.
_CALLED = {
    "gamma00": "the grand mean",
    "tau00": "the variance between groups and its root",
    "sigma2": "the variance within groups and its root",
    "theta": "the ICC and what follows from it",
}


def limits_of(made: Mapping[str, Interval]) -> dict[str, tuple[float, float]]:
    """Limits of intervals by parameter."""
    return {name: (interval.low, interval.high) for name, interval in made.items()}


def interval_notes(made: Mapping[str, Interval]) -> tuple[str, ...]:
    """What a reader must know of intervals by parameter: a sentence each, once for those that go together."""
    from fastml.inference.parameters import BASES

    said = {(BASES[name], interval.note): None for name, interval in made.items() if interval.note}
    return tuple(f"Interval of {_CALLED[base]}: {note}." for base, note in said)


class FitInference(FitFigures):
    """Methods of `OneWayFit` that look at its estimates; all costs go by the number of distinct group sizes."""

    def ci(
        self,
        parm: Parameter,
        level: float = 0.95,
        method: Method | RobustMethod | None = None,
        *,
        draws: int = 10_000,
        seed: int | np.random.Generator | None = 0,
    ) -> Interval:
        """Confidence interval of one parameter.

        Parameters
        ----------
        parm : str
            "gamma00", "tau00", "tau_sd", "sigma2", "sigma", "theta", "icc", "deff", "deft", "n_eff" or "reliability".
        level : float
            Between 0 and 1.
        method : {"exact", "at least", "fiducial", "t", "profile", "profile-ml", "bootstrap", "bca", "wald"}, optional
            Without, "exact" where there is an exact interval that holds the estimate; of tau00, and where there is not,
            the profile's. gamma00 is "exact" in groups of one size ("at least" where their means differ less than by
            chance), else "fiducial"; "t" is by the fit's degrees of freedom. "profile" is on the deviance of the fit,
            gamma00's on ML; "profile-ml" on ML for all, as lme4's confint. Weighted fits have others, from their robust
            standard errors: gamma00's is "t", by its degrees of freedom; the others' "jackknife", on the logarithm or
            the icc's logit by t with J - 1. Where weights go by the groups' means, all but sigma2 have "skewed"
            (Hall's transformation of t; the jackknife of the logarithm itself). All have "wald"; with `vcov` "joint"
            and "block" that only.
        draws : int
            Of the parametric bootstrap.
        seed : int, Generator or None
            Of the bootstrap: the same answer every time, or, with None, a new one.

        Returns
        -------
        Interval

        Raises
        ------
        FastmlError
            The method has no interval for the parameter; the message names one that has.

        References
        ----------
        Wald (1940), Ann. Math. Stat. 11; Harville and Fenech (1985), Biometrics 41; E, Hannig and Iyer (2008), J. Am.
        Stat. Assoc. 103.

        Examples
        --------
        >>> import fastml
        >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
        >>> ci = fastml.fit(scores, "score", "school").ci("icc")
        >>> round(ci.low, 3), round(ci.high, 3), ci.method
        (0.509, 0.999, 'exact')
        """
        from fastml.inference.intervals import interval

        if self.weighting is not None:
            return self._robust(parm, level, method)
        return interval(self.sizes, self.components, parm, level, method, df=self.df_method, draws=draws, seed=seed)

    def _robust(self, parameter: str, level: float, method: str | None) -> Interval:
        from fastml.inference.robust import RobustErrors, robust_interval, skewed_errors
        from fastml.results.weighting import table_of_groups, weighted_groups

        weighting = self.weighting
        assert weighting is not None
        table = table_of_groups(self.stats, self.outcome, weighting, self.sizes)
        errors = RobustErrors(weighting.vcov, self.se_gamma00, self.df, self.se_tau00, self.se_sigma2, self.se_icc)
        if method == "skewed":
            groups = weighted_groups(self.stats, self.outcome, weighting.weights_are, weighting.scaling)
            errors = skewed_errors(errors, groups, self.components, parameter, bool(weighting.bias))
        return robust_interval(table, self.components, errors, parameter, level, method)

    def _robust_or_none(self, parameter: str, level: float, method: str | None) -> Interval:
        """As `_robust`, but without limits instead of an error, so that the other rows of `intervals` are shown."""
        from fastml.inference.parameters import Interval
        from fastml.inference.robust import methods_of

        assert self.weighting is not None
        usual, *more = methods_of(parameter, self.weighting.vcov)
        of_others = method in {"t", "jackknife", "skewed"} - {*more}
        try:
            return self._robust(parameter, level, usual if of_others else method)
        except ModelError as error:
            return Interval(math.nan, math.nan, level, usual, str(error).partition(": ")[2])

    def intervals(
        self,
        level: float = 0.95,
        method: Method | RobustMethod | None = None,
        *,
        draws: int = 10_000,
        seed: int | np.random.Generator | None = 0,
    ) -> pd.DataFrame:
        """Confidence intervals of all parameters.

        Parameters
        ----------
        level, method, draws, seed
            As in `ci`; a parameter that `method` has no interval for gets its default, named in its row.

        Returns
        -------
        pandas.DataFrame
            A row per parameter: parameter, estimate, low, high (its limits, ``ci_low_NAME`` and ``ci_high_NAME`` in the
            fields of outputs), level, method, note.

        Examples
        --------
        >>> import fastml
        >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
        >>> table = fastml.fit(scores, "score", "school").intervals().set_index("parameter")
        >>> table.loc["icc", ["low", "high"]].astype(float).round(3).tolist()
        [0.509, 0.999]
        """
        from fastml.inference.intervals import PARAMETERS, intervals

        if self.weighting is None:
            found: Iterable[tuple[str, Interval]] = intervals(
                self.sizes, self.components, level, method, df=self.df_method, draws=draws, seed=seed
            )
        else:
            found = [(name, self._robust_or_none(name, level, method)) for name in PARAMETERS]
        rows = []
        for name, ci in found:
            estimate = self.components.theta if name == "theta" else getattr(self, name)
            rows.append({"parameter": name, "estimate": estimate, **asdict(ci)})
        return _frame(rows)

    def test_between(self, draws: int = 10_000, seed: int | np.random.Generator | None = 0) -> pd.DataFrame:
        """Tests of tau00 = 0.

        Parameters
        ----------
        draws : int
            Of the exact restricted likelihood ratio test (Crainiceanu and Ruppert 2004), which is simulated.
        seed : int, Generator or None
            Of the simulation: the same answer every time, or, with None, a new one.

        Returns
        -------
        pandas.DataFrame
            A row per test: the ANOVA F (exact for any sizes), the exact RLRT with the Monte-Carlo error of its p-value,
            the 50:50 chi-bar likelihood ratio test, HLM's chi-square. Columns test, statistic, df, df2, p_value, mc_se,
            n_groups, note.

        Raises
        ------
        FastmlError
            The fit has weights.

        Examples
        --------
        >>> import fastml
        >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
        >>> fastml.fit(scores, "score", "school").test_between().set_index("test").p_value.round(4).loc["F"]
        np.float64(0.0051)
        """
        from fastml.inference.hypotheses import between_tests

        self._unweighted("the tests of tau00 = 0")
        return _frame([asdict(row) for row in between_tests(self.sizes, self.components, draws=draws, seed=seed)])

    def test_homogeneity(self) -> pd.DataFrame:
        """Tests that sigma2 is the same in all groups: Bartlett's, and HLM's H.

        Returns
        -------
        pandas.DataFrame
            A row per test, columns as in `test_between`.

        Raises
        ------
        FastmlError
            The fit has weights.

        Examples
        --------
        >>> import fastml
        >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
        >>> fastml.fit(scores, "score", "school").test_homogeneity().test.tolist()
        ['Bartlett', 'H', 'H (HLM)']
        """
        from fastml.inference.hypotheses import homogeneity_tests

        self._unweighted("the tests of homogeneity")
        groups = self.stats.groups(self.outcome)
        return _frame([asdict(row) for row in homogeneity_tests(groups.n, groups.ss)])

    def anova(self) -> pd.DataFrame:
        """One-way analysis of variance.

        Returns
        -------
        pandas.DataFrame
            Rows between, within and total; columns source, df, ss, ms, f, p_value. What textbooks derive from it (n0,
            the moment estimates of tau00 and the icc, eta2, omega2, ICC(1), ICC(2)) is in the frame's ``attrs``.

        Raises
        ------
        FastmlError
            The fit has weights.

        Examples
        --------
        >>> import fastml
        >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
        >>> fastml.fit(scores, "score", "school").anova().ss.round(3).tolist()
        [49.333, 1.5, 50.833]
        """
        from fastml.inference.hypotheses import anova

        self._unweighted("the sums of squares of anova()")
        table = anova(self.sizes)
        nan = math.nan
        rows = [
            ("between", table.df_between, table.ssb, table.msb, table.f, table.p_value),
            ("within", table.df_within, table.ssw, table.msw, nan, nan),
            ("total", table.df_between + table.df_within, table.sst, nan, nan, nan),
        ]
        names = ("source", "df", "ss", "ms", "f", "p_value")
        frame = _frame([dict(zip(names, row, strict=True)) for row in rows])
        frame.attrs.update(asdict(table))
        return frame

    def design_effects(self) -> pd.DataFrame:
        """The design effect by its several definitions, each named.

        Returns
        -------
        pandas.DataFrame
            A row per definition: name, deff, deft, n_eff (students), description. "lecture": 1 + icc (N/J - 1), the
            fit's own; "kish": with sum n^2/N, exact for the mean of all students in unequal groups; "gls":
            N SE^2/(tau00 + sigma2) of the fit's mean.
            With weights "lecture" and "gabler-kish", [n sum w^2/(sum w)^2] [1 + icc (b - 1)] with
            b = sum_j(sum_i w)^2/sum w^2, of the weighted mean (Gabler, Haeder and Lahiri 1999).

        Examples
        --------
        >>> import fastml
        >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
        >>> fastml.fit(scores, "score", "school").design_effects().deff.round(2).tolist()
        [1.96, 1.96, 1.96]
        """
        return _frame([asdict(row) for row in self._effects()])

    def _effects(self) -> tuple[DesignEffect, ...]:
        from fastml.inference.conventions import design_effects, weighted_design_effects
        from fastml.results.weighting import total_weights

        if self.weighting is None:
            return design_effects(self.sizes, self.components)
        weights = total_weights(self.stats, self.outcome, self.weighting.weights_are)
        return weighted_design_effects(self.n_obs, self.n_groups, self.icc, *weights)

    def conventions(self) -> pd.DataFrame:
        """How lme4, nlme, SAS, Stata and HLM would print this fit.

        Returns
        -------
        pandas.DataFrame
            A row per program: its standard error (score points), df and p-value of gamma00, parameters counted, AIC,
            BIC, its chi-square of tau00 = 0, and a note.
        """
        from fastml.inference.conventions import conventions

        self._unweighted("the programs' conventions")
        return _frame([asdict(row) for row in conventions(self.sizes, self.components)])

    def plan(self, schools: int | None = None, cluster_size: int | None = None, **options: float | int | None) -> Plan:
        """Plan a sample like this one: with its icc, standard deviation and spread of school sizes.

        Parameters
        ----------
        schools, cluster_size : int, optional
            Schools and students in each; this fit's own where neither is given, nor a target.
        **options
            As in `fastml.plan`: a target (se, margin, icc_width, or difference with power), arms, level.

        Returns
        -------
        Plan
        """
        from fastml.planning import plan_from_fit

        self._unweighted("plans")
        return plan_from_fit(self.sizes, self.components, schools, cluster_size, **options)

    def _usual_intervals(self, level: float) -> dict[str, Interval]:
        """The usual interval of each parameter that has one."""
        from fastml.inference.parameters import PARAMETERS

        made: dict[str, Interval] = {}
        for name in PARAMETERS:
            # Weighted fits have none of a variance at 0.
            with suppress(ModelError):
                made[name] = self.ci(name, level)
        return made

    def _mean_by_df(self, level: float, usual: Mapping[str, Interval]) -> tuple[float, float] | None:
        """The mean's interval by the fit's degrees of freedom, where its width is off the usual one's by a tenth."""
        if self.weighting is not None or "gamma00" not in usual:
            return None
        low, high = self.ci("gamma00", level, "t")
        width = usual["gamma00"].high - usual["gamma00"].low
        return (low, high) if abs((high - low) / width - 1.0) > 0.1 else None

    def _p_value_between(self) -> float | None:
        """p-value of the exact F test of no variance between groups; None with weights."""
        from fastml.inference.hypotheses import anova

        return None if self.weighting is not None else anova(self.sizes).p_value

    def _unweighted(self, what: str) -> None:
        if self.weighting is not None:
            raise FastmlError(f"{what} are of unweighted fits; fit without weights to see them")


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
