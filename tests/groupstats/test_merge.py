"""Statistics of many files are added in any order, written exactly, and never half."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import fewer

import fastml
from fastml import FastmlError, GroupStats
from fastml.reduce.build import merge

PIECES = fewer(50, times=5, at_least=10)


def students(icc: float, seed: int = 4, n: int = 20_000, schools: int = 80) -> pa.Table:
    rng = np.random.default_rng(seed)
    school = rng.integers(0, schools, n)
    y = 500 + rng.normal(0, 100 * math.sqrt(icc), schools)[school] + rng.normal(0, 100 * math.sqrt(1 - icc), n)
    return pa.table({
        "country": pa.array(np.where(school % 2, "NOR", "SWE")), "school": school, "y": y,
        "w": rng.uniform(0.5, 4, n), "v": 1.0 + school % 5,
    })  # fmt: skip


def gather(table: pa.Table) -> GroupStats:
    return fastml.group_stats(table, "y", ["country", "school"], weights="w", group_weights="v")


def tree(parts: Sequence[GroupStats], rng: np.random.Generator) -> GroupStats:
    """Add in a random order and grouping."""
    left = list(parts)
    while len(left) > 1:
        i, j = sorted(rng.choice(len(left), 2, replace=False))
        b, a = left.pop(j), left.pop(i)
        left.append(a + b if rng.random() < 0.5 else b + a)
    return left[0]


@pytest.mark.parametrize("icc", [0.3, 1 - 1e-6, 1 - 1e-12])
def test_fifty_files_in_any_order(icc: float, tmp_path: Path) -> None:
    table = students(icc)
    rng = np.random.default_rng(1)
    piece = rng.integers(0, PIECES, table.num_rows)
    paths = []
    for k in range(PIECES):
        gather(table.filter(pa.array(piece == k))).write(tmp_path / f"{k:02d}.parquet")
        paths.append(tmp_path / f"{k:02d}.parquet")
    whole = gather(table)
    truth = fastml.fit(whole)
    parts = [GroupStats.read(path) for path in paths]
    sums = [tree(parts, rng) for _ in range(5)]
    sums.append(merge(list(rng.permutation([str(p) for p in paths]))))
    for found in sums:
        assert found.keys.equals(whole.keys)
        assert np.array_equal(found.counts, whole.counts)
        for one, other in ((found.moments, whole.moments), (found.weighted, whole.weighted)):
            assert one is not None
            assert other is not None
            np.testing.assert_allclose(one[..., 0], other[..., 0], rtol=1e-13)
            np.testing.assert_allclose(one[..., 1] + one[..., 2], other[..., 1] + other[..., 2], rtol=1e-13)
            np.testing.assert_allclose(one[..., 3:], other[..., 3:], rtol=1e-13)
        fit = fastml.fit(found)
        for name in ("gamma00", "tau00", "sigma2", "icc", "loglik"):
            assert math.isclose(getattr(fit, name), getattr(truth, name), rel_tol=1e-13), name
    plain = [fastml.group_stats(table.filter(pa.array(piece == k)), "y", "school") for k in range(PIECES)]
    one = fastml.fit(table, "y", "school")
    for _ in range(3):
        other = fastml.fit(tree(plain, rng))
        for name in ("gamma00", "se_gamma00", "tau00", "sigma2", "df", "icc"):
            assert math.isclose(getattr(one, name), getattr(other, name), rel_tol=1e-13), name


@pytest.mark.parametrize("seed", range(4))
def test_write_then_read_is_exact(seed: int, tmp_path: Path) -> None:
    table = students(0.2, seed)
    rng = np.random.default_rng(seed)
    ids: list[Any] = [
        table["school"].cast(pa.float64()), table["school"].cast(pa.string()).dictionary_encode(),
        pa.array(rng.integers(0, 2**63 - 1, 80)[table["school"].to_numpy()]),
        table["school"].cast(pa.int32()).cast(pa.date32()),
    ]  # fmt: skip
    y = np.where(rng.random(table.num_rows) < 0.1, np.nan, table["y"].to_numpy() * 10.0 ** rng.integers(-200, 100))
    table = table.set_column(1, "school", ids[seed]).set_column(2, "y", pa.array(y))
    stats = fastml.group_stats(
        table, "y", "school", by="country", weights="w", group_weights="v", tags={"cycle": 2019}, min_group_size=3
    )
    stats.write(tmp_path / "s.parquet")
    again = GroupStats.read(tmp_path / "s.parquet")
    assert again.to_arrow().equals(stats.to_arrow(), check_metadata=True)
    for name in ("counts", "moments", "weighted", "group_weight"):
        assert getattr(again, name).tobytes() == np.ascontiguousarray(getattr(stats, name)).tobytes()
    for name in ("by", "group", "outcomes", "weights", "group_weights", "labelled", "notes"):
        assert getattr(again, name) == getattr(stats, name)


def test_this_week_never_rereads_last_week(tmp_path: Path) -> None:
    table = students(0.2)
    weeks = [table.slice(0, 9000), table.slice(9000)]
    for i, week in enumerate(weeks):
        pq.write_table(week, tmp_path / f"week-{i}.parquet")
    fastml.group_stats(tmp_path / "week-0.parquet", "y", "school").write(tmp_path / "all.stats")
    (tmp_path / "week-0.parquet").unlink()
    total = GroupStats.read(tmp_path / "all.stats") + fastml.group_stats(tmp_path / "week-1.parquet", "y", "school")
    total.write(tmp_path / "all.stats")
    assert math.isclose(fastml.fit(tmp_path / "all.stats").icc, fastml.fit(table, "y", "school").icc, rel_tol=1e-12)


def test_a_school_between_pieces_keeps_its_weight() -> None:
    table = students(0.2)
    a = gather(table.slice(0, 100))
    doubled = table.set_column(4, "v", pa.array(2 * table["v"].to_numpy()))
    b = gather(doubled.slice(100))
    label = r"group \w+, \d+ has group weight .* in one of the statistics and .* in the other"
    with pytest.raises(FastmlError, match=label):
        a + b


class TestSmallGroups:
    def test_they_leave_and_the_record_says_so(self, tmp_path: Path) -> None:
        table = pa.table({"id": [1] * 12 + [2] * 3 + [3] * 10 + [None] * 2, "y": np.arange(27.0)})
        stats = fastml.group_stats(table, "y", "id", min_group_size=10)
        assert stats.keys["id"].to_pylist() == [1, 3]
        # The rows without a school are a cell too, and so few that they could be told apart.
        assert stats.notes == ("groups of fewer than 10 left out: 2 groups, 5 rows",)
        stats.write(tmp_path / "s.parquet")
        assert GroupStats.read(tmp_path / "s.parquet").notes == stats.notes
        both = stats + fastml.group_stats(table, "y", "id")
        assert both.notes == stats.notes

    def test_a_group_with_few_values_of_one_outcome_goes(self) -> None:
        table = {"id": [1] * 6 + [2] * 6, "a": [1.0] * 12, "b": [1.0] * 7 + [None] * 5}
        assert fastml.group_stats(table, ["a", "b"], "id", min_group_size=3).keys["id"].to_pylist() == [1]

    @pytest.mark.parametrize("size", [0, -3, 2.5, True])
    def test_refusals(self, size: Any) -> None:
        with pytest.raises(FastmlError, match="min_group_size="):
            fastml.group_stats({"id": [1], "y": [1.0]}, "y", "id", min_group_size=size)


WRITER = """
import sys, time, fastml
import pyarrow.parquet as pq
stats = fastml.GroupStats.read(sys.argv[1])
write = pq.write_table
def slow(table, file, **options):
    file.write(b"half of it")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
pq.write_table = slow
stats.write(sys.argv[1])
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_writer_leaves_the_old_file(sign: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    gather(students(0.2)).write(path)
    before = path.read_bytes()
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    child.send_signal(sign)
    assert child.wait(20) != 0
    child.stdout.close()
    assert path.read_bytes() == before
    fastml.fit(path)
    if sign == signal.SIGINT:
        assert [p.name for p in tmp_path.iterdir()] == ["s.parquet"]
    # What a killed writer leaves behind is no data: folders skip names that begin with a dot.
    assert fastml.fit(tmp_path).n_obs == 20_000


def test_killed_again_and_again(tmp_path: Path) -> None:
    """At any moment the file is one whole version or the other."""
    a, b = gather(students(0.2, 1)), gather(students(0.2, 2))
    path = tmp_path / "s.parquet"
    a.write(path)
    b.write(tmp_path / "b")
    contents = {path.read_bytes(), (tmp_path / "b").read_bytes()}
    program = (
        "import sys, fastml\n"
        "a, b = map(fastml.GroupStats.read, sys.argv[1:])\n"
        "print('go', flush=True)\n"
        "while True:\n"
        "    b.write(sys.argv[1])\n"
        "    a.write(sys.argv[1])\n"
    )
    for i in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(path), str(tmp_path / "b")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        time.sleep(0.03 * (i + 1) + 0.007)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert path.read_bytes() in contents


def test_a_list_of_statistics_is_fitted_as_their_sum() -> None:
    parts = [gather(students(0.3, seed, n=400)) for seed in (1, 2)]
    assert fastml.fit(parts).to_dict() == fastml.fit(parts[0] + parts[1]).to_dict()  # type: ignore[arg-type]


def test_one_of_several_outcomes_has_to_be_chosen() -> None:
    data = {"y": [1.0, 2.0, 4.0, 8.0], "z": [2.0, 1.0, 1.0, 0.0], "id": [1, 1, 2, 2]}
    stats = fastml.group_stats(data, ["y", "z"], "id")
    with pytest.raises(FastmlError, match="the statistics hold several: choose one"):
        fastml.fit(stats)
    assert fastml.fit(stats, "z").to_dict() == fastml.fit(data, "z", "id").to_dict()
