"""The commands of pipelines that load data: check, sql. No logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fastml.cli import options
from fastml.cli.output import (
    Columns,
    Form,
    Output,
    Quiet,
    check_columns,
    check_output,
    check_query,
    deliver,
    show,
)
from fastml.cli.reading import Reading, reads
from fastml.errors import ColumnsMissingError

__all__ = ["check", "sql"]


@reads
def check(
    new: Annotated[str, typer.Argument(metavar="FILE", help="The new rows, or statistics: a file, folder or glob.")],
    against: Annotated[str, typer.Option(metavar="FILE", help="The old ones.")],
    outcome: Annotated[list[str] | None, typer.Option("--outcome", "-y", metavar="COLUMN",
                       help="Column of scores; again for more.")] = None,
    group: Annotated[list[str] | None, typer.Option("--group", "-g", metavar="COLUMN",
                     help="Column of school ids; again for more.")] = None,
    by: Annotated[list[str] | None, typer.Option(metavar="COLUMN",
                  help="Column that splits the data (countries).")] = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    max_schools_lost: Annotated[
        str | None, typer.Option(metavar="N", help="Of the old ones, in each part: 3 or 2%.")
    ] = None,
    max_schools_new: Annotated[str | None, typer.Option(metavar="N", help="Not among the old ones: 3 or 2%.")] = None,
    max_n_change: Annotated[str | None, typer.Option(metavar="N", help="Of the number of students: 10%.")] = None,
    max_missing: Annotated[str | None, typer.Option(metavar="N", help="New rows without a value: 5%.")] = None,
    max_mean_shift: Annotated[float | None, typer.Option(metavar="N", help="In score points: 5.")] = None,
    max_mean_shift_sd: Annotated[float | None, typer.Option(metavar="N", help="In old SDs: 0.05.")] = None,
    max_sd_change: Annotated[str | None, typer.Option(metavar="N", help="Of the SD: 10%.")] = None,
    max_icc_shift: Annotated[float | None, typer.Option(metavar="N", help="Of the ICC: 0.05.")] = None,
    format: Form = None,
    output: Output = None,
    columns: Columns = None,
    *,
    reading: Reading,
) -> None:  # fmt: skip
    """Compare new data with old; end with status 4 on drift.

    For example:
      fastml check today.parquet --against yesterday.parquet -y score -g school --max-schools-lost 2%
      fastml check new.csv --against old.csv -y score -g school --by country --max-mean-shift 5
    """
    from fastml.drift.check import check as compare

    form = check_output(format, output, [new, against])
    check_columns(columns, form)
    try:
        made = compare(
            new, outcome or None, group or None, against=against, by=by, weights=weights,
            group_weights=options.any_or_none(group_weights), max_schools_lost=max_schools_lost,
            max_schools_new=max_schools_new, max_n_change=max_n_change, max_missing=max_missing,
            max_mean_shift=max_mean_shift, max_mean_shift_sd=max_mean_shift_sd, max_sd_change=max_sd_change,
            max_icc_shift=max_icc_shift, **reading.arguments,
        )  # fmt: skip
    except ColumnsMissingError:  # files of statistics need none
        raise ColumnsMissingError("-y SCORE -g SCHOOL") from None
    show(made, form, output, columns)
    made.require()


def sql(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table there, as db.schema.students; or Parquet.")],
    outcome: Annotated[list[str], typer.Option("--outcome", "-y", metavar="COLUMN",
                       help="Column of scores; again for more.")],
    group: Annotated[list[str], typer.Option("--group", "-g", metavar="COLUMN",
                     help="Column of school ids; again for more.")],
    dialect: Annotated[str, typer.Option(metavar="WORD", callback=options.word,
                       help="duckdb, postgres, bigquery, snowflake or spark.")],
    by: Annotated[list[str] | None, typer.Option(metavar="COLUMN",
                  help="Column that splits the data (countries).")] = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    filter: Annotated[str | None, typer.Option(metavar="TEXT",
                      help="Which rows: \"cycle = 2019 and country = 'TUR'\".")] = None,
    missing: Annotated[list[str] | None, typer.Option(metavar="CODE",
                       help="Number that stands for a missing value; again for more.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE.sql",
                      help="Write to a file, not to stdout.")] = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Print the SQL that reduces a table to what fit takes.

    For example:
      fastml sql raw.students -y score -g school --by country --dialect postgres -o models/schools.sql
      fastml sql 'students/*.parquet' -y score -g school --dialect duckdb
    """
    from fastml.reduce.sql_text import group_stats_sql

    check_query(output)
    word: Any = dialect  # checked there
    query = group_stats_sql(
        table, outcome, group, dialect=word, by=by, weights=weights,
        group_weights=options.any_or_none(group_weights), missing=missing, filter=filter,
    )  # fmt: skip
    deliver(f"{query}\n", output)
