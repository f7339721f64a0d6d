"""Arrow's many encodings of one thing -> its values: dictionaries, views, run ends and extensions."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["plain_array", "plain_type"]


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """Type of the values of a column: dictionaries, views and extensions are replaced by what they hold.

    Parameters
    ----------
    dtype : pyarrow.DataType

    Returns
    -------
    pyarrow.DataType
    """
    if pa.types.is_dictionary(dtype) or pa.types.is_run_end_encoded(dtype):
        return plain_type(dtype.value_type)
    if isinstance(dtype, pa.BaseExtensionType):
        return plain_type(dtype.storage_type)
    if pa.types.is_string_view(dtype):
        return pa.large_string()
    if pa.types.is_binary_view(dtype):
        return pa.large_binary()
    if pa.types.is_float16(dtype):
        return pa.float32()
    if pa.types.is_decimal(dtype) and dtype.bit_width < 128:  # which Arrow can't sort
        return pa.decimal128(dtype.precision, dtype.scale)
    return dtype


def plain_array(column: pa.Array) -> pa.Array:
    """Values of a column as they are.

    Parameters
    ----------
    column : pyarrow.Array

    Returns
    -------
    pyarrow.Array of `plain_type`
    """
    if isinstance(column.type, pa.BaseExtensionType):
        return plain_array(column.storage)
    if pa.types.is_run_end_encoded(column.type):
        import pyarrow.compute as pc

        # Arrow decodes no run ends of views.
        runs = pa.RunEndEncodedArray.from_arrays(column.run_ends, plain_array(column.values))
        return plain_array(pc.run_end_decode(runs.slice(column.offset, len(column))))
    if pa.types.is_dictionary(column.type):
        return plain_array(column.dictionary).take(column.indices)
    dtype = plain_type(column.type)
    return column if column.type == dtype else column.cast(dtype)
