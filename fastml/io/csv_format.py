"""CSV and its kin -> a `File`. What ids are, and what filters compare, is decided by all rows before one is handed on.

So a file is read twice: for what its ids are, and for its rows. Numbers are read as numbers by pyarrow; where it meets
a text that is none for it, their column is read as texts, which are converted or refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import pyarrow as pa

from fastml.errors import SourceError, first_line
from fastml.io.csv_options import CsvOptions
from fastml.io.csv_text import BLOCK, CsvText, line_with, open_text
from fastml.io.csv_values import MISSING_NUMBERS, FilterKind, IdKind, Numbers
from fastml.io.file_formats import File, Job
from fastml.io.filters import Filter
from fastml.io.locations import Location

__all__ = ["open_csv"]


def open_csv(
    location: Location,
    options: CsvOptions,
    wanted: Sequence[str],
    ids: Sequence[str] = (),
    condition: Filter | None = None,
) -> File:
    """Open delimited text, perhaps compressed.

    Parameters
    ----------
    location : Location
    options : CsvOptions
    wanted : sequence of str
        Columns to read: numbers, but for the ids.
    ids : sequence of str
        Which of them hold ids.
    condition : Filter, optional
        Its columns may be of any type.

    Returns
    -------
    File
        Ids and the columns of the filter come as texts.
    """
    with _readable(location, options):
        text = open_text(location, options)
        lacking = [name for name in wanted if name not in text.names]
        line = line_with(text, lacking) if lacking else 0
        if line:
            skip = f"csv_options={{'skip_rows': {line - 1}}}"
            raise SourceError(f"{location.name} has its names in line {line}, not before: give {skip}")
        told = {name: dtype for name, dtype in options.told().items() if name in text.names}
        kinds: dict[str, IdKind | FilterKind] = {
            name: FilterKind(options)
            for name in ([] if condition is None else condition.columns(text.names))
            if name not in wanted
        }
        kinds |= {name: IdKind() for name in ids if name in text.names}
        # pyarrow can't say which of two columns of a name it means: that is refused once the schema is known.
        kinds = {name: kind for name, kind in kinds.items() if name not in told and text.names.count(name) == 1}
        _note(text, kinds)
    types = {name: pa.float64() for name in text.names} | told | {name: kind.type for name, kind in kinds.items()}
    size = location.size()

    def jobs(columns: list[str], condition: Filter | None) -> Iterator[Job]:
        def read_all() -> Iterator[tuple[pa.RecordBatch, int]]:
            with _readable(location, options), _whole_records(text):
                # What has been read once had its quotes looked at.
                yield from _rows(text, columns, dict.fromkeys(kinds, pa.string()) | told, check=not kinds)

        yield Job(read_all)

    schema = pa.schema([(name, types[name]) for name in text.names])
    only_words = [name for name, kind in kinds.items() if isinstance(kind, IdKind) and kind.only_words]
    return File(location, schema, size, jobs, frozenset(kinds), frozenset(only_words))


def _note(text: CsvText, kinds: Mapping[str, IdKind | FilterKind]) -> None:
    if kinds:
        with _whole_records(text):
            for batch, _ in _batches(text, dict.fromkeys(kinds, pa.string())):
                for name, kind in kinds.items():
                    kind.note(batch.column(name))


@contextmanager
def _whole_records(text: CsvText) -> Iterator[None]:
    """Say why a record is longer than pyarrow reads: a quote that isn't closed, which shows at the end of the file."""
    try:
        yield
    except pa.ArrowInvalid as error:
        if "straddl" in str(error):
            text.check_quotes()
        raise


def _rows(
    text: CsvText, columns: list[str], types: Mapping[str, pa.DataType], check: bool
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of some columns: those that have no type are numbers."""
    numbers = [name for name in columns if name not in types]
    done = 0
    if not text.options.thousands:
        try:
            for batch, share in _batches(text, {name: types.get(name, pa.float64()) for name in columns}, check):
                yield batch, share
                done += batch.num_rows
            return
        except pa.ArrowInvalid as error:
            if "conversion error to double" not in str(error):
                raise
    converters = {name: Numbers(name, text.location.name, text.options) for name in numbers}
    for batch, share in _batches(text, {name: types.get(name, pa.string()) for name in columns}, check):
        arrays = [
            converters[name].convert(column) if name in converters else column
            for name, column in zip(columns, batch.columns, strict=True)
        ]
        rows = pa.RecordBatch.from_arrays(arrays, columns).slice(done)
        done = max(done - batch.num_rows, 0)
        if rows.num_rows:
            yield rows, share


def _batches(
    text: CsvText, types: Mapping[str, pa.DataType], check: bool = True
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of the columns that have a type here, with the bytes of the file that each accounts for."""
    import pyarrow.csv as pacsv

    options, columns = text.options, list(types)
    with closing(text.location.open()) as source:
        try:
            reader = pacsv.open_csv(
                pa.PythonFile(text.rows(source, check), "r"),
                # Arrow's own threads read ahead, and are no faster where ours overlap; but what they still have in hand
                # when reading fails can keep the process from ending, or abort it then.
                read_options=pacsv.ReadOptions(use_threads=False, column_names=text.names, block_size=BLOCK),
                parse_options=pacsv.ParseOptions(
                    delimiter=text.delimiter, quote_char=options.quote or False, newlines_in_values=True
                ),
                convert_options=pacsv.ConvertOptions(
                    include_columns=columns,
                    column_types=dict(types),
                    null_values=[*MISSING_NUMBERS, *options.missing],
                    strings_can_be_null=False,
                    decimal_point=options.decimal,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise
        before, size = 0, text.location.size()
        for batch in reader:
            at = size if source.closed else source.tell()  # decompressing closes it at its end
            yield batch.select(columns), at - before
            before = at


@contextmanager
def _readable(location: Location, options: CsvOptions) -> Iterator[None]:
    """Turn what goes wrong in reading into one line that names the file and the remedy."""
    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"{location.name} does not exist") from None
    except UnicodeError:
        raise SourceError(_encoding_message(location, options)) from None
    except (pa.ArrowException, OSError) as error:
        line = first_line(error)
        if "invalid UTF8" in line:
            raise SourceError(_encoding_message(location, options)) from None
        hint = ""
        if "columns, got" in line:
            hint = "; if lines stand before the names, csv_options={'skip_rows': 1} skips one, and so on"
        raise SourceError(f"{location.name} is not a CSV file that can be read: {line}{hint}") from None


def _encoding_message(location: Location, options: CsvOptions) -> str:
    remedy = "its own encoding" if options.encoding else "csv_options={'encoding': 'latin-1'} or its own"
    return f"{location.name} is not text in {options.encoding or 'utf-8'}; give {remedy}"
