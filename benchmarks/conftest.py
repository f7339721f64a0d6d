"""Sizes of the benchmarks: FASTML_BENCH_SCALE is the part of the full rows, 1 without it; CI runs a thousandth."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def scale() -> float:
    return float(os.environ.get("FASTML_BENCH_SCALE", "1"))
