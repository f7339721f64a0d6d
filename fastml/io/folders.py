"""What is in local folders, and what matches a glob: every file, links followed, each folder once; nothing in silence.

What is passed over is told to the logger "fastml" (level INFO), which the command line shows with --verbose.
"""

from __future__ import annotations

import errno
import fnmatch
import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from fastml.errors import SourceError

__all__ = ["GLOB", "expand", "files_below", "is_hidden", "pass_over"]

GLOB = re.compile(r"[*?\[]")


def pass_over(path: str, reason: str) -> None:
    """Tell whoever listens that a file or folder is not read.

    Parameters
    ----------
    path : str
    reason : str
    """
    logging.getLogger("fastml").info("%s is passed over: %s", path, reason)


def is_hidden(name: str) -> bool:
    """Whether a name is that of no data by custom: ``.part.crc``, ``_SUCCESS``.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    return name.startswith((".", "_"))


def files_below(top: str) -> list[str]:
    """All files of a folder and the folders in it, but hidden ones; sorted.

    Parameters
    ----------
    top : str

    Returns
    -------
    list of str

    Raises
    ------
    SourceError
        A folder can't be read, or a link leads nowhere.
    """
    found = []
    for _, entries in _folders(top):
        for entry in entries:
            if is_hidden(entry.name):
                pass_over(entry.path, "its name begins with a dot or an underscore")
            elif not _is_folder(entry.path):
                found.append(_existing(entry.path))
    return sorted(found, key=PurePath)


def expand(pattern: str) -> list[str]:
    """Files and folders that match a glob; sorted.

    Parameters
    ----------
    pattern : str
        ``*``, ``?`` and ``[...]`` stand for a part of one name, ``**`` for any number of folders. A name that begins
        with a dot is matched by a pattern that does.

    Returns
    -------
    list of str

    Raises
    ------
    SourceError
        A folder on the way can't be read, or a link leads nowhere.
    """
    parts = PurePath(pattern).parts
    if parts[-1] == "**":
        parts = (*parts, "*")
    return sorted(map(_existing, _matches("", parts)), key=PurePath)


def _matches(folder: str, parts: tuple[str, ...]) -> Iterator[str]:
    if not parts:
        yield folder
        return
    name, rest = parts[0], parts[1:]
    if name == "**":
        for below, _ in _folders(folder or os.curdir):
            yield from _matches(below if folder else below.removeprefix(os.curdir).lstrip("/"), rest)
    elif not GLOB.search(name):
        path = os.path.join(folder, name)  # noqa: PTH118  # keeps the path as it was written
        if _is_there(path) and (not rest or _is_folder(path)):
            yield from _matches(path, rest)
    else:
        for entry in _listing(folder or os.curdir):
            shown = not entry.name.startswith(".") or name.startswith(".")
            if shown and fnmatch.fnmatchcase(entry.name, name) and (not rest or _is_folder(entry.path)):
                yield from _matches(os.path.join(folder, entry.name), rest)  # noqa: PTH118


def _folders(top: str) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """A folder and those below it, each once, with what is in them; links to folders come last."""
    waiting, links = [top], list[str]()
    seen: dict[str, str] = {}
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        real = os.path.realpath(folder)
        if real in seen:
            pass_over(folder, f"it is a link to {seen[real]}, which is read already")
            continue
        seen[real] = folder
        entries = _listing(folder)
        yield folder, entries
        inside = [entry for entry in entries if not is_hidden(entry.name) and _is_folder(entry.path)]
        waiting += [entry.path for entry in reversed(inside) if not entry.is_symlink()]
        links += [entry.path for entry in inside if entry.is_symlink()]


def _listing(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except NotADirectoryError:
        return []
    except OSError as error:
        raise SourceError(f"folder {folder} can't be read: {(error.strerror or str(error)).lower()}") from None


def _is_there(path: str) -> bool:
    return _mode(path, follow=False) is not None


def _is_folder(path: str) -> bool:
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def _existing(path: str) -> str:
    if _mode(path) is None:
        raise SourceError(
            f"{path} is a link to {Path(path).readlink()}, which is not there; mend the link or remove it"
        )
    return path


def _mode(path: str, follow: bool = True) -> int | None:
    """Kind and rights of what is at a path, or of what the links there lead to; None where nothing is."""
    try:
        return os.stat(path, follow_symlinks=follow).st_mode  # noqa: PTH116  # of many paths
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise SourceError(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from None
