"""A text file -> its names, and its rows in UTF-8; a quote that is never closed is found on the way."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from fastml.errors import SourceError
from fastml.io.csv_options import CsvOptions
from fastml.io.locations import Location

__all__ = ["CsvText", "open_text"]

BLOCK = 4 << 20
HEAD = 1 << 20
_CODECS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
# Those of four bytes come first, since they begin as one of two does.
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
          codecs.BOM_UTF16_BE: "utf-16"}  # fmt: skip
_SEP = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)
_LINES = 100  # among which the names are looked for
_RECORDS = 20  # that tell whether rows begin with a name that the line of names lacks
ROW_NAMES = "row.names"  # as R calls them


@dataclass(frozen=True)
class CsvText:
    """A text file, and what its first lines say.

    Attributes
    ----------
    location : Location
    options : CsvOptions
    encoding : str
    delimiter : str
    names : list of str
        Of the columns.
    start : int
        Where the first row begins, in bytes of UTF-8.
    """

    location: Location
    options: CsvOptions
    encoding: str
    delimiter: str
    names: list[str]
    start: int

    def rows(self, source: Any, check: bool = True) -> _Blocks:
        """Return a file of the rows in UTF-8.

        Parameters
        ----------
        source : pyarrow.NativeFile
            The file, at its beginning.
        check : bool
            Whether to look for quoted values that don't end.

        Raises
        ------
        SourceError
            While it is read: a quoted value doesn't end.
        """
        blocks = _from(_decoded(source, self.encoding), self.start)
        if self.options.comment:
            blocks = _without_comments(blocks, self.options.comment.encode(), self.options.quote.encode())
        if self.options.quote and check:
            blocks = _Quotes(self).checked(blocks)
        return _Blocks(blocks)

    def check_quotes(self) -> None:
        """Read all rows, for the error of a quoted value that doesn't end."""
        with closing(self.location.open()) as source:
            rows = self.rows(source)
            while rows.read(BLOCK):
                pass

    def line_of(self, place: int) -> int:
        """Return the number of the line, the first being 1, that holds a byte of the rows."""
        line, seen = 1, 0
        with closing(self.location.open()) as source:
            for block in _decoded(source, self.encoding):
                part = block[: max(self.start + place - seen, 0)]
                line += part.count(b"\n") or part.count(b"\r")
                seen += len(block)
        return line


def open_text(location: Location, options: CsvOptions) -> CsvText:
    """Read the first lines of a text file: lines to skip, a line ``sep=;``, comments, the names.

    Parameters
    ----------
    location : Location
    options : CsvOptions

    Returns
    -------
    CsvText

    Raises
    ------
    SourceError
        There are no names, or the rows have another number of values.
    UnicodeError
        It isn't text in the encoding.
    """
    with closing(location.open()) as source:
        raw = bytes(_uncompressed(source).read(HEAD))
    encoding = options.encoding or next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "utf-8")
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8"
    text = raw.decode(encoding, "replace")  # a character may be cut at the end
    lines = io.StringIO(text, newline="")
    for _ in range(options.skip_rows):
        lines.readline()
    delimiter = options.delimiter
    start = lines.tell()
    while line := lines.readline():
        if found := _SEP.fullmatch(line):
            delimiter = delimiter or found[1]
        elif line.strip() and not (options.comment and line.startswith(options.comment)):
            break
        start = lines.tell()
    if not line:
        raise SourceError(f"{location.name} is not a CSV file that can be read: it is empty")
    delimiter = delimiter or _likely_delimiter(line, options.quote)
    lines.seek(start)
    names = next(_records(lines, delimiter, options.quote))
    start = lines.tell()
    if any("\ufffd" in name for name in names):
        raise UnicodeError
    head = CsvText(location, options, encoding, delimiter, names, len(text[:start].encode()))
    return _with_row_names(head, _records(lines, delimiter, options.quote))


def line_with(text: CsvText, names: list[str]) -> int:
    """Return which line, the first being 1, holds these names, which the line of names hasn't; 0: none."""
    with closing(text.location.open()) as source:
        head = next(_decoded(source, text.encoding), b"")[:HEAD].decode(errors="replace")
    for number, line in enumerate(head.splitlines()[:_LINES], 1):
        found = next(_records(io.StringIO(line), _likely_delimiter(line, text.options.quote), text.options.quote), [])
        if set(names) <= set(found):
            return number
    return 0


def _likely_delimiter(line: str, quote: str) -> str:
    plain = re.sub(f"{re.escape(quote)}[^{re.escape(quote)}]*{re.escape(quote)}", "", line) if quote else line
    return max(",;\t|", key=plain.count)


def _records(lines: io.StringIO, delimiter: str, quote: str) -> Iterator[list[str]]:
    """Records as Python's csv module splits them, from where the lines stand."""
    quoting: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    try:
        # A line at a time: the file tells then where a record ends.
        for record in csv.reader(iter(lines.readline, ""), delimiter=delimiter, **quoting):
            if record:
                yield record
    except csv.Error:  # a value longer than it takes
        return


def _with_row_names(head: CsvText, records: Iterator[list[str]]) -> CsvText:
    """The same; with a name more where rows have a value more, as R's write.table writes them."""
    first = [record for record, _ in zip(records, range(_RECORDS), strict=False)]
    if not first or any(len(record) != len(head.names) + 1 for record in first):
        return head
    if not any(record[-1].strip() for record in first):
        raise SourceError(
            f"{head.location.name} is not a CSV file that can be read: rows end in a {head.delimiter!r} that the line "
            "of names lacks, so that nobody knows which name is whose; end that line in one too"
        )
    if len({record[0] for record in first}) < len(first):  # R's names of rows differ
        return head
    return CsvText(head.location, head.options, head.encoding, head.delimiter, [ROW_NAMES, *head.names], head.start)


def _uncompressed(source: Any) -> Any:
    """The file, decompressed where its first bytes say so, whatever its name."""
    start = bytes(source.read(4))
    source.seek(0)
    codec = next((name for magic, name in _CODECS.items() if start.startswith(magic)), None)
    return pa.CompressedInputStream(source, codec) if codec else source


def _decoded(source: Any, encoding: str) -> Iterator[bytes]:
    """Blocks of UTF-8, without the mark of its encoding."""
    stream = _uncompressed(source)
    if encoding == "utf-8-sig":
        stream.read(len(codecs.BOM_UTF8))
    if encoding.startswith("utf-8"):
        while block := stream.read(BLOCK):
            yield block
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    while block := stream.read(BLOCK):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _from(blocks: Iterator[bytes], start: int) -> Iterator[bytes]:
    for block in blocks:
        if start < len(block):
            yield block[start:] if start else block
        start = max(start - len(block), 0)


def _without_comments(blocks: Iterator[bytes], comment: bytes, quote: bytes) -> Iterator[bytes]:
    """Blocks without the lines that begin so; what stands in quotes is no line."""
    q = re.escape(quote)
    quoted = rb"%b[^%b]*%b|" % (q, q, q) if quote else b""
    pattern = re.compile(rb"%b^%b[^\r\n]*(?:\r\n|\n|\r|\Z)" % (quoted, re.escape(comment)), re.MULTILINE)
    held = b""
    for block in blocks:
        text = held + block
        # Whole lines, and none from within quotes: with an odd number of them a value goes on.
        end = text.rfind(b"\n") + 1
        while quote and end and text.count(quote, 0, end) % 2:
            end = text.rfind(b"\n", 0, end - 1) + 1
        held = text[end:]
        yield pattern.sub(lambda at: b"" if at[0].startswith(comment) else at[0], text[:end])
    yield pattern.sub(lambda at: b"" if at[0].startswith(comment) else at[0], held)


class _Blocks:
    """A file of blocks, which are handed on as they are unless they are much shorter, or longer, than asked for."""

    closed = False

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, b""

    def read(self, length: int) -> bytes:
        """Return the next bytes, at most so many; none at the end. pyarrow needs a whole record in two blocks."""
        block = self._rest
        while len(block) < length // 2 and (more := next(self._blocks, None)) is not None:
            block = block + more if block else more
        self._rest = block[length:]
        return block[:length] if self._rest else block

    def close(self) -> None:
        self.closed = True


class _Quotes:
    """Finds a quoted value that doesn't end where a value may: it would swallow the rows behind it."""

    def __init__(self, text: CsvText) -> None:
        self._text = text
        self._quote = ord(text.options.quote)
        self._edge = np.zeros(256, bool)
        self._edge[[ord(text.delimiter), 10, 13, self._quote]] = True
        self._inside = False
        self._opened = 0  # where the value that we are in began
        self._spans = False  # whether it has gone over the end of a line in blocks before
        self._before = 10  # the byte before a block, as at the start of a line
        self._seen = 0
        self._escaped = -1  # the second of two quotes that stand for one

    def checked(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the blocks as they are."""
        last = b""  # of which it isn't known what follows
        for block in filter(None, blocks):
            if last:
                self._note(last, block[0])
                yield last
            last = block
        if last:
            self._note(last, 10)
            if self._inside:
                self._refuse()
            yield last

    def _note(self, data: bytes, behind: int) -> None:
        if data.find(self._quote) >= 0:
            padded = np.frombuffer(bytes([self._before]) + data + bytes([behind]), np.uint8)
            places = np.flatnonzero(padded[1:-1] == self._quote)
            opening = places[int(self._inside) :: 2]
            closing = places[1 - int(self._inside) :: 2]
            if not (self._edge[padded[opening]].all() and self._edge[padded[closing + 2]].all()):
                self._one_by_one(data, padded, places.tolist())
            elif len(places) % 2 != int(self._inside):
                self._inside, self._opened = True, self._seen + int(places[-1])
            else:
                self._inside = False
        if self._inside:
            self._spans = self._has_line_end(data)
        self._before = data[-1]
        self._seen += len(data)

    def _one_by_one(self, data: bytes, padded: Any, places: list[int]) -> None:
        """The same where quotes stand inside of values too: 5" wide."""
        for place in places:
            if self._seen + place == self._escaped:
                continue
            before, behind = int(padded[place]), int(padded[place + 2])
            if not self._inside:
                if self._edge[before] and before != self._quote:
                    self._inside, self._opened = True, self._seen + place
            elif behind == self._quote:
                self._escaped = self._seen + place + 1
            else:
                self._inside = False
                if not self._edge[behind] and self._has_line_end(data, place):
                    self._refuse()

    def _has_line_end(self, data: bytes, end: int | None = None) -> bool:
        """Whether the value that we are in goes over the end of a line before a place of the block."""
        first = self._opened - self._seen
        part = data[max(first, 0) : end]
        return (first < 0 and self._spans) or b"\n" in part or b"\r" in part

    def _refuse(self) -> None:
        text = self._text
        raise SourceError(
            f"{text.location.name} has a quote in line {text.line_of(self._opened):,} that begins a value and is not "
            "closed where one may end, so that rows would be lost in it: close it, or give csv_options={'quote': ''} "
            "if quotes are letters like others there"
        )
