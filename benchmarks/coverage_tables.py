"""Pages of coverage: tables whose rows are simulated one by one, kept as each ends, and written as Markdown.

Each script that has tables hands them to `main`, which reads what is asked for:

    python benchmarks/SCRIPT.py [--samples SHARE] [--only TABLE] [--processes N] [--cells FILE] [-o PAGE]

With --cells rows are added to a file as they end, and those that it has are not simulated again: a run can be stopped
and taken up. Each row has a seed of its own, so that it comes out the same alone.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Row = tuple[str | float, ...]  # what names a row: its first columns
Found = dict[str, float]  # figures of a row; NaN where there is none


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes
    ----------
    name : str
        Of its rows in the file of cells; tables of one name are views of the same rows.
    text : str
        What stands above: its title and what it holds. {samples} and {error}, points at 95 %, are filled in.
    head : tuple of str
    rows : list of tuple
    samples : int
        Of a row.
    measure : callable
        From a row and its samples to its figures; at the top of a module, as processes find it by its name.
    show : callable
        From a row and its figures to the cells of its line.
    after : callable
        From all figures to what stands below, given the samples.
    """

    name: str
    text: str
    head: tuple[str, ...]
    rows: list[Row]
    samples: int
    measure: Callable[[Row, int], Found]
    show: Callable[[Row, Found], list[str]]
    after: Callable[[list[Row], list[Found], int], str] = lambda *_: ""


def percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100.0 * share:.1f}"


def means(notes: dict[str, list[float]]) -> Found:
    """Means of what was noted of each sample; NaN is left out."""
    return {name: float(np.nanmean(values)) if values else math.nan for name, values in notes.items()}


def line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def render(heading: str, tables: list[tuple[Table, int]], found: dict[str, list[Found]]) -> str:
    """The page: the heading, then each table with its samples."""
    text = heading
    for table, samples in tables:
        error = 100.0 * math.sqrt(0.0475 / samples)
        text += "\n" + table.text.replace("{samples}", f"{samples:,}").replace("{error}", f"{error:.2f}")
        text += "\n\n" + line(table.head) + "|" + "---|" * len(table.head) + "\n"
        for row, figures in zip(table.rows, found[table.name], strict=True):
            text += line(table.show(row, figures))
        text += table.after(table.rows, found[table.name], samples)
    return text


def stored(file: Path | None) -> dict[str, Found]:
    """Figures by key, of a file of cells."""
    if file is None or not file.exists():
        return {}
    return {key: figures for each in file.read_text().splitlines() for key, figures in json.loads(each).items()}


def key_of(table: Table, row: Row, samples: int) -> str:
    return json.dumps([table.name, *row, samples])


def _measured(task: tuple[Callable[[Row, int], Found], Row, int]) -> Found:
    measure, row, samples = task
    return measure(row, samples)


def _each(tasks: list[tuple[Callable[[Row, int], Found], Row, int]], processes: int) -> Iterator[Found]:
    if processes == 1:
        yield from map(_measured, tasks)
    else:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            yield from pool.imap(_measured, tasks)


def simulate(tables: list[tuple[Table, int]], processes: int = 1, file: Path | None = None) -> dict[str, list[Found]]:
    """Figures of all rows, by the names of their tables."""
    known = stored(file)
    left = {
        key_of(table, row, samples): (table.measure, row, samples) for table, samples in tables for row in table.rows
    }
    left = {key: task for key, task in left.items() if key not in known}
    start = time.perf_counter()
    for done, (key, figures) in enumerate(zip(left, _each(list(left.values()), processes), strict=True), start=1):
        known[key] = figures
        if file is not None:
            with file.open("a") as out:
                out.write(json.dumps({key: figures}) + "\n")
        print(f"{done} of {len(left)} rows, {time.perf_counter() - start:.0f} s: {key}", file=sys.stderr, flush=True)
    return {table.name: [known[key_of(table, row, samples)] for row in table.rows] for table, samples in tables}


def main(heading: str, tables: list[Table]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=float, default=1.0, help="a share of those that the page has")
    parser.add_argument("--only", choices=dict.fromkeys(table.name for table in tables))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cells", type=Path, help="a file of rows that are known, to which new ones are added")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    asked = [
        (table, max(2, round(args.samples * table.samples))) for table in tables if args.only in (None, table.name)
    ]
    text = render(heading, asked, simulate(asked, args.processes, args.cells))
    print(text)
    if args.output:
        args.output.write_text(text)
