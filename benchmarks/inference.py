"""Timings of intervals, bootstrap and tests, with lme4's beside them where Rscript and lme4 are.

    python benchmarks/inference.py [-o FILE] [--no-r]

Every figure is processor time, the best of several runs in one process, on one thread of ours; kernels are compiled
before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is loaded: one core

import numpy as np  # noqa: E402

from fastml.inference.bootstrap import bootstrap  # noqa: E402
from fastml.inference.delete_one import EXACT_TO  # noqa: E402
from fastml.inference.hypotheses import rlrt_test  # noqa: E402
from fastml.inference.intervals import interval, intervals  # noqa: E402
from fastml.inference.posterior import school_posterior  # noqa: E402
from fastml.inference.robust import robust_errors  # noqa: E402
from fastml.model.groups import Groups, WeightedGroups  # noqa: E402
from fastml.model.shrinkage import school_means  # noqa: E402
from fastml.model.size_table import SizeTable, reduce_sizes  # noqa: E402
from fastml.model.variance_components import estimate  # noqa: E402
from fastml.model.weighted import pseudo_ml, reduce_weighted  # noqa: E402

R_SCRIPT = """
suppressMessages(library(lme4))
d <- read.csv(commandArgs(TRUE)[1]); d$g <- factor(d$g)
took <- function(f) { t <- system.time(suppressMessages(suppressWarnings(f())))[["elapsed"]]; t }
m <- lmer(y ~ 1 + (1 | g), d)
cat("lmer", took(function() lmer(y ~ 1 + (1 | g), d)), "\\n")
cat("confint", took(function() confint(m, quiet = TRUE)), "\\n")
draws <- as.integer(commandArgs(TRUE)[2])
cat("bootMer", took(function() bootMer(m, function(x) c(sigma(x), getME(x, "theta")), nsim = draws, seed = 1)), "\\n")
"""


def statistics(n: np.ndarray, icc: float, seed: int) -> Groups:
    rng = np.random.default_rng(seed)
    theta = icc / (1 - icc)
    means = rng.normal(size=n.size) * np.sqrt(theta + 1 / n)
    ss = np.where(n > 1, rng.chisquare(np.maximum(n - 1, 1)), 0.0)
    return Groups(None, n, means, np.zeros(n.size), ss)


def groups(n: np.ndarray, icc: float, seed: int) -> SizeTable:
    made = statistics(n, icc, seed)
    return reduce_sizes(made.n, made.mean, made.residual, made.ss)


def weighted_groups(n_groups: int, icc: float, seed: int) -> WeightedGroups:
    """Schools of 20 or so with lognormal weights of cv .8."""
    rng = np.random.default_rng(seed)
    n = np.maximum(2, rng.poisson(20, n_groups))
    mean = rng.normal(size=n_groups) * np.sqrt(icc / (1 - icc) + 1 / n)
    v = np.exp(rng.normal(size=n_groups) * np.sqrt(np.log1p(0.64)))
    return WeightedGroups(n, n.astype(float), v, mean, np.zeros(n_groups), rng.chisquare(n - 1.0))


def best(function: Callable[[], object], runs: int) -> float:
    """Processor time of the best run: all is on one thread, so that it is what one waits where nobody else works."""
    function()
    times = []
    for _ in range(runs):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def seconds(value: float) -> str:
    return f"{1e3 * value:.2f} ms" if value < 1.0 else f"{value:.2f} s"


def in_r(n: np.ndarray, draws: int) -> dict[str, float] | str:
    """Seconds of lme4 on the rows of 160 schools, or why there are none."""
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    rng = np.random.default_rng(1)
    code = np.repeat(np.arange(n.size), n)
    y = rng.normal(size=code.size) + 0.5 * rng.normal(size=n.size)[code]
    with tempfile.TemporaryDirectory() as folder:
        rows, script = Path(folder) / "rows.csv", Path(folder) / "run.R"
        rows.write_text("y,g\n" + "\n".join(f"{a!r},{b}" for a, b in zip(y.tolist(), code.tolist(), strict=True)))
        script.write_text(R_SCRIPT)
        done = subprocess.run(["Rscript", str(script), str(rows), str(draws)], capture_output=True, text=True)
    if done.returncode:
        return "R failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines() if len(line.split()) == 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--no-r", action="store_true", help="leave lme4 out")
    parser.add_argument("--r-draws", type=int, default=200, help="draws of bootMer, whose time is scaled to 10,000")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    equal_large, equal_small = np.full(100_000, 25), np.full(160, 45)
    unequal_small = rng.integers(14, 68, 160)
    many_sizes = np.concatenate((np.arange(1, 1001), rng.integers(1, 1001, 99_000)))
    rows: list[tuple[str, float, str]] = []

    for label, n, limit in (
        ("10,000 bootstrap draws, 100,000 equal schools", equal_large, "5 s"),
        ("10,000 bootstrap draws, 160 equal schools", equal_small, "0.1 s"),
        ("10,000 bootstrap draws, 160 schools of 46 or so sizes", unequal_small, ""),
        ("10,000 bootstrap draws, 100,000 schools of 1,000 sizes", many_sizes, ""),
    ):
        table = groups(n, 0.2, 1)
        vc = estimate(table)
        rows.append((label, best(lambda table=table, vc=vc: bootstrap(table, vc, 10_000, 1), 3), limit))

    table = groups(many_sizes, 0.2, 2)
    vc = estimate(table)
    assert table.size.size == 1000
    where = ", 100,000 schools of 1,000 sizes"
    rows.append(("fit" + where, best(lambda: estimate(table), 5), ""))
    for parameter, method in (
        ("icc", "exact"), ("icc", "profile"), ("tau00", "profile"), ("sigma2", "profile"), ("gamma00", "profile"),
    ):  # fmt: skip
        made = best(lambda p=parameter, m=method: interval(table, vc, p, method=m), 5)
        rows.append((f"{parameter}, {method}" + where, made, "50 ms"))
    rows.append(("all parameters, default methods" + where, best(lambda: intervals(table, vc), 5), ""))
    rows.append(("all parameters, profile" + where, best(lambda: intervals(table, vc, method="profile"), 5), ""))
    null = groups(many_sizes, 1e-5, 3)
    fitted = estimate(null)
    assert not fitted.singular
    rows.append(("RLRT, 10,000 draws" + where, best(lambda: rlrt_test(null, fitted, seed=1), 3), "1 s"))

    for label, n in (("20", rng.integers(14, 68, 20)), ("300", rng.integers(14, 68, 300)),
                     ("100,000", rng.integers(14, 68, 100_000)), ("100,000 (1,000 sizes)", many_sizes)):  # fmt: skip
        table, here = groups(n, 0.2, 6), statistics(n, 0.2, 6)
        vc = estimate(table)
        made = best(lambda t=table, v=vc: interval(t, v, "gamma00"), 5)
        rows.append((f"{label} schools, gamma00, fiducial", made, ""))
        made = best(lambda t=table, v=vc: interval(t, v, "tau00", method="fiducial"), 5)
        rows.append((f"{label} schools, tau00, fiducial", made, ""))
        rows.append((f"{label} schools, school means, plug-in", best(lambda g=here, v=vc: school_means(g, v), 5), ""))
        made = best(lambda t=table, g=here: school_posterior(t, g, 0.95), 5)
        rows.append((f"{label} schools, school means, posterior", made, "50 ms" if len(n) == 100_000 else ""))

    for n_groups in (20, 300, 100_000):
        weighted = weighted_groups(n_groups, 0.2, 5)
        errors = pseudo_ml(reduce_weighted(weighted))
        made = best(lambda g=weighted, vc=errors: robust_errors(g, vc), 5)
        kind = "each left out" if n_groups <= EXACT_TO else "one step each"
        rows.append((f"weighted fit, CR2 and jackknife ({kind}), {n_groups:,} schools", made, ""))

    small = groups(unequal_small, 0.2, 4)
    small_fit = estimate(small)
    rows.append(("profile-ml, all parameters, 160 schools", best(
        lambda: intervals(small, small_fit, method="profile-ml"), 5), ""))  # fmt: skip

    lines = ["| what | fastml | asked for |", "|---|---|---|"]
    lines += [f"| {label} | {seconds(took)} | {limit and 'under ' + limit} |" for label, took, limit in rows]
    other = "left out" if args.no_r else in_r(unequal_small, args.r_draws)
    if isinstance(other, str):
        lines += ["", f"lme4: {other}."]
    else:
        scale = 10_000 / args.r_draws
        lines += [
            "",
            f"lme4 on the rows of 160 schools ({int(unequal_small.sum()):,} students): lmer {other['lmer']:.2f} s, "
            f"confint (profile) {other['confint']:.2f} s, bootMer {other['bootMer']:.1f} s for {args.r_draws} draws, "
            f"which is {other['bootMer'] * scale:.0f} s for 10,000.",
        ]
    text = "\n".join(lines) + "\n"
    print(text)
    if args.output:
        args.output.write_text(text)


if __name__ == "__main__":
    main()
