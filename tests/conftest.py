"""Where the reference data are, and what every test shares."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "reference"
ASSESSMENTS = ROOT.parent / "shared" / "assessments"  # beside the checkout; their owners' terms keep them out of it

# Of tests that fit several countries as one, and are about something else.
countries_together = pytest.mark.filterwarnings("ignore:column .* has several countries, and school ids may start")

# Short and the same each time by default; FASTML_HYPOTHESIS_PROFILE=long, or --hypothesis-profile long, looks further.
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
settings.register_profile(
    "ci", max_examples=100, derandomize=True, deadline=None, database=None, suppress_health_check=_SLOW
)
settings.register_profile("long", max_examples=3000, deadline=None, database=None, suppress_health_check=_SLOW)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(config.getoption("hypothesis_profile") or os.environ.get("FASTML_HYPOTHESIS_PROFILE", "ci"))
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):  # workers are to start
        # Bytecode is kept, whatever the environment says: workers and their processes import and rewrite the same files.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        if not numba.config.DISABLE_JIT:
            _compile_kernels()


_COMPILE = "import sys; from fastml.kernels.load import load_all; load_all(backwards=sys.argv[1] == 'backwards')"


def _compile_kernels() -> None:
    """Fill the cache from both ends in two processes: each loads what it finds there already."""
    ends = [subprocess.Popen([sys.executable, "-c", _COMPILE, end], cwd=ROOT) for end in ("forwards", "backwards")]
    assert [process.wait() for process in ends] == [0, 0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What one worker shall have comes first: others steal from the end of its queue."""
    items.sort(key=lambda item: item.get_closest_marker("together") is None)


@pytest.fixture(scope="session")
def lecture_file() -> Path:
    return ROOT / "data" / "timss2019_usa_lecture.parquet"


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    return REFERENCE


@pytest.fixture(scope="session")
def assessments_folder() -> Path:
    if not ASSESSMENTS.is_dir():
        pytest.skip(NO_ASSESSMENTS)
    return ASSESSMENTS


NO_ASSESSMENTS = (
    f"real files of TIMSS and PISA, which their owners' terms keep out of the repository, are not in {ASSESSMENTS}"
)


_left_out = pytest.StashKey[int]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the tests that need other programs; a worker hands the number on."""
    for item in items:
        if item.get_closest_marker("outside") and item.config.option.markexpr == "not outside":
            item.config.stash[_left_out] = item.config.stash.get(_left_out, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = session.config.stash.get(_left_out, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_left_out] = getattr(node, "workeroutput", {}).get("left out", 0)  # the same from each


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not checked, and why: a line for each reason."""
    if left_out := terminalreporter.config.stash.get(_left_out, 0):
        terminalreporter.write_line(
            f"{left_out} not run: they need R, Java, Chromium, pdfLaTeX, PostgreSQL or root's rights; "
            'python -m pytest -m "" runs those that it can'
        )
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")


def fewer(size: int, times: int = 1000, at_least: int = 1000) -> int:
    """So many rows; a small share of them where kernels are interpreted, which takes some hundred times as long."""
    return max(size // times, min(size, at_least)) if numba.config.DISABLE_JIT else size


def examples(percent: int) -> Callable[[Any], Any]:
    """So many per cent of the profile's examples, for a test of its own cost; few where kernels are interpreted."""
    share = percent // 10 if numba.config.DISABLE_JIT else percent
    return settings(max_examples=max(settings.default.max_examples * share // 100, 5))
