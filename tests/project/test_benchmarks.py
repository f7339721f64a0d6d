"""The benchmarks run, at a thousandth of their size; how long they take is never asked here."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numba
import pytest
from conftest import ROOT, fewer

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return load("compare")


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


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="with JIT off there are no kernels to measure")
def test_the_bounds_are_measured() -> None:
    command = [sys.executable, str(BENCHMARKS / "bounds.py"), "--rows", "0.15", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.count("\n") > 20
    assert "shuffled over 20,000 schools, the pass" in done.stdout


def test_the_peers_answer_alike_and_the_table_is_made(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    cases = ["clustered", "composite", "fit-by", "batch", "five", "weighted"]
    cases = cases[: fewer(len(cases), times=4, at_least=1)]  # each case starts several processes, each of which fits
    command = [sys.executable, str(BENCHMARKS / "peers.py"), "--scale", "0.0005", "--rounds", "1", "--json",
               str(figures), *(word for case in cases for word in ("--case", case))]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(figures.read_text())
    assert list(found["cases"]) == cases
    for case in found["cases"].values():
        assert all(value > 0 for value in case["figures"].values())
        assert all(what in done.stdout for what, _, _ in case["ratios"])
    assert found["cases"]["clustered"]["figures"].keys() >= {"fastml", "read", "pandas", "pyarrow"}


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
