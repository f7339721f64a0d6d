"""Run the blocks of a page one after the other, as a reader would, page by page; write what each prints.

``python run_blocks.py PAGES.json PRINTED.json``. Each page has a list of [kind, code] and starts anew: with no names defined,
in a folder that holds the repository's `data` and nothing else. A block is Python, lines of the command line, or R.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from commandline import run_here
from foreign import ignore_foreign_warnings

DATA = Path(__file__).parents[1] / "data"


def commands(code: str) -> str:
    """Run lines of the command line, and return what they print."""
    printed = ""
    for line in code.splitlines():
        name, *words = shlex.split(line)
        if name != "fastml":
            raise SystemExit(f"not a command of fastml: {line}")
        done = run_here(*words)
        if done.returncode:
            raise SystemExit(f"{line}\n{done.stderr}")
        printed += done.stdout
    return printed


def python(code: str, page: str, names: dict[str, object]) -> str:
    """Run Python among these names, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, page, "exec"), names)
    return out.getvalue()


def r(code: str) -> str:
    """Run R, which finds this fastml on its path, and return what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        command = Path(folder) / "fastml"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m fastml "$@"\n')
        command.chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{code}\n{done.stderr}")
    return done.stdout


def main() -> None:
    pages, answer = (Path(word).resolve() for word in sys.argv[1:])
    warnings.simplefilter("error")
    ignore_foreign_warnings()
    printed: dict[str, list[str]] = {}
    folder = pages.parent / "folder"  # one for all pages: Spark stays where it was started
    folder.mkdir()
    (folder / "data").symlink_to(DATA)
    os.chdir(folder)
    for page, blocks in json.loads(pages.read_text()).items():
        for left in folder.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            elif left.name != "data":
                left.unlink()
        names: dict[str, object] = {}
        printed[page] = [
            python(code, page, names) if kind == "python" else r(code) if kind == "r" else commands(code)
            for kind, code in blocks
        ]
    answer.write_text(json.dumps(printed))


if __name__ == "__main__":
    main()
