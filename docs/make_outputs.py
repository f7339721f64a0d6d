"""Print the lists of fields into the manual: ``python docs/make_outputs.py`` rewrites the tables of docs/outputs.md.

Also the list that tests hold the number of the schema to, tests/report/schemas/NUMBER.json, where there is none yet.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from fastml.report import fields
from fastml.report.provenance import SCHEMA

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "outputs.md"
LISTS = {
    "fit": fields.FIT,
    "fit with intervals": fields.FIT_INTERVALS,
    "fit table": fields.FIT_TABLE,
    "fit table with intervals": fields.FIT_TABLE_INTERVALS,
    "survey table": fields.SURVEY_TABLE,
    "contrast table": fields.CONTRAST_TABLE,
    "check": fields.CHECK_TABLE,
    "school means": fields.SCHOOLS,
    "plan": fields.PLAN,
    "last fields of a row": fields.STAMP_FIELDS,
}
TYPES = {"double": "number", "int64": "integer", "string": "text", "bool": "true or false"}


def schema() -> dict[str, Any]:
    """All that a schema's number stands for.

    Returns
    -------
    dict
        Each list: field to its type and unit, in order; the keys of `provenance` and their types; the codes of status.
    """
    lists = {
        name: {key: ", ".join(filter(None, (field.type, field.unit))) for key, field in found.items()}
        for name, found in LISTS.items()
    }
    return {**lists, "provenance": {key: kind for key, (kind, _) in fields.PROVENANCE.items()},
            "status": list(fields.STATUSES)}  # fmt: skip


def file_of(number: int) -> Path:
    """Where that of a number is kept."""
    return ROOT / "tests" / "report" / "schemas" / f"{number}.json"


def _table(header: str, rows: list[tuple[str, ...]]) -> str:
    names = header.split(", ")
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _of_fields(found: fields.Fields) -> str:
    rows = [(f"`{name}`", TYPES[field.type], field.unit, field.what) for name, field in found.items()]
    return _table("field, type, unit, what it is", rows)


def _of_a_survey() -> str:
    """The figures, and beside them what stands before the name of each; then the rest as for the others."""
    figures = [(f"`{name}`", field.unit, field.what) for name, field in fields.SURVEY_FIGURES.items()]
    parts = [(f"`{prefix}NAME`", {"": "its own", "squared": "its own, squared", "none": ""}[how], what)
             for prefix, (how, what) in fields.PARTS_OF_ERROR.items() if prefix]  # fmt: skip
    pooled = {prefix + name for name in fields.SURVEY_FIGURES for prefix in fields.PARTS_OF_ERROR}
    rest = {name: field for name, field in fields.SURVEY_TABLE.items() if name not in pooled}
    return "\n".join([
        _table("figure NAME, unit, what it is", figures),
        _table("with each, unit, what it is", parts),
        _of_fields(rest),
    ])  # fmt: skip


def tables() -> dict[str, str]:
    """The tables of the page, by the name in the comment before each.

    Returns
    -------
    dict of str to str
    """
    made = {name: _of_a_survey() if name == "survey table" else _of_fields(found) for name, found in LISTS.items()}
    provenance = [(f"`{name}`", kind, what) for name, (kind, what) in fields.PROVENANCE.items()]
    statuses = [(f"`{code}`", what) for code, what in fields.STATUSES.items()]
    made["provenance"] = _table("key, type, what it is", provenance)
    made["status"] = _table("code, what it says", statuses)
    return made


def page(text: str) -> str:
    """The page's text with its tables made anew.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    for name, table in tables().items():
        found = re.compile(rf"(<!-- {name} -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)
        if len(found.findall(text)) != 1:
            raise SystemExit(f"{PAGE.name} has no place for the table of {name}, or several")
        text = found.sub(lambda match, table=table: match[1] + table.rstrip("\n"), text)  # type: ignore[misc]
    return text


def main() -> None:
    """Write the page, and the list of a new number."""
    PAGE.write_text(page(PAGE.read_text()))
    if not file_of(SCHEMA).exists():
        file_of(SCHEMA).parent.mkdir(exist_ok=True)
        file_of(SCHEMA).write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
