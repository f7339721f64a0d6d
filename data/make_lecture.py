"""Write timss2019_usa_lecture.parquet: 20 schools of 30 students that reproduce EDUC 231D, Lecture 3.

The lecture prints the school means (two decimals) and the fitted model, not the scores. The means here are
the lecture's; the scores inside a school are synthetic. `check` recomputes every printed figure from the
finished columns, and nothing is written unless all of them come out as printed (published.json).

Run: python data/make_lecture.py
"""

import json
import random
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
FILE = HERE / "timss2019_usa_lecture.parquet"

STUDENTS = 30  # in every school
SCHOOL_MEANS = {  # idschool -> mean score as printed, in score points
    5007: 593.42, 5010: 611.54, 5022: 593.80, 5036: 481.27, 5059: 556.81,
    5066: 535.31, 5067: 555.26, 5080: 619.64, 5101: 395.52, 5110: 623.74,
    5112: 370.68, 5133: 467.30, 5139: 587.14, 5144: 508.29, 5151: 515.44,
    5164: 620.04, 5205: 524.77, 5236: 503.73, 5237: 498.66, 5277: 617.22,
}  # fmt: skip

# Where the figures are put: the middle of what the printed ones allow. Grand mean: 538.9785 to 538.9795 (the
# table gives 538.979). Sigma: 70.6655 to 70.6665. Variance of the means: 5,393.395 to 5,393.405, as it is
# printed itself, which lies inside what the printed standard error (5,393.32 to 5,393.96), t (5,393.33 to
# 5,393.65) and tau_sd (5,393.39 to 5,393.52) allow.
VARIANCE_OF_MEANS = 5393.40
SIGMA = 70.666

SEED = 2019
DECIMALS = 5


def lecture_columns() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """School ids and scores, 600 of each, ordered by school."""
    printed = np.array(list(SCHOOL_MEANS.values()))
    # The two-decimal means have variance 5,393.29, the lecture's unrounded ones 5,393.40. Stretching the
    # deviations from the grand mean by 1.00001 closes the gap: the grand mean stays, no school mean moves by
    # more than 0.0017, so all of them still round to the table.
    grand_mean = printed.mean()
    stretch = np.sqrt(VARIANCE_OF_MEANS / printed.var(ddof=1))
    means = grand_mean + stretch * (printed - grand_mean)

    # Python promises that random() gives the same numbers in every version; NumPy does not promise that of
    # its normal draws. Rounding the scores hides last-digit differences between mathematical libraries.
    rng, normal = random.Random(SEED), NormalDist()
    draws = np.array([[normal.inv_cdf(rng.random()) for _ in range(STUDENTS)] for _ in SCHOOL_MEANS])
    # Centred in each school, scaled all together: the schools' spreads differ as those of real samples do.
    residuals = draws - draws.mean(axis=1, keepdims=True)
    residuals *= SIGMA / np.sqrt(np.sum(residuals**2) / (residuals.size - len(residuals)))

    idschool = np.repeat(np.array(list(SCHOOL_MEANS), dtype=np.int64), STUDENTS)
    return idschool, np.round(means[:, None] + residuals, DECIMALS).ravel()


def figures(score: NDArray[np.float64]) -> dict[str, float]:
    """Every figure of the lecture, by the closed form of REML for schools of one size.

    With n students in each of J schools: sigma2 = MSW, tau00 = var(means) - MSW / n and
    se(gamma00)^2 = var(means) / J (Searle, Casella and McCulloch, Variance Components, 1992). The restricted
    log-likelihood keeps the constants lmer keeps; AIC and BIC count three parameters and 600 observations.
    """
    scores = score.reshape(-1, STUDENTS)
    n_groups, n_obs = len(scores), scores.size
    means = scores.mean(axis=1)
    gamma00, variance_of_means = means.mean(), means.var(ddof=1)
    sigma2 = np.sum((scores - means[:, None]) ** 2) / (n_obs - n_groups)
    error_variance = sigma2 / STUDENTS
    tau00 = variance_of_means - error_variance
    se_gamma00 = np.sqrt(variance_of_means / n_groups)
    icc = tau00 / (tau00 + sigma2)
    deviance = (
        (n_obs - 1) * (1 + np.log(2 * np.pi))
        + (n_obs - n_groups) * np.log(sigma2)
        + (n_groups - 1) * np.log(STUDENTS * variance_of_means)
        + np.log(n_obs)
    )
    return {
        "mean_of_students": score.mean(),
        "mean_of_school_means": gamma00,
        "variance_of_means": variance_of_means,
        "gamma00": gamma00,
        "se_gamma00": se_gamma00,
        "df": n_groups - 1,
        "t": gamma00 / se_gamma00,
        "tau_sd": np.sqrt(tau00),
        "sigma": np.sqrt(sigma2),
        "tau00": tau00,
        "sigma2": sigma2,
        "loglik": -deviance / 2,
        "aic": deviance + 2 * 3,
        "bic": deviance + np.log(n_obs) * 3,
        "error_variance": error_variance,
        # by hand on the slide: rounded variance less rounded error variance
        "tau00_by_hand": round(variance_of_means) - round(error_variance, 1),
        "reliability": tau00 / variance_of_means,
        "icc": icc,
        "deff": 1 + icc * (STUDENTS - 1),
    }


def as_printed(value: float, printed: str) -> str:
    """`value` with as many decimals as `printed` has."""
    return f"{value:.{len(printed.partition('.')[2])}f}"


def check(idschool: NDArray[np.int64], score: NDArray[np.float64]) -> None:
    """Raise ValueError unless the columns give every printed figure."""
    if idschool.tolist() != [school for school in SCHOOL_MEANS for _ in range(STUDENTS)]:
        raise ValueError("idschool: not the lecture's schools in order")
    published = json.loads((HERE / "published.json").read_text(encoding="utf-8"))["lecture"]
    got = figures(score)
    wanted = dict(published["figures"])
    for school, mean in SCHOOL_MEANS.items():
        got[f"mean of school {school}"] = score[idschool == school].mean()
        wanted[f"mean of school {school}"] = f"{mean:.2f}"
    if missing := got.keys() ^ wanted.keys():
        raise ValueError(f"figures without a counterpart: {sorted(missing)}")
    for name, printed in wanted.items():
        if as_printed(got[name], printed) != printed:
            raise ValueError(f"{name} is {got[name]:.10g}; the lecture prints {printed}")


def main() -> None:
    """Make the columns, check them, write the file."""
    idschool, score = lecture_columns()
    check(idschool, score)
    unfinished = FILE.with_suffix(".tmp")
    pq.write_table(pa.table({"idschool": idschool, "bsmmatxx": score}), unfinished, compression="zstd")
    unfinished.replace(FILE)  # a reader sees the old file or the new one, never half of one
    print(f"{FILE.name}: {len(score)} rows, every printed figure reproduced")


if __name__ == "__main__":
    main()
