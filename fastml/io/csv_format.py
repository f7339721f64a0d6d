"""CSV and its kin -> a `File`: delimiter, encoding and column types found out or told."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import WORD, ArgumentError, FastmlError, SourceError, first_line
from fastml.io.arrays import as_numpy
from fastml.io.file_formats import File, Job
from fastml.io.filters import Filter
from fastml.io.locations import Location

__all__ = ["CsvOptions", "csv_options", "open_csv"]

# What is read to find out the types of the columns: all of a small file, else its beginning and samples of the rest.
START = 16 << 20
SAMPLE = 1 << 20
SAMPLES = 8
BLOCK = 4 << 20

# pyarrow's, and the "." of SAS and Stata.
_NULLS = ["", ".", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA",
          "NULL", "NaN", "n/a", "nan", "null"]  # fmt: skip

_TYPES_HINT = "; csv_options={'types': {column: 'string'}} says what an id is, 'float64' what a score is"
_WHOLE = re.compile(r"[+-]?\d+")
_QUOTED = re.compile(r'(?<![^,;\t|])"(?:[^"]|"")*"')  # where a value begins; a quote inside of one is a letter
_HEAD = re.compile(rf"(?:{_QUOTED.pattern}|[^\r\n])*")


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter : str or None
        None: the one of comma, semicolon, tab and bar that splits the first line into most parts.
    encoding : str
    decimal : str
        The decimal point.
    types : mapping of str to str
        Arrow types of columns where what the file's beginning looks like misleads.
    """

    delimiter: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    types: Mapping[str, str] = field(default_factory=dict)


def csv_options(options: Mapping[str, Any] | CsvOptions | None) -> CsvOptions:
    """Return the options of a call, checked.

    Raises
    ------
    FastmlError
    """
    if options is None or isinstance(options, CsvOptions):
        return options or CsvOptions()
    if not isinstance(options, Mapping):
        raise ArgumentError("csv_options", options, ["a mapping such as {'delimiter': ';'}"])
    allowed = list(CsvOptions.__dataclass_fields__)
    for name in options:
        if name not in allowed:
            raise ArgumentError("csv_options", name, allowed)
    made = CsvOptions(**options)
    for name in ("delimiter", "decimal"):
        value = getattr(made, name)
        if name == "delimiter" and value is None:
            continue
        if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in '\r\n"':
            raise FastmlError(
                f"csv_options: {name}={value!r} is not one character: an ASCII one, no quote or line break"
            )
    if not isinstance(made.types, Mapping):
        raise FastmlError(f"csv_options: types={made.types!r} is not a mapping of columns to Arrow types")
    try:
        "".encode(made.encoding)
    except (LookupError, TypeError):
        raise FastmlError(f"csv_options: encoding={made.encoding!r} is not known; try 'utf-8' or 'latin-1'") from None
    return made


def open_csv(location: Location, options: CsvOptions, wanted: Sequence[str], condition: Filter | None = None) -> File:
    """Open delimited text, perhaps compressed; types are found out for the columns that are wanted or filtered by."""
    import pyarrow.csv as pacsv

    try:
        head = _decoded(location, options)
        delimiter = options.delimiter or _likely_delimiter(head)
        parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        convert = {"strings_can_be_null": True, "null_values": _NULLS, "decimal_point": options.decimal}
        names = pacsv.open_csv(
            io.BytesIO(head.encode()), read_options=_reading(block_size=len(head.encode()) + 1), parse_options=parse
        ).schema.names
        asked = {*wanted, *(condition.columns(names) if condition is not None else ())}
        found = _types(location, options, [name for name in names if name in asked], names, parse, convert)
    except FileNotFoundError:
        raise SourceError(f"{location.name} does not exist") from None
    except UnicodeError:
        raise SourceError(_encoding_message(location, options)) from None
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{location.name} is not a CSV file that can be read: {first_line(error)}") from None
    size = location.size()

    def jobs(columns: list[str], condition: Filter | None) -> Iterator[Job]:
        def read_all() -> Iterator[tuple[pa.RecordBatch, int]]:
            types = {name: found[name].type for name in columns}
            try:
                with location.open() as source:
                    reader = pacsv.open_csv(
                        _uncompressed(location, source),
                        read_options=_reading(encoding=options.encoding, block_size=BLOCK),
                        parse_options=parse,
                        convert_options=pacsv.ConvertOptions(include_columns=columns, column_types=types, **convert),
                    )
                    before = 0
                    for batch in reader:
                        at = source.tell()
                        yield batch.select(columns), at - before
                        before = at
            except UnicodeError:
                raise SourceError(_encoding_message(location, options)) from None
            except (pa.ArrowException, OSError) as error:
                hint = _TYPES_HINT if "conversion" in str(error) else ""
                raise SourceError(f"{location.name} can't be read: {first_line(error)}{hint}") from None

        yield read_all

    schema = pa.schema([found.get(name, pa.field(name, pa.null())) for name in names])
    return File(location, schema, size, jobs)


def _reading(**options: Any) -> Any:
    """Arrow's options for reading text on the thread that asks for it.

    Its own threads read ahead, and are no faster where ours overlap; but what they still have in hand when reading
    fails can keep the process from ending, or abort it then.
    """
    import pyarrow.csv as pacsv

    return pacsv.ReadOptions(use_threads=False, **options)


def _encoding_message(location: Location, options: CsvOptions) -> str:
    return f"{location.name} is not text in {options.encoding}; give csv_options={{'encoding': 'latin-1'}} or its own"


def _uncompressed(location: Location, source: Any) -> Any:
    codec = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}.get(location.path.rpartition(".")[2].lower())
    return pa.CompressedInputStream(source, codec) if codec else source


def _decoded(location: Location, options: CsvOptions) -> str:
    """Return the first line; line breaks inside of quotes belong to it."""
    with location.open() as source:
        start = bytes(_uncompressed(location, source).read(1 << 20))
    # An encoding of several bytes a character may be cut inside one at the end.
    text = start.decode("utf-8-sig" if options.encoding.lower() in ("utf-8", "utf8") else options.encoding, "replace")
    if not text.strip():
        raise pa.ArrowInvalid("it is empty")
    head = next(_HEAD.finditer(text.lstrip("\r\n")))[0]
    if "\ufffd" in head:
        raise UnicodeError
    return head + "\n"


def _likely_delimiter(head: str) -> str:
    return max(",;\t|", key=_QUOTED.sub("", head).count)


def _types(
    location: Location, options: CsvOptions, wanted: list[str], names: list[str], parse: Any, convert: dict[str, Any]
) -> dict[str, pa.Field]:
    """Fields of the wanted columns: types that were told, or what all of the samples have in common."""
    import pyarrow.csv as pacsv

    told: dict[str, pa.DataType] = {}
    for name, kind in options.types.items():
        try:
            told[name] = kind if isinstance(kind, pa.DataType) else pa.type_for_alias(kind)
        except (ValueError, AttributeError, TypeError):
            raise FastmlError(f"csv_options: type {kind!r} of column {name!r} is not an Arrow type") from None
    # pyarrow can't say which of two columns of a name it means: that is refused once the schema is known.
    ask = [name for name in wanted if name not in told and names.count(name) == 1]
    seen: dict[str, set[pa.DataType]] = {name: set() for name in ask}
    words: dict[str, str] = {}
    for i, sample in enumerate(_samples(location, options.encoding, parse.delimiter)) if ask else ():

        def table_of(columns: list[str], types: dict[str, pa.DataType], i: int = i, sample: bytes = sample) -> pa.Table:
            return pacsv.read_csv(
                io.BytesIO(sample),
                read_options=_reading(encoding=options.encoding, column_names=names if i else None),
                parse_options=parse,
                convert_options=pacsv.ConvertOptions(include_columns=columns, column_types=types, **convert),
            )

        try:
            table = table_of(ask, {})
        except (pa.ArrowException, UnicodeError):
            if i == 0:
                raise
            continue  # a sample that began inside a quoted value, though it didn't seem to
        for name in ask:
            dtype = table.schema.field(name).type
            if pa.types.is_binary(dtype):
                raise UnicodeError  # what pyarrow makes of text that isn't UTF-8
            if pa.types.is_floating(dtype) and _has_long(table[name]):
                dtype = _long_type(table_of([name], {name: pa.string()})[name])
            elif pa.types.is_string(dtype) and name not in words and (word := _first_word(table[name])):
                words[name] = word
            seen[name].add(dtype)
    types = {**{name: _common(kinds) for name, kinds in seen.items()}, **told}
    return {
        name: pa.field(name, dtype, metadata={WORD: words[name]} if name in words else None)
        for name, dtype in types.items()
    }


def _first_word(texts: pa.ChunkedArray) -> str:
    """Return the first text that is no number, for messages; empty where there is none."""
    for text in texts.to_pylist():
        try:
            float(text or 0)
        except ValueError:
            return str(text)
    return ""


def _has_long(numbers: pa.ChunkedArray) -> bool:
    """Whether doubles include some so large that they don't hold every whole number."""
    values = np.concatenate([np.empty(0), *(as_numpy(chunk.drop_null()) for chunk in numbers.chunks)])
    return bool((np.abs(values) >= 2.0**53).any())


def _long_type(texts: pa.ChunkedArray) -> pa.DataType:
    """Type that keeps every digit of numbers of which some are large: ids of 17 digits and more."""
    written = [text.strip() for text in texts.to_pylist() if text]
    whole = [text for text in written if _WHOLE.fullmatch(text)]
    if len(whole) == len(written):
        fits = all(text[0] != "-" and len(text) <= 20 and int(text) < 2**64 for text in whole)
        return pa.uint64() if fits else pa.string()
    return pa.string() if any(abs(float(text)) >= 2.0**53 for text in whole) else pa.float64()


def _samples(location: Location, encoding: str, delimiter: str) -> Iterator[bytes]:
    """Beginning of the file, then whole records from evenly spread places, where a line's end is one byte."""
    size = location.size()
    with location.open() as source:
        stream = _uncompressed(location, source)
        start = bytes(stream.read(START))
        whole = len(start) < START
        if not whole and "\n".encode(encoding) != b"\n":  # UTF-16 and its kin
            text = codecs.getincrementaldecoder(encoding)().decode(start)
            yield _whole_records(text.encode(), delimiter, at_start=True).decode().encode(encoding)
            return
        yield start if whole else _whole_records(start, delimiter, at_start=True)
        if whole or stream is not source:
            return
        for i in range(1, SAMPLES + 1):
            source.seek(START + (size - START) * i // SAMPLES - (SAMPLE if i == SAMPLES else 0))
            yield _whole_records(bytes(source.read(SAMPLE)), delimiter, at_start=False)


def _whole_records(text: bytes, delimiter: str, *, at_start: bool) -> bytes:
    """The records that a piece of a file holds whole: what stands between line breaks outside of quotes."""
    quotes = np.flatnonzero(np.frombuffer(text, np.uint8) == ord('"')) if b'"' in text else np.empty(0, np.int64)
    inside = not at_start and _begins_inside(text, quotes, delimiter)

    def is_quoted(place: int) -> bool:
        return bool((np.searchsorted(quotes, place) + inside) % 2)

    last = text.rfind(b"\n")
    while last >= 0 and is_quoted(last):
        last = text.rfind(b"\n", 0, last)
    first = -1 if at_start else text.find(b"\n")
    while 0 <= first < last and is_quoted(first):
        first = text.find(b"\n", first + 1)
    return text[first + 1 : last + 1]


def _begins_inside(text: bytes, quotes: npt.NDArray[np.int64], delimiter: str) -> bool:
    """Whether a piece from the midst of a file begins inside of quotes.

    If its odd quotes open values, most stand behind a delimiter or the end of a line, and the even ones before one; if
    they close values, the other way round.
    """
    is_edge = np.zeros(256, bool)
    is_edge[np.frombuffer(f"{delimiter}\r\n".encode(), np.uint8)] = True
    padded = np.frombuffer(b"\n" + text + b"\n", np.uint8)
    before, behind = is_edge[padded[quotes]], is_edge[padded[quotes + 2]]
    return bool(behind[::2].sum() + before[1::2].sum() > before[::2].sum() + behind[1::2].sum())


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    kinds = {kind for kind in kinds if not pa.types.is_null(kind)}
    if not kinds:
        return pa.null()
    if len(kinds) == 1:
        return kinds.pop()
    if all(map(pa.types.is_integer, kinds)):
        return pa.uint64()
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.string()
