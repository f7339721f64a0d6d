"""What every output says of itself: the version and the schema it was written by, the data, the filter, the columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastml._version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SCHEMA", "STAMP", "codes_text", "data_text", "joined", "made_text", "provenance", "read_metadata", "stamp",
           "together", "with_metadata"]  # fmt: skip

# The number of the lists of fields in `fastml.report.fields`: a field, name, type or unit that changes takes another.
SCHEMA = 2

# The fields that end every row of data.
STAMP = ("fastml", "schema", "provenance")

# Where the schema of an Arrow table, or of a Parquet file, has the same.
_KEY = b"fastml"

_MOST_FILES = 3  # that a line names
_MOST_CODES = 8  # that a line names
_MOST_IN_ROWS = 20  # that each row of a table names


def provenance(
    content: str,
    *,
    files: Sequence[str] = (),
    filter: str | None = None,
    read: Mapping[str, Any] | None = None,
    outcomes: Mapping[str, Sequence[str]] | None = None,
    by: Sequence[str] = (),
    group: str | Sequence[str] | None = None,
    weights: str | None = None,
    group_weights: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """What made a result, as plain values.

    Parameters
    ----------
    content : str
        What it is: "fit", "fit table", "survey table", "plan".
    files : sequence of str
        Those that were read, or that the statistics were made of; none of data in memory.
    filter : str, optional
    read : mapping, optional
        How values were read: ``missing``, codes and texts of missing values, and ``csv_options``.
    outcomes : mapping, optional
        Name to the columns that it stands for, such as plausible values.
    by : sequence of str
        Columns that split the data.
    group : str or sequence of str, optional
        The column of groups; several columns as a list.
    weights, group_weights : str, optional
        Columns of weights.
    options
        How it was made.

    Returns
    -------
    dict
    """
    read = read or {}
    return {
        "content": content,
        "fastml": __version__,
        "schema": SCHEMA,
        "files": list(files),
        "n_files": len(files),
        "filter": filter,
        "missing": list(read.get("missing", ())),
        "csv_options": read.get("csv_options"),
        "outcomes": {name: list(columns) for name, columns in (outcomes or {}).items()},
        "by": list(by),
        "group": group if group is None or isinstance(group, str) else group[0] if len(group) == 1 else list(group),
        "weights": weights,
        "group_weights": group_weights,
        **options,
    }


def joined(texts: Iterable[str | None]) -> str | None:
    """Filters of several sources as one text; None where there are none.

    Examples
    --------
    >>> joined(["x > 1", None, "x > 1"]), joined([None, None])
    ('x > 1; none', None)
    """
    different = dict.fromkeys(texts)
    return "; ".join(text or "none" for text in different) if any(different) else None


def together(made: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several results were made of, for `provenance` of one that compares them.

    Their files, codes of missing values and outcomes, each once; their filters; and in what else they agree.

    Examples
    --------
    >>> found = together([provenance("fit", files=[name], group="school", weights=name) for name in ("a", "b")])
    >>> found["files"], found["group"], "weights" in found
    (['a', 'b'], 'school', False)
    """
    first, *others = made
    names = ("csv_options", "by", "group", "weights", "group_weights")
    agreed = {
        name: first[name] for name in names if first.get(name) and all(one.get(name) == first[name] for one in others)
    }
    each = {name: list(dict.fromkeys(x for one in made for x in one.get(name, ()))) for name in ("files", "missing")}
    return {
        "files": each["files"],
        "filter": joined(one.get("filter") for one in made),
        "read": {"missing": each["missing"], "csv_options": agreed.pop("csv_options", None)},
        "outcomes": {name: columns for one in made for name, columns in one.get("outcomes", {}).items()},
        **agreed,
    }


def stamp(made: Mapping[str, Any], rows: int = 1) -> dict[str, Any]:
    """The fields that end a row, of what made it.

    Where there are several rows each names the first 20 files only, lest a table of all countries repeat in every row
    the thousands that it was made of; ``n_files`` is the number of all.

    Examples
    --------
    >>> list(stamp(provenance("fit")))
    ['fastml', 'schema', 'provenance']
    """
    said = dict(made) if rows == 1 else {**made, "files": made["files"][:_MOST_IN_ROWS]}
    return {"fastml": made["fastml"], "schema": made["schema"], "provenance": said}


def with_metadata(table: pa.Table, made: Mapping[str, Any]) -> pa.Table:
    """The table, whose schema says what made it."""
    said = {_KEY: json.dumps(made, ensure_ascii=False).encode()}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **said})


def read_metadata(table: pa.Table) -> dict[str, Any]:
    """What a table's schema says of what made it; of one that says nothing, the version and the schema of this fastml.

    Examples
    --------
    >>> import pyarrow as pa
    >>> read_metadata(with_metadata(pa.table({"icc": [0.2]}), provenance("fit", files=["a.csv"])))["files"]
    ['a.csv']
    """
    said = (table.schema.metadata or {}).get(_KEY)
    found: dict[str, Any] = provenance("table") if said is None else json.loads(said)
    return found


def made_text(made: Mapping[str, Any]) -> str:
    """What made a table in a line: the groups, and `data_text`."""
    group = made["group"] if made["group"] is None or isinstance(made["group"], str) else ", ".join(made["group"])
    return f"groups {group}; {data_text(made)}" if group else data_text(made)


def data_text(made: Mapping[str, Any]) -> str:
    """Version, schema, files, filter and codes of missing values in a line; not the many codes of a study.

    Examples
    --------
    >>> made = {"fastml": "1.0", "schema": 1, "files": ["a", "b", "c", "d", "e"], "filter": "x > 1"}
    >>> data_text({**made, "missing": [9.0, 99.0]})
    'fastml 1.0, schema 1; 5 files, a to e; filter x > 1; missing 9, 99'
    """
    said, files = [f"fastml {made['fastml']}, schema {made['schema']}"], made["files"]
    if len(files) > _MOST_FILES:
        said.append(f"{len(files):,} files, {files[0]} to {files[-1]}")
    elif files:
        said.append(f"file{'s' if len(files) > 1 else ''} {', '.join(files)}")
    if made["filter"]:
        said.append(f"filter {made['filter']}")
    if 0 < len(made.get("missing", ())) <= _MOST_CODES:
        said.append(f"missing {codes_text(made['missing'])}")
    return "; ".join([*said, *made.get("notes", ())])


def codes_text(codes: Sequence[float | str]) -> str:
    """Codes and texts of missing values, as a caller names them.

    Examples
    --------
    >>> codes_text([9.0, -8.5, "k.A."]), codes_text([])
    ('9, -8.5, k.A.', 'none')
    """
    return ", ".join(code if isinstance(code, str) else f"{code:.15g}" for code in codes) or "none"
