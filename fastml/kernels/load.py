"""Load every kernel of this room."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

__all__ = ["load_all"]


def load_all() -> tuple[Path | None, list[str]]:
    """Compile every kernel, or load it from the cache.

    Returns
    -------
    folder : pathlib.Path or None
        Where the machine code is; None where no folder can be written.
    names : list of str
        ``file.function`` of each kernel.
    """
    here = Path(__file__).parent
    for path in sorted(here.rglob("[a-z]*.py")):
        import_module(".".join(("fastml.kernels", *path.relative_to(here).with_suffix("").parts)))
    from fastml.kernels.jit import KERNELS, cache_folder

    for kernel in KERNELS.values():
        kernel.load()
    return cache_folder(), sorted(KERNELS)
