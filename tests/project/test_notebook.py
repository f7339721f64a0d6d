"""A real notebook, run by nbconvert: results show themselves, pictures too, once each, and pyplot isn't needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

CELLS = [
    f"import fastml\nfit = fastml.fit({str(ROOT / 'data' / 'timss2019_usa_lecture.parquet')!r}, 'bsmmatxx', 'idschool')\nfit",
    "fit.plot()",
    "fastml.plots.qq(fit).figure",
    "rows = {'c': ['N'] * 6 + ['S'] * 6, 's': [1, 1, 2, 2, 3, 3] * 2, 'y': [1.0, 2, 4, 5, 9, 8, 3, 4, 5, 9, 1, 2]}\n"
    "table = fastml.fit_by(rows, 'y', 's', by='c')\ntable",
    "table.plot()",
    "import sys\n'matplotlib.pyplot' in sys.modules",
    "import matplotlib.pyplot as plt\nfigure, ax = plt.subplots()\nfit.plot('variance_shares', ax=ax);",
    "fit.plot('icc_profile')",
]
SHOWN = ["text/html", "image/png", "image/png", "text/html", "image/png", "text/plain", "image/png", "image/png"]


def test_a_notebook_shows_every_result_once(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "execution_count": None, "id": f"cell{i}", "metadata": {}, "outputs": [], "source": source}
             for i, source in enumerate(CELLS)]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "given.ipynb").write_text(json.dumps(notebook))
    env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}  # the kernel sets its own
    env |= {"IPYTHONDIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    command = [
        sys.executable,
        "-m",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "given.ipynb",
        "--output",
        "run.ipynb",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for cell, kind in zip(json.loads((tmp_path / "run.ipynb").read_text())["cells"], SHOWN, strict=True):
        shown = [output["data"] for output in cell["outputs"] if "data" in output]
        assert len(shown) == 1, cell["source"]
        assert kind in shown[0]
        if cell["source"] == CELLS[5]:
            assert "".join(shown[0]["text/plain"]) == "False"
