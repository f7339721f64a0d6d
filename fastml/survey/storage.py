"""Tables of assessments, read from the files that they wrote."""

from __future__ import annotations

import json
import os

import pyarrow as pa

from fastml.errors import SourceError, first_line
from fastml.survey.kept import KEPT, read_kept
from fastml.survey.table import SurveyTable

__all__ = ["read_table"]


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
    import pyarrow.parquet as pq

    if not isinstance(path, (str, os.PathLike)):
        raise SourceError(f"read_table takes the path of a file, not a {type(path).__name__}")
    shown = os.fspath(path)
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"can't read {shown}: {getattr(error, 'strerror', None) or first_line(error)}") from None
    try:
        made = json.loads((table.schema.metadata or {}).get(b"fastml", b"{}"))
    except ValueError:
        made = {}
    if not isinstance(made, dict) or made.get("content") != "survey table":
        raise SourceError(
            f"{shown} is no table of fit_survey; write one by table.write('t.parquet'), or fastml survey -o t.parquet"
        )
    if not set(KEPT) <= set(table.column_names):
        raise SourceError(f"{shown} was written by fastml {made.get('fastml')}, which kept no estimates; fit it again")
    return SurveyTable(table.drop_columns(list(KEPT)), tuple(made["by"]), tuple(read_kept(table)))
