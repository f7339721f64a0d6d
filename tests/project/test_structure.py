"""The house: rooms import one way, on few floors and without circles; names say what they are; importing costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "fastml"

# From the roof to the ground, as in the design: a room imports from those below it only. A room is a folder of the
# package, or a public module at its root.
ORDER = [
    "__main__", "cli", "__init__", "api", "survey", "drift", "results", "reduce", "plots", "planning", "groupstats", "inference",
    "report", "keys", "model", "simulation", "io", "designs", "kernels", "errors", "_version",
]  # fmt: skip

FLOORS, ROOT_FILES, LINES = 8, 9, 420


def files() -> dict[str, Path]:
    """File of each module, by its dotted name below `fastml`."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


FILES = files()


def room(module: str) -> str:
    return module.split(".")[0]


def imported(path: Path) -> set[str]:
    """Modules of fastml that a file imports, inside functions too, but for typing only."""
    found: set[str] = set()
    skip: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skip.update(inside for part in node.body for inside in ast.walk(part))
        if node in skip:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fastml":
            base = (node.module or "").removeprefix("fastml").lstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                found.add(inner if inner in FILES else base)
        elif isinstance(node, ast.Import):
            found.update(alias.name.removeprefix("fastml.") for alias in node.names if alias.name.startswith("fastml."))
    return found


IMPORTS = {module: imported(path) - {module} for module, path in FILES.items()}


@pytest.mark.parametrize("module", sorted(FILES))
def test_rooms_import_downwards(module: str) -> None:
    for other in IMPORTS[module]:
        if room(other) != room(module):
            assert ORDER.index(room(other)) > ORDER.index(room(module)), f"{module} imports {other}"


def test_no_circle_inside_a_room() -> None:
    left = dict(IMPORTS)
    while left:
        free = [module for module, others in left.items() if not others & left.keys()]
        assert free, f"these import each other: {sorted(left)}"
        for module in free:
            del left[module]


def test_few_floors() -> None:
    below = {name: {room(o) for m in FILES if room(m) == name for o in IMPORTS[m]} - {name} for name in ORDER}

    def floor(name: str) -> int:
        return 1 + max(map(floor, below[name]), default=0)

    assert max(map(floor, ORDER)) <= FLOORS


def test_the_root_is_the_public_face() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= ROOT_FILES
    assert {room(module) for module in FILES} == set(ORDER)


@pytest.mark.parametrize("module", sorted(FILES))
def test_no_long_file(module: str) -> None:
    assert len(FILES[module].read_text().splitlines()) <= LINES


def test_nearly_every_module_has_a_test_file_of_its_name() -> None:
    named = {path.stem.removeprefix("test_") for path in (ROOT / "tests").rglob("test_*.py")}
    modules = [path for path in FILES.values() if path.stem not in ("__init__", "__main__", "_version")]
    without = [str(path.relative_to(PACKAGE)) for path in modules if path.stem not in named]
    assert len(without) <= len(modules) / 10, without


def test_the_check_sees_imports_inside_functions() -> None:
    assert "kernels.likelihood.profile" in IMPORTS["model.profile"]


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
