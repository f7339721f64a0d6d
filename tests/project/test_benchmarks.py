"""The benchmarks run, at a thousandth of their size; how long they take is never asked here."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return load("compare")


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [*sys.path])  # it adds its folder
    return load("peers")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_benchmark_runs_small() -> None:
    pytest.importorskip("pytest_benchmark")
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(BENCHMARKS / "pytest.ini"), "--rootdir", str(BENCHMARKS),
               str(BENCHMARKS), "--benchmark-disable", "-p", "no:cacheprovider"]  # fmt: skip
    environment = {**os.environ, "FASTML_BENCH_SCALE": "0.001", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.setattr(sys, "path", [*sys.path])  # they add their folder
    return load


@pytest.mark.parametrize("row", [("5, 20", 0.1), ("3 of 20", 0.0), ("4 of 5, one of 300", 0.02)])
def test_coverage_of_the_mean_is_that_of_the_public_intervals(
    coverage: Callable[[str], ModuleType], row: tuple[str, float]
) -> None:
    few = coverage("few_schools_coverage")
    found = few.mean_row(row, 60)  # asks the public functions about each, and that they agree
    assert 70.0 < 100.0 * found["default"] <= 100.0
    assert len(few.show_mean(row, found)) == len(few.TABLES[0].head)


def test_coverage_of_school_means_is_that_of_the_public_intervals(coverage: Callable[[str], ModuleType]) -> None:
    few = coverage("few_schools_coverage")
    row = (5, "5 or 30", 0.05)
    found = few.school_row(row, few.CHECKED)  # all of them
    assert 60.0 < 100.0 * found["posterior"] <= 100.0
    assert few.show_school(row, found)[:3] == ["5", "5 or 30", "0.05"]


@pytest.mark.parametrize("name", ["robust_coverage", "interval_coverage", "few_schools_coverage", "contrast_coverage"])
def test_a_page_of_coverage_is_written_and_taken_up_again(
    coverage: Callable[[str], ModuleType], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, tables = coverage(name), coverage("coverage_tables")
    small = [dataclasses.replace(table, rows=table.rows[:2]) for table in page.TABLES]
    asked = [(table, 40 if table.name == "cells" else 4) for table in small]
    file = tmp_path / "cells.jsonl"
    text = tables.render(page.HEADING, asked, tables.simulate(asked, file=file))
    lines = text.splitlines()
    assert lines[0].startswith("# ")
    assert sum(line.startswith("|---") for line in lines) == len(small)
    widths = [line.count("|") for line in lines if line.startswith("|")]
    assert [widths[k : k + 4] for k in range(0, len(widths), 4)] == [[len(t.head) + 1] * 4 for t in small]
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))  # the first row is to be made again
    capsys.readouterr()
    assert tables.render(page.HEADING, asked, tables.simulate(asked, file=file)) == text
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("kind", ["groups", "scores"])
@pytest.mark.parametrize("way", ["drawn", "known"])
def test_plausible_values_go_with_a_test_as_the_scores_do(
    coverage: Callable[[str], ModuleType], kind: str, way: str
) -> None:
    """They have the covariances of the scores, with each other and with what the test saw, within schools and between."""
    contrasts, rng = coverage("contrast_coverage"), np.random.default_rng(5)
    law, v = contrasts.Law.of(kind), np.ones(4000)
    true, seen = law.draw(len(v), rng)
    value = contrasts.plausible_values(seen, v, law.error, law if way == "known" else None, rng)[0]
    for scores in (true, value):
        for other in (scores, seen):
            covariance = np.cov([*scores.mean(axis=2), *other.mean(axis=2)])[:2, 2:]
            apart = [x - x.mean(axis=2, keepdims=True) for x in (scores, other)]
            within = np.einsum("ajk,bjk->ab", *apart) / (len(v) * (law.size - 1))
            assert within == pytest.approx(law.within, abs=0.03)
            assert covariance == pytest.approx(law.between + law.within / law.size, abs=0.03)


def test_fay_has_balanced_replicates(coverage: Callable[[str], ModuleType]) -> None:
    signs = coverage("robust_coverage").balanced()
    assert np.array_equal(signs @ signs.T, 80.0 * np.eye(80))
    assert signs[:, 0].tolist() == [1.0] * 80


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="with JIT off there are no kernels to measure")
def test_the_bounds_are_measured() -> None:
    command = [sys.executable, str(BENCHMARKS / "bounds.py"), "--rows", "0.15", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.count("\n") > 20
    assert "shuffled over 20,000 schools, the pass" in done.stdout


def peers_at_small(peers: ModuleType, cases: list[str], folder: Path) -> dict[str, Any]:
    """The file of figures."""
    figures = folder / "figures.json"
    words = ["--scale", "0.0005", "--rounds", "1", "--json", str(figures)]
    peers.main([*words, *(word for case in cases for word in ("--case", case))])
    found: dict[str, Any] = json.loads(figures.read_text())
    assert list(found["cases"]) == cases
    for case in found["cases"].values():
        assert all(value > 0 for value in case["figures"].values())
    return found


def test_peers_in_processes_of_their_own_answer_alike_and_the_table_is_made(
    peers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "ENGINES", ["pyarrow"])  # all of them answer below
    case = peers_at_small(peers, ["clustered"], tmp_path)["cases"]["clustered"]
    assert case["figures"].keys() == {"fastml", "read", "pyarrow"}
    shown = capsys.readouterr().out
    assert len(case["ratios"]) == 2
    assert all(what in shown for what, _, _ in case["ratios"])


def test_peers_of_every_case_answer_alike(
    peers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, as a process for each of forty would take a minute."""
    contestants = load("contestants")

    class Here(peers.Peer):  # type: ignore[name-defined,misc]
        def __init__(self, name: str, file: Path, n: int, settings: Any) -> None:
            self.name, self.seconds, self.answer, self.ready = name, [], None, True
            try:
                self.run, self.digest, settings.versions[name] = contestants.prepare(name, str(file), settings.threads)
            except ImportError as error:
                self.ready = False
                settings.absent[name] = str(error)

        def go(self) -> None:
            begin = time.perf_counter()
            found = self.run()
            self.seconds.append(time.perf_counter() - begin)
            self.answer = self.digest(found)

        def stop(self) -> None:
            pass

    monkeypatch.setattr(peers, "Peer", Here)
    # Kernels are compiled as they come; R, which starts anew each time, isn't there.
    monkeypatch.setattr(peers, "subprocess", SimpleNamespace(run=lambda *_, **__: None, DEVNULL=subprocess.DEVNULL))
    monkeypatch.setattr(peers, "shutil", SimpleNamespace(which=lambda _: None))
    monkeypatch.setenv("POLARS_MAX_THREADS", "2")
    before = pa.cpu_count()
    cases = [name for name in peers.CASES if name != "cold"]  # that one is about starting processes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are the peers'
            found = peers_at_small(peers, cases, tmp_path)
    finally:
        pa.set_cpu_count(before)
    shown = capsys.readouterr().out
    for case in found["cases"].values():
        assert case["ratios"] or len(case["figures"]) == 1, case  # its peers may be absent
        assert all(what in shown for what, _, _ in case["ratios"])
    assert not {*peers.ENGINES, "fastml", "read"} & found["absent"].keys()


def test_slower_is_by_part_and_by_seconds(compare: ModuleType) -> None:
    assert not compare.is_slower(1.0, 1.14)
    assert compare.is_slower(1.0, 1.16)
    assert not compare.is_slower(0.010, 0.059)  # six times, but not 50 ms
    assert compare.is_slower(0.010, 0.061)
    assert not compare.is_slower(1.0, 0.1)


def test_the_comparison_names_what_is_slower_new_and_gone(compare: ModuleType) -> None:
    text = compare.render({"a": 1.0, "b": 1.0, "old": 2.0}, {"a": 1.01, "b": 1.5, "young": 1.0})
    assert "| a | 1.0000 | 1.0100 | 1.01 |  |" in text
    assert "| b | 1.0000 | 1.5000 | 1.50 | slower |" in text
    assert "| young | | 1.0000 | | new |" in text
    assert "| old | 2.0000 | | | gone |" in text


def test_readers_of_spss_files_are_compared(tmp_path: Path) -> None:
    pytest.importorskip("pyreadstat")
    reading = load("statistical_files")
    reading.write(tmp_path / "wide.sav", 12)
    reading.write_texts(tmp_path / "texts.sav")
    for name in ("fastml", "pyreadstat, dict"):
        found = reading.measure(name, str(tmp_path / "wide.sav"), str(tmp_path / "texts.sav"))
        assert (found["rows"], found["right"]) == (12, True)
