"""Servers that don't answer are given up on; those that do are waited for."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest
from pyarrow import fs

import fastml
from fastml import FastmlError
from fastml.io import remote


def test_an_answer_or_an_error_comes_through() -> None:
    assert remote.answered("s3://x", lambda: 5) == 5
    with pytest.raises(KeyError, match="mine"):
        remote.answered("s3://x", lambda: {}["mine"])


@pytest.mark.parametrize("uri", ["s3://bucket/a.parquet", "gs://bucket/*.parquet", "abfs://c@host/folder"])
def test_no_answer_is_one_line(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(remote, "PATIENCE", 0.05)
    with pytest.raises(FastmlError, match="can't be opened: no answer within 0 s; is there a network"):
        remote.answered(uri, lambda: over.wait(60))
    over.set()


def test_ctrl_c_ends_the_wait() -> None:
    over = threading.Event()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            remote.answered("gs://bucket/x", lambda: over.wait(60))
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 10
    over.set()


class _Deaf:
    """A file system whose server never answers."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, uri: str) -> Any:
        self.over.wait(60)


def test_a_fit_of_a_uri_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = _Deaf()
    monkeypatch.setattr(remote, "PATIENCE", 0.05)
    monkeypatch.setattr(fs, "FileSystem", type("FileSystem", (), {"from_uri": staticmethod(deaf)}))
    with pytest.raises(FastmlError, match=r"^gs://bucket/a.parquet can't be opened: no answer"):
        fastml.fit("gs://bucket/a.parquet", "y", "g")
    deaf.over.set()
