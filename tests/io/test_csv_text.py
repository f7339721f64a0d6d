"""The first lines of text files, and their rows in UTF-8."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from fastml import FastmlError
from fastml.io.csv_options import csv_options
from fastml.io.csv_text import line_with, open_text
from fastml.io.locations import Location


def rows_of(path: Path, **options: object) -> tuple[list[str], str, str]:
    """Names, delimiter and rows."""
    location = Location(str(path))
    text = open_text(location, csv_options(options))
    with closing(location.open()) as source:
        return text.names, text.delimiter, b"".join(iter(partial(text.rows(source).read, 7), b"")).decode()


@pytest.mark.parametrize(("content", "options", "expected"), [
    ("a,b\n1,2\n", {}, (["a", "b"], ",", "1,2\n")),
    ("sep=|\na|b\n1|2", {}, (["a", "b"], "|", "1|2")),
    ("sep=|\na;b\n1;2", {"delimiter": ";"}, (["a", "b"], ";", "1;2")),
    ("\r\n\r\na;b;c,d\r\n1;2;3\r\n", {}, (["a", "b", "c,d"], ";", "1;2;3\r\n")),
    ("t,i,t,l,e\na\tb\n1\t2\n", {"skip_rows": 1}, (["a", "b"], "\t", "1\t2\n")),
    ("a b\n1 x y\n", {"delimiter": " "}, (["row.names", "a", "b"], " ", "1 x y\n")),
    ('"a""b",c\n"1\n#",2\n#x\n3,4\n', {"comment": "#"}, (['a"b', "c"], ",", '"1\n#",2\n3,4\n')),
    ("%% x\na,b\n%%\n1,2%%\n", {"comment": "%%"}, (["a", "b"], ",", "1,2%%\n")),
    ("a\n1\n", {}, (["a"], ",", "1\n")),
    ("a,b\n", {}, (["a", "b"], ",", "")),
])  # fmt: skip
def test_first_lines(content: str, options: dict[str, object], expected: object, tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "t.csv").write_bytes(content.encode(encoding))
        assert rows_of(tmp_path / "t.csv", **options) == expected


def test_the_line_of_names_further_down(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('Report;of;May\n\n"made by";x\nschool;score;"a;b"\n1;2;3\n')
    text = open_text(Location(str(tmp_path / "t.csv")), csv_options(None))
    assert line_with(text, ["score", "a;b"]) == 4
    assert line_with(text, ["scores"]) == 0
    assert text.line_of(0) == 2


def test_an_unclosed_quote_longer_than_a_block(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1,"x\n' + "2,3\n" * 100)
    text = open_text(Location(str(tmp_path / "t.csv")), csv_options(None))
    with pytest.raises(FastmlError, match="a quote in line 2 "):
        text.check_quotes()
