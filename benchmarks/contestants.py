"""One peer at work: `python contestants.py NAME FILE THREADS` loads rows and computes once for each "go" on stdin.

Each answers with a line of JSON: the seconds and, at the first, the answer. Every peer has the rows in the form it
takes best, made before the clock starts. This file runs in the peers' own environment too, where fastml is not.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

Run = Callable[[], Any]
Setup = Callable[[Any, int], tuple[Run, Callable[[Any], Any]]]

TURN = 0.25  # seconds: what is shorter is repeated in its turn, and the best taken, whoever it is

CONTESTANTS: dict[str, tuple[Setup, str]] = {}


def contestant(name: str, package: str) -> Callable[[Setup], Setup]:
    def enter(setup: Setup) -> Setup:
        CONTESTANTS[name] = (setup, package)
        return setup

    return enter


def _roles(table: Any) -> tuple[list[str], list[str]]:
    names = table.column_names
    return [n for n in names if n in ("c", "g")], [n for n in names if n.startswith("y")]


def _has_weights(table: Any) -> bool:
    return "w" in table.column_names


def _digest(keys: Any, count: Any, mean: Any, variance: Any) -> list[float]:
    """Figures that agree where all groups do, in whatever order a peer has them."""
    import numpy as np

    count, mean, variance = (np.asarray(a, float) for a in (count, mean, variance))
    order = np.lexsort((mean, count))
    weight = np.cos(np.arange(len(order)) * 0.7)
    return [
        float(len(keys)), float(count.sum()), *(float((a[order] * weight).sum() / np.abs(a).sum())
                                                for a in (count, mean, np.sqrt(variance)))]  # fmt: skip


_SUMS = ("n", "w", "wy", "wyy")


def _weighted_digest(found: Any) -> list[float]:
    """Of the sums of weights and of their products with values."""
    import numpy as np

    n, w, wy, wyy = (np.asarray(found[name], float) for name in _SUMS)
    return _digest(n, n, wy / w, wyy / w - (wy / w) ** 2)


@contestant("fastml", "fastml-icc")
def _fastml(table: Any, threads: int) -> tuple[Run, Any]:
    import fastml

    keys, outcomes = _roles(table)
    weights = "w" if _has_weights(table) else None

    def answer(stats: Any) -> list[float]:
        groups = stats.groups(outcomes[-1])
        if weights:
            weight, mean, _, ss, _ = stats.weighted[-1].T
            return _digest(groups.n, groups.n, mean, ss / weight)
        return _digest(groups.n, groups.n, groups.mean, groups.ss / (groups.n - 1))

    return lambda: fastml.group_stats(table, outcomes, keys, weights=weights, threads=threads), answer


@contestant("fastml, one of five", "fastml-icc")
def _fastml_one(table: Any, threads: int) -> tuple[Run, Any]:
    keys, outcomes = _roles(table)
    return _fastml(table.select([*keys, outcomes[-1]]), threads)


@contestant("read, one of five", "numba")
def _read_one(table: Any, threads: int) -> tuple[Run, Any]:
    keys, outcomes = _roles(table)
    return _read(table.select([*keys, outcomes[-1]]), threads)


@contestant("read", "numba")
def _read(table: Any, threads: int) -> tuple[Run, Any]:
    """The machine's own streaming read: the sums of the same bytes, as integers, on all threads."""
    from concurrent.futures import ThreadPoolExecutor

    import numba
    import numpy as np

    words = numba.types.Array(numba.types.int64, 1, "C", readonly=True)

    @numba.njit(numba.int64(words), nogil=True)  # type: ignore[untyped-decorator]
    def read(values: Any) -> int:
        total = 0
        for i in range(values.shape[0]):
            total += values[i]
        return total

    blocks = []
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    values = np.frombuffer(buffer, np.int64, count=len(buffer) // 8)
                    blocks += [values[i : i + (1 << 20)] for i in range(0, len(values), 1 << 20)]
    pool = ThreadPoolExecutor(threads)
    share = [blocks[k::threads] for k in range(threads)]
    return lambda: list(pool.map(lambda mine: sum(read(block) for block in mine), share)), lambda _: None


@contestant("DuckDB", "duckdb")
def _duckdb(table: Any, threads: int) -> tuple[Run, Any]:
    import duckdb

    keys, outcomes = _roles(table)
    connection = duckdb.connect(config={"threads": threads})
    connection.register("arrow", table)
    connection.execute("CREATE TABLE rows AS SELECT * FROM arrow")
    figures = ", ".join(f"count({y}), avg({y}), var_samp({y})" for y in outcomes)
    if _has_weights(table):
        mean = "sum(w * {0}) / sum(w)"
        figures = ", ".join(
            f"count({y}), {mean}, sum(w * {y} * {y}) / sum(w) - ({mean}) ** 2".format(y) for y in outcomes
        )
    query = f"SELECT {', '.join(keys)}, {figures} FROM rows GROUP BY {', '.join(keys)}"

    def answer(found: Any) -> list[float]:
        columns = list(found.values())
        return _digest(columns[0], *columns[-3:])

    return lambda: connection.execute(query).fetchnumpy(), answer


@contestant("Polars", "polars")
def _polars(table: Any, threads: int) -> tuple[Run, Any]:
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    keys, outcomes = _roles(table)
    frame = pl.from_arrow(table)
    if isinstance(frame, pl.DataFrame):
        frame = frame.rechunk()
    figures = [
        figure for y in outcomes for figure in
        (pl.col(y).count().alias(f"n_{y}"), pl.col(y).mean().alias(f"m_{y}"), pl.col(y).var().alias(f"v_{y}"))
    ]  # fmt: skip
    if _has_weights(table):
        w = pl.col("w")
        figures = [
            figure for y in outcomes for mean in [(w * pl.col(y)).sum() / w.sum()] for figure in
            (pl.col(y).count().alias(f"n_{y}"), mean.alias(f"m_{y}"),
             ((w * pl.col(y) * pl.col(y)).sum() / w.sum() - mean**2).alias(f"v_{y}"))
        ]  # fmt: skip
    return (
        lambda: frame.group_by(keys).agg(figures),
        lambda found: _digest(found[:, 0], *(found[:, k].to_numpy() for k in (-3, -2, -1))),
    )


@contestant("pandas", "pandas")
def _pandas(table: Any, threads: int) -> tuple[Run, Any]:
    keys, outcomes = _roles(table)
    frame = table.to_pandas()
    if _has_weights(table):
        y = outcomes[-1]

        def sums() -> Any:
            products = frame.assign(n=1, wy=frame["w"] * frame[y], wyy=frame["w"] * frame[y] ** 2)
            return products.groupby(keys, sort=False, observed=True)[["n", "w", "wy", "wyy"]].sum()

        return sums, _weighted_digest
    return (
        lambda: frame.groupby(keys, sort=False, observed=True)[outcomes].agg(["count", "mean", "var"]),
        lambda found: _digest(found.index, *(found.iloc[:, k] for k in (-3, -2, -1))),
    )


@contestant("pyarrow", "pyarrow")
def _pyarrow(table: Any, threads: int) -> tuple[Run, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    pa.set_cpu_count(threads)
    keys, outcomes = _roles(table)
    options = pc.VarianceOptions(ddof=1)
    figures = [
        f for y in outcomes for f in ((y, "count", None), (y, "mean", None), (y, "variance", options))
    ]  # fmt: skip

    def answer(found: Any) -> list[float]:
        y = outcomes[-1]
        return _digest(found.column(0), *(found[f"{y}_{f}"].to_numpy() for f in ("count", "mean", "variance")))

    if _has_weights(table):
        y, w = table[outcomes[-1]], table["w"]

        def sums() -> Any:
            products = table.append_column("wy", pc.multiply(w, y)).append_column(
                "wyy", pc.multiply(pc.multiply(w, y), y)
            )
            wanted = [(outcomes[-1], "count"), ("w", "sum"), ("wy", "sum"), ("wyy", "sum")]
            found = products.group_by(keys).aggregate(wanted)
            return {
                name: found[f"{column}_{what}"].to_numpy() for (column, what), name in zip(wanted, _SUMS, strict=True)
            }

        return sums, _weighted_digest
    return lambda: table.group_by(keys).aggregate(figures), answer


# Whole fits. The answer is gamma00, tau00, sigma2.


@contestant("fastml fit", "fastml-icc")
def _fastml_fit(table: Any, threads: int) -> tuple[Run, Any]:
    import fastml

    frame = table.to_pandas()
    return lambda: fastml.fit(frame, "y", "g", threads=threads), lambda fit: [fit.gamma00, fit.tau00, fit.sigma2]


@contestant("mixedlm-rs", "mixedlm-rs")
def _mixedlm_rs(table: Any, threads: int) -> tuple[Run, Any]:
    import mixedlm_rs

    frame = table.to_pandas()
    return (
        lambda: mixedlm_rs.mixedlm("y ~ 1", frame, groups="g").fit(),
        lambda fit: [fit.fe_params[0], fit.cov_re[0, 0], fit.scale],
    )


@contestant("mixedlm-rs, its arrays", "mixedlm-rs")
def _mixedlm_rs_arrays(table: Any, threads: int) -> tuple[Run, Any]:
    import mixedlm_rs
    import numpy as np

    frame = table.to_pandas()
    y, g, one = frame["y"].to_numpy(), frame["g"].to_numpy(), np.ones((len(frame), 1))
    return (
        lambda: mixedlm_rs.MixedLM(y, one, groups=g).fit(),
        lambda fit: [fit.fe_params[0], fit.cov_re[0, 0], fit.scale],
    )


@contestant("mixedlm", "mixedlm")
def _mixedlm(table: Any, threads: int) -> tuple[Run, Any]:
    import mixedlm

    frame = table.to_pandas()

    def answer(fit: Any) -> list[float]:
        return [float(fit.fixef()["(Intercept)"]), float((fit.theta[0] * fit.sigma) ** 2), float(fit.sigma**2)]

    return lambda: mixedlm.lmer("y ~ 1 + (1|g)", frame), answer


@contestant("lme-python", "lme-python")
def _lme_python(table: Any, threads: int) -> tuple[Run, Any]:
    import lme_python

    frame = table.to_pandas()
    return (
        lambda: lme_python.lmer("y ~ 1 + (1|g)", frame),
        lambda fit: [fit.coefficients[0], fit.var_corr[0][3], fit.sigma2],
    )


@contestant("glmm", "glmm")
def _glmm(table: Any, threads: int) -> tuple[Run, Any]:
    import glmm

    frame = table.to_pandas()
    return (
        lambda: glmm.fit(frame, "y ~ 1 + (1|g)"),
        lambda fit: [float(fit.beta[0]), float(fit.tau2[0]), float(fit.dispersion)],
    )


@contestant("statsmodels", "statsmodels")
def _statsmodels(table: Any, threads: int) -> tuple[Run, Any]:
    import numpy as np
    from statsmodels.regression.mixed_linear_model import MixedLM

    frame = table.to_pandas()
    return (
        lambda: MixedLM(frame["y"], np.ones(len(frame)), groups=frame["g"]).fit(reml=True),
        lambda fit: [float(fit.fe_params.iloc[0]), float(np.asarray(fit.cov_re)[0, 0]), float(fit.scale)],
    )


# fit_by, and the loop it replaces. The answer is the sum of all gamma00, tau00 and sigma2.


@contestant("fastml fit_by", "fastml-icc")
def _fit_by(table: Any, threads: int) -> tuple[Run, Any]:
    import fastml

    frame = table.to_pandas()
    outcomes = _roles(table)[1]

    def answer(fits: Any) -> list[float]:
        shown = fits.to_frame()
        return [float(shown[name].sum()) for name in ("gamma00", "tau00", "sigma2")]

    return lambda: fastml.fit_by(frame, outcomes, "g", by="cell", threads=threads), answer


@contestant("a loop of fastml fit", "fastml-icc")
def _fit_loop(table: Any, threads: int) -> tuple[Run, Any]:
    import fastml

    frame = table.to_pandas()
    outcomes = _roles(table)[1]

    def run() -> list[Any]:
        return [
            fastml.fit(part, y, "g", threads=threads)
            for cell in frame["cell"].unique()
            for part in [frame[frame["cell"] == cell]]
            for y in outcomes
        ]

    return run, lambda fits: [sum(getattr(fit, n) for fit in fits) for n in ("gamma00", "tau00", "sigma2")]


def _in_numpy_memory(table: Any) -> Any:
    """The same table, its numbers where NumPy, and so pandas, puts them: in large pages where the system has them."""
    import numpy as np
    import pyarrow as pa

    return pa.table({
        field.name: column if pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)
        else pa.array(np.array(column)) for field, column in zip(table.schema, table.columns, strict=True)
    })  # fmt: skip


def prepare(name: str, file: str, threads: int) -> tuple[Run, Callable[[Any], Any], str]:
    """What a peer runs on the rows of a file, what makes an answer of it, and the version of its package."""
    import pyarrow as pa

    setup, package = CONTESTANTS[name]
    with pa.OSFile(file) as source:
        table = _in_numpy_memory(pa.ipc.open_file(source).read_all())
    return *setup(table, threads), f"{package} {importlib.metadata.version(package)}"


def main() -> None:
    name, file, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "FASTML_NUM_THREADS"):
        os.environ[variable] = str(threads)
    warnings.simplefilter("ignore")
    try:
        run, answer, version = prepare(name, file, threads)
    except ImportError as error:
        print(json.dumps({"ready": False, "why": f"{type(error).__name__}: {error}"}), flush=True)
        return
    print(json.dumps({"ready": True, "version": version}), flush=True)
    first = True
    for line in sys.stdin:
        if line.strip() != "go":
            break
        best, turn = float("inf"), time.perf_counter()
        while True:
            begin = time.perf_counter()
            found = run()
            best = min(best, time.perf_counter() - begin)
            if first or time.perf_counter() - turn > TURN:
                break
        print(json.dumps({"seconds": best, "answer": answer(found) if first else None}), flush=True)
        first = False
        del found


if __name__ == "__main__":
    main()
