"""Synthetic assessments of any size, for tests, benchmarks and planning."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ArgumentError, ValueNotAllowedError, called_as
from fastml.io.writing import check_parquet_name, replace_file, replace_folder

__all__ = ["simulate", "simulate_files"]

Floats = npt.NDArray[np.float64]

Order = Literal["school", "random"]

# Rows of a row group. Each has its own random stream, so that the rows are the same for any number of files.
CHUNK = 1 << 20
_MOST = 2**63 - 1

_PLAUSIBLE = 0.1  # share of sigma2 that lies between the plausible values of a student


@dataclass(frozen=True)
class _Settings:
    students: int
    schools: int
    gamma00: float
    tau00: float
    sigma2: float
    outcomes: int
    weights: bool
    order: str
    seed: int


@called_as("simulate(students=10_000, schools=400)")
def simulate(
    *,
    students: int = 10_000,
    schools: int = 400,
    gamma00: float = 500.0,
    tau00: float = 3000.0,
    sigma2: float = 7000.0,
    outcomes: int = 1,
    weights: bool = False,
    order: Order = "school",
    seed: int = 0,
) -> pa.Table:
    """Draw students in schools from the model, in memory.

    Parameters
    ----------
    students, schools : int
        Their numbers. School sizes vary as real ones do (their logarithms have a standard deviation of about 0.5).
    gamma00 : float
        Mean, in score points.
    tau00, sigma2 : float
        Variances between and within schools, in score points squared.
    outcomes : int
        1: a column ``score``. More: plausible values ``score1``, ``score2``, ... of each student.
    weights : bool
        Add ``student_weight`` (total) and ``school_weight``.
    order : {"school", "random"}
        Students school by school, as real files have them, or shuffled: a school is drawn for each student then, so
        that a small one may get none.
    seed : int
        The same seed and arguments give the same rows.

    Returns
    -------
    pyarrow.Table
        Columns ``school`` (1, 2, ...), the scores and weights.

    Examples
    --------
    >>> import fastml
    >>> table = fastml.simulate(students=1000, schools=50, seed=7)
    >>> table.num_rows, table.column_names
    (1000, ['school', 'score'])
    """
    settings = _check(students, schools, gamma00, tau00, sigma2, outcomes, weights, order, seed)
    return pa.Table.from_batches(list(_batches(settings)))


@called_as("simulate_files('scores', students=10_000, schools=400, files=4)")
def simulate_files(
    path: str | os.PathLike[str],
    *,
    students: int = 10_000,
    schools: int = 400,
    gamma00: float = 500.0,
    tau00: float = 3000.0,
    sigma2: float = 7000.0,
    outcomes: int = 1,
    weights: bool = False,
    order: Order = "school",
    seed: int = 0,
    files: int = 1,
) -> list[Path]:
    """Draw students in schools from the model straight to Parquet; memory holds one row group.

    Parameters
    ----------
    path : str or path
        The file; with ``files`` above 1 the folder, made if need be, of part-0.parquet, part-1.parquet, ...
    students, schools, gamma00, tau00, sigma2, outcomes, weights, order, seed
        As in `simulate`, which draws the same rows.
    files : int
        Number of files; the rows are the same for any.

    Returns
    -------
    list of path
        The files. A single one is replaced whole or not at all, a folder as a whole.

    Raises
    ------
    SourceError
        A file can't be written, or the folder holds others.

    Examples
    --------
    >>> import tempfile, fastml
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = fastml.simulate_files(f"{folder}/scores", students=1000, schools=50, files=2)
    ...     [path.name for path in made], fastml.fit(f"{folder}/scores", "score", "school").n_obs
    (['part-0.parquet', 'part-1.parquet'], 1000)
    """
    import pyarrow.parquet as pq

    settings = _check(students, schools, gamma00, tau00, sigma2, outcomes, weights, order, seed)
    _check_count("files", files, 1)
    if files > students:
        raise ValueNotAllowedError(f"files={files} is more than students={students}")
    rest = _Rows(_batches(settings))
    schema = next(_batches(_check(1, 1, 0.0, 1.0, 1.0, outcomes, weights, order, seed))).schema
    dictionaries = [name for name in schema.names if not name.startswith("score")]

    def fill(file: Any, n_rows: int) -> None:
        with pq.ParquetWriter(file, schema, use_dictionary=dictionaries) as writer:
            for batch in rest.take(n_rows):
                writer.write_batch(batch, row_group_size=CHUNK)

    if files == 1:
        check_parquet_name(path)
        replace_file(path, partial(fill, n_rows=settings.students))
        return [Path(path)]
    names = [f"part-{i:0{len(str(files - 1))}d}.parquet" for i in range(files)]
    ends = [settings.students * (i + 1) // files for i in range(files)]

    def fill_folder(folder: Path) -> None:
        for name, start, end in zip(names, [0, *ends], ends, strict=False):
            replace_file(folder / name, partial(fill, n_rows=end - start))

    replace_folder(path, names, fill_folder)
    return [Path(path) / name for name in names]


class _Rows:
    """A stream of batches, read in any number of rows."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._left: pa.RecordBatch | None = None

    def take(self, n_rows: int) -> Iterator[pa.RecordBatch]:
        while n_rows:
            batch = self._left if self._left is not None else next(self._batches)
            self._left = batch.slice(n_rows) if batch.num_rows > n_rows else None
            batch = batch.slice(0, n_rows)
            n_rows -= batch.num_rows
            yield batch


def _check(
    students: int, schools: int, gamma00: float, tau00: float, sigma2: float, outcomes: int, weights: bool, order: str,
    seed: int,
) -> _Settings:  # fmt: skip
    for name, count, least in (("students", students, 1), ("schools", schools, 1), ("outcomes", outcomes, 1),
                               ("seed", seed, 0)):  # fmt: skip
        _check_count(name, count, least)
    if schools > students:
        raise ValueNotAllowedError(f"schools={schools} is more than students={students}; a school has one or more")
    for name, value in (("gamma00", gamma00), ("tau00", tau00), ("sigma2", sigma2)):
        if not (isinstance(value, Real) and math.isfinite(value)) or (name != "gamma00" and value < 0):
            raise ValueNotAllowedError(f"{name}={value!r}; a mean is a finite number, a variance one of 0 or more")
    if order not in get_args(Order):
        raise ArgumentError("order", order, get_args(Order))
    return _Settings(int(students), int(schools), gamma00, tau00, sigma2, int(outcomes), weights, order, int(seed))


def _check_count(name: str, count: Any, least: int) -> None:
    number = isinstance(count, Real) and not isinstance(count, bool) and math.isfinite(count)
    if not number or count % 1 or not least <= count <= _MOST:
        raise ValueNotAllowedError(f"{name}={count!r}; it is a whole number of {least} or more, below 2^63")


def _batches(settings: _Settings) -> Iterator[pa.RecordBatch]:
    """Rows in chunks of CHUNK."""
    rng = np.random.default_rng([settings.seed, 0])
    share = np.exp(0.5 * rng.standard_normal(settings.schools))
    share /= share.sum()
    effect = settings.gamma00 + np.sqrt(settings.tau00) * rng.standard_normal(settings.schools)
    school_weight = np.round(1.0 + rng.exponential(5.0, settings.schools), 4) if settings.weights else None
    sizes = 1 + rng.multinomial(settings.students - settings.schools, share)
    ends = np.cumsum(sizes if settings.order == "school" else share * settings.students)
    for i, start in enumerate(range(0, settings.students, CHUNK)):
        rng = np.random.default_rng([settings.seed, 1, i])
        n = min(CHUNK, settings.students - start)
        at = np.arange(start, start + n) if settings.order == "school" else rng.random(n) * ends[-1]
        school = np.minimum(np.searchsorted(ends, at, side="right"), settings.schools - 1)
        columns: dict[str, Any] = {"school": school + 1}
        columns |= _scores(settings, effect[school], rng)
        if school_weight is not None:
            columns["student_weight"] = school_weight[school] * rng.integers(1, 4, n)
            columns["school_weight"] = school_weight[school]
        yield pa.record_batch(columns)


def _scores(settings: _Settings, mean: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    if settings.outcomes == 1:
        return {"score": mean + np.sqrt(settings.sigma2) * rng.standard_normal(len(mean))}
    student = mean + np.sqrt((1.0 - _PLAUSIBLE) * settings.sigma2) * rng.standard_normal(len(mean))
    noise = np.sqrt(_PLAUSIBLE * settings.sigma2)
    return {f"score{k + 1}": student + noise * rng.standard_normal(len(mean)) for k in range(settings.outcomes)}
