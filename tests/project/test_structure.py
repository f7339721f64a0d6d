"""The house: imports point down one list, names say what they are, importing costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "fastml"

# From the roof to the ground, as in the design: a module imports from those below it only.
ORDER = [
    "__main__", "cli", "commands", "planning_command", "as_given", "options", "delivery", "__init__", "api", "fitting", "survey",
    "survey.fits", "survey.jackknife", "survey.columns", "survey.parts", "survey.schoolfile", "survey.rows",
    "survey.roles", "designs", "survey.table", "tables", "results", "fit_inference", "planning", "power",
    "faces", "record", "report.page", "report.sentences", "plots", "report.canvas", "parts", "naive", "shrinkage",
    "inference.conventions", "inference.intervals", "inference.exact", "inference.bootstrap", "inference.hypotheses",
    "inference.rlrt", "inference.draws", "inference.profiles", "inference", "inference.distributions",
    "survey.pooling", "survey.replication", "weighted", "scaling", "batch", "varcomp", "sizes", "intake",
    "pushdown", "partitions", "gather", "tiles", "tile", "rowsums", "tileweights", "groupstats", "merging", "exchange", "encoding", "placed", "tilekeys", "columns", "keys",
    "workspace", "labels", "sources", "sources.datasets", "sources.delimited", "sources.fastread",
    "sources.readers", "sources.prefetch", "sources.folders", "sources.filters", "sources.progress", "simulation", "files",
    "report.markup", "report.grids", "report", "roles", "matrices", "arrays", "threads", "errors", "_version", "kernels",
]  # fmt: skip


def modules() -> dict[str, Path]:
    """File of each module, by its dotted name; a room is its `__init__`."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> set[str]:
    """Names of fastml's modules that a file imports, inside functions too, but for typing only."""
    found: set[str] = set()
    skip: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skip.update(inside for part in node.body for inside in ast.walk(part))
        if node in skip:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fastml":
            if node.module == "fastml":
                found.update(alias.name for alias in node.names)
            else:
                found.add((node.module or "").removeprefix("fastml."))
        elif isinstance(node, ast.Import):
            found.update(alias.name.removeprefix("fastml.") for alias in node.names if alias.name.startswith("fastml"))
    return found


def place(module: str) -> int:
    return ORDER.index("kernels" if module.startswith("kernels") else module)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module: str) -> None:
    for other in imported(modules()[module]):
        if module.startswith("kernels") and other.startswith("kernels"):
            continue  # one floor
        assert place(other) > place(module), f"{module} imports {other}"


def test_the_check_sees_imports_inside_functions() -> None:
    assert "kernels" in imported(modules()["varcomp"])


def test_no_module_is_called_utils() -> None:
    assert not {"utils", "helpers", "common", "misc"} & {path.stem for path in PACKAGE.rglob("*.py")}


def test_import_loads_nothing_heavy() -> None:
    program = (
        "import sys; import fastml; dir(fastml); fastml.__version__\n"
        "print([m for m in ('numba', 'pandas', 'numpy', 'pyarrow', 'scipy', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_loads_and_is_documented() -> None:
    import fastml

    for name in fastml.__all__:
        assert getattr(fastml, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fastml.nothing  # noqa: B018  # the access is the test
