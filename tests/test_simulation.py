"""Simulated students follow the model, whatever files they are written to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError, simulation
from fastml.simulation import CHUNK


def test_the_parameters_are_those_asked_for() -> None:
    table = fastml.simulate(students=400_000, schools=8000, gamma00=480.0, tau00=2500.0, sigma2=6000.0, seed=5)
    fit = fastml.fit(table, "score", "school")
    assert (fit.n_obs, fit.n_groups) == (400_000, 8000)
    for name, truth in (("gamma00", 480.0), ("tau00", 2500.0), ("sigma2", 6000.0)):
        assert abs(getattr(fit, name) - truth) < 4 * getattr(fit, f"se_{name}"), name


def test_sizes_vary_as_real_ones_do() -> None:
    sizes = fastml.fit(fastml.simulate(students=100_000, schools=2000), "score", "school").groups()["n"]
    assert sizes.min() >= 1
    assert 0.35 < np.log(sizes).std() < 0.65


def test_the_same_seed_gives_the_same_rows() -> None:
    one = fastml.simulate(students=5000, schools=90, seed=3)
    assert one.equals(fastml.simulate(students=5000, schools=90, seed=3))
    assert not one.equals(fastml.simulate(students=5000, schools=90, seed=4))
    assert one["school"].to_pylist() == sorted(one["school"].to_pylist())
    shuffled = fastml.simulate(students=5000, schools=90, seed=3, order="random")
    assert shuffled["school"].to_pylist() != sorted(shuffled["school"].to_pylist())
    assert set(shuffled["school"].to_pylist()) <= set(range(1, 91))


@pytest.mark.parametrize("order", ["school", "random"])
def test_any_number_of_files_holds_the_same_rows(order: str, tmp_path: Path) -> None:
    options = {"students": CHUNK + 5000, "schools": 700, "weights": True, "order": order}
    whole = fastml.simulate(**options)
    (single,) = fastml.simulate_files(tmp_path / "one.parquet", **options)
    with pq.ParquetFile(single) as file:
        assert file.num_row_groups == 2
        assert file.read().equals(whole)
    paths = fastml.simulate_files(tmp_path / "many", files=12, **options)
    assert [path.name for path in paths] == [f"part-{i:02d}.parquet" for i in range(12)]
    assert pa.concat_tables(pq.ParquetFile(path).read() for path in paths).equals(whole)
    assert max(pq.ParquetFile(path).metadata.num_rows for path in paths) - 1 <= whole.num_rows // 12
    assert sorted(p.name for p in tmp_path.iterdir()) == ["many", "one.parquet"]


def test_weights_and_plausible_values() -> None:
    table = fastml.simulate(students=60_000, schools=600, outcomes=5, weights=True, seed=2)
    assert table.column_names == ["school", *(f"score{k}" for k in range(1, 6)), "student_weight", "school_weight"]
    scores = np.column_stack([table[f"score{k}"].to_numpy() for k in range(1, 6)])
    between = np.corrcoef(scores, rowvar=False)[0, 1]
    assert math.isclose(between, 1 - 0.1 * 7000 / 10_000, abs_tol=0.01)
    fit = fastml.fit(table, "score1", "school", weights="student_weight", group_weights="school_weight")
    assert abs(fit.gamma00 - 500.0) < 5 * fit.se_gamma00


def test_no_variance_between_or_within() -> None:
    assert fastml.fit(fastml.simulate(tau00=0.0, seed=1), "score", "school").icc < 0.02
    flat = fastml.simulate(sigma2=0.0, students=100, schools=10)
    with pytest.raises(FastmlError, match="constant inside every group"):
        fastml.fit(flat, "score", "school")


@pytest.mark.parametrize(("options", "message"), [
    ({"students": 0}, "students=0"),
    ({"students": 2.5}, r"students=2\.5"),
    ({"schools": 20_000}, "schools=20000 is more than students=10000"),
    ({"tau00": -1.0}, r"tau00=-1\.0"),
    ({"sigma2": math.nan}, "sigma2=nan"),
    ({"gamma00": math.inf}, "gamma00=inf"),
    ({"seed": -1}, "seed=-1"),
    ({"seed": None}, "seed=None"),
    ({"students": math.nan}, "students=nan"),
    ({"students": math.inf}, "students=inf"),
    ({"students": 10**20}, "students=100000000000000000000; it is a whole number of 1 or more, below"),
    ({"tau00": None}, "tau00=None"),
    ({"gamma00": "x"}, "gamma00='x'"),
    ({"outcomes": 0}, "outcomes=0"),
    ({"students": True}, "students=True"),
    ({"order": "size"}, "order='size' is not one of 'school', 'random'"),
])  # fmt: skip
def test_refusals(options: dict, message: str) -> None:
    with pytest.raises(FastmlError, match=message) as caught:
        fastml.simulate(**options)
    assert "\n" not in str(caught.value)


def test_refusals_of_files(tmp_path: Path) -> None:
    with pytest.raises(FastmlError, match="files=20 is more than students=10"):
        fastml.simulate_files(tmp_path / "x", students=10, schools=2, files=20)
    with pytest.raises(FastmlError, match="files=0"):
        fastml.simulate_files(tmp_path / "x", files=0)
    (tmp_path / "taken").write_text("")
    with pytest.raises(FastmlError, match=r"can't write to .*taken"):
        fastml.simulate_files(tmp_path / "taken", students=10, schools=2, files=2)
    with pytest.raises(FastmlError, match="can't write to"):
        fastml.simulate_files(tmp_path / "no" / "x.parquet", students=10, schools=2)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
    fastml.simulate_files(tmp_path / "many", students=10, schools=2, files=3)
    fastml.simulate_files(tmp_path / "many", students=12, schools=2, files=3)
    with pytest.raises(FastmlError, match=r"many holds part-2\.parquet; remove it first, or name a folder of its own"):
        fastml.simulate_files(tmp_path / "many", students=10, schools=2, files=2)
    assert fastml.fit(tmp_path / "many", "score", "school").n_obs == 12


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("full"), RuntimeError])
@pytest.mark.parametrize("before", [False, True])
def test_interrupted_files_leave_nothing_that_looks_whole(
    error: Any, before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before:
        fastml.simulate_files(tmp_path / "many", students=12, schools=2, files=3)
    write, written = simulation.replace_file, []

    def interrupted(path: Path, fill: Any) -> None:
        if len(written) == 2:
            raise error
        write(path, fill)
        written.append(path)

    monkeypatch.setattr(simulation, "replace_file", interrupted)
    with pytest.raises((KeyboardInterrupt, FastmlError, RuntimeError)):
        fastml.simulate_files(tmp_path / "many", students=15, schools=2, files=3)
    assert [path.name for path in tmp_path.iterdir()] == (["many"] if before else [])
    if before:
        assert fastml.fit(tmp_path / "many", "score", "school").n_obs == 12


def test_a_folder_that_is_replaced_keeps_its_rights_and_a_link_stays(tmp_path: Path) -> None:
    fastml.simulate_files(tmp_path / "real" / "many", students=12, schools=2, files=3)
    (tmp_path / "real" / "many").chmod(0o750)
    (tmp_path / "link").symlink_to("real/many")
    fastml.simulate_files(tmp_path / "link", students=15, schools=2, files=3)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "many").stat().st_mode & 0o777 == 0o750
    assert fastml.fit(tmp_path / "link", "score", "school").n_obs == 15
    (tmp_path / "real" / "many" / ".notes").write_text("mine")
    with pytest.raises(FastmlError, match=r"link holds \.notes; remove it first"):
        fastml.simulate_files(tmp_path / "link", students=15, schools=2, files=3)
