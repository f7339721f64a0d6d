"""Columns that the names of folders hold."""

from __future__ import annotations

import datetime
from pathlib import Path

import files
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from files import same

import fastml
from fastml import FastmlError

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")


def test_hive_folders(table: pa.Table, tmp_path: Path) -> None:
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
def test_a_file_says_what_its_folder_says(column: pa.Array, good: bool, tmp_path: Path) -> None:
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
            with pytest.raises(FastmlError, match=r"column 'cycle' of .* holds .* where its folder is cycle=2019; "):
                fastml.group_stats(data, "y", "id", by="cycle", filter=only)
    # Nobody asks for the column.
    assert fastml.group_stats(mine, "y", "id").counts[:, 0].sum() == 6


def test_a_folder_of_no_value_has_rows_of_none(tmp_path: Path) -> None:
    folder = tmp_path / "cycle=__HIVE_DEFAULT_PARTITION__"
    folder.mkdir()
    rows = pa.table({"id": [1, 1, 2, 2], "y": [1.0, 2.0, 4.0, 3.0], "cycle": pa.array([None, None, None, 2019])})
    pq.write_table(rows, folder / "a.parquet")
    with pytest.raises(FastmlError, match=r"holds 2019 where its folder is cycle=__HIVE_DEFAULT_PARTITION__; "):
        fastml.group_stats(folder, "y", "id", by="cycle")
    pq.write_table(rows.slice(0, 3), folder / "a.parquet")
    assert fastml.group_stats(folder, "y", "id", by="cycle").dropped()["by"] == 3
