"""Run the blocks of a page one after the other, as a reader would, page by page; write what each prints.

``python run_blocks.py PAGES.json PRINTED.json``. Each page has a list of [kind, code] and starts anew: with no names defined,
in a folder that holds the repository's `data` and nothing else. A block is Python, or lines of the command line.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import sys
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
        printed[page] = [python(code, page, names) if kind == "python" else commands(code) for kind, code in blocks]
    answer.write_text(json.dumps(printed))


if __name__ == "__main__":
    main()
