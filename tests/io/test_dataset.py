"""Files of every kind, folders, globs, lists and URIs: the same bits, and one clear line where they can't be read."""

from __future__ import annotations

import datetime
import gzip
import os
import threading
import time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError
from fastml.io.filters import as_expression
from fastml.io.prefetch import in_order

N = 3000


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(3)
    school = np.sort(rng.integers(0, 60, N))
    y = np.round(rng.normal(500, 100, N) + rng.normal(0, 50, 60)[school], 4)
    return pa.table(
        {
            "other": np.arange(N),
            "y": pa.array(y, mask=rng.random(N) < 0.05),
            "id": school,
            "cycle": np.where(np.arange(N) < N // 2, 2019, 2023),
            "country": np.where(school % 3 == 0, "TUR", "USA"),
        }
    )


def same(a: fastml.GroupStats, b: fastml.GroupStats) -> None:
    """Two statistics are the same to the bit, label types included."""
    one, other = a.to_arrow(), b.to_arrow()
    assert one.schema.equals(other.schema), (one.schema, other.schema)
    assert one.equals(other)


@pytest.fixture(scope="module")
def truth(table: pa.Table) -> fastml.GroupStats:
    return fastml.group_stats(table, "y", "id")


def cut(table: pa.Table, pieces: int) -> list[pa.Table]:
    edges = [N * i // pieces for i in range(pieces + 1)]
    return [table.slice(a, b - a) for a, b in pairwise(edges)]


def csv_text(table: pa.Table, delimiter: str = ",", decimal: str = ".", missing: str = "") -> str:
    lines = [delimiter.join(table.column_names)]
    for row in table.to_pylist():
        texts = [missing if v is None else str(v) for v in row.values()]
        lines.append(delimiter.join(t if t == missing else t.replace(".", decimal) for t in texts))
    return "\n".join(lines) + "\n"


class TestKinds:
    """Each kind of file gives the bits of the table in memory."""

    def test_parquet_of_any_row_groups(self, table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
        for rows in (1, 7, 1000, N):
            pq.write_table(table, tmp_path / "t.parquet", row_group_size=rows)
            for threads in (1, 2, 5):
                same(fastml.group_stats(tmp_path / "t.parquet", "y", "id", threads=threads), truth)

    def test_a_large_row_group_is_read_in_pieces(
        self, table: pa.Table, truth: fastml.GroupStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fastml.io.file_formats.LARGE", 1000)
        monkeypatch.setattr("fastml.io.file_formats.PIECE", 128)
        pq.write_table(table, tmp_path / "t.parquet")
        same(fastml.group_stats(tmp_path / "t.parquet", "y", "id"), truth)

    def test_arrow_and_feather(self, table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
        feather.write_feather(table, tmp_path / "t.feather", compression="lz4", chunksize=700)
        feather.write_feather(table, tmp_path / "t.arrow", compression="uncompressed")
        with pa.ipc.new_stream(tmp_path / "t.arrows", table.schema) as stream:
            stream.write_table(table, max_chunksize=100)
        for name in ("t.feather", "t.arrow", "t.arrows"):
            same(fastml.group_stats(tmp_path / name, "y", "id"), truth)

    def test_csv(self, table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text(csv_text(table))
        same(fastml.group_stats(path, "y", "id"), truth)
        for delimiter in ";|\t":
            path.write_text(csv_text(table, delimiter, missing="NA"))
            same(fastml.group_stats(path, "y", "id"), truth)
        path.write_text(csv_text(table, ";", ",", "."))
        same(fastml.group_stats(path, "y", "id", csv_options={"decimal": ","}), truth)
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(csv_text(table).encode()))
        same(fastml.group_stats(tmp_path / "t.csv.gz", "y", "id"), truth)
        path.write_bytes(csv_text(table).replace("other", "öther").encode("latin-1"))
        with pytest.raises(FastmlError, match=r"is not text in utf-8; give csv_options=\{'encoding': 'latin-1'\}"):
            fastml.group_stats(path, "y", "id")
        same(fastml.group_stats(path, "y", "id", csv_options={"encoding": "latin-1"}), truth)

    def test_csv_types_beyond_the_beginning(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fastml.io.csv_format.START", 2000)
        monkeypatch.setattr("fastml.io.csv_format.SAMPLE", 500)
        rows = [f"{i // 10},{i % 7}" for i in range(3000)]
        rows[-3] = "299,2.5"
        path = tmp_path / "t.csv"
        path.write_text("id,y\n" + "\n".join(rows) + "\n")
        assert fastml.fit(path, "y", "id").n_obs == 3000
        rows[-3], rows[1003] = "299,2", "100,word"
        path.write_text("id,y\n" + "\n".join(rows) + "\n")
        with pytest.raises(FastmlError, match=r"word.*csv_options=.*types"):
            fastml.fit(path, "y", "id")
        stats = fastml.group_stats(path, "id", "y", csv_options={"types": {"y": "string"}})
        assert stats.keys["y"].type == pa.string()

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    @pytest.mark.parametrize("names", ["y,text,id", "id,text,y", "text,id,y", "y,id,text"])
    def test_csv_samples_end_and_begin_where_records_do(
        self, names: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fastml.io.csv_format.START", 2000)
        monkeypatch.setattr("fastml.io.csv_format.SAMPLE", 500)
        texts = ["first line\nsecond, longer line of it", 'a ""word"" of it,\n7,8,9\n', "plain", "\n\n", "1,2,3\n4,5,6"]
        truth = None
        for shift in range(0, 40, 3):  # the samples begin and end elsewhere
            lines = []
            for i in range(700):
                values = {"id": str(i // 20), "y": str(i % 7), "text": f'"{texts[i % 5 if i % 3 else 0]}"'}
                lines.append(",".join(values[name] for name in names.split(",")))
            text = names.replace("text", "text" + "x" * shift) + "\n" + "\n".join(lines) + "\n"
            (tmp_path / "t.csv").write_text(text, encoding, newline="")
            found = fastml.group_stats(tmp_path / "t.csv", "y", "id", csv_options={"encoding": encoding})
            assert found.keys["id"].type == pa.int64()
            truth = truth or found
            same(found, truth)

    @pytest.mark.parametrize(("ids", "dtype"), [
        (["10000000000000000001", "10000000000000000002", "5"], pa.uint64()),
        (["100000000000000000000001", "100000000000000000000002", "5"], pa.string()),
        (["-10000000000000000001", "-10000000000000000002", "5"], pa.string()),
        (["9007199254740993", "9007199254740992", "5.0"], pa.string()),
        (["9007199254740993", "9007199254740992", "5"], pa.int64()),
        (["1e300", "2e300", "5"], pa.float64()),
    ])  # fmt: skip
    def test_long_csv_ids_keep_their_digits(self, ids: list[str], dtype: pa.DataType, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("id,y\n" + "".join(f"{name},{k}\n{name},{k * k + 2}\n" for k, name in enumerate(ids)))
        stats = fastml.group_stats(path, "y", "id")
        assert (stats.keys["id"].type, stats.keys.num_rows) == (dtype, 3)
        told = fastml.group_stats(path, "y", "id", csv_options={"types": {"id": "string"}})
        # Text sorts otherwise, so that sums are rounded in another order.
        assert fastml.fit(stats).icc == pytest.approx(fastml.fit(told).icc, rel=1e-14)

    def test_csv_names_in_quotes_may_hold_delimiters_and_line_breaks(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text('"id, of a school,,";"score\nin maths";5" wide\n1;2;0\n1;4;0\n2;9;0\n2;5;0\n')
        stats = fastml.group_stats(tmp_path / "t.csv", "score\nin maths", "id, of a school,,")
        assert stats.groups().mean.tolist() == [3.0, 7.0]

    def test_utf_16_beyond_the_first_sample(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fastml.io.csv_format.START", 3_001)
        monkeypatch.setattr("fastml.io.csv_format.SAMPLE", 501)
        text = "id,y,é\n" + "".join(f"S{i % 30:02d},{i % 97 + i % 30},xx\n" for i in range(3_000))
        truth = None
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"):
            (tmp_path / "t.csv").write_bytes(text.encode(encoding))
            found = fastml.group_stats(tmp_path / "t.csv", "y", "id", csv_options={"encoding": encoding})
            truth = truth or found
            same(found, truth)

    def test_a_word_among_csv_numbers_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        for word, message in (("absent", "holds the text 'absent': recode such texts"), ("2,5", "decimal commas")):
            path.write_text(f'id,y\n1,2\n1,NA\n2,"{word}"\n2,later\n')
            with pytest.raises(FastmlError, match=f"outcome column 'y' has type string; .*{message}"):
                fastml.fit(path, "y", "id")
            with pytest.raises(FastmlError, match=message):
                fastml.group_stats([path], "y", "id")
        assert fastml.group_stats(path, "id", "y").keys["y"].type == pa.string()

    def test_csv_refusals(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("")
        with pytest.raises(FastmlError, match=r"t\.csv is not a CSV file that can be read: it is empty"):
            fastml.fit(path, "y", "id")
        path.write_text("id,y\n1,2\n1,2,3\n")
        with pytest.raises(FastmlError, match=r"t\.csv is not a CSV file .*Expected 2 columns, got 3"):
            fastml.fit(path, "y", "id")
        path.write_text("id,y\n1,2\n1,3\n2,4\n2,6\n")
        for options, message in (
            ({"sep": ";"}, "csv_options='sep' is not one of 'delimiter', 'encoding', 'decimal', 'types'"),
            ({"delimiter": ";;"}, "is not one character"),
            ({"encoding": "latin1000"}, "try 'utf-8' or 'latin-1'"),
            ({"types": {"y": "number"}}, "is not an Arrow type"),
        ):
            with pytest.raises(FastmlError, match=message):
                fastml.fit(path, "y", "id", csv_options=options)

    def test_sav(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pyreadstat = pytest.importorskip("pyreadstat")
        import pandas as pd

        rng = np.random.default_rng(8)
        frame = pd.DataFrame({"id": np.repeat(np.arange(20.0), 10), "y": np.round(rng.normal(5, 2, 200), 2)})
        frame["name"] = "a"
        frame.loc[[3, 50], "y"] = 99.0
        frame.loc[[4], "y"] = np.nan
        for name, options in (("t.sav", {}), ("t.zsav", {"compress": True})):
            pyreadstat.write_sav(frame, tmp_path / name, missing_ranges={"y": [99.0]}, **options)
            monkeypatch.setattr("fastml.io.file_formats.SAV_ROWS", 50)
            stats = fastml.group_stats(tmp_path / name, "y", "id")
            clean = frame.assign(y=frame["y"].where(frame["y"] != 99.0))
            same(stats, fastml.group_stats(clean, "y", "id"))
            assert stats.dropped() == {"group": 0, "outcome": 3}
            assert fastml.group_stats(tmp_path / name, "y", "name").keys["name"].to_pylist() == ["a"]
        (tmp_path / "bad.sav").write_bytes(b"$FL2" + bytes(400))
        with pytest.raises(FastmlError, match=r"bad\.sav is not an SPSS file that can be read"):
            fastml.fit(tmp_path / "bad.sav", "y", "id")
        monkeypatch.setattr("fastml.io.file_formats.find_spec", lambda name: None)
        with pytest.raises(FastmlError, match=r"pip install 'fastml-icc\[spss\]'"):
            fastml.fit(tmp_path / "t.sav", "y", "id")

    def test_a_file_without_an_ending_is_known_by_its_content(
        self, table: pa.Table, truth: fastml.GroupStats, tmp_path: Path
    ) -> None:
        pq.write_table(table, tmp_path / "blob")
        same(fastml.group_stats(tmp_path / "blob", "y", "id"), truth)
        (tmp_path / "note").write_text("hello")
        with pytest.raises(FastmlError, match="note is of no kind that can be read"):
            fastml.fit(tmp_path / "note", "y", "id")

    @pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
    def test_a_path_that_is_no_utf_8_is_not_told_as_a_bad_file(self, kind: str, tmp_path: Path) -> None:
        file = tmp_path / os.fsdecode(b"bad\xff." + kind.encode())
        try:
            file.write_bytes(b"id,y\n1,2\n")
        except OSError as error:  # macOS has no such names
            pytest.skip(f"the file system takes no such name: {error}")
        for data in (file, tmp_path, tmp_path / f"*.{kind}"):
            with pytest.raises(FastmlError, match=r"bad\udcff\.\w+ has a path that isn't UTF-8, .* rename it"):
                fastml.fit(data, "y", "id")

    def test_other_streams(self, table: pa.Table, truth: fastml.GroupStats) -> None:
        duckdb = pytest.importorskip("duckdb")
        relation = duckdb.from_arrow(table)
        same(fastml.group_stats(relation.arrow(), "y", "id"), truth)


class TestMany:
    """Several files are one table."""

    @pytest.fixture
    def folder(self, table: pa.Table, tmp_path: Path) -> Path:
        folder = tmp_path / "data"
        folder.mkdir()
        for i, part in enumerate(cut(table, 5)):
            pq.write_table(part, folder / f"part-{i}.parquet", row_group_size=130)
        (folder / "_SUCCESS").write_text("")
        (folder / ".part-0.parquet.crc").write_text("x")
        (folder / "notes.md").write_text("x")
        return folder

    def test_folder_glob_list_uri(self, folder: Path, truth: fastml.GroupStats) -> None:
        files = sorted(folder.glob("*.parquet"))
        for data in (folder, str(folder) + "/", f"{folder}/*.parquet", files, [str(f) for f in files], tuple(files),
                     [folder], folder.as_uri(), folder.as_uri() + "/part-*.parquet", [f.as_uri() for f in files]):  # fmt: skip
            for threads in (1, 3):
                same(fastml.group_stats(data, "y", "id", threads=threads), truth)
        same(fastml.group_stats(files[0].as_uri(), "y", "id"), fastml.group_stats(files[0], "y", "id"))

    def test_only_the_needed_columns_are_decoded(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []
        read = pq.ParquetFile.read_row_group
        monkeypatch.setattr(
            pq.ParquetFile, "read_row_group", lambda self, i, **k: asked.append(k["columns"]) or read(self, i, **k)
        )
        fastml.group_stats(folder, "y", "id")
        assert len(asked) == 25
        assert all(columns == ["id", "y"] for columns in asked)

    def test_hive_folders(self, table: pa.Table, tmp_path: Path) -> None:
        import pyarrow.dataset as ds

        layout = ds.partitioning(pa.schema([("cycle", pa.int64()), ("country", pa.string())]), flavor="hive")
        ds.write_dataset(table, tmp_path / "d", format="parquet", partitioning=layout)
        whole = fastml.group_stats(table, "y", "id", by=["cycle", "country"])
        found = fastml.group_stats(tmp_path / "d", "y", "id", by=["cycle", "country"])
        assert found.keys.equals(whole.keys)
        np.testing.assert_allclose(found.moments[..., 3], whole.moments[..., 3], rtol=1e-12)
        one = fastml.group_stats(tmp_path / "d", "y", "id", filter="cycle = 2019 and country = 'TUR'")
        kept = table.filter((pc.field("cycle") == 2019) & (pc.field("country") == "TUR"))
        same(one, fastml.group_stats(kept, "y", "id"))
        by_glob = fastml.group_stats(f"{tmp_path}/d/cycle=*/country=TUR/*.parquet", "y", "id", by="cycle")
        assert set(by_glob.keys["cycle"].to_pylist()) == {2019, 2023}
        # What a shell makes of a glob is a list; folders of a folder are named as its files are.
        files = sorted((tmp_path / "d").glob("cycle=*/country=*/*.parquet"))
        for data in (files, sorted((tmp_path / "d").glob("cycle=*")), f"{tmp_path}/d/cycle=*"):
            same(fastml.group_stats(data, "y", "id", by=["cycle", "country"]), found)
        (single,) = (path for path in files if "cycle=2019/country=TUR" in path.as_posix())
        same(fastml.group_stats(single, "y", "id", filter="cycle = 2019 and country = 'TUR'"), one)
        (tmp_path / "d" / "cycle=__HIVE_DEFAULT_PARTITION__").mkdir()
        (tmp_path / "d" / "cycle=__HIVE_DEFAULT_PARTITION__" / "country=TUR").mkdir()
        pq.write_table(table.select(["y", "id"]).slice(0, 9),
                       tmp_path / "d" / "cycle=__HIVE_DEFAULT_PARTITION__" / "country=TUR" / "a.parquet")  # fmt: skip
        assert fastml.group_stats(tmp_path / "d", "y", "id", by="cycle").dropped()["by"] == 9

    @pytest.mark.parametrize(
        ("column", "good"),
        [
            (pa.array([2019] * 6), True), (pa.array([2019] * 6, pa.int16()), True), (pa.array(["2019"] * 6), True),
            (pa.array(["2019"] * 6).dictionary_encode(), True), (pa.array([2019.0] * 6), True),
            (pa.array([2019] * 5 + [2015]), False),
            (pa.array([2019] * 5 + [None]), False), (pa.array(["2019"] * 5 + ["TUR"]), False),
            (pa.array([datetime.date(2019, 1, 1)] * 6), False), (pa.array([2019.0] * 5 + [float('nan')]), False),
        ],
    )  # fmt: skip
    def test_a_file_says_what_its_folder_says(self, column: pa.Array, good: bool, tmp_path: Path) -> None:
        rows = pa.table({"id": [1, 1, 1, 2, 2, 2], "y": [1.0, 2.0, 4.0, 3.0, 5.0, 8.0], "cycle": column})
        for cycle in (2015, 2019):
            (tmp_path / f"cycle={cycle}").mkdir()
        pq.write_table(rows.drop_columns("cycle").slice(0, 3), tmp_path / "cycle=2015" / "a.parquet")
        pq.write_table(rows, tmp_path / "cycle=2019" / "a.parquet")
        mine = tmp_path / "cycle=2019"
        integers = pa.types.is_integer(column.type)
        asks = [(mine, "y > 0", 6), *([(mine, "cycle = 2015", 0), (tmp_path, None, 9)] if integers else [])]
        for data, only, n in asks:
            if good:
                found = fastml.group_stats(data, "y", "id", by="cycle", filter=only)
                assert found.counts[:, 0].sum() == n
            else:
                with pytest.raises(
                    FastmlError, match=r"column 'cycle' of .* holds .* where its folder is cycle=2019; "
                ):
                    fastml.group_stats(data, "y", "id", by="cycle", filter=only)
        # Nobody asks for the column.
        assert fastml.group_stats(mine, "y", "id").counts[:, 0].sum() == 6

    def test_a_folder_of_no_value_has_rows_of_none(self, tmp_path: Path) -> None:
        folder = tmp_path / "cycle=__HIVE_DEFAULT_PARTITION__"
        folder.mkdir()
        rows = pa.table({"id": [1, 1, 2, 2], "y": [1.0, 2.0, 4.0, 3.0], "cycle": pa.array([None, None, None, 2019])})
        pq.write_table(rows, folder / "a.parquet")
        with pytest.raises(FastmlError, match=r"holds 2019 where its folder is cycle=__HIVE_DEFAULT_PARTITION__; "):
            fastml.group_stats(folder, "y", "id", by="cycle")
        pq.write_table(rows.slice(0, 3), folder / "a.parquet")
        assert fastml.group_stats(folder, "y", "id", by="cycle").dropped()["by"] == 3

    def test_widths_and_kinds_that_drift(self, table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
        a, b = cut(table.select(["y", "id"]), 2)
        pq.write_table(a, tmp_path / "a.parquet")
        pq.write_table(b.cast(pa.schema([("y", pa.float64()), ("id", pa.int32())])), tmp_path / "b.parquet")
        same(fastml.group_stats([tmp_path / "a.parquet", tmp_path / "b.parquet"], "y", "id"), truth)
        same(fastml.group_stats(tmp_path, "y", "id"), truth)
        pq.write_table(b.cast(pa.schema([("y", pa.float64()), ("id", pa.float64())])), tmp_path / "b.parquet")
        drifted = fastml.group_stats(tmp_path, "y", "id")
        assert drifted.keys["id"].type == pa.float64()
        assert np.array_equal(drifted.moments, truth.moments)
        for other, message in ((pa.string(), "has type string in file .*b.parquet and int64 in file .*a.parquet"),):
            pq.write_table(b.cast(pa.schema([("y", pa.float64()), ("id", other)])), tmp_path / "b.parquet")
            with pytest.raises(FastmlError, match=message):
                fastml.group_stats(tmp_path, "y", "id")
        pq.write_table(b.rename_columns(["score", "id"]), tmp_path / "b.parquet")
        with pytest.raises(FastmlError, match=r"column 'y' is not in file .*b\.parquet"):
            fastml.group_stats(tmp_path, "y", "id")

    def test_decimals_of_several_widths_keep_their_digits(self, tmp_path: Path) -> None:
        a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
        ids = [Decimal(10**17 + i) for i in (1, 1, 2, 2, 3, 3)]
        y = [Decimal(i).scaleb(-3) for i in (1001, 2002, 5005, 7007, 9009, 12012)]
        types = pa.decimal128(18, 0), pa.decimal128(20, 2), pa.decimal256(50, 1)
        whole = fastml.group_stats(pa.table({"id": pa.array(ids), "y": pa.array(y)}), "y", "id")
        for first in types:
            for second in types:
                pq.write_table(pa.table({"id": pa.array(ids[:3], first), "y": pa.array(y[:3], pa.decimal128(8, 3))}), a)
                pq.write_table(
                    pa.table({"id": pa.array(ids[3:], second), "y": pa.array(y[3:], pa.decimal128(9, 4))}), b
                )
                found = fastml.group_stats([a, b], "y", "id")
                assert found.keys["id"].to_pylist() == ids[::2]
                assert found.moments.tobytes() == whole.moments.tobytes()
        pq.write_table(pa.table({"id": pa.array(ids[3:], pa.decimal256(76, 40)), "y": y[3:]}), b)
        pq.write_table(pa.table({"id": pa.array(ids[:3], pa.decimal256(76, 3)), "y": y[:3]}), a)
        with pytest.raises(
            FastmlError, match=r"'id' has type decimal256\(76, 40\) in file .*b\.parquet and decimal256"
        ):
            fastml.group_stats([a, b], "y", "id")

    def test_parquet_dictionaries_that_differ_by_file(self, tmp_path: Path) -> None:
        for name, ids in (("a", ["x", "y"]), ("b", ["y", "z"])):
            column = pa.array(ids * 10).dictionary_encode()
            pq.write_table(pa.table({"id": column, "y": np.arange(20.0)}), tmp_path / f"{name}.parquet")
        assert fastml.group_stats(tmp_path, "y", "id").groups().labels["id"].to_pylist() == ["x", "y", "z"]

    def test_refusals(self, folder: Path, tmp_path: Path) -> None:
        pq.write_table(pa.table({"y": [1.0]}), folder / "late.arrow")
        (tmp_path / "empty").mkdir()
        for data, message in (
            (folder, r"holds files of several formats \(.*late\.arrow, .*part-0\.parquet\)"),
            (tmp_path / "empty", "folder .*empty holds no file ending in .parquet"),
            (f"{tmp_path}/*.csv", r"no file matches .*\*\.csv"),
            ([folder / "part-0.parquet"] * 2, "part-0.parquet is named twice: its rows would count twice"),
            ([folder / "part-0.parquet", folder / "part-9.parquet"], "part-9.parquet does not exist"),
            ("gopher://x/y.parquet", "gopher://x/y.parquet can't be opened"),
            (f"{folder.as_uri()}/no.parquet", "no.parquet does not exist"),
            (f"{folder.as_uri()}/no-*.parquet", "no file matches"),
            ([], "data of type list can't be read"),
        ):
            with pytest.raises(FastmlError, match=message) as caught:
                fastml.fit(data, "y", "id")
            assert "\n" not in str(caught.value)

    def test_a_file_cut_short_is_named(self, folder: Path) -> None:
        path = folder / "part-3.parquet"
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(FastmlError, match=r"part-3\.parquet is not a Parquet file that can be read"):
            fastml.fit(folder, "y", "id")


class TestFilters:
    """A filter keeps the rows it would keep in memory, whatever the source."""

    @pytest.mark.parametrize(
        ("text", "expression"),
        [
            ("cycle = 2019", pc.field("cycle") == 2019),
            ("cycle <> 2019 AND id >= 30", (pc.field("cycle") != 2019) & (pc.field("id") >= 30)),
            ("country in ('TUR', 'FIN') or id < 3", (pc.field("country") == "TUR") | (pc.field("id") < 3)),
            ("not (country = 'TUR')", pc.field("country") != "TUR"),
            ("country not in ('TUR')", pc.field("country") != "TUR"),
            ("y is not null and y between 400 and 500", (pc.field("y") >= 400) & (pc.field("y") <= 500)),
            ('"y" is null', pc.field("y").is_null()),
            ("y > -1e3", pc.field("y") > -1000),
            ("`id` == 5", pc.field("id") == 5),
            ("not id != 5", pc.field("id") == 5),
        ],
    )
    def test_in_memory_and_in_files(self, text: str, expression: object, table: pa.Table, tmp_path: Path) -> None:
        wanted = fastml.group_stats(table.filter(expression), "y", "id")
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=100)
        feather.write_feather(table, tmp_path / "t.feather")
        (tmp_path / "t.csv").write_text(csv_text(table))
        sources = (table, tmp_path / "t.parquet", tmp_path / "t.feather", tmp_path / "t.csv", pl.from_arrow(table),
                   table.to_pandas(), table.to_reader(max_chunksize=11),
                   {name: table[name] for name in table.column_names})  # fmt: skip
        for data in sources:
            same(fastml.group_stats(data, "y", "id", filter=text), wanted)
        same(fastml.group_stats(table, "y", "id", filter=expression), wanted)

    def test_row_groups_are_skipped(self, table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=100)
        read: list[int] = []
        inner = pq.ParquetFile.read_row_group
        monkeypatch.setattr(
            pq.ParquetFile, "read_row_group", lambda self, i, **k: read.append(i) or inner(self, i, **k)
        )
        fastml.group_stats(tmp_path / "t.parquet", "y", "id", filter="id < 4")
        assert sorted(read) == list(range(len(read)))
        assert 1 <= len(read) < 6

    @pytest.mark.parametrize(
        ("text", "place"),
        [("", "at its end"), ("cycle =", "at its end"), ("cycle ~ 3", "at '~ 3'"), ("cycle = 3)", "at '\\)'"),
         ("(cycle = 3", "at its end"), ("id in ()", "at '\\)'"), ("__import__('os')", "at \"\\('os'\\)\""), ("id = 3; drop", "at '; drop'"),
         ("cycle", "at its end"), ("d = DATE '2019-02-30'", "at \"'2019-02-30'\""), ("id is 3", "at '3'"), ("id = 'a", "at \"'a\"")],
    )  # fmt: skip
    def test_what_is_no_condition(self, text: str, place: str) -> None:
        with pytest.raises(FastmlError, match=place):
            as_expression(text)

    @pytest.mark.parametrize(
        "dtype", [pa.date32(), pa.date64(), pa.timestamp("us"), pa.timestamp("ns", "UTC")], ids=str
    )
    def test_dates(self, dtype: pa.DataType, tmp_path: Path) -> None:
        days = pa.array([datetime.date(2019, 1, 1 + i % 20) for i in range(40)]).cast(pa.timestamp("ns"))
        zone = getattr(dtype, "tz", None)
        column = pc.assume_timezone(days, zone) if zone else days.cast(dtype)
        table = pa.table({"d": column, "y": np.arange(40.0), "g": np.arange(40) % 4})
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=10)
        noon = f"TIMESTAMP '2019-01-10 12:00:00{'+00:00' if zone else ''}'"
        for data in (table, tmp_path / "t.parquet"):
            for text, n in (
                ("d >= DATE '2019-01-11'", 20), ("d between date '2019-01-02' and DATE '2019-01-03'", 4),
                ("d not in (DATE '2019-01-02', DATE '2019-01-05')", 36), (f"d > {noon}", 20), (f"not d < {noon}", 20),
            ):  # fmt: skip
                assert fastml.group_stats(data, "y", "g", filter=text).counts[:, 0].sum() == n
            with pytest.raises(
                FastmlError, match=r"a date is compared with text; write DATE '2019-01-31' for a column"
            ):
                fastml.group_stats(data, "y", "g", filter="d >= '2019-01-11'")
            if pa.types.is_timestamp(dtype):
                other = "TIMESTAMP '2019-01-10 12:00:00" + ("'" if zone else "+00:00'")
                with pytest.raises(
                    FastmlError, match="a time with a zone is compared with one without; write TIMESTAMP"
                ):
                    fastml.group_stats(data, "y", "g", filter=f"d > {other}")

    def test_a_column_may_be_named_date(self) -> None:
        data = {"date": [1, 2, 2], "timestamp": ["a", "b", "b"], "y": [1.0, 2.0, 3.0], "g": [1, 1, 1]}
        for text in ("date = 2", "timestamp in ('b')", "2 <= date and timestamp > 'a'", "date = date and date > 1"):
            assert fastml.group_stats(data, "y", "g", filter=text).counts[:, 0].sum() == 2

    def test_keys_that_arrow_can_not_filter_are_decoded(self) -> None:
        views = pa.array([b"a", b"b", b"a"], pa.binary_view())
        for key in (views, pc.run_end_encode(pa.array([1, 2, 1])), pc.run_end_encode(pa.array(["a", "b", "a"]))):
            stats = fastml.group_stats(pa.table({"g": key, "y": [1.0, 2.0, 3.0]}), "y", "g", filter="y > 1")
            assert stats.groups().n.tolist() == [1, 1]

    def test_what_cannot_be_computed(self, table: pa.Table) -> None:
        for text, message in (
            ("id < 'a'", "can't be applied: .*less"),
            ("nothing = 1", "there is no column 'nothing'"),
        ):
            with pytest.raises(FastmlError, match=message):
                fastml.fit(table, "y", "id", filter=text)
        with pytest.raises(FastmlError, match="is not one of 'a pyarrow expression'"):
            fastml.fit(table, "y", "id", filter=3)

    def test_long_lists(self, table: pa.Table) -> None:
        data = {"y": [1.0, 2.0, 4.0, 7.0, 9.0, 3.0], "id": [1, 1, 2, 2, 2, 3], "k": [1, 2, 3, 4, None, 6],
                "t": ["a", "b", "a", None, "b", "c"]}  # fmt: skip
        numbers, texts = ", ".join(map(str, range(3, 50_000))), ", ".join(f"'{c}'" for c in "bdefghijklmnopqrstuvwxyz")
        for text, n in ((f"k in ({numbers})", 3), (f"k not in ({numbers})", 2), (f"not k in ({numbers})", 2),
                        (f"t in ({texts})", 2), (f"t not in ({texts})", 3)):  # fmt: skip
            assert int(fastml.group_stats(data, "y", "id", filter=text).counts[:, 0].sum()) == n, text[:30]
        # Arrow ends the process at some ten thousand of them.
        for text in (" or ".join(["k = 1"] * 1001), "k in (" + ", ".join(["k"] * 1000) + ")"):
            with pytest.raises(FastmlError, match="more than 1,000 comparisons; use IN for a list"):
                fastml.fit(data, "y", "id", filter=text)
        assert fastml.group_stats(data, "y", "id", filter=" or ".join(["k = 1"] * 1000)).counts[:, 0].sum() == 1

    @pytest.mark.parametrize(("text", "n"), [
        ("k < 9999999999999999999999", 2), ("k > -" + "9" * 400, 2), ("k < " + "9" * 5000, 2), ("u > 9223372036854775808", 1),
        ("k in (1, 99999999999999999999)", 1), ("k = " + "0" * 5000 + "1", 1),
    ])  # fmt: skip
    def test_numbers_beyond_64_bits(self, text: str, n: int) -> None:
        data = {"y": [1.0, 2.0], "id": [1, 2], "k": [1, 2], "u": np.array([2**63 + 1, 0], np.uint64)}
        assert int(fastml.group_stats(data, "y", "id", filter=text).counts[:, 0].sum()) == n

    def test_names_and_text_of_every_kind(self, tmp_path: Path) -> None:
        names = ["my col", "id-country", "a'b", 'a"b', "1st", "a)b"]
        table = pa.table({"id": [1, 1, 2], "y": [1.0, 2.0, 4.0], **{name: [3, 3, 4] for name in names}})
        (tmp_path / "t.csv").write_text(csv_text(table))
        for name in names:
            condition = f'"{name.replace(chr(34), 2 * chr(34))}" = 3'
            for data in (table, tmp_path / "t.csv"):
                assert fastml.group_stats(data, "y", "id", filter=condition).keys.num_rows == 1
        with pytest.raises(FastmlError, match="half a character"):
            fastml.fit(table, "y", "id", filter="id = '\udcff'")
        with pytest.raises(FastmlError, match=r"can't be applied: Function 'equal'"):
            fastml.fit(tmp_path / "t.csv", "y", "id", filter="'my col' = 3")

    def test_decimals_want_a_point(self) -> None:
        table = pa.table({"y": [1.0, 2.0], "id": [1, 2], "k": pa.array([1, 2], pa.int32()).cast(pa.decimal128(18, 0))})
        with pytest.raises(FastmlError, match=r"write the number with a point, as 1\.0"):
            fastml.fit(table, "y", "id", filter="k = 1")
        assert fastml.group_stats(table, "y", "id", filter="k = 1.0").keys.num_rows == 1

    def test_nan_in_parquet_is_missing_too(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"y": [1.0, np.nan], "id": [1, 2]}), tmp_path / "t.parquet")
        assert fastml.group_stats(tmp_path / "t.parquet", "y", "id", filter="y is null").keys["id"].to_pylist() == [2]

    def test_null_is_neither_true_nor_false(self) -> None:
        data = {"y": [1.0, 2.0, 3.0, 4.0, 5.0], "id": [1, 1, 2, 2, 2], "k": [1, None, 2, None, 1]}
        for text, n in (("k = 1", 2), ("k != 1", 1), ("not k = 1", 1), ("k not in (1, 3)", 1), ("k is null", 2), ("k = 1 or id = 1", 3)):  # fmt: skip
            assert int(fastml.group_stats(data, "y", "id", filter=text).counts[:, 0].sum()) == n, text


class TestThreads:
    """What reads ahead keeps order, hands errors on, and stops."""

    def test_order_and_bound(self) -> None:
        running: list[int] = []
        most = 0

        def job(i: int):
            def read():
                running.append(i)
                for k in range(3):
                    time.sleep(0.001 * ((i * 7) % 5))
                    yield i, k
                running.remove(i)

            return read

        got = []
        for item in in_order((job(i) for i in range(40)), 3):
            most = max(most, len(running))
            got.append(item)
        assert got == [(i, k) for i in range(40) for k in range(3)]
        assert 1 <= most <= 3

    def test_an_error_comes_in_its_place_and_threads_end(self) -> None:
        def good():
            yield from range(100)

        def bad():
            yield 0
            raise RuntimeError("no")

        stream = in_order([good, bad, good, good], 2)
        got = [next(stream) for _ in range(101)]
        assert got == [*range(100), 0]
        with pytest.raises(RuntimeError, match="no"):
            next(stream)
        assert not reading()

    def test_closing_stops_the_threads(self) -> None:
        def endless():
            while True:
                yield 1

        stream = in_order([endless] * 8, 4)
        assert next(stream) == 1
        assert reading()
        stream.close()
        assert not reading()

    def test_no_thread_is_left_after_an_error_in_the_data(self, tmp_path: Path) -> None:
        y = np.ones(200_000)
        y[70_000] = np.inf
        pq.write_table(pa.table({"y": y, "id": np.arange(200_000) % 50}), tmp_path / "t.parquet", row_group_size=1000)
        with pytest.raises(FastmlError, match="has inf in row 70,000"):
            fastml.fit(tmp_path / "t.parquet", "y", "id")
        deadline = time.monotonic() + 2
        while reading() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not reading()

    def test_threads_that_are_none(self, table: pa.Table) -> None:
        for threads in (0, -1, 1.5, True):
            with pytest.raises(FastmlError, match="threads="):
                fastml.fit(table, "y", "id", threads=threads)


def reading() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("fastml_")]


def test_progress_is_shown_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastml.io.progress.PATIENCE", 0.0)
    monkeypatch.setattr("fastml.io.progress.REFRESH", 0.0)
    table = fastml.simulate(students=30_000, schools=100)
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=3000)
    fastml.fit(tmp_path / "t.parquet", "score", "school", progress=True)
    shown = capsys.readouterr().err
    assert "rows" in shown
    assert "million/s" in shown
    assert "%" in shown
    fastml.fit(tmp_path / "t.parquet", "score", "school")
    assert capsys.readouterr().err == ""
