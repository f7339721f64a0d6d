"""An option that is given twice is an error, unless it takes several values so."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import bad, figures, good
from surveys import pisa


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = pa.table({"s": [1, 1, 2, 2, 3, 3], "y": [3, 5, 8, 6, 1, 4], "w": [2.0, 2, 3, 3, 4, 4],
                      "v1": [1, 1, 2, 2, 3, 3], "v2": [4, 4, 1, 1, 2, 2], "v": [4, 4, 2, 2, 6, 6]})  # fmt: skip
    path = tmp_path_factory.mktemp("once") / "t.parquet"
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    "twice",
    [
        ["--weights", "w", "--weights", "v"],
        ["--weights=w", "--weights=w"],
        ["--method", "ml", "--method", "reml"],
        ["--filter", "y > 1", "--filter", "y < 7"],
        ["--format", "json", "--format", "csv"],
        ["-o", "a", "--output", "b"],
        ["--level", ".9", "--level", ".95"],
        ["--threads", "1", "--threads", "2"],
        ["--decimal", ",", "--decimal", "."],
        ["--vcov", "joint", "--vcov", "block"],
        ["-q", "--quiet"],
        ["--weight-scaling", "size", "--weight-scaling", "size"],
    ],
)
def test_an_option_given_twice(file: Path, twice: list[str]) -> None:
    said = bad("fit", file, "-y", "y", "-g", "s", *twice)
    name = next(word.partition("=")[0] for word in reversed(twice) if word.startswith("--"))
    assert said == f"fastml: {name} is given twice; give it once\n"
    assert list(file.parent.iterdir()) == [file]


def test_every_command_has_the_rule(file: Path, tmp_path: Path) -> None:
    assert "--design is given twice" in bad("survey", file, "--design", "timss", "--design", "pisa", "-y", "y")
    assert "--title is given twice" in bad("report", file, "-y", "y", "-g", "s", "--title", "a", "--title", "b")
    assert "--output is given twice" in bad("merge", file, "-o", tmp_path / "a", "-o", tmp_path / "b")
    assert "--icc is given twice" in bad(
        "plan", "--icc", "0.1", "--icc", "0.2", "--schools", "9", "--cluster-size", "9"
    )


def test_school_weights_given_several_times_are_multiplied(file: Path) -> None:
    call = [file, "-y", "y", "-g", "s", "--weights", "w"]
    product = figures(*call, "--group-weights", "v1", "--group-weights", "v2")
    whole = figures(*call, "--group-weights", "v")
    assert product == whole | {"group_weights": "v1 x v2"}


def test_school_files_given_several_times_are_one(tmp_path: Path) -> None:
    students, schools = pisa(n_replicates=80)
    pq.write_table(pa.table(students), tmp_path / "students.parquet")
    call = ["survey", tmp_path / "students.parquet", "--design", "pisa", "-y", "MATH", "--format", "csv"]
    for name, part in (("all", slice(None)), ("a", slice(7)), ("b", slice(7, None))):
        pq.write_table(pa.table({key: column[part] for key, column in schools.items()}), tmp_path / name)
    one = good(*call, "--school-file", tmp_path / "all")
    two = good(*call, "--school-file", tmp_path / "a", "--school-file", tmp_path / "b")
    assert two.splitlines()[1].split('"{')[0] == one.splitlines()[1].split('"{')[0]


def test_a_design_is_changed_by_settings(tmp_path: Path) -> None:
    students, schools = pisa()
    students["W_SCHGRNRABWT"] = schools["W_SCHGRNRABWT"][students["CNTSCHID"].astype(int) - 1]
    pq.write_table(pa.table(students), tmp_path / "s.parquet")
    call = ["survey", tmp_path / "s.parquet", "--design", "pisa", "-y", "MATH"]
    assert "replicate weight 9 of the 80" in bad(*call)
    text = good(*call, "--set", "count=8", "--set", "n_plausible=5")
    assert "PISA with count=8, n_plausible=5: weighted null model" in text
    assert "MATH has 10 plausible values, where the design has 5" in text
    assert "--set 'count' is not NAME=VALUE" in bad(*call, "--set", "count")
