"""What names of schools can't do: send escapes to a terminal, fake its lines, turn text around, run in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import pickle
import random
import re
import sys
import unicodedata

import pandas as pd
import pytest
from commandline import run
from surveys import timss

import fastml
from fastml import errors
from fastml.cli.output import deliver
from fastml.errors import FastmlError, visible
from fastml.report.exports import csv_text

BAD = {
    "escape": "a\x1b[31mred",
    "title": "a\x1b]0;own\x07b",
    "eight bits": "a\x9b31mred",
    "line": "a\nfake 1 2",
    "overwrite": "real\rfake",
    "backspace": "a\x08\x08b",
    "tab": "a\tb",
    "right to left": "a\u202egnp.exe",
    "isolate": "a\u2067b\u2069",
    "mark": "a\u200fb",
    "line separator": "a\u2028b",
    "zero width": "a\u200bb",
    "half a surrogate": "a\udcffb",
}  # fmt: skip
KEPT = ["Müller", "مدرسه\u200cی", "ירושלים", "学校　一", "👩\u200d🏫", "a\u00a0b", r"a\nb", "naïve"]


def table(name: str) -> pd.DataFrame:
    s = [1, 1, 2, 2, 3, 3]
    y = [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]
    return pd.DataFrame({"c": [name] * 6 + ["z"] * 6, "s": s * 2, "y": y + y[::-1]})


def assert_harmless(text: str) -> None:
    for letter in text.replace("\n", ""):
        hidden = unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        turns = unicodedata.bidirectional(letter) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        assert not hidden, hex(ord(letter))
        assert not turns, hex(ord(letter))
        assert letter not in "\u200b\u200e\u200f\u061c"


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_names_are_shown_not_sent(name: str) -> None:
    if "\udcff" in name:  # which is no text to Arrow
        assert visible(name) == r"a\udcffb"
        return
    data = table(name)
    by = fastml.fit_by(data, "y", "s", by="c")
    fit = fastml.fit(data.rename(columns={"y": name, "s": name + "s"}), name, name + "s")
    for text in (
        str(by),
        str(by.summary()),
        str(fit),
        str(fit.summary()),
        repr(fastml.group_stats(data.rename(columns={"y": name}), name, "s")),
    ):
        assert_harmless(text)
        assert visible(name) in text
    for made in (by, fit):  # JSON and Markdown are for terminals too, and keep the name
        assert_harmless(made.to_json())
        assert_harmless(made.to_markdown())
        assert_harmless(made.to_latex())
    assert json.loads(by.to_json())[0]["c"] == name
    assert json.loads(fit.to_json())["outcome"] == name
    assert len(str(by).splitlines()) == 5  # with what made it


def students(**more: str) -> pd.DataFrame:
    return pd.DataFrame(timss()).assign(**more)


def test_a_survey_shows_names_too() -> None:
    data = students(C="a\x1b[31mred\u202e")
    made = fastml.fit_survey(data, "BSMMAT", "timss", by="C")
    assert_harmless(str(made))
    assert r"a\x1b[31mred\u202e" in str(made)
    assert json.loads(made.to_json())[0]["C"] == "a\x1b[31mred\u202e"
    assert_harmless(made.to_json())


@pytest.mark.parametrize("name", KEPT)
def test_letters_of_all_languages_stay(name: str) -> None:
    assert visible(name) == name
    assert name in str(fastml.fit_by(table(name), "y", "s", by="c"))
    assert name in fastml.fit_by(table(name), "y", "s", by="c").to_json() or "\\" in name


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_errors_show_names(name: str) -> None:
    for word in (
        ["fit", name, "-y", "y", "-g", "g"],
        ["fit", "x.csv", "-y", "y", "-g", "g", "--method", name],
        [name],
        ["fit", "x", "--" + name],
        ["merge", name, "-o", name],
    ):
        done = run(*word)
        assert done.returncode == 2
        assert_harmless(done.stderr)
        assert done.stderr.count("\n") == 1
    with pytest.raises(FastmlError) as caught:
        fastml.fit(name, "y", "g")
    assert_harmless(str(caught.value))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_no_escapes_in_any_form_and_a_file_the_text_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    text = fastml.fit_by(table("a\x1b[31mred"), "y", "s", by="c").to_csv()
    for stream, shown in ((_Terminal(), visible(text, but="\n")), (io.StringIO(), text)):
        monkeypatch.setattr(sys, "stdout", stream)
        deliver(text, None)
        assert stream.getvalue() == shown
    assert "\x1b" in text


FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "-1+1",
    "-cmd",
    "＝1+1",
    "＋1",
    "＠x",
    "－x",
    "'=1",
    "''=1",
    "=",
    "-",
]
HARMLESS = ["a=1", "'s-Gravenhage", "'", "", " =1", "-5", "-1.5", "-1,000", "007", "''"]


def unguard(text: str) -> str:
    """The manual's line, as a user would write it."""
    return re.sub(r"^'(?='*([=+@\t\r\n＝＋＠－]|-(?![\d.,]+$)))", "", text)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", FORMULAS + HARMLESS)
def test_a_spreadsheet_runs_no_cell_and_each_comes_back(name: str) -> None:
    (row,) = read(csv_text([{"c": name, name + "x": 1.5}], ["c", name + "x"]))
    assert (row["c"] == name) == (name in HARMLESS)
    assert row["c"].lstrip("'") == name.lstrip("'")
    assert unguard(row["c"]) == name
    assert [unguard(head) for head in row] == ["c", name + "x"]


def test_numbers_stay_numbers_and_every_text_comes_back() -> None:
    (row,) = read(csv_text([{"a": -1.5, "b": None, "c": True, "d": -3}], ["a", "b", "c", "d"]))
    assert row == {"a": "-1.5", "b": "", "c": "True", "d": "-3"}
    wait = random.Random(7)
    texts = ["".join(wait.choice("'=+-@\t\r\n1a.,＝") for _ in range(wait.randint(0, 6))) for _ in range(2000)]
    cells = [row["c"] for row in read(csv_text([{"c": text, "d": 1} for text in texts], ["c", "d"]))]
    assert [unguard(cell) for cell in cells] == texts
    assert not [cell for cell in cells if re.match("[=+@\t\r\n＝]", cell)]


def test_fits_and_surveys_write_such_cells() -> None:
    (row, _) = read(fastml.fit_by(table("=1+1"), "y", "s", by="c").to_csv())
    assert row["c"] == "'=1+1"
    (row,) = read(fastml.fit(table("x").rename(columns={"y": "=y"}), "=y", "s").to_csv())
    assert row["outcome"] == "'=y"
    (row,) = read(fastml.fit_survey(students(C="@c"), "BSMMAT", "timss", by="C").to_csv())
    assert row["C"] == "'@c"


def test_errors_come_through_another_process() -> None:
    made = [
        errors.ArgumentError("df", "x", ["a"]),
        errors.FilterError("a = ", 2),
        errors.ColumnNotFoundError("y", ["x"], "f"),
        errors.RangeError("level", 2, "below 1"),
        errors.FormulaError("y ~ x"),
        errors.FastmlError(),
    ]
    for error in made:
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error)
        assert str(back) == str(error)
