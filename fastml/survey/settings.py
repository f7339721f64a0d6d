"""A design changed by texts of the form NAME=VALUE: what `dataclasses.replace` does in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

from fastml.designs import Columns, Design, Jackknife
from fastml.errors import FastmlError

__all__ = ["changed_design"]


def changed_design(design: Design, texts: Iterable[str]) -> Design:
    """Change fields of a design, or of its replicates.

    Parameters
    ----------
    design : Design
    texts : iterable of str
        NAME=VALUE. Names that are tried in turn stand with commas between them, columns that are multiplied with ``*``:
        ``group_weight=SCHWGT,WGTFAC1*WGTADJ1``. ``pattern`` and ``count`` make replicates of columns, ``zone``,
        ``half`` and ``both_halves`` those of a jackknife.

    Returns
    -------
    Design
        Its name says how it was changed.

    Raises
    ------
    FastmlError
        No such field; a value that it can't have.

    Examples
    --------
    >>> from fastml import designs
    >>> changed_design(designs.NAEP, ["first_only=false", "group_weight=SCHWT,A*B"]).group_weight
    (('SCHWT',), ('A', 'B'))
    """
    given: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (name and sign and value):
            raise FastmlError(f"--set {text!r} is not NAME=VALUE, such as n_plausible=5")
        if name not in _READ:
            raise FastmlError(f"--set {text!r}: a design has no {name!r}; it has {', '.join(_READ)}")
        if name in given:
            raise FastmlError(f"--set gives {name!r} twice, as {given[name]!r} and {value!r}")
        given[name] = value
    if not given:
        return design
    values = {name: _read(name, value) for name, value in given.items()}
    of_replicates = {name: values.pop(name) for name in list(values) if name in _OF_REPLICATES}
    if of_replicates:
        values["replicates"] = _replicates(design.replicates, of_replicates)
    if "name" not in values:
        values["name"] = f"{design.name} with {', '.join(f'{name}={value}' for name, value in given.items())}"
    return replace(design, **values)


def _replicates(old: Jackknife | Columns, values: dict[str, Any]) -> Jackknife | Columns:
    """The replicates with these fields, of the kind that has them."""
    kind: type[Jackknife | Columns] = Columns if {"pattern", "count"} & values.keys() else Jackknife
    needed = [field.name for field in fields(kind)]
    foreign = [name for name in values if name not in needed]
    if foreign:
        other = "pattern" if "pattern" in values else "count"
        raise FastmlError(
            f"--set names {foreign[0]!r} and {other!r}, which are of two kinds of replicates: columns, or zones of a "
            "jackknife"
        )
    if isinstance(old, kind):
        return replace(old, **values)
    lacking = [name for name in needed if name not in values]
    if lacking:
        raise FastmlError(f"--set {next(iter(values))}= makes other replicates than the design has; set "
                          f"{' and '.join(lacking)} too")  # fmt: skip
    return kind(**values)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _sets_of_names(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(name.strip() for name in names.split("*")) for names in _names(text))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in _names(text))


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]


_READ: dict[str, Callable[[str], Any]] = {
    "name": str,
    "group": _names,
    "country": _names,
    "plausible": _names,
    "n_plausible": int,
    "weight": _names,
    "group_weight": _sets_of_names,
    "factor": float,
    "first_only": _truth,
    "class_group": _names,
    "class_weight": _names,
    "missing": _numbers,
    "school_file": str,
    "pattern": _names,
    "count": int,
    "zone": _names,
    "half": _names,
    "both_halves": _truth,
}
_OF_REPLICATES = {field.name for kind in (Jackknife, Columns) for field in fields(kind)}


def _read(name: str, text: str) -> Any:
    try:
        return _READ[name](text)
    except (ValueError, KeyError):
        kind = {int: "a whole number", float: "a number", _numbers: "numbers, with commas between them",
                _truth: "true or false"}[_READ[name]]  # fmt: skip
        raise FastmlError(f"--set {name}={text}: it is {kind}") from None
