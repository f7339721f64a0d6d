"""Files and folders that fastml doesn't read itself: what they are, and the line that reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from fastml.errors import SourceError

__all__ = ["line_that_reads", "refuse_tables"]

_EXCEL = "fastml.fit(pandas.read_excel({path!r}), ...)"
_LINES = {
    **dict.fromkeys(["xlsx", "xls", "xlsm", "xlsb", "ods"], _EXCEL),
    "rds": "in R: arrow::write_parquet(readRDS({path!r}), 'data.parquet')",
    **dict.fromkeys(["rda", "rdata"], "in R: load({path!r}); arrow::write_parquet(NAME, 'data.parquet')"),
    "zip": "python -m zipfile -e {path} .",
    **dict.fromkeys(["tar", "tgz"], "tar -xf {path}"),
    "7z": "7z x {path}", "rar": "unrar x {path}",
    **dict.fromkeys(["xz", "lzma"], "xz -dk {path}"),
    **dict.fromkeys(["jsonl", "ndjson"], "fastml.fit(pyarrow.json.read_json({path!r}), ...)"),
    "orc": "fastml.fit(pyarrow.orc.read_table({path!r}), ...)",
    "avro": "fastml.fit(polars.read_avro({path!r}), ...)",
    **dict.fromkeys(["h5", "hdf5"], "fastml.fit(pandas.read_hdf({path!r}), ...)"),
    "duckdb": "fastml.fit(duckdb.connect({path!r}).table('NAME'), ...)",
    **dict.fromkeys(["sqlite", "db3"], "fastml.fit(duckdb.sql(\"FROM sqlite_scan('{path}', 'NAME')\"), ...)"),
}  # fmt: skip

_TABLES = {
    "Delta Lake": "fastml.fit(duckdb.sql(\"FROM delta_scan('{path}')\"), ...)",
    "Iceberg": "fastml.fit(duckdb.sql(\"FROM iceberg_scan('{path}')\"), ...)",
    "Hudi": "fastml.fit(spark.read.format('hudi').load('{path}'), ...)",
}


def line_that_reads(path: str) -> str:
    """Return the line of code that reads a file by its ending, or unpacks it; empty where there is none.

    Parameters
    ----------
    path : str

    Returns
    -------
    str

    Examples
    --------
    >>> line_that_reads("scores.xlsx")
    "fastml.fit(pandas.read_excel('scores.xlsx'), ...)"
    """
    return _LINES.get(path.lower().rpartition(".")[2], "").format(path=path)


def refuse_tables(files: Iterable[str], folder: str = "") -> None:
    """Refuse files that belong to a table of which not all files hold rows: some were replaced, or deleted from.

    Parameters
    ----------
    files : iterable of str
        Of a local folder, or of a glob.
    folder : str
        One that may have none.

    Raises
    ------
    SourceError
    """
    seen: set[Path] = set()
    for start in [*([Path(folder)] if folder else []), *(Path(file).parent for file in files)]:
        for place in (start.absolute(), *start.absolute().parents):
            if place in seen:
                break
            seen.add(place)
            kind = _kind_of_table(place)
            if kind:
                raise SourceError(
                    f"folder {place} is a table of {kind}, whose files hold rows that are no longer in it: open it as "
                    f"{_TABLES[kind].format(path=place)}"
                )


def _kind_of_table(folder: Path) -> str:
    """What a folder is a table of; empty where it is none, or can't be read."""
    try:
        if (folder / "_delta_log").is_dir():
            return "Delta Lake"
        if (folder / ".hoodie").is_dir():
            return "Hudi"
        return "Iceberg" if any(map(_is_of_iceberg, (folder / "metadata").glob("*.metadata.json"))) else ""
    except OSError:
        return ""


def _is_of_iceberg(file: PurePath) -> bool:
    """Whether its name is that of an Iceberg table's metadata: v1.metadata.json, 00000-<uuid>.metadata.json."""
    return file.name[0] == "v" or file.name[:1].isdigit()
