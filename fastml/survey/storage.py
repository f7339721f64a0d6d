"""Tables of results, read from the files that they wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from fastml.errors import SourceError, first_line
from fastml.report.fields import FIT_TABLE, SURVEY_TABLE
from fastml.results.table import FitTable, ResultTable
from fastml.survey.kept import KEPT, read_kept
from fastml.survey.table import SurveyTable

__all__ = ["read_compared", "read_table"]


def read_table(path: str | os.PathLike[str]) -> SurveyTable:
    """Read a table of `fit_survey` from the Parquet file that it wrote, with all that comparing its rows needs.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    SurveyTable

    Raises
    ------
    SourceError
        There is no such file, or it is none of such a table.

    Examples
    --------
    >>> import tempfile, fastml
    >>> data = {"IDSCHOOL": [1, 1, 2, 2, 3, 3, 4, 4], "JKZONE": [1, 1, 1, 1, 2, 2, 2, 2], "JKREP": [0, 0, 1, 1] * 2,
    ...         "TOTWGT": [1.0] * 8, "SCHWGT": [1.0] * 8, "SCORE": [10.5, 12.5, 15.5, 13.0, 11.0, 16.5, 18.5, 19.0]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fastml.fit_survey(data, "SCORE", "timss").write(f"{folder}/timss.parquet")
    ...     table = fastml.read_table(f"{folder}/timss.parquet")
    >>> table.to_dict()[0]["mean"]
    14.5625
    """
    table, made = _read(path)
    if made.get("content") != "survey table":
        raise SourceError(f"{os.fspath(path)} is no table of fit_survey; write one by table.write('t.parquet'), or "
                          "fastml survey -o t.parquet")  # fmt: skip
    return _survey_table(table, made, path)


def read_compared(path: str | os.PathLike[str]) -> ResultTable:
    """Read a table of `fit_survey` or `fit_by` to compare its rows.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    SurveyTable or FitTable
        Of fits without their statistics, so that which rows have schools in common is not known.

    Raises
    ------
    SourceError
        There is no such file, or it is none of such a table.
    """
    table, made = _read(path)
    if made.get("content") == "survey table":
        return _survey_table(table, made, path)
    if made.get("content") != "fit table":
        raise SourceError(f"{os.fspath(path)} is no table of fit_survey or fit_by; write one by fastml survey, or "
                          "fastml fit --by, with -o t.parquet, or by table.write('t.parquet')")  # fmt: skip
    _check_columns(table, made, FIT_TABLE, path)
    return FitTable(table, tuple(made["by"]), None, made["vcov"])


def _survey_table(table: pa.Table, made: dict[str, Any], path: str | os.PathLike[str]) -> SurveyTable:
    if not set(KEPT) <= set(table.column_names):
        raise SourceError(f"{os.fspath(path)} was written by fastml {made.get('fastml')}, which kept no estimates; "
                          "fit it again")  # fmt: skip
    _check_columns(table, made, SURVEY_TABLE, path)
    return SurveyTable(table.drop_columns(list(KEPT)), tuple(made["by"]), tuple(read_kept(table)))


def _check_columns(
    table: pa.Table, made: dict[str, Any], columns: Iterable[str], path: str | os.PathLike[str]
) -> None:  # fmt: skip
    lacks = [name for name in (*made["by"], *columns) if name not in table.column_names]
    if lacks:
        raise SourceError(f"{os.fspath(path)} lacks the column {lacks[0]!r} of its table; fit it again")


def _read(path: str | os.PathLike[str]) -> tuple[pa.Table, dict[str, Any]]:
    """A Parquet file, and what its metadata say of what made it."""
    import pyarrow.parquet as pq

    if not isinstance(path, (str, os.PathLike)):
        raise SourceError(f"read_table takes the path of a file, not a {type(path).__name__}")
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        said = getattr(error, "strerror", None) or first_line(error)
        raise SourceError(f"can't read {os.fspath(path)}: {said}") from None
    try:
        made = json.loads((table.schema.metadata or {}).get(b"fastml", b"{}"))
    except ValueError:
        made = {}
    return table, made if isinstance(made, dict) else {}
