"""Statistics: addition, the round trip through Arrow and Parquet, published summaries, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError, GroupStats
from fastml.errors import SourceError


def rows(seed: int = 0, n: int = 500) -> pa.Table:
    rng = np.random.default_rng(seed)
    school = rng.integers(1, 30, n)
    return pa.table({
        "country": pa.array(rng.choice(["NOR", "SWE"], n)),
        "school": school,
        "math": pa.array(rng.normal(500, 100, n), mask=rng.random(n) < 0.1),
        "read": rng.normal(480, 90, n),
        "w": np.where(rng.random(n) < 0.05, 0.0, rng.uniform(0.5, 3, n)),
        "v": 1.0 + school % 4,
    })  # fmt: skip


def everything(table: pa.Table) -> GroupStats:
    return fastml.group_stats(table, ["math", "read"], "school", by="country", weights="w", group_weights="v")


def assert_same(a: GroupStats, b: GroupStats, tolerance: float = 0.0) -> None:
    assert a.keys.equals(b.keys)
    for name in ("by", "group", "outcomes", "weights", "group_weights", "labelled"):
        assert getattr(a, name) == getattr(b, name)
    assert np.array_equal(a.counts, b.counts)
    for left, right in ((a.moments, b.moments), (a.weighted, b.weighted)):
        assert left is not None
        assert right is not None
        left, right = left.copy(), right.copy()
        # mean + residual is the mean; which double comes first is a matter of rounding.
        for tensor in (left, right):
            tensor[..., 1] += tensor[..., 2]
            tensor[..., 2] = 0.0
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=0)
    np.testing.assert_array_equal(a.group_weight, b.group_weight)


def test_records_against_plain_arithmetic() -> None:
    table = rows()
    stats = everything(table)
    frame = table.to_pydict()
    keys = list(zip(stats.keys["country"].to_pylist(), stats.keys["school"].to_pylist(), strict=True))
    assert keys == sorted(set(zip(frame["country"], frame["school"], strict=True)))
    for cell, key in enumerate(keys):
        mine = [i for i in range(table.num_rows) if (frame["country"][i], frame["school"][i]) == key]
        assert stats.counts[cell].tolist() == [len(mine), 0, sum(frame["w"][i] == 0 for i in mine)]
        assert stats.group_weight is not None
        assert stats.group_weight[cell] == frame["v"][mine[0]]
        for k, outcome in enumerate(("math", "read")):
            used = [i for i in mine if frame["w"][i] > 0 and frame[outcome][i] is not None]
            y, w = ([frame[name][i] for i in used] for name in (outcome, "w"))
            n, mean, residual, ss = stats.moments[k, cell]
            assert n == len(used)
            if not used:
                continue
            true = math.fsum(y) / len(y)
            assert math.isclose(mean + residual, true, rel_tol=1e-15)
            assert math.isclose(ss, math.fsum((v - true) ** 2 for v in y), rel_tol=1e-12, abs_tol=1e-20)
            total, mean, residual, ss, squares = stats.weighted[k, cell]  # type: ignore[index]
            true = math.fsum(a * v for a, v in zip(w, y, strict=True)) / math.fsum(w)
            assert math.isclose(total, math.fsum(w), rel_tol=1e-14)
            assert math.isclose(squares, math.fsum(a * a for a in w), rel_tol=1e-14)
            assert math.isclose(mean + residual, true, rel_tol=1e-14)
            wss = math.fsum(a * (v - true) ** 2 for a, v in zip(w, y, strict=True))
            assert math.isclose(ss, wss, rel_tol=1e-12, abs_tol=1e-20)


@pytest.mark.parametrize("seed", range(5))
def test_sum_of_parts_in_any_order(seed: int) -> None:
    table = rows(seed)
    whole = everything(table)
    rng = np.random.default_rng(seed)
    piece = rng.integers(0, 6, table.num_rows)
    parts = [everything(table.filter(pa.array(piece == k))) for k in range(6)]
    orders = [list(rng.permutation(6)) for _ in range(3)]
    for order in orders:
        assert_same(sum((parts[k] for k in order[1:]), start=parts[order[0]]), whole, 1e-12)
    left = (parts[0] + parts[1]) + (parts[2] + parts[3])
    right = parts[3] + (parts[2] + (parts[1] + parts[0]))
    assert_same(left, right, 1e-12)
    assert_same(sum(parts), sum(parts[1:], start=parts[0]))


def test_addition_leaves_its_terms_alone() -> None:
    a, b = everything(rows(1)), everything(rows(2))
    before = a.moments.copy(), b.moments.copy()
    a + b
    assert np.array_equal(before[0], a.moments)
    assert np.array_equal(before[1], b.moments)


@pytest.mark.parametrize("seed", range(3))
def test_write_then_read_is_exact(tmp_path: Path, seed: int) -> None:
    stats = everything(rows(seed))
    path = tmp_path / "stats.parquet"
    stats.write(path)
    again = GroupStats.read(path)
    assert_same(again, stats)
    assert np.array_equal(again.moments, stats.moments)
    assert again.to_arrow().equals(stats.to_arrow(), check_metadata=True)
    assert [p.name for p in tmp_path.iterdir()] == ["stats.parquet"]
    assert_same(GroupStats.from_arrow(stats.to_arrow()), stats)


def test_fit_of_a_file_of_statistics(tmp_path: Path, lecture_file: Path) -> None:
    stats = fastml.group_stats(lecture_file, "bsmmatxx", "idschool")
    stats.write(tmp_path / "s.parquet")
    direct = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    for other in (fastml.fit(stats), fastml.fit(tmp_path / "s.parquet"), fastml.fit(str(tmp_path / "s.parquet"))):
        assert other.to_dict() == direct.to_dict()


def test_tags_keep_cycles_apart() -> None:
    a = fastml.group_stats({"y": [1.0, 2.0, 5.0], "id": [1, 1, 2]}, "y", "id", tags={"cycle": 2019})
    b = fastml.group_stats({"y": [3.0, 4.0, 9.0], "id": [1, 1, 2]}, "y", "id", tags={"cycle": 2023})
    both = a + b
    assert both.group == ("cycle", "id")
    assert both.keys.to_pydict() == {"cycle": [2019, 2019, 2023, 2023], "id": [1, 2, 1, 2]}
    table = fastml.fit(both).groups()
    assert list(table.columns[:3]) == ["cycle", "id", "n"]


def test_tags_may_split_the_data() -> None:
    tables = {2019: rows(1), 2023: rows(2)}
    call = {"outcome": "math", "group": "school", "weights": "w", "group_weights": "v"}
    parts = [fastml.group_stats(t, **call, by=["country", "cycle"], tags={"cycle": c}) for c, t in tables.items()]
    both = sum(parts[1:], start=parts[0])
    assert (both.by, both.group) == (("country", "cycle"), ("school",))
    together = pa.concat_tables([t.append_column("cycle", pa.array([c] * t.num_rows)) for c, t in tables.items()])
    whole = fastml.group_stats(together, **call, by=["country", "cycle"])
    assert both.keys.equals(whole.keys)
    np.testing.assert_allclose(both.moments[..., 3], whole.moments[..., 3], rtol=1e-12)
    icc = fastml.fit_by(both, by=["country", "cycle"]).to_frame()["icc"]
    np.testing.assert_allclose(icc, fastml.fit_by(whole).to_frame()["icc"], rtol=1e-10)
    with pytest.raises(FastmlError, match="has one role"):
        fastml.group_stats(tables[2019], "math", "school", by="school", tags={"school": 1})


@pytest.mark.parametrize(("left", "right"), [
    (pa.int32(), pa.int64()), (pa.int64(), pa.float64()), (pa.string(), pa.large_string()),
])  # fmt: skip
def test_keys_of_two_types_that_mean_the_same(left: pa.DataType, right: pa.DataType) -> None:
    ids = pa.array(["7", "8", "8"] if pa.types.is_string(left) else [7, 8, 8])
    a, b = (fastml.group_stats(pa.table({"y": [1.0, 2.0, 4.0], "id": ids.cast(t)}), "y", "id") for t in (left, right))
    assert (a + b).groups().n.tolist() == [2, 4]
    assert (b + a).groups().n.tolist() == [2, 4]


REFUSED = {
    "outcomes": lambda t: fastml.group_stats(t, "read", "school"),
    "group": lambda t: fastml.group_stats(t, "math", "country"),
    "by": lambda t: fastml.group_stats(t, "math", "school", by="country"),
    "weights": lambda t: fastml.group_stats(t, "math", "school", weights="w"),
    "group_weights": lambda t: fastml.group_stats(t, "math", "school", group_weights="v"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_statistics_of_different_things_do_not_add(what: str) -> None:
    table = rows()
    with pytest.raises(FastmlError, match=rf"different {what} can't be added"):
        fastml.group_stats(table, "math", "school") + REFUSED[what](table)


def test_other_refusals_of_addition() -> None:
    a = fastml.group_stats({"y": [1.0, 2.0], "id": [1, 1]}, "y", "id")
    b = fastml.group_stats({"y": [1.0, 2.0], "id": ["1", "1"]}, "y", "id")
    with pytest.raises(FastmlError, match=r"key 'id' has type int64 in one of the statistics and (large_)?string"):
        a + b
    plain = GroupStats.from_summary(n=[2, 2], mean=[1, 2], sd=[1, 1])
    with pytest.raises(FastmlError, match="without labels can't be added"):
        plain + plain
    c, d = (fastml.group_stats({"y": [1.0], "id": [1], "v": [v]}, "y", "id", group_weights="v") for v in (2.0, 3.0))
    with pytest.raises(FastmlError, match=r"group 1 has group weight 2\.0 in .* and 3\.0 in the other"):
        c + d
    with pytest.raises(TypeError):
        a + 1


def test_rows_without_a_label_are_counted_through_addition() -> None:
    a = fastml.group_stats({"y": [1.0, math.nan, 3.0, 5.0], "id": [1.0, 1.0, math.nan, 2.0]}, "y", "id")
    b = fastml.group_stats({"y": [None, 2.0, 7.0], "id": [None, 1.0, 2.0]}, "y", "id")
    assert a.dropped() == {"group": 1, "outcome": 1}
    assert (a + b).dropped() == {"group": 2, "outcome": 1}
    assert (a + b).groups().n.tolist() == [2, 2]
    assert len(a + b) == 2


def test_dropped_rows_by_cause() -> None:
    nan = math.nan
    table = {
        "c": ["A", None, "A", "A", "A", "A", "A"],
        "id": [1, 1, None, 1, 1, 1, 2],
        "y": [1.0, 2.0, 3.0, nan, 5.0, 6.0, 7.0],
        "w": [1.0, 1.0, nan, nan, nan, 0.0, 2.0],
        "v": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    }
    stats = fastml.group_stats(table, "y", "id", by="c", weights="w", group_weights="v")
    assert stats.dropped() == {"by": 1, "group": 1, "weights": 2, "zero_weight": 1, "outcome": 0}
    assert stats.groups().n.tolist() == [1, 1]


class TestSummary:
    def test_published_school_table(self, lecture_file: Path) -> None:
        direct = fastml.fit(lecture_file, "bsmmatxx", "idschool")
        with pq.ParquetFile(lecture_file) as file:
            frame = file.read().to_pandas()
        table = frame.groupby("idschool")["bsmmatxx"].agg(["size", "mean", "std"]).sample(frac=1, random_state=0)
        stats = GroupStats.from_summary(group=table.index, n=table["size"], mean=table["mean"], sd=table["std"])
        other = fastml.fit(stats)
        for name in ("gamma00", "tau00", "sigma2", "df", "loglik"):
            assert math.isclose(getattr(other, name), getattr(direct, name), rel_tol=1e-12)
        assert other.groups()["group"].tolist() == sorted(table.index)

    def test_sd_is_null_for_one_student(self) -> None:
        stats = GroupStats.from_summary(group=["a", "b", "c"], n=[3, 1, 2], mean=[1, 2, 3], sd=[1.0, None, 2.0])
        assert stats.groups().ss.tolist() == [2.0, 0.0, 4.0]
        assert (stats + stats).groups().n.tolist() == [6, 2, 4]

    @pytest.mark.parametrize(("change", "message"), [
        ({"n": [0, 2]}, "n is 0 in row 0"),
        ({"n": [2.5, 2]}, "n is 2.5 in row 0"),
        ({"sd": [1, -1]}, "sd is -1 in row 1"),
        ({"sd": [None, 1]}, "sd is nan in row 0"),
        ({"n": [1, 2]}, "sd is 1 in row 0.*give null"),
        ({"mean": [1, math.inf]}, "mean is inf in row 1"),
        ({"group": ["a", "a"]}, "a label twice"),
        ({"group": ["a", None]}, "a label twice or a null"),
        ({"mean": [1.0]}, "differ in length"),
        ({"mean": ["x", "y"]}, "must be numeric"),
    ])  # fmt: skip
    def test_refusals(self, change: dict, message: str) -> None:
        call = {"group": ["a", "b"], "n": [2, 2], "mean": [1.0, 2.0], "sd": [1.0, 1.0]}
        with pytest.raises(FastmlError, match=message):
            GroupStats.from_summary(**{**call, **change})


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


def test_repr() -> None:
    assert repr(everything(rows())).startswith("<GroupStats: math, read by school, by ['country']; 500 rows, ")


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


def test_an_outcome_has_to_be_named_where_there_are_two() -> None:
    stats = everything(rows())
    with pytest.raises(FastmlError, match="the statistics have 2 outcomes; choose one with outcome=: 'math', 'read'"):
        stats.groups()
    with pytest.raises(FastmlError, match=r"column 'reed' .*'read'"):
        stats.groups("reed")


def test_tags_that_can_not_be() -> None:
    with pytest.raises(FastmlError, match="without labels can't be tagged"):
        GroupStats.from_summary(n=[2, 2], mean=[1, 2], sd=[1, 1]).tagged({"cycle": 2019})
    with pytest.raises(FastmlError, match="tag 'school' is a key of the statistics already"):
        fastml.group_stats(rows(), "math", "school").tagged({"school": 1})
