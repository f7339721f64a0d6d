"""Run blocks of Python one after the other in this process, as a reader would; write what each prints.

``python run_blocks.py BLOCKS.json PRINTED.json``, in the folder where the blocks are to run.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path

from foreign import ignore_foreign_warnings


def main() -> None:
    names: dict[str, object] = {}
    printed = []
    warnings.simplefilter("error")
    ignore_foreign_warnings()
    for code in json.loads(Path(sys.argv[1]).read_text()):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(code, "README.md", "exec"), names)
        printed.append(out.getvalue())
    Path(sys.argv[2]).write_text(json.dumps(printed))


if __name__ == "__main__":
    main()
