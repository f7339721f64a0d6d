"""Messages of the command line name its options, and no Python."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import bad, good, run

from fastml.cli.wording import in_own_words, without_types

SAID = {
    "vcov='zz' is not one of 'cr2', 'joint'": "--vcov zz is not one of 'cr2', 'joint'",
    "weights='' needs group_weights too": "--weights '' needs --group-weights too",
    "method='reml' can't be weighted; leave method out or use method='ml'": "--method reml can't be weighted; leave method out or use --method ml",
    "give weights= and group_weights=": "give --weights and --group-weights",
    "filter= chooses rows": "--filter chooses rows",
    "group='s', but the statistics": "-g s, but the statistics",
    "group=['a', 'b'], but": "-g ['a', 'b'], but",
    "filter 'level=3 and by=2' can't be read at 'by=2'": "filter 'level=3 and by=2' can't be read at 'by=2'",
    "column 'group_weights' isn't there; schools' group_weights": "column 'group_weights' isn't there; schools' --group-weights",
    "file /t/group_weights and icc_width.csv; icc_width.": "file /t/group_weights and icc_width.csv; --icc-width.",
    "se=None can't be: or else margin= or": "--se left out can't be: or else --margin or",
    "schools=3 can't be": "--schools 3 can't be",
    "Invalid value for '--threads': 'x' is not a valid integer.": "--threads: it takes a whole number",
    "Invalid value for '--icc' (env var: 'None'): 'x' is not a valid float.": "--icc: it takes a number",
    "Invalid value for '--threads': Input should be greater than or equal to 1": "--threads: it takes 1 or more",
    "Invalid value for '--outcome' / '-y': Value error, no": "--outcome / -y: no",
    "the working folder is gone": "the working folder is gone",
}  # fmt: skip


@pytest.mark.parametrize("message", SAID)
def test_arguments_become_options(message: str) -> None:
    assert in_own_words(message) == SAID[message]


def test_types_become_words_in_place() -> None:
    assert without_types("FILE <list[str]>  Files") == "FILE              Files"
    assert without_types("--a <int range>  x") == "--a N            x"


@pytest.fixture
def scores(tmp_path: Path) -> list[object]:
    path = tmp_path / "t.csv"
    path.write_text("s,y,c,v\n1,1,A,1\n1,2,A,1\n2,5,A,2\n2,4,A,2\n3,9,A,1\n3,8,A,1\n")
    return ["fit", path, "-y", "y", "-g", "s"]


WRONG = [
    ["--method", "mle"], ["--vcov", "zz"], ["--weights", "y"], ["--weights-are", "x"], ["--weight-scaling", "x"],
    ["--level", "2"], ["--level", "x"], ["--threads", "0"], ["--threads", "x"], ["--encoding", "zz"],
    ["--delimiter", "ab"], ["--decimal", "ab"], ["--filter", "c = A"], ["--filter", "c ="], ["--by", ""],
    ["--by", "y"], ["--group-weights", "z"], ["--weights", "", "--group-weights", "v"], ["--format", "xls"],
    ["--bias", "x"], ["--method", "reml", "--group-weights", "v"],
]  # fmt: skip


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_no_error_speaks_python(words: list[str], scores: list[object]) -> None:
    said = bad(*scores, *words)
    unquoted = re.sub(r"(?<!\w)'[^']*'(?!\w)", "", said.replace(str(scores[1]), "FILE"))
    assert not re.search(
        r"\b[a-z_]+=|[a-z]_[a-z]|Input should|Value error|None|\bdict\b|csv_options|pydantic|\(\)", unquoted
    ), said


def test_levels_and_words_are_understood_as_they_are_written(scores: list[object]) -> None:
    wanted = good(*scores, "--level", "0.9", "--method", "reml", "--format", "json")
    for level, method, form in (("90", "REML", "JSON"), ("90.0", "Reml", "Json"), (".9", "rEML", "json")):
        assert good(*scores, "--level", level, "--method", method, "--format", form) == wanted
    assert "--level 2.0 can't be: it is a number between 0 and 1" in bad(*scores, "--level", "2")
    assert "--level 100.0 can't be" in bad(*scores, "--level", "100")
    plan = ["plan", "--icc", ".2", "--schools", "40", "--cluster-size", "25"]
    assert good(*plan, "--level", "90") == good(*plan, "--level", ".9")
    weighted = [*scores, "--group-weights", "v", "--format", "json"]
    assert good(*weighted, "--vcov", "JOINT") == good(*weighted, "--vcov", "joint")


@pytest.mark.parametrize("text", ["c = A", 'c = "A"', "c in (A, B)", "y > 2 and c <> A"])
def test_unquoted_words_in_filters_are_hinted_at(text: str, scores: list[object]) -> None:
    assert "there is no column 'A'; a text stands in single quotes, as in country = 'TUR'" in bad(
        *scores, "--filter", text
    )
    assert run(*scores, "--filter", text.replace('"A"', "A").replace("A", "'A'").replace("B", "'B'")).returncode in (
        0,
        2,
    )


@pytest.mark.parametrize(
    ("python", "options"),
    [
        ("say missing=96 if", "say --missing 96 if"),
        (
            "say missing=[6, 999999] if so, missing=() if not",
            "say --missing 6 --missing 999999 if so, --missing '' if not",
        ),
        ("average=True is a mean over parts", "--average is a mean over parts"),
        ("give school_data=, the school file", "give --school-file, the school file"),
        ("without replicates there is se='sandwich'", "without replicates there is --se sandwich"),
        ("weights='w' needs group_weights too", "--weights w needs --group-weights too"),
    ],
)
def test_what_errors_of_surveys_ask_for(python: str, options: str) -> None:
    assert in_own_words(python) == options


@pytest.mark.filterwarnings("always")
def test_notices_name_options_too(tmp_path: Path) -> None:
    table = pa.table({"s": [1, 1, 1, 2, 2, 2, 3, 3, 3], "y": [10.0, 11, 12, 9, 10, 999999, 12, 13, 12]})
    pq.write_table(table, tmp_path / "t.parquet")
    call = ["fit", tmp_path / "t.parquet", "-y", "y", "-g", "s"]
    done = run(*call)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "column 'y' has 999999 (1 row), apart from all its other values" in done.stderr
    assert "say --missing 999999 if they stand for missing ones, --missing '' if not" in done.stderr
    assert run(*call, "-q").stderr == run(*call, "--missing", "").stderr == ""
    assert "8 observations" in run(*call, "--missing", "999999").stdout


@pytest.mark.parametrize(("message", "expected"), [
    ("give csv_options={'skip_rows': 2}", "give --skip-rows 2"),
    ("csv_options={'thousands': '.', 'decimal': ','}", "--thousands . --decimal ,"),
    ("csv_options={'missing': ['k. A.', 'x']} or so", "--missing 'k. A.' --missing x or so"),
    ("csv_options={'types': {'id': 'string'}} takes", "--types id=string takes"),
    ("csv_options={'quote': ''}", "--quote ''"),
    ("csv_options: skip_rows=-1 is not", "--skip-rows: -1 is not"),
    ("csv_options: thousands and decimal are both it", "thousands and decimal are both it"),
    ("csv_options={broken}", "csv_options={broken}"),
    ("no options", "no options"),
])  # fmt: skip
def test_words_of_python_as_options(message: str, expected: str) -> None:
    assert in_own_words(message) == expected
