"""A result of one row: its figures as JSON, CSV, a data frame, Arrow and Parquet."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fastml import report
from fastml.io.writing import write_parquet
from fastml.report.markup import GridFaces

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Record"]

# Figures that are text; all others that may not exist are doubles, so that every row of a kind has one schema.
_TEXTS = frozenset(("weights", "group_weights", "weights_are", "weight_scaling", "vcov"))


class Record(GridFaces):
    """The forms of one row of figures, for whatever has `to_dict`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain Python values; None for what doesn't exist, never NaN."""
        raise NotImplementedError

    def to_json(self, indent: int | None = 2) -> str:
        """Return the figures as one JSON object; null for what doesn't exist, never NaN.

        Parameters
        ----------
        indent : int or None

        Returns
        -------
        str
        """
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """Return the figures as a row of CSV with a header; `dropped` by cause in columns ``dropped_CAUSE``.

        Returns
        -------
        str
        """
        row = report.flat(self.to_dict())
        return report.csv_text([row], list(row))

    def to_frame(self) -> pd.DataFrame:
        """Return that row as a data frame.

        Returns
        -------
        pandas.DataFrame
        """
        import pandas as pd

        return pd.DataFrame([report.flat(self.to_dict())])

    def to_arrow(self) -> pa.Table:
        """Return that row as an Arrow table; null, of its column's own type, where a figure doesn't exist.

        Returns
        -------
        pyarrow.Table
        """
        return pa.table({name: _cell(name, value) for name, value in report.flat(self.to_dict()).items()})

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write that row to a Parquet file, whole or not at all.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        SourceError
            The file can't be written.
        """
        write_parquet(self.to_arrow(), path)


def _cell(name: str, value: Any) -> pa.Array:
    dtype = None if value is not None else pa.string() if name in _TEXTS else pa.float64()
    return pa.array([value], dtype)
