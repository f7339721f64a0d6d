"""SPSS, Stata and SAS files -> a `File`, through pyreadstat. What a file declares missing is missing.

Texts are read byte for byte (as Latin-1, to which no byte is alien) and decoded here, and only those that are asked
for: a label in another encoding than the file declares does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import SourceError, first_line
from fastml.io.file_formats import File, Job
from fastml.io.filters import Filter
from fastml.io.locations import Location

__all__ = ["ENDINGS", "open_statistical"]

# Ending to pyreadstat's reader, and the program whose file it is.
ENDINGS = {
    "sav": ("read_sav", "SPSS"), "zsav": ("read_sav", "SPSS"), "por": ("read_por", "SPSS"),
    "dta": ("read_dta", "Stata"), "sas7bdat": ("read_sas7bdat", "SAS"), "xpt": ("read_xport", "SAS"),
}  # fmt: skip

# Values that are read at a time: pyreadstat makes a Python object of each, 40 bytes. Not fewer, since in a compressed
# file each piece is found by unpacking all before it.
VALUES = 8_000_000

# Formats of dates and of times with a date; what else a number is shown as, such as a time of day, stays a number.
_DATES = {
    "SPSS": re.compile(r"[AEJS]?DATE\d*"),
    "Stata": re.compile(r"%-?t?d.*"),
    "SAS": re.compile(r"(DATE|DDMMYY|MMDDYY|YYMMDD|JULIAN|WEEKDAT|WORDDAT|MONYY|YYMON|[EB]8601DA)[A-Z]?\d*\.?"),
}
_TIMES = {
    "SPSS": re.compile(r"(DATETIME|YMDHMS).*"),
    "Stata": re.compile(r"%-?t[cC].*"),
    "SAS": re.compile(r"(DATETIME|DATEAMPM|MDYAMPM|[EB]8601DT)\d*\.?\d*"),
}
# Days from where a program counts to 1970, and its units: of dates a day, of times a second.
_EPOCH = {"SPSS": -141_428, "Stata": -3_653, "SAS": -3_653}
_PER_DAY = {"SPSS": 86_400, "Stata": 1, "SAS": 1}
_PER_SECOND = {"SPSS": 1, "Stata": 1_000, "SAS": 1}


@dataclass(frozen=True)
class _Column:
    """A column, by its name as pyreadstat has it when it reads bytes."""

    raw: str
    dtype: pa.DataType


@dataclass(frozen=True)
class _Reader:
    """A file, and how pyreadstat reads it.

    Attributes
    ----------
    location : Location
    function : str
        pyreadstat's.
    program : str
    """

    location: Location
    function: str
    program: str

    def read(self, **options: Any) -> tuple[Any, Any]:
        """Values and metadata; texts as their bytes, where the format has an encoding."""
        import pyreadstat

        # Of what it can make a dict costs least: for a data frame it imports pandas, a third of a second.
        options = {"encoding": "LATIN1", "output_format": "dict", **options}
        if self.function == "read_por":
            del options["encoding"]  # a .por file has its own table of characters
        with self._errors():
            found: tuple[Any, Any] = getattr(pyreadstat, self.function)(self.location.open_path, **options)
        return found

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import pyreadstat

        try:
            yield
        except FileNotFoundError:
            raise SourceError(f"{self.location.name} does not exist") from None
        except (
            pyreadstat.ReadstatError, pyreadstat.PyreadstatError, LookupError, TypeError, OverflowError, OSError,
            ValueError,
        ) as error:  # fmt: skip
            # Of a damaged file it may hand over names that are None, or fail on its own.
            raise SourceError(
                f"{self.location.name} is not {_kind(self.program)} that can be read: {first_line(error)}"
            ) from None

    def declared(self) -> str:
        """Return the encoding that the file declares, else UTF-8, or what Stata had before that."""
        if self.function == "read_por":
            return "latin-1"
        if self.function == "read_dta":
            with self.location.open() as source:
                start = bytes(source.read(64))
            release = re.search(rb"<release>(\d+)", start)
            return "utf-8" if release and int(release[1]) >= 118 else "cp1252"
        with suppress(SourceError):
            return self.read(metadataonly=True, encoding=None)[1].file_encoding or "utf-8"
        # Some label isn't in the encoding: record 7, subtype 20 of an SPSS file names it.
        with self.location.open() as source:
            start = bytes(source.read(64 << 20))
        found = re.search(rb"\x07\x00{3}\x14\x00{3}\x01\x00{3}.{4}([\w.:-]+)", start, re.DOTALL)
        return found[1].decode() if found else "utf-8"


def _kind(program: str) -> str:
    return f"an {program} file" if program[:2] in ("SP", "SA") else f"a {program} file"


def open_statistical(location: Location, ending: str, encoding: str | None = None) -> File:
    """Open a file of SPSS, Stata or SAS; one job, which reads some rows at a time.

    Parameters
    ----------
    location : Location
    ending : str
        One of `ENDINGS`.
    encoding : str, optional
        Of its texts; by default the one that it declares.

    Returns
    -------
    File
        Texts, dates, times with a date, and doubles for all other numbers. User-missing values (SPSS), .a to .z (Stata)
        and special missing values (SAS) are null.

    Raises
    ------
    SourceError
        pyreadstat isn't there, or can't read the file.
    """
    function, program = ENDINGS[ending]
    reader = _Reader(location, function, program)
    if find_spec("pyreadstat") is None:
        raise SourceError(f"{location.name} is {_kind(program)}, which pyreadstat reads: pip install pyreadstat")
    if location.filesystem is not None:
        raise SourceError(f"{location.name} is {_kind(program)}, which can only be read from a local disk: copy it")
    meta = reader.read(metadataonly=True)[1]
    encoding = encoding or (reader.declared() if any(not name.isascii() for name in meta.column_names) else None)
    columns = {
        _decoded(name, encoding or "utf-8") or name: _Column(name, _type(meta, name, program))
        for name in meta.column_names
    }
    size, n_rows = location.size(), int(meta.number_rows or 0)

    def jobs(names: list[str], condition: Filter | None) -> Iterator[Job]:
        def read() -> Iterator[tuple[pa.RecordBatch, int]]:
            wanted = {name: columns[name] for name in names}
            texts = encoding
            if texts is None and any(pa.types.is_string(column.dtype) for column in wanted.values()):
                texts = reader.declared()
            for batch in _batches(reader, wanted, texts or "utf-8"):
                yield batch, size * batch.num_rows // max(n_rows, 1)

        yield Job(read)

    return File(location, pa.schema([(name, column.dtype) for name, column in columns.items()]), size, jobs)


def _type(meta: Any, name: str, program: str) -> pa.DataType:
    if meta.readstat_variable_types[name] == "string":
        return pa.string()
    shown = meta.original_variable_types[name] or ""
    if _TIMES[program].fullmatch(shown):
        return pa.timestamp("us")
    return pa.date32() if _DATES[program].fullmatch(shown) else pa.float64()


def _batches(reader: _Reader, columns: Mapping[str, _Column], encoding: str) -> Iterator[pa.RecordBatch]:
    """Batches of some columns."""
    if not columns:
        return
    start, most = 0, max(VALUES // len(columns), 1)
    while True:
        values, _ = reader.read(
            usecols=[column.raw for column in columns.values()], row_offset=start, row_limit=most,
            disable_datetime_conversion=True,
        )  # fmt: skip
        arrays = [_array(reader, name, column, values[column.raw], encoding) for name, column in columns.items()]
        if len(arrays[0]):
            yield pa.RecordBatch.from_arrays(arrays, list(columns))
        start += len(arrays[0])
        if len(arrays[0]) < most:
            return


def _array(reader: _Reader, name: str, column: _Column, values: Any, encoding: str) -> pa.Array:
    if pa.types.is_string(column.dtype):
        return _texts(reader, name, values, encoding)
    numbers = np.array(values, np.float64)  # NaN for None
    missing = np.isnan(numbers)
    if pa.types.is_float64(column.dtype):
        return _with_nulls(numbers, missing, column.dtype)
    program = reader.program
    counted = np.where(missing, 0.0, numbers)
    if pa.types.is_date32(column.dtype):
        days = np.floor(counted / _PER_DAY[program]) + _EPOCH[program]
        return _with_nulls(np.clip(days, -(2**31), 2**31 - 1).astype(np.int32), missing, column.dtype)
    # What is beyond all times stays beyond those that can be shown.
    microseconds = np.clip(np.round(counted * (1_000_000 / _PER_SECOND[program])), -(2.0**62), 2.0**62).astype(np.int64)
    return _with_nulls(microseconds + _EPOCH[program] * 86_400_000_000, missing, column.dtype)


def _with_nulls(numbers: npt.NDArray[Any], missing: npt.NDArray[np.bool_], dtype: pa.DataType) -> pa.Array:
    """Arrow array over the memory of numbers; pyarrow's own way would import pandas."""
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.Array.from_buffers(dtype, len(numbers), [valid, pa.py_buffer(numbers)])


def _texts(reader: _Reader, name: str, values: Any, encoding: str) -> pa.Array:
    texts = pa.array(values, pa.string(), from_pandas=True)
    distinct = texts.dictionary_encode()
    words = [None if word is None else _decoded(word, encoding) for word in distinct.dictionary.to_pylist()]
    if None in words:
        raise SourceError(
            f"column {name!r} of {reader.location.name} holds text that is not {encoding}; give "
            "csv_options={'encoding': 'latin-1'} or its own"
        )
    return pa.array(words, pa.string()).take(distinct.indices)


def _decoded(word: str, encoding: str) -> str | None:
    """The text of bytes that were read as Latin-1; None where they are no text in the encoding."""
    if word.isascii():
        return word
    try:
        return word.encode("latin-1").decode(encoding)
    except (UnicodeError, LookupError):
        return None
