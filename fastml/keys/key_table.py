"""Global codes: combinations of group labels -> dense int32 codes in all of the data, and their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ColumnTypeError, ValueNotAllowedError, plain_errors
from fastml.io.arrays import without_blanks
from fastml.io.columns import as_floats
from fastml.io.plain_arrays import plain_type
from fastml.keys.hash_tables import LabelTable, NumberTable
from fastml.keys.label_types import take
from fastml.keys.order import sort_order

__all__ = ["KeyTable", "check_ids", "check_key_type", "check_labels"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


def check_key_type(argument: str, field: pa.Field) -> None:
    """Refuse key columns of types that are no labels: nested ones, and periods, whose numbers say nothing.

    Raises
    ------
    ColumnTypeError
    """
    dtype = plain_type(field.type)
    held = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    is_period = getattr(held, "extension_name", "") == "pandas.period"
    if pa.types.is_nested(dtype) or pa.types.is_interval(dtype) or is_period:
        raise ColumnTypeError(argument, field.name, field.type, "use a column of numbers, strings or dates")


def check_labels(keys: pa.Table) -> None:
    """Refuse labels that nobody could show: text that is not UTF-8, dates beyond the years of Python.

    Parameters
    ----------
    keys : pyarrow.Table
        A column of labels of each key.

    Raises
    ------
    SourceError
        In one line, with the column.
    """
    for field in keys.schema:
        check_key_type("key", field)
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            continue  # any bits are a number
        column = keys[field.name]
        with plain_errors(f"column {field.name!r} holds labels that can't be shown"):
            column.validate(full=True)
            if pa.types.is_temporal(field.type):
                column.to_pylist()


def check_ids(name: str, labels: pa.Array) -> None:
    """Refuse labels of groups that are fractions or infinite: such a column holds scores.

    Parameters
    ----------
    name : str
        The column.
    labels : pyarrow.Array of `plain_type`

    Raises
    ------
    ValueNotAllowedError
    """
    if pa.types.is_floating(labels.type):
        values = as_floats(labels)
        wrong = values[~np.isnan(values) & ((values != np.floor(values)) | np.isinf(values))].tolist()
    elif pa.types.is_decimal(labels.type) and labels.type.scale > 0:
        wrong = [label for label in labels.to_pylist() if label is not None and label % 1]
    else:
        return
    if wrong:
        shown = wrong[0] if pa.types.is_decimal(labels.type) else repr(wrong[0])
        raise ValueNotAllowedError(
            f"group column {name!r} has {shown}, which is no id: are outcome and group swapped? ids are whole numbers "
            "or texts, so if these are ids make them texts"
        )


class KeyTable:
    """A growing table of key combinations and their dense codes, in the order of first appearance.

    Parameters
    ----------
    types : sequence of pyarrow.DataType
        Label type of each key column, as `plain_type` gives it.
    """

    def __init__(self, types: Sequence[pa.DataType]) -> None:
        self._columns = [LabelTable(dtype) for dtype in types]
        # Combination (a, b, c): the code of (a, b), from the first table, with c makes the key of the second.
        self._pairs = [NumberTable() for _ in types[1:]]

    def codes_for(self, labels: Sequence[pa.Array]) -> Codes:
        """Codes of combinations of labels; new combinations get new ones. A blank text is null, in every column.

        Parameters
        ----------
        labels : sequence of pyarrow.Array, each of length K

        Returns
        -------
        ndarray of int32, shape (K,)
        """
        labels = [without_blanks(label) for label in labels]
        codes = self._columns[0].codes_for(labels[0])
        for column, pairs, label in zip(self._columns[1:], self._pairs, labels[1:], strict=True):
            both = (codes.astype(np.int64) << 32) | column.codes_for(label)
            codes = pairs.codes_for(both)
        return codes

    def labels(self) -> tuple[pa.Array, ...]:
        """Return the labels by code, an array per key column."""
        codes = np.arange(len(self), dtype=np.int64)
        columns: list[pa.Array] = []
        for column, pairs in zip(reversed(self._columns[1:]), reversed(self._pairs), strict=True):
            both = pairs.bits()[codes]
            columns.append(take(column.labels(), both & 0xFFFFFFFF))
            codes = both >> 32
        first = self._columns[0].labels()
        columns.append(take(first, codes) if self._pairs else first)
        return tuple(reversed(columns))

    def sorted(self) -> tuple[Int64s, tuple[pa.Array, ...]]:
        """Return the codes, shape (K,), in the order that sorts their labels (`sort_order`), and the labels in it."""
        found = None if self._pairs else self._columns[0].sorted()
        if found is not None:
            return found[0], found[1:]
        labels = self.labels()
        order = sort_order(labels)
        return order, tuple(take(column, order) for column in labels)

    def __len__(self) -> int:
        return len(self._pairs[-1] if self._pairs else self._columns[0])
