"""CSV and its kin: delimiters, encodings, types of columns that are found or told."""

from __future__ import annotations

import gzip
from pathlib import Path

import files
import pyarrow as pa
import pytest
from files import csv_text, same

import fastml
from fastml import FastmlError

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")


def test_csv(table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
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


def test_csv_types_beyond_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    names: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
def test_long_csv_ids_keep_their_digits(ids: list[str], dtype: pa.DataType, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,y\n" + "".join(f"{name},{k}\n{name},{k * k + 2}\n" for k, name in enumerate(ids)))
    stats = fastml.group_stats(path, "y", "id")
    assert (stats.keys["id"].type, stats.keys.num_rows) == (dtype, 3)
    told = fastml.group_stats(path, "y", "id", csv_options={"types": {"id": "string"}})
    # Text sorts otherwise, so that sums are rounded in another order.
    assert fastml.fit(stats).icc == pytest.approx(fastml.fit(told).icc, rel=1e-14)


def test_csv_names_in_quotes_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"id, of a school,,";"score\nin maths";5" wide\n1;2;0\n1;4;0\n2;9;0\n2;5;0\n')
    stats = fastml.group_stats(tmp_path / "t.csv", "score\nin maths", "id, of a school,,")
    assert stats.groups().mean.tolist() == [3.0, 7.0]


def test_utf_16_beyond_the_first_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastml.io.csv_format.START", 3_001)
    monkeypatch.setattr("fastml.io.csv_format.SAMPLE", 501)
    text = "id,y,é\n" + "".join(f"S{i % 30:02d},{i % 97 + i % 30},xx\n" for i in range(3_000))
    truth = None
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"):
        (tmp_path / "t.csv").write_bytes(text.encode(encoding))
        found = fastml.group_stats(tmp_path / "t.csv", "y", "id", csv_options={"encoding": encoding})
        truth = truth or found
        same(found, truth)


def test_a_word_among_csv_numbers_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for word, message in (("absent", "holds the text 'absent': recode such texts"), ("2,5", "decimal commas")):
        path.write_text(f'id,y\n1,2\n1,NA\n2,"{word}"\n2,later\n')
        with pytest.raises(FastmlError, match=f"outcome column 'y' has type string; .*{message}"):
            fastml.fit(path, "y", "id")
        with pytest.raises(FastmlError, match=message):
            fastml.group_stats([path], "y", "id")
    assert fastml.group_stats(path, "id", "y").keys["y"].type == pa.string()


def test_csv_refusals(tmp_path: Path) -> None:
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
