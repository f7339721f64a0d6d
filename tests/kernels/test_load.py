"""All kernels of the package are found and loaded."""

from __future__ import annotations

from pathlib import Path

from fastml.kernels import jit
from fastml.kernels.cache import cache_folder, readable_folders
from fastml.kernels.load import load_all


def test_every_kernel_of_every_file_is_loaded() -> None:
    folders, names = load_all()
    assert set(folders) <= {*readable_folders(), cache_folder()}
    assert names == sorted(names)
    assert len(names) == len(set(names))
    here = Path(jit.__file__).parent
    written = {path.stem for path in here.rglob("[a-z]*.py") if "\n@kernel(" in path.read_text() and path.stem != "jit"}
    assert {name.split(".")[0] for name in names} == written
    assert all(kernel._compiled is not None for kernel in jit.KERNELS.values())
