"""Text files: delimiters, encodings, what ids and numbers are, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import re
from pathlib import Path
from typing import Any

import files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import csv_text, same

import fastml
from fastml import FastmlError

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def labels(path: Any, group: str = "s", **options: Any) -> list[Any]:
    """The groups of a file, sorted."""
    return fastml.group_stats(path, "y", group, **options).groups().labels[group].to_pylist()


def with_ids(path: Path, ids: list[str]) -> Path:
    """A file with two rows for each id."""
    return written(path, "s,y\n" + "".join(f"{name},{k}\n{name},{k * k + 2}\n" for k, name in enumerate(ids)))


def test_csv(table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(csv_text(table))
    same(fastml.group_stats(path, "y", "id"), truth)
    for delimiter in ";|\t":
        path.write_text(csv_text(table, delimiter, missing="NA"))
        same(fastml.group_stats(path, "y", "id"), truth)
    path.write_text(csv_text(table, ";", ",", "."))
    same(fastml.group_stats(path, "y", "id", csv_options={"decimal": ","}), truth)
    path.write_bytes(csv_text(table).replace("other", "öther").encode("latin-1"))
    with pytest.raises(FastmlError, match=r"is not text in utf-8; give csv_options=\{'encoding': 'latin-1'\}"):
        fastml.group_stats(path, "y", "id")
    same(fastml.group_stats(path, "y", "id", csv_options={"encoding": "latin-1"}), truth)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.txt", "t.csv.bz2"])
def test_what_is_compressed_is_told_by_its_bytes(
    name: str, table: pa.Table, truth: fastml.GroupStats, tmp_path: Path
) -> None:
    text = csv_text(table).encode()
    for content in (text, gzip.compress(text), bz2.compress(text), pa.compress(text, "zstd", asbytes=True)):
        (tmp_path / name).write_bytes(content)
        same(fastml.group_stats(tmp_path / name, "y", "id"), truth)


# What ids are.


@pytest.mark.parametrize(("ids", "expected"), [
    (["7", "8", "-9"], [-9, 7, 8]),
    (["8.1", "8.2", "8.10"], ["8.1", "8.10", "8.2"]),
    (["1E2", "100", "7"], ["100", "1E2", "7"]),
    (["0x1F", "31", "5"], ["0x1F", "31", "5"]),
    (["+7", "7", "9"], ["+7", "7", "9"]),
    (["007", "7", "8"], ["007", "7", "8"]),
    (["-0", "0", "1"], ["-0", "0", "1"]),
    (["10:30", "10:30:00", "11"], ["10:30", "10:30:00", "11"]),
    (["2020-01-01", "2020-1-1", "1"], ["1", "2020-01-01", "2020-1-1"]),
    (["true", "TRUE", "1"], ["1", "TRUE", "true"]),
    (["NA", "BW", "ZA"], ["BW", "NA", "ZA"]),
    (["null", "NULL", "NaN"], ["NULL", "NaN", "null"]),
    (["inf", "nan", "1"], ["1", "inf", "nan"]),
    (["10000000000000000001", "10000000000000000002", "5"], ["10000000000000000001", "10000000000000000002", "5"]),
    (["9007199254740993", "9007199254740992", "5"], [5, 9007199254740992, 9007199254740993]),
    (["9007199254740993", "9007199254740992", "5.0"], ["5.0", "9007199254740992", "9007199254740993"]),
    (["1e300", "2e300", "5"], ["1e300", "2e300", "5"]),
    (["5007.0", "5008.0", "5009.0"], ["5007.0", "5008.0", "5009.0"]),
    ([" 7", "7", "7 "], [" 7", "7", "7 "]),
    (['"1,050"', "1050", "2"], ["1,050", "1050", "2"]),
    (['""""', '"a\nb"', "2"], ['"', "2", "a\nb"]),
])  # fmt: skip
def test_ids_are_the_texts_that_stand_there(ids: list[str], expected: list[Any], tmp_path: Path) -> None:
    assert labels(with_ids(tmp_path / "t.csv", ids)) == expected
    told = labels(tmp_path / "t.csv", csv_options={"types": {"s": "string"}})
    assert sorted(map(str, expected)) == told


@pytest.mark.parametrize("word", ["NA", "NaN", "NULL", ".", "", "  "])
def test_a_word_for_missing_among_integers_is_a_missing_id(word: str, tmp_path: Path) -> None:
    stats = fastml.group_stats(with_ids(tmp_path / "t.csv", ["7", word, "8"]), "y", "s")
    assert (stats.groups().labels["s"].to_pylist(), stats.dropped()) == ([7, 8], {"group": 2, "outcome": 0})
    assert str(fastml.fit(stats)).count("2 rows") == 1
    for other in ("-", "null", "nan", "N/A", "missing"):  # texts like others
        assert "7" in labels(with_ids(tmp_path / "t.csv", ["7", other, "8"]))


def test_missing_texts_never_touch_ids(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "c,s,y\nk.A.,1,1\nk.A.,1,k.A.\nB,k.A.,5\nB,2,9\nB,2,4\n")
    stats = fastml.group_stats(path, "y", "s", by="c", csv_options={"missing": "k.A."})
    assert stats.keys["c"].to_pylist() == ["B", "B", "k.A."]
    assert stats.keys["s"].to_pylist() == ["2", "k.A.", "1"]
    assert stats.dropped()["outcome"] == 1


@pytest.mark.parametrize(("files_of", "expected"), [
    ((["7", "8"], ["A7", "7"]), ["7", "8", "A7"]),
    ((["A7", "7"], ["7", "8"]), ["7", "8", "A7"]),
    ((["7", "NA"], ["8"]), [7, 8]),
    ((["NA"], ["8", "7"]), [7, 8]),
    ((["8", "7"], ["NA"]), [7, 8]),
    ((["NA"], ["BW"]), ["BW", "NA"]),
    ((["7", "NA"], ["BW"]), ["7", "BW", "NA"]),
    ((["NA"], ["NA"]), ["NA"]),
    (([""], ["8", "7"]), [7, 8]),
    (([""], ["8", "x"]), ["8", "x"]),
    ((["007"], ["7"], ["8"]), ["007", "7", "8"]),
])  # fmt: skip
def test_files_agree_on_what_ids_are(files_of: tuple[list[str], ...], expected: list[Any], tmp_path: Path) -> None:
    paths = [with_ids(tmp_path / f"{i}.csv", ids) for i, ids in enumerate(files_of)]
    assert labels(paths) == expected
    assert labels(tmp_path) == expected


def test_types_depend_on_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastml.io.csv_text.BLOCK", 500)
    monkeypatch.setattr("fastml.io.csv_format.BLOCK", 500)
    rows = [f"{10**16 + i // 10},{i % 7}" for i in range(3000)]
    path = written(tmp_path / "t.csv", "s,y\n" + "\n".join(rows) + "\n")
    assert labels(path) == [10**16 + i for i in range(300)]
    for place in (1, 1700, 2999):
        changed = [*rows[:place], f"{10**16 + 5}.0,2.5", *rows[place + 1 :]]
        written(path, "s,y\n" + "\n".join(changed) + "\n")
        found = fastml.group_stats(path, "y", "s")
        assert len(found) == 301
        assert found.keys["s"].type == pa.string()
        assert fastml.fit(path, "y", "s").n_obs == 3000


def test_ids_as_texts_against_a_slow_twin(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    pool = ["1", "2", "12", "007", "NA", "NULL", ".", "", " ", "1.0", "A", "-3", "é", "x y"]
    for _ in range(40):
        texts = rng.choice(pool, rng.integers(1, 5), replace=False).tolist()
        column = [texts[i] for i in rng.integers(0, len(texts), 30)]
        written(tmp_path / "t.csv", "y,s\n" + "".join(f'{i},"{s}"\n' for i, s in enumerate(column)))
        present = [s for s in column if s.strip(" ")]
        others = [s for s in present if s not in ("NA", "NaN", "NULL", ".")]
        whole = bool(others) and all(re.fullmatch(r"0|-?[1-9]\d*", s) for s in others)
        expected = sorted({int(s) for s in others} if whole else set(present))
        stats = fastml.group_stats(tmp_path / "t.csv", "y", "s")
        assert stats.groups().labels["s"].to_pylist() == expected
        assert stats.dropped()["group"] == 30 - len(others if whole else present)


def test_statistics_of_integers_and_of_texts_add_where_texts_are_integers(tmp_path: Path) -> None:
    a = fastml.group_stats({"y": [1.0, 2.0], "s": [7, 8]}, "y", "s")
    b = fastml.group_stats({"y": [4.0, 8.0, 5.0], "s": ["10", "7", None]}, "y", "s")
    for total in (a + b, b + a):
        assert total.groups().labels["s"].to_pylist() == [7, 8, 10]
        assert total.groups().n.tolist() == [2, 1, 1]
        assert total.dropped()["group"] == 1
    c = fastml.group_stats({"y": [4.0], "s": ["007"]}, "y", "s")
    with pytest.raises(FastmlError, match=r"key 's' is of integers in one .* text '007' in the other; .*'types'"):
        a + c


# What numbers are.


@pytest.mark.parametrize("word", ["", "NA", "NaN", "nan", "NULL", "null", ".", "-", "N/A", "n/a", "#N/A"])
def test_words_for_a_missing_number(word: str, tmp_path: Path) -> None:
    for rows in (f"1,{word}\n1,2\n2,5\n2,4\n", f"1,2\n2,5\n2,4\n1,{word}\n", f'1,"{word}"\n1,2\n2,5\n2,4\n'):
        stats = fastml.group_stats(written(tmp_path / "t.csv", "s,y\n" + rows), "y", "s")
        assert (stats.groups().n.tolist(), stats.dropped()["outcome"]) == ([1, 2], 1)


@pytest.mark.parametrize(("texts", "options", "values"), [
    (["1,050.5", "2,000", "999", "-1,234,567.25"], {"thousands": ","}, [1050.5, 2000, 999, -1234567.25]),
    (["1.050,5", "2.000", "999", "-1.234.567,25"], {"thousands": ".", "decimal": ","}, [1050.5, 2000, 999, -1234567.25]),
    (["1 050.5", "2 000", "999", "NA"], {"thousands": " "}, [1050.5, 2000, 999]),
    (["1'050.5", "12,34,567", "+1'000", "5"], {"thousands": "'", "missing": ["12,34,567"]}, [1050.5, 1000, 5]),
    (["12,34,567", "1", "2", "3"], {"thousands": ","}, [1234567, 1, 2, 3]),
    (["5,5", "+6,25", "1e2", " 7 "], {"decimal": ","}, [5.5, 6.25, 100, 7]),
    (["k.A.", "5", "absent", "6"], {"missing": ["k.A.", "absent"]}, [5, 6]),
    (["TRUE", "false", "NA", "true"], {}, [1, 0, 1]),
    (["1e3", ".5", "5.", "-0"], {}, [1000, 0.5, 5, 0]),
])  # fmt: skip
def test_numbers_as_they_are_written(
    texts: list[str], options: dict[str, Any], values: list[float], tmp_path: Path
) -> None:
    path = written(tmp_path / "t.csv", "s;y\n" + "".join(f'1;"{text}"\n' for text in texts))
    found = fastml.group_stats(path, "y", "s", csv_options=options).groups()
    expected = fastml.group_stats({"y": [float(x) for x in values], "s": [1] * len(values)}, "y", "s").groups()
    assert (found.n.tolist(), found.mean.tolist(), found.ss.tolist()) == (
        expected.n.tolist(), expected.mean.tolist(), expected.ss.tolist()
    )  # fmt: skip


@pytest.mark.parametrize(("text", "options", "remedies", "not_given"), [
    ("1,050.5", {}, ["{'thousands': ','}"], ["decimal", "missing"]),
    ("1,050", {}, ["{'thousands': ','}", "{'decimal': ','}"], ["missing"]),
    ("5,5", {}, ["{'decimal': ','}"], ["thousands", "missing"]),
    ("5.5", {"decimal": ","}, ["{'decimal': '.'}"], ["missing", "thousands"]),
    ("1.050,5", {"decimal": ","}, ["{'thousands': '.'}"], ["decimal", "missing"]),
    ("1.050,5", {"thousands": ","}, ["{'thousands': '.', 'decimal': ','}"], ["missing"]),
    ("1 050", {}, ["{'thousands': ' '}"], ["missing"]),
    ("1,05,0", {"thousands": ","}, ["correct it"], ["missing", "'thousands'"]),
    ("12 points", {}, ["correct it"], ["missing"]),
    ("1_000", {}, ["correct it"], ["missing"]),
    ("0x1F", {}, ["correct it"], ["missing"]),
    ("absent", {}, ["{'missing': ['absent']}"], ["thousands", "decimal"]),
    ("k.A.", {"missing": ["absent"]}, ["{'missing': ['k.A.']}"], ["thousands"]),
    ("TRUE", {}, ["{'missing': ['TRUE']}"], []),
])  # fmt: skip
def test_what_is_no_number_is_told_with_the_remedy_that_fits(
    text: str, options: dict[str, Any], remedies: list[str], not_given: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("fastml.io.csv_format.BLOCK", 200)
    rows = ["1;2", "2;NA", '"3\n4";5', f'4;"{text}"', "5;later"]
    for before in (0, 100):
        path = written(tmp_path / "t.csv", "s;y\n" + "9;8\n" * before + "\n".join(rows) + "\n")
        with pytest.raises(FastmlError) as refused:
            fastml.fit(path, "y", "s", csv_options=options)
        said = str(refused.value)
        assert f"column 'y' of file {path} has {text!r} in row {before + 3} (the first is 0)" in said
        assert all(remedy in said for remedy in remedies)
        assert not any(f"csv_options={{'{word}" in said or word == "'thousands'" in said for word in not_given)


def test_true_and_false_among_numbers_are_refused(tmp_path: Path) -> None:
    for rows, text in (("1,true\n1,2\n", "'2' in row 1"), ("1,2\n1,true\n", "'true' in row 1")):
        with pytest.raises(FastmlError, match=text):
            fastml.fit(written(tmp_path / "t.csv", "s,y\n" + rows), "y", "s")


def test_types_that_are_told_win(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "s,y\n007,1\n007,2\n8,4\n8,5\n")
    assert labels(path, csv_options={"types": {"s": "int64"}}) == [7, 8]
    with pytest.raises(FastmlError, match="outcome column 'y' has type string"):
        fastml.fit(path, "y", "s", csv_options={"types": {"y": "string"}})


# What filters compare.


@pytest.mark.parametrize(("condition", "n"), [
    ("cycle = 2019", 2), ("cycle < 2020.5", 2), ("country = 'NA'", 1), ("country is null", 1), ("share >= 0.5", 2),
    ("share is null", 1), ("day > DATE '2020-01-15'", 3), ("ok = TRUE", 2), ("s = 7", 2), ("y > 2", 2),
    ("code = 7", 2), ("long = 10000000000000001", 1), ("mixed = '7'", 2), ("s in (7, 9)", 3),
])  # fmt: skip
def test_filters_compare_with_what_all_values_are(condition: str, n: int, tmp_path: Path) -> None:
    path = written(
        tmp_path / "t.csv",
        "s,y,cycle,country,share,day,ok,code,long,mixed\n"
        "7,1,2019,NA,0.5,2020-01-01,true,007,10000000000000001,7\n"
        "7,2,2019,BW,.,2020-02-01,false,7,10000000000000002,7\n"
        "8,3,2023,,0.25,2020-03-01,true,8,10000000000000003,a\n"
        "9,4,2023,BW,1,2020-04-01,NA,9,10000000000000004,NA\n",
    )
    stats = fastml.group_stats(path, "y", "s", filter=condition)
    assert int(stats.counts[:, 0].sum()) == n
    with pytest.raises(FastmlError, match="filter"):  # a column of numbers is compared with a text
        fastml.group_stats(path, "y", "s", filter="code = '007'")


# First lines.


@pytest.mark.parametrize("text", [
    "sep=;\nschool;score\n1;5\n1;6\n2;9\n2;7\n",
    '"sep=;"\r\nschool;score\r\n1;5\r\n1;6\r\n2;9\r\n2;7\r\n',
    "\n\nschool\tscore\n1\t5\n1\t6\n\n2\t9\n2\t7",
    "school,score\r1,5\r1,6\r2,9\r2,7\r",
    '"school" "score"\n"1" 1 5\n"2" 1 6\n"3" 2 9\n"4" 2 7\n'.replace(" ", ","),
    "\ufeffschool,score\n1,5\n1,6\n2,9\n2,7\n",
    '"school","score"\n"1","5"\n"1","6"\n"2","9"\n"2","7"\n',
])  # fmt: skip
def test_first_lines_that_are_understood(text: str, tmp_path: Path) -> None:
    fit = fastml.fit(written(tmp_path / "t.csv", text), "score", "school")
    assert (fit.n_obs, fit.gamma00) == (4, 6.75)


def test_row_names_of_r_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "school,score\n1,1,5\n2,1,6\n3,2,9\n4,2,7\n")
    assert fastml.group_stats(path, "score", "row.names").keys["row.names"].to_pylist() == [1, 2, 3, 4]
    for text in ("school,score\n1,1,5\n1,1,6\n2,2,9\n", "school,score\n1,1,5\n2,1\n"):  # no names: twice, or not in all
        with pytest.raises(FastmlError, match=r"Expected \d columns, got \d"):
            fastml.fit(written(path, text), "score", "school")
    written(path, "school,score\n1,5,\n1,6,\n2,9,\n2,7,\n")
    with pytest.raises(FastmlError, match="rows end in a ',' that the line of names lacks"):
        fastml.fit(path, "score", "school")


def test_lines_before_the_names(tmp_path: Path) -> None:
    body = "school,score\n1,5\n1,6\n2,9\n2,7\n"
    path = written(tmp_path / "t.csv", "Export of 3 May\n\n" + body)
    with pytest.raises(FastmlError, match=r"has its names in line 3, not before: give csv_options=\{'skip_rows': 2\}"):
        fastml.fit(path, "score", "school")
    assert fastml.fit(path, "score", "school", csv_options={"skip_rows": 2}).n_obs == 4
    with pytest.raises(FastmlError, match="it is empty"):
        fastml.fit(path, "score", "school", csv_options={"skip_rows": 100})


def test_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '# made in May\nschool,score,note\n#1,5,x\n1,5,"a\n# no comment"\n1,6,#\n# "\n2,9,\n2,7,"b ""#"""\n#'
    path = written(tmp_path / "t.csv", text)
    for block in (1 << 20, 5, 17, 40):
        monkeypatch.setattr("fastml.io.csv_text.BLOCK", block)
        stats = fastml.group_stats(path, "score", ["school", "note"], csv_options={"comment": "#"})
        assert stats.keys["note"].to_pylist() == ["#", "a\n# no comment", 'b "#"', None]


def test_csv_names_in_quotes_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"id, of a school,,";"score\nin maths";5" wide\n1;2;0\n1;4;0\n2;9;0\n2;5;0\n')
    stats = fastml.group_stats(tmp_path / "t.csv", "score\nin maths", "id, of a school,,")
    assert stats.groups().mean.tolist() == [3.0, 7.0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastml.io.csv_text.BLOCK", 501)
    text = "id,y,é\n" + "".join(f"Sé{i % 30:02d},{i % 97 + i % 30},xx\n" for i in range(1000))
    path = written(tmp_path / "t.csv", text, encoding)
    found = fastml.group_stats(path, "y", "id", csv_options={"encoding": encoding})
    same(found, fastml.group_stats(written(tmp_path / "u.csv", text), "y", "id"))
    if encoding in ("utf-8-sig", "utf-16", "utf-32"):  # told by their first bytes
        same(fastml.group_stats(path, "y", "id"), found)


# Quotes.


def quoted_file(path: Path, at: int, value: str) -> Path:
    rows = [f"{i % 7},{i // 10},ok" for i in range(1000)]
    rows[500] = rows[500].replace("ok", '"fine, and\nover two lines"')
    rows[at] = rows[at].replace("ok", value)
    return written(path, "y,s,note\n" + "\n".join(rows) + "\n")


@pytest.mark.parametrize("block", [1 << 22, 100])
@pytest.mark.parametrize(
    ("at", "value", "line"), [(300, '"unfinished', 302), (999, '"unfinished', 1002), (700, '"', 703)]
)
def test_a_quote_that_is_never_closed_is_an_error(
    block: int, at: int, value: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastml.io.csv_text.BLOCK", block)
    monkeypatch.setattr("fastml.io.csv_format.BLOCK", block)
    path = quoted_file(tmp_path / "t.csv", at, value)
    with pytest.raises(FastmlError, match=rf"has a quote in line {line:,} that begins a value and is not closed"):
        fastml.fit(path, "y", "s")
    with pytest.raises(FastmlError, match=rf"has a quote in line {line:,} "):
        fastml.fit(path, "y", "s", csv_options={"types": {"s": "int64"}})


@pytest.mark.parametrize("block", [1 << 22, 100, 7])
@pytest.mark.parametrize(
    "value", ['5" wide', 'say ""hi""', '"say ""hi"""', '""', '""""', '"Big" school', '"a\n\nb"', '"a\r\n""b"""', "'"]
)
def test_quotes_that_are_closed_lose_no_row(
    block: int, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastml.io.csv_text.BLOCK", block)
    path = quoted_file(tmp_path / "t.csv", 300, value)
    assert fastml.group_stats(path, "y", "s").counts[:, 0].sum() == 1000


def test_quotes_that_are_letters(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 's,y\n"a,1\n"a,2\nb",4\nb",7\n')
    assert labels(path, csv_options={"quote": ""}) == ['"a', 'b"']
    written(path, "s,y\n'a,b',1\n'a,b',2\n\"c,4\n\"c,7\n")
    assert labels(path, csv_options={"quote": "'"}) == ['"c', "a,b"]


def test_csv_refusals(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "")
    with pytest.raises(FastmlError, match=r"t\.csv is not a CSV file that can be read: it is empty"):
        fastml.fit(path, "y", "id")
    written(path, "id,y\n1,2\n1,2,3\n")
    with pytest.raises(FastmlError, match=r"t\.csv is not a CSV file .*Expected 2 columns, got 3"):
        fastml.fit(path, "y", "id")
    written(path, "id,y\n1,2,3,4\n")
    with pytest.raises(FastmlError, match=r"Expected 2 columns, got 4.*csv_options=\{'skip_rows': 1\} skips one"):
        fastml.fit(path, "y", "id")
    written(path, "id,y\n")
    with pytest.raises(FastmlError, match="there are no observations to fit"):
        fastml.fit(path, "y", "id")
    written(path, "id,y,y\n1,2,3\n1,3,4\n")
    with pytest.raises(FastmlError, match="column 'y' stands 2 times"):
        fastml.fit(path, "y", "id")


def test_a_type_of_a_column_that_no_text_file_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("school,y\n1,1\n1,2\n2,5\n2,4\n")
    (tmp_path / "b.csv").write_text("school,y,more\n1,1,7\n1,2,7\n")
    with pytest.raises(
        FastmlError, match=r"'School' is not in file .*a.csv, though .*'types'.* did you mean 'school'\?"
    ):
        fastml.fit(tmp_path / "a.csv", "y", "school", csv_options={"types": {"School": "string"}})
    for types in ({"more": "string"}, {"school": "string"}):  # one of the files will do
        assert fastml.fit(tmp_path, "y", "school", csv_options={"types": types}).n_obs == 6
    pq.write_table(pa.table({"y": [1.0, 2.0, 3.0, 5.0], "school": [1, 1, 2, 2]}), tmp_path / "t.parquet")
    assert fastml.fit(tmp_path / "t.parquet", "y", "school", csv_options={"types": {"School": "string"}}).n_obs == 4
