"""The `fastml` command in this process: what it prints and its exit status, without the second that a process takes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from typing import Any

from fastml.cli import app

__all__ = ["bad", "command", "figures", "good", "run"]


def run_here(*args: object) -> CompletedProcess[str]:
    """Run the command with these words; warnings that it doesn't show as notices are errors, as everywhere in tests."""
    words = list(map(str, args))
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    before = sys.argv
    sys.argv = ["fastml", *words]
    try:
        with warnings.catch_warnings(), redirect_stdout(out), redirect_stderr(err):
            app.main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv = before
    out.flush()
    err.flush()
    shown = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return CompletedProcess(words, status, *shown)


def run(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command, in a process of its own where that is what the test is about: its environment, its folder."""
    if not options:
        return run_here(*args)
    return subprocess.run(command(*args), capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def command(*args: object) -> list[str]:
    """The words that run the command in a process of its own."""
    return [sys.executable, "-W", "error", "-m", "fastml", *map(str, args)]


def good(*args: object) -> str:
    """What the command prints; it says nothing on stderr."""
    done = run_here(*args)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def bad(*args: object) -> str:
    """The one line on stderr of a command that fails."""
    done = run_here(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastml: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def figures(*args: object) -> dict[str, Any]:
    """A fit's figures, without what they were made of."""
    found: dict[str, Any] = json.loads(good("fit", *args, "--format", "json"))
    del found["provenance"]
    return found
