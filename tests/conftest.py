"""Where the reference data are, and what every test shares."""

from __future__ import annotations

from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def lecture_file() -> Path:
    return ROOT / "data" / "timss2019_usa_lecture.parquet"


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    return _shared("reference")


@pytest.fixture(scope="session")
def assessments_folder() -> Path:
    return _shared("assessments")


def _shared(name: str) -> Path:
    if not (SHARED / name).is_dir():
        pytest.skip(f"the folder shared/{name}, which lies beside the checkout and isn't part of it, is absent")
    return SHARED / name


def fewer(size: int, times: int = 1000, at_least: int = 1000) -> int:
    """So many rows; a small share of them where kernels are interpreted, which takes some hundred times as long."""
    return max(size // times, min(size, at_least)) if numba.config.DISABLE_JIT else size
