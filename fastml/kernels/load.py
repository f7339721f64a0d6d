"""Load every kernel of this room."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from fastml.kernels.cache import share_folder

__all__ = ["load_all"]


def load_all(shared: bool = False, backwards: bool = False) -> tuple[list[Path], list[str]]:
    """Compile every kernel, or load it from the cache.

    Parameters
    ----------
    shared : bool
        Keep all of them where every user can load them.
    backwards : bool
        The last ones first, so that two processes, one from each end, compile half of them each.

    Returns
    -------
    folders : list of pathlib.Path
        Where the machine code is, mostly one; none where no folder can be written.
    names : list of str
        ``file.function`` of each kernel.

    Raises
    ------
    OSError
        They can't be shared, or not be kept there.
    """
    here = Path(__file__).parent
    for path in sorted(here.rglob("[a-z]*.py")):
        import_module(".".join(("fastml.kernels", *path.relative_to(here).with_suffix("").parts)))
    from fastml.kernels.jit import KERNELS

    only = share_folder() if shared else None
    for kernel in list(KERNELS.values())[:: -1 if backwards else 1]:
        kernel.load(only)
    if only is not None:
        for path in only.iterdir():
            path.chmod(0o644)
    return sorted({kernel.folder for kernel in KERNELS.values() if kernel.folder is not None}), sorted(KERNELS)
