"""What every output says of itself: the version and the schema it was written by, the data, the filter, the columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastml._version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SCHEMA", "STAMP", "data_text", "made_text", "provenance", "read_metadata", "stamp", "with_metadata"]

# The number of the lists of fields in `fastml.report.fields`: a field, name, type or unit that changes takes another.
SCHEMA = 1

# The fields that end every row of data.
STAMP = ("fastml", "schema", "provenance")

# Where the schema of an Arrow table, or of a Parquet file, has the same.
_KEY = b"fastml"

_MOST_FILES = 3  # that a line names
_MOST_IN_ROWS = 20  # that each row of a table names


def provenance(
    content: str,
    *,
    files: Sequence[str] = (),
    filter: str | None = None,
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
    return {
        "content": content,
        "fastml": __version__,
        "schema": SCHEMA,
        "files": list(files),
        "n_files": len(files),
        "filter": filter,
        "outcomes": {name: list(columns) for name, columns in (outcomes or {}).items()},
        "by": list(by),
        "group": group if group is None or isinstance(group, str) else group[0] if len(group) == 1 else list(group),
        "weights": weights,
        "group_weights": group_weights,
        **options,
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
    """Version, schema, files and filter in a line.

    Examples
    --------
    >>> data_text({"fastml": "1.0", "schema": 1, "files": ["a", "b", "c", "d", "e"], "filter": "x > 1"})
    'fastml 1.0, schema 1; 5 files, a to e; filter x > 1'
    """
    said, files = [f"fastml {made['fastml']}, schema {made['schema']}"], made["files"]
    if len(files) > _MOST_FILES:
        said.append(f"{len(files):,} files, {files[0]} to {files[-1]}")
    elif files:
        said.append(f"file{'s' if len(files) > 1 else ''} {', '.join(files)}")
    if made["filter"]:
        said.append(f"filter {made['filter']}")
    return "; ".join([*said, *made.get("notes", ())])
