"""Two columns of a wide SPSS file: how fast and in how much memory they are read, and which texts are right.

Run `python benchmarks/statistical_files.py [--rows 105000] [--compress] [--python PYTHON]`. It makes a file of 594
columns, of 500 MB with so many rows, in a temporary folder, and a small one with a text that isn't in the encoding that
the file declares. Each reader has processes of its own, `--turns` of them in turns; the figures are the medians of wall
and processor seconds, imports apart, and of the peak memory of the process. PYTHON may be of another environment, with
readers that this one hasn't.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLUMNS = ["IDSCHOOL", "PV1MATH"]
WORDS = ["Mädchen", "Möwe"]


def write(path: Path, rows: int, compress: bool = False) -> None:
    """An assessment's file: ids, 563 answers of one digit, plausible values, weights and a country."""
    import numpy as np
    import pandas as pd
    import pyreadstat

    rng = np.random.default_rng(1)
    columns: dict[str, Any] = {"IDSCHOOL": np.sort(rng.integers(1, 4000, rows)).astype(float)}
    columns |= {f"Q{i:03d}": rng.integers(1, 5, rows).astype(float) for i in range(563)}
    columns |= {f"PV{i}MATH": rng.normal(500.0, 100.0, rows) for i in range(1, 21)}
    columns |= {f"W{i}": rng.uniform(1.0, 50.0, rows) for i in range(9)}
    columns["CNT"] = np.where(np.arange(rows) < rows // 2, "TUR", "AUT")
    pyreadstat.write_sav(pd.DataFrame(columns), path, row_compress=compress)


def write_texts(path: Path) -> None:
    """Two words in Latin-1, where the file says UTF-8."""
    import pandas as pd
    import pyreadstat

    plain = [word.replace("ä", "#").replace("ö", "@") for word in WORDS]
    pyreadstat.write_sav(pd.DataFrame({"word": plain}), path)
    path.write_bytes(path.read_bytes().replace(b"#", "ä".encode("latin-1")).replace(b"@", "ö".encode("latin-1")))


def fastml_source(path: str, columns: list[str], encoding: str | None) -> dict[str, list[Any]]:
    import pyarrow as pa

    from fastml.io.source import Input, open_source

    source = open_source(Input(path, csv_options={"encoding": encoding}, progress=False), columns, columns[:1])
    table = pa.Table.from_batches(source.batches, source.schema)
    return {name: table[name] for name in columns}


def pyreadstat_dict(path: str, columns: list[str], encoding: str | None) -> dict[str, list[Any]]:
    import pyreadstat

    found: dict[str, list[Any]] = pyreadstat.read_sav(path, usecols=columns, encoding=encoding, output_format="dict")[0]
    return found


def pyreadstat_pandas(path: str, columns: list[str], encoding: str | None) -> Any:
    import pyreadstat

    return pyreadstat.read_sav(path, usecols=columns, encoding=encoding)[0]


def readstat_arrow(path: str, columns: list[str], encoding: str | None) -> Any:
    import readstat_arrow as reader

    return reader.read_sav(path, columns=columns, encoding=encoding)[0]


def polars_readstat(path: str, columns: list[str], encoding: str | None) -> Any:
    import polars_readstat as reader

    return reader.scan_readstat(path, preserve_order=True).select(columns).collect()  # it takes no encoding


READERS: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "fastml": (fastml_source, ["pyarrow.compute", "pyreadstat", "fastml.io.source"]),
    "pyreadstat, dict": (pyreadstat_dict, ["pyreadstat"]),
    "pyreadstat, pandas": (pyreadstat_pandas, ["pyreadstat", "pandas"]),
    "readstat-arrow": (readstat_arrow, ["readstat_arrow"]),
    "polars-readstat": (polars_readstat, ["polars", "polars_readstat"]),
}


def measure(name: str, path: str, texts: str) -> dict[str, Any]:
    """One reading, in this process."""
    read, modules = READERS[name]
    for module in modules:
        importlib.import_module(module)
    began, cpu = time.perf_counter(), time.process_time()
    rows = len(read(path, COLUMNS, None)[COLUMNS[1]])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()  # of Linux; what `resource` has counts the parent's too
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    try:
        words = [str(word) for word in read(texts, ["word"], "LATIN1")["word"]]
    except Exception as error:
        words = [type(error).__name__]
    return {"reader": name, "rows": rows, "seconds": seconds, "cpu": cpu, "peak": peak, "right": words == WORDS}


def main() -> None:
    """Make the files, measure each reader in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=105_000)
    parser.add_argument("--compress", action="store_true", help="as SPSS does")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(*asked.one)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path, texts = Path(folder) / "wide.sav", Path(folder) / "texts.sav"
        write(path, asked.rows, asked.compress)
        write_texts(texts)
        print(f"{asked.rows:,} rows, 594 columns, {path.stat().st_size / 1e6:,.0f} MB; two columns\n")
        found: dict[str, list[dict[str, Any]]] = {}
        for _ in range(asked.turns):
            for name in READERS:
                python = sys.executable if name == "fastml" else asked.python
                call = [python, __file__, "--one", name, path, texts]
                done = subprocess.run(call, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    found.setdefault(name, []).append(json.loads(done.stdout))
    table(found)
    print(*(f"{name} isn't there." for name in READERS if name not in found), sep="\n")


def table(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print the medians of each reader's runs."""
    keys = ("seconds", "cpu", "peak", "right")
    middle = {name: {key: statistics.median(run[key] for run in runs) for key in keys} for name, runs in found.items()}
    best = min(one["seconds"] for one in middle.values() if one["right"])
    print("| reader | seconds | of the fastest that is right | processor seconds | peak memory | texts right |")
    print("|---|---:|---:|---:|---:|---|")
    for name, one in middle.items():
        figures = (
            f"{one['seconds']:.2f}",
            f"{one['seconds'] / best:.2f}",
            f"{one['cpu']:.2f}",
            f"{one['peak']:.0f} MB",
        )
        print(f"| {name} | {' | '.join(figures)} | {'yes' if one['right'] else 'no'} |")


if __name__ == "__main__":
    main()
