"""The benchmarks run, at a thousandth of their size; how long they take is never asked here."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numba
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


def test_the_coverage_of_few_schools_is_counted() -> None:
    few = load("few_schools_coverage")
    row = few.mean_cell("5, 20", 0.1, 20).split(" | ")
    assert (row[0], row[1], len(row)) == ("| 5, 20", "0.1", 7)
    row = few.school_cell(5, "5 or 30", 0.05, 12).split(" | ")
    assert row[:3] == ["| 5", "5 or 30", "0.05"]
    assert 60.0 < float(row[3].split()[0]) <= 100.0


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
    peers: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = peers_at_small(peers, ["clustered"], tmp_path)["cases"]["clustered"]
    assert case["figures"].keys() == {"fastml", "read", *peers.ENGINES}
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
