"""The commands: fit, survey, report, stats, merge, simulate, plan, warmup. No logic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from fastml.cli import options
from fastml.cli.output import (
    Columns,
    Form,
    Format,
    Output,
    Quiet,
    Verbose,
    check_columns,
    check_output,
    check_page,
    deliver,
    show,
)
from fastml.cli.reading import Reading, reads
from fastml.designs import BY_NAME
from fastml.errors import ColumnsMissingError, FastmlError, PartsMissingError

__all__ = ["fit", "merge", "plan", "report", "simulate", "stats", "survey", "warmup"]

_STUDIES = list(BY_NAME)


@reads
def fit(
    files: options.Files,
    outcome: options.Outcomes = None,
    group: options.Group = None,
    by: options.By = None,
    method: options.Method = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    weights_are: options.WeightsAre = "total",
    weight_scaling: options.Scaling = "size",
    vcov: options.Vcov = "cr2",
    bias: options.Bias = None,
    format: Form = None,
    output: Output = None,
    columns: Columns = None,
    level: options.Level = None,
    groups: Annotated[Path | None, typer.Option("--groups", metavar="OUT.parquet",
                      help="Write the school means to a Parquet file too.")] = None,
    *,
    reading: Reading,
) -> None:  # fmt: skip
    """Fit the model and print its table.

    For example:
      fastml fit scores.parquet -y score -g school
      fastml fit bsg.sav -y BSMMAT01 -g IDSCHOOL --by IDCNTRY --level 95 --format csv -o fits.csv
    """
    form = check_output(format, output, files)
    check_columns(columns, form)
    if columns and not by:
        raise FastmlError("--columns is of tables of fits, which --by makes")
    if by and groups:
        raise FastmlError("--groups is of one fit; leave out --by, or fit one part with --filter")
    if groups:
        check_output(Format.parquet, groups, files)
        if output and output.resolve() == groups.resolve():
            raise FastmlError(f"-o and --groups both name {output}; give each a file of its own")
    result = _fitted(
        files, outcome, group, by, method, weights=weights, group_weights=group_weights, weights_are=weights_are,
        weight_scaling=weight_scaling, vcov=vcov, bias=bias, reading=reading,
    )  # fmt: skip
    if groups:
        result.write_groups(groups, 0.95 if level is None else level)
    show(result if level is None else result.with_intervals(level), form, output, columns)
    _tell_gaps(result)


def _fitted(
    files: list[str],
    outcomes: list[str] | None,
    group: list[str] | None,
    by: list[str] | None,
    method: options.Method,
    *,
    reading: Reading,
    **others: Any,
) -> Any:
    """The fit of the call, or with --by the table of fits."""
    from fastml import api

    data, others = options.one_or_all(files), {**others, **reading.arguments}
    others["group_weights"] = options.any_or_none(others["group_weights"])
    others["method"] = None if method is None else method.value
    if not by and outcomes and len(outcomes) > 1:
        raise FastmlError(f"-y names {len(outcomes)} columns; a fit has one, and a table of fits, with --by, several")
    try:
        if by:
            return api.fit_by(data, outcomes or None, group or None, by=by, **others)
        return api.fit(data, outcomes[0] if outcomes else None, group or None, **others)
    except ColumnsMissingError:  # files of statistics need none
        raise ColumnsMissingError("-y SCORE -g SCHOOL") from None


def _tell_gaps(result: Any) -> None:
    """End with status 3 where a part of a table has no result."""
    if not getattr(result, "complete", True):
        raise PartsMissingError(result.to_dict(), result.by)


@reads
def survey(
    files: Annotated[list[str], typer.Argument(help="Files or folders of students, globs, URIs.", metavar="FILE")],
    design: Annotated[str, typer.Option(metavar="STUDY", help=f"{', '.join(_STUDIES[:-1])} or {_STUDIES[-1]}.")],
    outcome: Annotated[list[str], typer.Option("--outcome", "-y",
                       metavar="SCORE", help="BSMMAT means its plausible values; again for more.")],
    by: options.By = None,
    group: Annotated[str | None, typer.Option("--group", "-g", metavar="COLUMN",
                     help="Groups other than schools: IDCLASS.")] = None,
    school_file: Annotated[list[str] | None, typer.Option(metavar="FILE",
                           help="The school file, where it has the school weight; again for further ones.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE",
                        help="Change the design: n_plausible=5; again for more.")] = None,
    weight_scaling: options.Scaling = "size",
    se: Annotated[str, typer.Option(metavar="WORD", callback=options.word,
                  help="Errors: replicate or sandwich.")] = "replicate",
    vcov: options.Vcov = "cr2",
    df: Annotated[str | None, typer.Option(metavar="WORD",
                  help="johnson-rust: df of a jackknife as in EdSurvey.")] = None,
    average: Annotated[bool, typer.Option("--average", help="Add the mean over the parts.")] = False,
    level: options.LevelOfIntervals = 0.95,
    format: Form = None,
    output: Output = None,
    columns: Columns = None,
    *,
    reading: Reading,
) -> None:  # fmt: skip
    """Fit an assessment: plausible values, replicate weights.

    For example:
      fastml survey BSG*M7.sav --design timss -y BSMMAT --by IDCNTRY
      fastml survey stu.sav --school-file sch.sav --design pisa -y MATH --filter "CNT = 'TUR'"
    """
    from fastml.designs import find_design
    from fastml.survey.fit import fit_survey
    from fastml.survey.settings import changed_design

    form = check_output(format, output, [*files, *(school_file or [])])
    check_columns(columns, form)
    words: dict[str, Any] = {"weight_scaling": weight_scaling, "se": se, "vcov": vcov, "df": df}  # checked there
    table = fit_survey(
        options.one_or_all(files), outcome, changed_design(find_design(design), settings or []), by=by, group=group,
        school_data=options.any_or_none(school_file),
        average=average, level=level, **words, **reading.arguments,
    )  # fmt: skip
    show(table, form, output, columns)
    _tell_gaps(table)


@reads
def report(
    files: options.Files,
    outcome: options.Outcomes = None,
    group: options.Group = None,
    by: options.By = None,
    method: options.Method = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    weights_are: options.WeightsAre = "total",
    weight_scaling: options.Scaling = "size",
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    output: Output = None,
    *,
    reading: Reading,
) -> None:
    """Fit the model and write a page of tables and pictures.

    For example:
      fastml report scores.csv -y score -g school -o report.html
      fastml report scores.csv -y score -g school --by country --title "Grade 8" -o report.html
    """
    check_page(output, files)
    result = _fitted(
        files, outcome, group, by, method, weights=weights, group_weights=group_weights, weights_are=weights_are,
        weight_scaling=weight_scaling, reading=reading,
    )  # fmt: skip
    deliver(result.report_html(title, ", ".join(Path(file).name for file in files)), output)
    _tell_gaps(result)


@reads
def stats(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files or folders of students, or globs.")],
    outcome: Annotated[list[str], typer.Option("--outcome", "-y", metavar="COLUMN",
                       help="Column of scores; again for further ones.")],
    group: Annotated[list[str], typer.Option("--group", "-g", metavar="COLUMN",
                     help="Column of school ids; again for further ones.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the statistics.")],
    by: Annotated[list[str] | None, typer.Option("--by", metavar="COLUMN",
                  help="Column that splits the data (countries).")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE",
                   help="Constant key, e.g. cycle=2019: school ids start again every cycle.")] = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    min_group_size: Annotated[int | None, typer.Option(help="Leave out groups of fewer rows.", min=1)] = None,
    *,
    reading: Reading,
) -> None:  # fmt: skip
    """Reduce rows to statistics that add and can be fitted; save them.

    For example:
      fastml stats a.parquet b.parquet -y score -g school -o ab.parquet
      fastml stats 2019.csv -y score -g school --tag cycle=2019 --min-group-size 5 -o 2019.parquet
    """
    from fastml import api

    check_output(Format.parquet, output, files)
    made = api.group_stats(
        options.one_or_all(files), outcome, group, by=by, weights=weights,
        group_weights=options.any_or_none(group_weights), tags=_tags(tag or []), min_group_size=min_group_size,
        **reading.arguments,
    )  # fmt: skip
    made.write(output)


def _tags(texts: list[str]) -> dict[str, int | str]:
    tags: dict[str, int | str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise FastmlError(f"--tag {text!r} is not NAME=VALUE, such as cycle=2019")
        if name in tags:
            raise FastmlError(f"--tag gives {name!r} twice, as {tags[name]!r} and {value!r}")
        # A number as one writes it; 007 is a name.
        tags[name] = int(value) if re.fullmatch("0|-?[1-9][0-9]*", value) else value
    return tags


def merge(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files of statistics, folders, or globs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write their sum.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Of two that were made from files of one name take the newer.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Add saved statistics.

    For example:
      fastml merge monday.parquet tuesday.parquet -o week.parquet
      fastml merge 'days/*.parquet' -o year.parquet
    """
    from fastml.reduce.build import merge as merge_files

    check_output(Format.parquet, output)
    merge_files(files, replace).write(output)


def _whole(number: float) -> int:
    if not (abs(number) < 1e15 and number == int(number)):
        raise FastmlError(f"{number:g} is not a whole number of ordinary size")
    return int(number)


def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="File; with --files the folder of the files.")],
    students: Annotated[float, typer.Option(help="Their number, e.g. 1e7.")] = 10_000,
    schools: Annotated[float, typer.Option(help="Their number, e.g. 1e5.")] = 400,
    gamma00: Annotated[float, typer.Option(help="Mean.")] = 500.0,
    tau00: Annotated[float, typer.Option(help="Variance between schools.")] = 3000.0,
    sigma2: Annotated[float, typer.Option(help="Variance within schools.")] = 7000.0,
    outcomes: Annotated[int, typer.Option(help="Plausible values of each student.")] = 1,
    weights: Annotated[bool, typer.Option("--weights", help="Add student and school weights.")] = False,
    order: Annotated[
        str, typer.Option(metavar="WORD", callback=options.word, help="Of the rows: school or random.")
    ] = "school",
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    files: Annotated[int, typer.Option(help="Number of files.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Draw students in schools from the model, to Parquet.

    For example:
      fastml simulate --students 1e6 --schools 2e4 -o scores.parquet
      fastml simulate --students 1e8 --schools 1e6 --files 16 --order random -o scores
    """
    from fastml.simulation import simulate_files

    words: dict[str, Any] = {"order": order}  # checked by what is called
    simulate_files(
        output, students=_whole(students), schools=_whole(schools), gamma00=gamma00, tau00=tau00, sigma2=sigma2,
        outcomes=outcomes, weights=weights, **words, seed=seed, files=files,
    )  # fmt: skip


def plan(
    icc: Annotated[float, typer.Option(help="Intraclass correlation to expect.")],
    schools: Annotated[int | None, typer.Option(help="Number of schools; left out, found for a target.")] = None,
    cluster_size: Annotated[int | None, typer.Option(help="Students in each; left out, found for a target.")] = None,
    sd: Annotated[float, typer.Option(help="Standard deviation of the scores.")] = 1.0,
    arms: Annotated[int, typer.Option(help="2 to compare two halves of the schools, as in a trial.")] = 1,
    size_cv: Annotated[float, typer.Option(help="Coefficient of variation of the school sizes.")] = 0.0,
    sizes: Annotated[str | None, typer.Option(help="In place of it, sizes of schools like them: 9,30,25.")] = None,
    estimator: Annotated[
        str, typer.Option(metavar="<gls|kish>", help="The mean: the model's own, or that of all students.")
    ] = "gls",
    level: options.LevelOfIntervals = 0.95,
    power: Annotated[float, typer.Option(help="Power to aim at.")] = 0.8,
    difference: Annotated[float | None, typer.Option(help="Target or question: a true difference to find.")] = None,
    se: Annotated[float | None, typer.Option(help="Target: standard error of the mean.")] = None,
    margin: Annotated[float | None, typer.Option(help="Target: half the width of the mean's interval.")] = None,
    icc_width: Annotated[float | None, typer.Option(help="Target: width of the icc's interval.")] = None,
    format: Form = None,
    output: Output = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Say what a sample of schools can tell, or how large one must be.

    For example:
      fastml plan --icc 0.2 --cluster-size 25 --sd 100 --se 5
      fastml plan --icc 0.2 --schools 120 --cluster-size 25 --arms 2 --difference 0.25
    """
    from fastml.planning import plan as make_plan

    form = check_output(format, output)
    if schools is None and cluster_size is None:
        raise FastmlError("give --schools or --cluster-size with a target (--se, --margin, --icc-width, --difference), "
                          "or both of them")  # fmt: skip
    words: dict[str, Any] = {"estimator": estimator, "sizes": sizes and sizes.split(",")}  # checked by what is called
    made = make_plan(
        icc, schools, cluster_size, sd=sd, arms=arms, size_cv=size_cv, level=level, power=power,
        difference=difference, se=se, margin=margin, icc_width=icc_width, **words,
    )  # fmt: skip
    show(made, form, output)


def warmup(
    shared: Annotated[
        bool, typer.Option("--shared", help="As root: keep them where every user can load them.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compile every kernel and keep it, as in a container image.

    For example:
      fastml warmup
      fastml warmup --shared
    """
    from fastml.kernels.load import load_all

    try:
        folders, names = load_all(shared)
    except OSError as error:
        raise FastmlError(f"--shared: {error.strerror or error}") from None
    kept = f"kept in {' and '.join(map(str, folders))}" if folders else "kept nowhere: no folder can be written"
    deliver(f"{len(names)} kernels, {kept}\n", None)
