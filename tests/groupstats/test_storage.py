"""Statistics are written exactly, never half, and damaged ones are refused."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import countries_together
from group_statistics import everything, gather, rows, students

import fastml
from fastml import FastmlError, GroupStats
from fastml.errors import SourceError


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


@countries_together
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
    for i in (0, 3):  # a few moments more are tests/torture.py's
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


class TestFiles:
    def stats(self) -> GroupStats:
        return everything(rows())

    def test_a_foreign_parquet_file(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
        with pytest.raises(FastmlError, match="holds no fastml statistics"):
            GroupStats.read(tmp_path / "x.parquet")
        with pytest.raises(FastmlError, match="holds no fastml statistics"):
            GroupStats.from_arrow(pa.table({"x": [1]}))

    def test_a_file_cut_short(self, tmp_path: Path) -> None:
        path = tmp_path / "s.parquet"
        self.stats().write(path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(FastmlError, match="is not a Parquet file that can be read"):
            GroupStats.read(path)

    def test_an_unknown_version(self, tmp_path: Path) -> None:
        table = self.stats().to_arrow()
        description = json.loads(table.schema.metadata[b"fastml"])
        description["version"] = 99
        pq.write_table(table.replace_schema_metadata({"fastml": json.dumps(description)}), tmp_path / "s.parquet")
        with pytest.raises(FastmlError, match="version 99; this fastml reads version 1"):
            GroupStats.read(tmp_path / "s.parquet")

    def test_a_column_taken_away(self, tmp_path: Path) -> None:
        pq.write_table(self.stats().to_arrow().drop_columns(["ss:math"]), tmp_path / "s.parquet")
        with pytest.raises(FastmlError, match="damaged fastml statistics"):
            GroupStats.read(tmp_path / "s.parquet")

    @pytest.mark.parametrize("name", ["stats.csv", "stats.Feather", "stats.parquet.gz"])
    def test_the_name_of_another_format(self, name: str, tmp_path: Path) -> None:
        stats = fastml.group_stats({"y": [1.0, 2.0], "g": [1, 2]}, "y", "g")
        with pytest.raises(SourceError, match=f"written to .*{name} is Parquet; name it .parquet, not"):
            stats.write(tmp_path / name)
        assert list(tmp_path.iterdir()) == []
        stats.write(tmp_path / "stats.2019")  # an ending of no format is a part of the name
        assert len(GroupStats.read(tmp_path / "stats.2019")) == 2

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FastmlError, match="can't write to"):
            self.stats().write(tmp_path / "no" / "s.parquet")

    def test_a_failed_write_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "s.parquet"
        stats = self.stats()
        stats.write(path)
        before = path.read_bytes()

        def broken(table: pa.Table, file: object, **_: object) -> None:
            file.write(b"half")  # type: ignore[attr-defined]
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(pq, "write_table", broken)
        with pytest.raises(FastmlError, match="No space left on device"):
            stats.write(path)
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["s.parquet"]


class TestDamage:
    """A file of statistics whose parts contradict each other."""

    def changed(self, columns: dict[str, object], **description: object) -> pa.Table:
        table = everything(rows()).to_arrow()
        for name, change in columns.items():
            values = table[name].to_numpy().copy()
            values[3] = change
            table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
        said = json.loads(table.schema.metadata[b"fastml"]) | description
        return table.replace_schema_metadata({"fastml": json.dumps(said)})

    @pytest.mark.parametrize(("columns", "description", "problem"), [
        ({}, {"by": [1], "group": ["school"]}, "its names are no names"),
        ({}, {"group": []}, "its names are no names"),
        ({}, {"by": [], "group": ["school"]}, "its keys are others than it says"),
        ({}, {"origins": [[1, 2, "a"]]}, "its names are no names"),
        ({}, {"origins": [["a", -1, "a"]]}, "a number of rows is no whole number"),
        ({}, {"origins": [["a", 1]]}, ""),
        ({}, {"origins": [["a", 1, "a", None, True, []]]}, "its options are none"),
        ({}, {"origins": [["a", 1, "a", None, True, {"missing": 9}]]}, "its options are none"),
        ({}, {"origins": [["a", 1, "a", None, True, {"missing": [[9]]}]]}, "its options are none"),
        ({}, {"origins": [["a", 1, "a", None, True, {"csv_options": ";"}]]}, "its options are none"),
        ({"rows": 0}, {}, "a group counts more observations than it has rows"),
        ({"n:math": 10**6}, {}, "a group counts more observations than it has rows"),
        ({"no_weight": 10**6}, {}, "a group counts more observations than it has rows"),
        ({"zero_weight": 10**6}, {}, "a group counts more observations than it has rows"),
        ({}, {"weights": None, "group_weights": None}, "its weights are others than it says"),
        ({"rows": -1}, {}, "a number of rows is no whole number"),
        ({"n:math": -2}, {}, "a number of rows is no whole number"),
        ({"ss:math": -1.0}, {}, "a mean or sum of squares is no number"),
        ({"mean:read": math.inf}, {}, "a mean or sum of squares is no number"),
        ({"w_ss:math": math.nan}, {}, "a weighted mean or sum of squares is no number"),
        ({"group_weight": 0.0}, {}, "a group's weight is no number above 0"),
        ({"key:school": 3}, {}, "a group is there twice"),
        ({"key:school": 900}, {}, "its groups are not in order"),
    ])  # fmt: skip
    def test_contradictions(self, columns: dict[str, object], description: dict[str, object], problem: str) -> None:
        assert GroupStats.from_arrow(self.changed({})).outcomes == ("math", "read")
        with pytest.raises(FastmlError, match=rf"holds damaged fastml statistics \({problem}"):
            GroupStats.from_arrow(self.changed(columns, **description))

    def test_metadata_of_something_else(self) -> None:
        with pytest.raises(FastmlError, match="holds no fastml statistics"):
            GroupStats.from_arrow(self.changed({}, content="a diary"))
