"""Damaged files: bytes flipped, cut, inserted. Only a FastmlError may come out, or figures; nothing hangs or crashes.

Each kind of file is damaged with a fixed seed and read in another process, so that a crash of a reader would be seen
as one. FASTML_FUZZ=20 tries twenty times as many.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from conftest import fewer

import fastml
from fastml.errors import SourceError

pytestmark = pytest.mark.together

TIMES = int(os.environ.get("FASTML_FUZZ", "1"))

KINDS = {
    "statistics": 400, "weighted statistics": 200, "parquet": 200, "compressed parquet": 200, "checked parquet": 150,
    "feather": 200, "stream": 200, "csv": 200, "sav": 150,
}  # fmt: skip

PROGRAM = """
import json, sys, warnings
from collections import Counter
from pathlib import Path
import numpy as np
import fastml
from fastml.errors import SourceError
from fastml.errors import FastmlError


def damaged(raw, i):
    # Where the description of a file is, at its beginning and end, damage does most.
    anywhere, edge = (int(rng.integers(len(raw))) for _ in range(2)), int(rng.integers(min(300, len(raw))))
    at = [next(anywhere), edge, len(raw) - 1 - edge][i % 3]
    what = ("flip", "byte", "cut", "insert", "lose", "zero", "swap", "many")[int(rng.integers(8))]
    if what == "flip":
        raw[at] ^= 1 << int(rng.integers(8))
    elif what == "byte":
        raw[at] = int(rng.integers(256))
    elif what == "cut":
        del raw[at:]
    elif what == "insert":
        raw[at:at] = rng.bytes(int(rng.integers(1, 20)))
    elif what == "lose":
        del raw[at : at + int(rng.integers(1, 20))]
    elif what == "zero":
        raw[at : at + 16] = bytes(len(raw[at : at + 16]))
    elif what == "swap":
        raw[at : at + 8] = raw[at : at + 8][::-1]
    else:
        for place in rng.integers(len(raw), size=8):
            raw[place] = int(rng.integers(256))
    print(f"{kind}: {i} {what} at {at}", file=sys.stderr, flush=True)
    return raw

warnings.simplefilter("error")
for kind, path, tries in json.load(sys.stdin):
    path = Path(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    outcomes = Counter()
    file = path.with_name("damaged" + path.suffix)
    for i in range(tries):
        file.write_bytes(damaged(bytearray(whole), i))
        try:
            if "statistics" in kind:
                stats = fastml.GroupStats.read(file)
                fit = fastml.fit(stats)
                fit.to_json(), str(fit), (stats + stats).to_arrow()
            else:
                fit = fastml.fit(file, "y", "id")
            assert fit.n_obs >= 0 and fit.sigma2 > 0 and np.isfinite([fit.gamma00, fit.sigma2, fit.deviance]).all()
            outcomes["figures"] += 1
        except FastmlError as error:
            assert "\\n" not in str(error), str(error)
            outcomes[type(error).__name__] += 1
    print(json.dumps([kind, outcomes]), flush=True)
"""


def rows() -> pa.Table:
    rng = np.random.default_rng(5)
    return pa.table({
        "y": np.round(rng.normal(500, 100, 400), 2),
        "id": pa.array([f"school {g}" for g in rng.integers(0, 20, 400)]),
        "w": rng.integers(1, 5, 400).astype(float),
        "v": np.ones(400),
    })  # fmt: skip


def make(kind: str, folder: Path) -> Path:
    table = rows()
    if kind == "statistics":
        fastml.group_stats(table, "y", "id").write(folder / "t.parquet")
    elif kind == "weighted statistics":
        fastml.group_stats(table, "y", "id", weights="w", group_weights="v").write(folder / "t.parquet")
    elif kind == "parquet":
        pq.write_table(table, folder / "t.parquet", compression="none", row_group_size=100)
    elif kind == "compressed parquet":
        pq.write_table(table, folder / "t.parquet", compression="zstd", data_page_version="2.0", use_dictionary=False)
    elif kind == "checked parquet":
        pq.write_table(table, folder / "t.parquet", write_page_checksum=True, row_group_size=150)
    elif kind == "feather":
        feather.write_feather(table, folder / "t.feather", compression="lz4")
        return folder / "t.feather"
    elif kind == "stream":
        with pa.OSFile(str(folder / "t.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, 100)
        return folder / "t.arrow"
    elif kind == "csv":
        pacsv.write_csv(table, folder / "t.csv")
        return folder / "t.csv"
    else:
        import pyreadstat

        pyreadstat.write_sav(table.to_pandas(), str(folder / "t.sav"))
        return folder / "t.sav"
    return folder / "t.parquet"


def tries(kind: str) -> int:
    return fewer(KINDS[kind] * TIMES, times=10, at_least=20)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """How often each kind of file ended how, in one process for all."""
    files = [(kind, str(make(kind, tmp_path_factory.mktemp("whole"))), tries(kind)) for kind in KINDS]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(files), capture_output=True, text=True,
        timeout=300 * TIMES, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"status {done.returncode}\n{done.stderr[-3000:]}"
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.parametrize("kind", KINDS)
def test_only_fastml_errors_come_out(kind: str, outcomes: dict[str, dict[str, int]]) -> None:
    found = Counter(outcomes[kind])
    assert sum(found.values()) == tries(kind)
    assert found["SourceError"] > 0
    if kind in ("statistics", "weighted statistics", "checked parquet"):
        # Pages have checksums: what a page holds is never changed unseen.
        assert found["ValueNotAllowedError"] == 0


def altered(change: str) -> pa.Table:
    """Statistics in which one thing can't be."""
    weights = {"weights": "w", "group_weights": "v"} if change in ("w:y", "group_weight") else {}
    table = fastml.group_stats(rows(), "y", "id", **weights).to_arrow()
    description = json.loads(table.schema.metadata[b"fastml"])
    column, _, value = change.partition("=")
    if column in table.column_names:
        values = table[column].to_pylist()
        values[3] = values[2] if value == "twice" else json.loads(value or "-1")
        if value == '"a"':
            values = ["a"] * len(values)
        table = table.set_column(table.column_names.index(column), column, pa.array(values))
    elif column == "drop":
        table = table.drop_columns([value])
    else:
        description[column] = json.loads(value)
    return table.replace_schema_metadata({b"fastml": json.dumps(description).encode()})


@pytest.mark.parametrize(("change", "message"), [
    ("n:y=-1", "a number of rows is no whole number"),
    ("n:y=1.5", "a number of rows is no whole number"),
    ("n:y=null", "a number of rows is no whole number"),
    ("n:y=1e300", "a number of rows is no whole number"),
    ('n:y="a"', "holds damaged fastml statistics"),
    ("rows=-4", "a number of rows is no whole number"),
    ("mean:y=NaN", "a mean or sum of squares is no number"),
    ("mean:y=Infinity", "a mean or sum of squares is no number"),
    ("ss:y=-1.0", "a mean or sum of squares is no number"),
    ("residual:y=null", "a mean or sum of squares is no number"),
    ("w:y", "a weighted mean or sum of squares is no number"),
    ("group_weight", "a group's weight is no number above 0"),
    ("key:id=twice", "a group is there twice"),
    ("drop=mean:y", "mean:y"),
    ("drop=key:id", "its keys are others than it says"),
    ("drop=rows", "rows"),
    ("group=[]", "its names are no names"),
    ("group=[1]", "its names are no names"),
    ("group=3", "holds damaged fastml statistics"),
    ('group=["school"]', "its keys are others than it says"),
    ("outcomes=[]", "holds damaged fastml statistics"),
    ('outcomes=["z"]', "n:z"),
    ('weights="w"', "its weights are others than it says"),
    ("notes=[1]", "its names are no names"),
    ("version=99", "of version 99; this fastml reads version"),
    ('content="a cake"', "holds no fastml statistics"),
])  # fmt: skip
def test_statistics_that_can_not_be(change: str, message: str, tmp_path: Path) -> None:
    table = altered(change)
    with pytest.raises(SourceError, match=message) as caught:
        fastml.GroupStats.from_arrow(table)
    assert "\n" not in str(caught.value)
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"t\.parquet"):
        fastml.GroupStats.read(tmp_path / "t.parquet")
