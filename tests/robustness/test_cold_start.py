"""What a process loads for one fit: the counts that make its start quick, not its seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# What a plain fit of a file takes: each kernel more costs some 2 ms, pyarrow.compute 20 ms.
MOST_KERNELS = 9

UNNEEDED = ["pandas", "pyarrow.compute", "pyarrow.dataset", "scipy.stats", "polars", "rich", "matplotlib", "narwhals"]  # fmt: skip

PROGRAM = """
import json, sys
from fastml.cli.app import main
try:
    main()
finally:
    from fastml.kernels.jit import KERNELS
    loaded = [name for name, kernel in KERNELS.items() if kernel.cached is not None]
    print(json.dumps([loaded, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def loaded(lecture_file: Path) -> tuple[list[str], list[str]]:
    command = ["fit", str(lecture_file), "-y", "bsmmatxx", "-g", "idschool"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *command], capture_output=True, text=True, check=True)
    kernels, modules = json.loads(done.stderr.splitlines()[-1])  # before it, what compiling says
    return kernels, modules


def test_few_kernels_are_loaded(loaded: tuple[list[str], list[str]]) -> None:
    assert len(loaded[0]) <= MOST_KERNELS, loaded[0]


def test_nothing_is_imported_that_a_fit_does_not_need(loaded: tuple[list[str], list[str]]) -> None:
    assert [name for name in UNNEEDED if name in loaded[1]] == []
