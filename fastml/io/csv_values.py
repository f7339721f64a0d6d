"""Texts of a file -> ids, numbers and what filters compare: what they are is decided by all of them, never by some."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from fastml.errors import NotANumberError
from fastml.io.arrays import are_shortest_integers, without_blanks
from fastml.io.csv_options import CsvOptions

__all__ = ["MISSING_NUMBERS", "FilterKind", "IdKind", "Numbers", "as_type"]

# Of numbers: pyarrow's, and "." of SAS and Stata, "-" of spreadsheets.
MISSING_NUMBERS = (
    "", ".", "-", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA",
    "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip

# Of ids, and only where all others are integers: what R, pandas and databases write for a missing one.
MISSING_IDS = ("NA", "NaN", "NULL", ".")
_BOOLEANS = {"true": 1.0, "True": 1.0, "TRUE": 1.0, "false": 0.0, "False": 0.0, "FALSE": 0.0}
_WHOLE = r"^\s*[+-]?\d+\s*$"
_TIMES = (pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"))


@dataclass
class IdKind:
    """What the ids of a file's column are, as more and more of its texts are noted.

    Attributes
    ----------
    integers, words, texts : bool
        Whether there are integers in their shortest form, words for a missing integer, other texts.
    """

    integers: bool = False
    words: bool = False
    texts: bool = False

    def note(self, column: pa.Array) -> None:
        """Take in the texts of some rows."""
        if self.texts or not len(column):
            return
        if are_shortest_integers(column):
            self.integers = True
            return
        labels = without_blanks(column.unique()).drop_null()
        words = _is_in(labels, MISSING_IDS)
        self.words |= bool(words.true_count)
        labels = labels.filter(_not(words))
        if len(labels):
            shortest = are_shortest_integers(labels)
            self.integers |= shortest
            self.texts |= not shortest

    @property
    def type(self) -> pa.DataType:
        """Type of the column, as far as this file tells; null where it holds no id, or words for a missing one only."""
        return pa.string() if self.texts else pa.int64() if self.integers else pa.null()

    @property
    def only_words(self) -> bool:
        """Whether words for a missing integer are all there is: they are texts, unless another file has integers."""
        return self.words and not (self.integers or self.texts)


@dataclass
class FilterKind:
    """The type that all values of a column have, for a filter that compares them."""

    options: CsvOptions
    left: list[pa.DataType] = field(
        default_factory=lambda: [pa.int64(), pa.float64(), pa.bool_(), *_TIMES, pa.string()]
    )
    any: bool = False

    def note(self, column: pa.Array) -> None:
        """Take in the texts of some rows."""
        if len(self.left) == 1:
            return
        texts = _present(column.unique(), self.options).drop_null()
        self.any |= len(texts) > 0
        self.left = [dtype for dtype in self.left if self._holds(dtype, texts)]

    def _holds(self, dtype: pa.DataType, texts: pa.Array) -> bool:
        """Whether values of a type tell all of the texts apart."""
        values = _converted(texts, dtype, self.options)
        if values is None or not pa.types.is_floating(dtype):
            return values is not None
        import pyarrow.compute as pc

        large = pc.greater_equal(pc.abs(values), 2.0**53)
        return not pc.any(pc.and_(large, pc.match_substring_regex(texts, _WHOLE))).as_py()

    @property
    def type(self) -> pa.DataType:
        """The first type of those left; null where there is no value."""
        return self.left[0] if self.any else pa.null()


def as_type(column: pa.Array, dtype: pa.DataType, options: CsvOptions) -> pa.Array:
    """Texts as the type that their kind and those of other files ask for; blank ones are null.

    Parameters
    ----------
    column : pyarrow.Array of string
    dtype : pyarrow.DataType
    options : CsvOptions

    Returns
    -------
    pyarrow.Array
    """
    if pa.types.is_null(dtype):
        return pa.nulls(len(column))
    if _is_text(dtype):
        texts = without_blanks(column)
        return texts if texts.type == dtype else texts.cast(dtype)
    if pa.types.is_int64(dtype):
        try:
            return column.cast(dtype)
        except pa.ArrowException:
            pass  # missing ones, or thousands
    converted = _converted(_present(column, options), dtype, options)
    if converted is None:
        raise pa.ArrowInvalid(f"its values are not all of type {dtype}")
    return converted


class Numbers:
    """The numbers of one column, converted from their texts batch by batch.

    Parameters
    ----------
    name, file : str
        The column, and the file for messages.
    options : CsvOptions
    """

    def __init__(self, name: str, file: str, options: CsvOptions) -> None:
        self._name, self._file, self._options = name, file, options
        self._are_booleans: bool | None = None  # not known before the first value
        self._rows = 0

    def convert(self, column: pa.Array) -> pa.Array:
        """Doubles of the next rows' texts; all are numbers or missing, or all true, false or missing.

        Raises
        ------
        NotANumberError
        """
        import pyarrow.compute as pc

        texts = _present(pc.utf8_trim_whitespace(column), self._options)
        if self._are_booleans is None and texts.null_count < len(texts):
            self._are_booleans = texts.drop_null()[0].as_py() in _BOOLEANS
        if self._are_booleans:
            words = [(text, _BOOLEANS.get(text)) for text in texts.to_pylist()]
            wrong = [text is not None and value is None for text, value in words]
            numbers = None if any(wrong) else pa.array([value for _, value in words], pa.float64())
        else:
            numbers = _converted(texts, pa.float64(), self._options)
            wrong = []
        if numbers is None:
            row, text = self._first_wrong(texts, wrong)
            remedy = _remedy(text, self._options)
            raise NotANumberError(self._name, self._file, self._rows + row, text, remedy)
        self._rows += len(column)
        return numbers

    def _first_wrong(self, texts: pa.Array, wrong: Sequence[bool]) -> tuple[int, str]:
        """First row whose text is no number, by halves."""
        if any(wrong):
            return wrong.index(True), str(texts[wrong.index(True)])
        low, high = 0, len(texts)
        while high - low > 1:
            middle = (low + high) // 2
            if _converted(texts.slice(low, middle - low), pa.float64(), self._options) is None:
                high = middle
            else:
                low = middle
        return low, str(texts[low])


def _remedy(text: str, options: CsvOptions) -> str:
    """What makes a number of the text, or says that it is none: an option that isn't given yet, and loses no score."""
    point, group = options.decimal, options.thousands
    found = []
    for separator in [] if group else [",", ".", "'", " ", "\xa0", "\u202f", "\u2019"]:
        if separator != point and _is_grouped(text, separator, point):
            found.append(f"csv_options={{'thousands': {separator!r}}} where that separates thousands")
    for other in ",.":
        if other not in (point, group) and re.fullmatch(rf"[+-]?\d*{re.escape(other)}\d+", text):
            found.append(f"csv_options={{'decimal': {other!r}}} where that is the decimal point")
    if found:
        return f"give {', or '.join(found)}"
    if group and point == "." and _is_grouped(text, ".", ","):
        return "give csv_options={'thousands': '.', 'decimal': ','}"
    if any(character.isdigit() for character in text):
        return "correct it, or convert the column first"
    return f"if it means a missing value, give csv_options={{'missing': [{text!r}]}}"


def _is_grouped(text: str, separator: str, point: str) -> bool:
    s, p = re.escape(separator), re.escape(point)
    return bool(re.fullmatch(rf"[+-]?\d{{1,3}}({s}\d{{2,3}})*{s}\d{{3}}({p}\d*)?", text))


def _converted(texts: pa.Array, dtype: pa.DataType, options: CsvOptions) -> pa.Array | None:
    """Texts, null where missing, as a type; None where one is of another."""
    import pyarrow.compute as pc

    if _is_text(dtype):
        return texts
    try:
        if pa.types.is_integer(dtype) or pa.types.is_floating(dtype):
            texts = _plain_numbers(texts, options)
        if pa.types.is_integer(dtype) and not _all(pc.match_substring_regex(texts, _WHOLE)):
            return None
        if pa.types.is_boolean(dtype) and not _all(_is_in(texts.drop_null(), _BOOLEANS)):
            return None
        return texts.cast(dtype)
    except pa.ArrowException:
        return None


def _plain_numbers(texts: pa.Array, options: CsvOptions) -> pa.Array:
    """Numbers as Arrow reads them: a point, no plus, no thousands."""
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(texts)
    if options.thousands:
        s, p = re.escape(options.thousands), re.escape(options.decimal)
        grouped = pc.match_substring(texts, options.thousands)
        good = pc.match_substring_regex(texts, rf"^[+-]?\d{{1,3}}(?:{s}\d{{2,3}})*{s}\d{{3}}(?:{p}\d*)?$")
        if not _all(pc.or_(pc.invert(grouped), good)):
            raise pa.ArrowInvalid
        texts = pc.replace_substring(texts, options.thousands, "")
    if options.decimal != ".":
        if pc.any(pc.match_substring(texts, ".")).as_py():
            raise pa.ArrowInvalid
        texts = pc.replace_substring(texts, options.decimal, ".")
    return pc.replace_substring_regex(texts, r"^\+([\d.])", r"\1")


def _present(texts: pa.Array, options: CsvOptions) -> pa.Array:
    """Texts with null for those that stand for a missing number."""
    import pyarrow.compute as pc

    missing = _is_in(texts, (*MISSING_NUMBERS, *options.missing))
    texts = without_blanks(texts)
    return pc.if_else(missing, pa.scalar(None, texts.type), texts) if missing.true_count else texts


def _is_in(texts: pa.Array, words: Iterable[str]) -> pa.Array:
    import pyarrow.compute as pc

    return pc.is_in(texts, value_set=pa.array(list(words), texts.type))


def _not(flags: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.invert(flags)


def _all(flags: pa.Array) -> bool:
    """Whether all are true, null among them."""
    import pyarrow.compute as pc

    return bool(pc.all(flags, min_count=0).as_py())


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))
