"""How many threads: the argument, the environment, the processors."""

from __future__ import annotations

import os

import files
import numpy as np
import pyarrow as pa
import pytest

import fastml
from fastml import FastmlError
from fastml.io import threads as module
from fastml.io.threads import thread_count

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")


def test_threads_that_are_none(table: pa.Table) -> None:
    for threads in (0, -1, 1.5, True):
        with pytest.raises(FastmlError, match="threads="):
            fastml.fit(table, "y", "id", threads=threads)


def test_the_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTML_NUM_THREADS", "3")
    assert thread_count() == 3
    assert thread_count(5) == 5
    assert thread_count(np.int64(2)) == 2


def test_one_thread_a_processor_up_to_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTML_NUM_THREADS", raising=False)
    for usable, expected in ((1, 1), (5, 5), (64, module.MAX_THREADS)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, usable=usable: set(range(usable)), raising=False)
        assert thread_count() == expected


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5"])
def test_the_environment_is_told_by_name(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTML_NUM_THREADS", value)
    with pytest.raises(FastmlError, match=rf"^FASTML_NUM_THREADS=.*{value}.* is not a number of threads"):
        thread_count()
