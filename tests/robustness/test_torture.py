"""A few of the runs that `tests/torture.py` makes by the thousand: commands killed, full disks, closed streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from conftest import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the commands are forked")
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="its seconds are those of compiled code")
def test_nothing_is_torn_or_lost_and_no_traceback() -> None:
    done = subprocess.run([sys.executable, ROOT / "tests" / "torture.py", "--runs", "12", "--seed", "5", "--only", "fit", "stats", "simulate files"], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=Path(ROOT) / "tests")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 runs of 3 commands, 0 wrong" in done.stdout
