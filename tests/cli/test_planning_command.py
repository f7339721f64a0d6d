"""The commands that need no data, and a fit's own plan."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commandline import run

import fastml

PLAN = """\
93 schools of 25 students, 2,325 in all (the number of schools found)
icc 0.20, standard deviation 100.000

standard error of the mean                               4.995   df 92
95 % margin                                              9.920
design effect                                             5.80   effective n 400.9
reliability of a school mean                              0.86
least difference found with power 0.8                   14.141
95 % interval of the icc, as expected             0.15 to 0.26
"""


def test_plan_prints_what_it_found() -> None:
    # By hand: deff = 1 + .2 x 24 = 5.8; the least J with 100 sqrt(5.8/(25 J)) <= 5 is 5.8 x 16 = 92.8, so 93.
    done = run("plan", "--icc", 0.2, "--cluster-size", 25, "--sd", 100, "--se", 5)
    assert (done.returncode, done.stdout, done.stderr) == (0, PLAN, "")
    assert f"{fastml.plan(0.2, group_size=25, sd=100.0, se=5.0)}\n" == PLAN


def test_plan_as_json() -> None:
    done = run("plan", "--icc", 0.2, "--schools", 150, "--cluster-size", 25, "--difference", 0.2, "--arms", 2,
               "--format", "json")  # fmt: skip
    made = fastml.plan(0.2, 150, 25, difference=0.2, arms=2)
    assert json.loads(done.stdout) == made.to_dict()
    assert json.loads(run("plan", "--icc", 0.2, "--schools", 9, "--cluster-size", 1, "--format", "json").stdout)[
        "icc_width"
    ] is None  # fmt: skip
    assert "power to find a difference of 0.200" in str(made)


def test_plan_in_every_form(tmp_path: Path) -> None:
    words = ["plan", "--icc", 0.2, "--cluster-size", 25, "--sd", 100, "--se", 5]
    made = fastml.plan(0.2, group_size=25, sd=100.0, se=5.0)
    for form in ("csv", "markdown", "latex", "html"):
        assert run(*words, "--format", form).stdout.strip() == getattr(made, f"to_{form}")().strip()
    assert '<td style="text-align:right">4.995</td>' in made._repr_html_()
    assert run(*words, "--format", "parquet", "-o", tmp_path / "p.parquet").returncode == 0
    (row,) = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert row == made.to_dict()
    assert run(*words, "-o", tmp_path / "p.txt").stdout == ""
    assert (tmp_path / "p.txt").read_text() == PLAN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--icc", 1.2, "--cluster-size", 25], "icc=1.2 can't be: it is a number from 0 to below 1"),
        (["--icc", 0.2, "--cluster-size", 25], "se=None can't be: it is needed to find the other size by, or else"),
        (["--icc", 0.2], "give --schools or --cluster-size with a target"),
        (["--icc", 0.2, "--schools", 50, "--se", 0.06], "no --cluster-size reaches se=0.06: it stays above 0.06325"),
        (["--icc", 0.2, "--schools", 1, "--cluster-size", 5], "--schools=1 can't be: it is a whole number of schools"),
        (
            ["--icc", 0.2, "--cluster-size", 0, "--se", 0.1],
            "--cluster-size=0 can't be: it is a whole number of students",
        ),
        (["--icc", 0.2, "--cluster-size", 5, "--size-cv", -1, "--se", 0.1], "--size-cv=-1.0 can't be: it is a number"),
        (["--icc", 0.2, "--cluster-size", 1, "--icc-width", 0.1], "--cluster-size=1 can't be: it is 2 or more for an"),
        (["--icc", "x"], "Invalid value for '--icc'"),
        ([], "Missing option '--icc'"),
    ],
)
def test_plan_refuses_in_one_line(options: list[object], message: str) -> None:
    done = run("plan", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fastml: {message}")
    assert done.stderr.count("\n") == 1


def test_warmup_leaves_nothing_to_compile(lecture_file: Path) -> None:
    from fastml.kernels.jit import KERNELS

    done = run("warmup")
    assert (done.returncode, done.stderr) == (0, "")
    import fastml.kernels.load as kernels

    folder, names = kernels.load_all()
    assert done.stdout == f"{len(names)} kernels, kept in {folder}\n"
    assert sorted(names) == sorted(KERNELS)


def test_a_fit_plans_its_successor(lecture_file: Path) -> None:
    fit = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    same = fit.plan()
    assert (same.n_groups, same.group_size, same.icc) == (20, 30, pytest.approx(fit.icc, rel=1e-15))
    assert same.se == pytest.approx(fit.se_gamma00, rel=1e-13)
    # Half the standard error takes four times the schools.
    assert fit.plan(se=fit.se_gamma00 / 2).n_groups == 80
    weighted = fastml.fit({"s": [1, 1, 2, 2, 3, 3], "y": [1.0, 2, 4, 5, 6, 9], "v": [1.0, 1, 2, 2, 3, 3]}, "y", "s",
                          group_weights="v")  # fmt: skip
    with pytest.raises(fastml.FastmlError, match="plans are of unweighted fits"):
        weighted.plan()
