"""Cold starts: whole processes, once their caches are full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
LECTURE = str(HERE.parent / "data" / "timss2019_usa_lecture.parquet")

PROCESSES = {
    "fit": ["-m", "fastml", "fit", LECTURE, "-y", "bsmmatxx", "-g", "idschool"],
    "help": ["-m", "fastml", "--help"],
    "import": ["-c", "import fastml"],
    "a bare process": ["-P", str(HERE / "bare.py"), LECTURE, "bsmmatxx"],
}


@pytest.mark.parametrize("name", PROCESSES)
def bench_cold(benchmark: Any, name: str) -> None:
    # Bytecode is written, as it is where a package is installed.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run() -> int:
        return subprocess.run(
            [sys.executable, *PROCESSES[name]], stdout=subprocess.DEVNULL, check=True, env=environment
        ).returncode  # fmt: skip

    assert benchmark(run) == 0
