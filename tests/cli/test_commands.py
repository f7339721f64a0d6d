"""Each command: fit, survey, report, stats, merge, simulate, plan, warmup."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import bad, figures, good, run
from surveys import pisa, timss, together

import fastml


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("survey") / "bsg_m7.parquet"
    pq.write_table(pa.table(together(timss(5, 40.0), timss(6, 792.0))), path)
    return path


def test_saved_statistics(fit_call: list[object], lecture_file: Path, tmp_path: Path) -> None:
    fastml.group_stats(lecture_file, "bsmmatxx", "idschool").write(tmp_path / "s.parquet")
    assert run("fit", tmp_path / "s.parquet").stdout == run(*fit_call).stdout


def test_level_adds_intervals(fit_call: list[object], lecture_file: Path) -> None:
    fit = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    assert run(*fit_call, "--level", 0.9).stdout == f"{fit.summary(0.9)}\n"
    low, high = fit.ci("icc", 0.9)
    made = json.loads(run(*fit_call, "--level", 0.9, "--format", "json").stdout)
    assert (made["level"], made["ci_low_icc"], made["ci_high_icc"]) == (0.9, low, high)
    assert {name: made[name] for name in fit.to_dict()} == fit.to_dict()
    (row,) = csv.DictReader(io.StringIO(run(*fit_call, "--level", 0.9, "--format", "csv").stdout))
    assert float(row["ci_low_icc"]) == low
    assert "90 % interval" in run(*fit_call, "--level", 0.9, "--format", "markdown").stdout
    assert run(*fit_call, "--level", 1).stderr == "fastml: --level 1.0 can't be: it is a number between 0 and 1\n"


def test_level_of_a_table(lecture_file: Path, tmp_path: Path) -> None:
    table = pq.read_table(lecture_file)
    pq.write_table(table.append_column("part", pa.array(["a", "b"] * 300)), tmp_path / "t.parquet")
    words = ["fit", tmp_path / "t.parquet", "-y", "bsmmatxx", "-g", "idschool", "--by", "part"]
    rows = json.loads(run(*words, "--level", 0.8, "--format", "json").stdout)
    frame = table.to_pandas().iloc[::2]
    low, high = fastml.fit(frame, "bsmmatxx", "idschool").ci("icc", 0.8)
    assert rows[0]["ci_low_icc"] == pytest.approx(low)
    assert rows[0]["ci_high_icc"] == pytest.approx(high)
    assert "80 % interval" in run(*words, "--level", 0.8).stdout
    refused = run(*words, "--groups", tmp_path / "g.parquet")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("fastml: --groups is of one fit")


def test_groups_to_a_file(fit_call: list[object], lecture_file: Path, tmp_path: Path) -> None:
    assert run(*fit_call, "--groups", tmp_path / "schools.parquet", "--level", 0.5).returncode == 0
    assert pq.read_table(tmp_path / "schools.parquet").equals(
        fastml.fit(lecture_file, "bsmmatxx", "idschool").groups_arrow(0.5)
    )
    assert run(*fit_call, "--groups", tmp_path / "no" / "x").stderr.startswith("fastml: can't write to ")


def test_a_table_of_several_outcomes(tmp_path: Path) -> None:
    data = {"y": [1.0, 2.0, 4.0, 8.0], "z": [1.0, 3.0, 4.0, 9.0], "g": [1, 1, 2, 2], "c": [7, 7, 7, 7]}
    pq.write_table(pa.table(data), tmp_path / "t.parquet")
    done = run("fit", tmp_path / "t.parquet", "-y", "y", "-y", "z", "-g", "g", "--by", "c", "--format", "json")
    assert json.loads(done.stdout) == fastml.fit_by(tmp_path / "t.parquet", ["y", "z"], "g", by="c").to_dict()


def test_the_command(file: Path, tmp_path: Path) -> None:
    call = ["survey", file, "--design", "timss", "-y", "BSMMAT", "--by", "IDCNTRY"]
    table = fastml.fit_survey(file, "BSMMAT", "timss", by="IDCNTRY")
    forms = {"json": table.to_json, "csv": table.to_csv, "latex": table.to_latex, "html": table.to_html,
             "markdown": table.to_markdown, "text": table.__str__}  # fmt: skip
    for form, text in forms.items():
        done = run(*call, "--format", form)
        assert (done.returncode, done.stderr) == (0, ""), form
        assert done.stdout == text().rstrip("\n") + "\n"
    out = tmp_path / "out.parquet"
    done = run(*call, "--format", "parquet", "-o", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert fastml.read_table(out).to_arrow().equals(table.to_arrow(), check_metadata=True)


def test_the_commands_options(tmp_path: Path) -> None:
    students, schools = pisa(n_replicates=80)
    pq.write_table(pa.table({**students, "PV1READ": students["PV1MATH"]}), tmp_path / "stu.parquet")
    pq.write_table(pa.table(schools), tmp_path / "sch.parquet")
    call = ["survey", tmp_path / "stu.parquet", "--design", "pisa", "-y", "MATH", "--school-file", tmp_path / "sch.parquet",
            "--by", "CNT", "--average", "--weight-scaling", "effective", "--se", "sandwich", "--vcov", "block",
            "--level", "0.9", "--filter", "CNTSCHID > 2", "--threads", "1", "-q"]  # fmt: skip
    done = run(*call, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    table = fastml.fit_survey(tmp_path / "stu.parquet", "MATH", "pisa", school_data=str(tmp_path / "sch.parquet"), by="CNT",
                              average=True, weight_scaling="effective", se="sandwich", vcov="block", level=0.9,
                              filter="CNTSCHID > 2")  # fmt: skip
    assert json.loads(done.stdout) == json.loads(table.to_json())


def test_the_commands_exit_status(file: Path, tmp_path: Path) -> None:
    lone = {name: column[timss(6, 1.0)["IDSCHOOL"] == 5002.0] for name, column in timss(6, 1.0).items()}
    pq.write_table(pa.table(lone), tmp_path / "lone.parquet")
    call = ["--design", "timss", "-y", "BSMMAT", "--by", "IDCNTRY"]
    partial = run("survey", file, tmp_path / "lone.parquet", *call)
    assert partial.returncode == 3
    assert "there is one group only" in partial.stdout
    for wrong, message in ((["--design", "tims", "-y", "BSMMAT"], "did you mean 'timss'"),
                           (["--design", "timss", "-y", "BSMMET"], "did you mean 'BSMMAT01'"),
                           (["--design", "timss", "-y", "BSMMAT", "--average"], "name their column"),
                           (["--design", "timss", "-y", "BSMMAT", "--format", "parquet"], "name it with -o"),
                           (["--design", "pisa", "-y", "MATH"], "'CNTSCHID' is not in")):  # fmt: skip
        done = run("survey", file, *wrong)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert message in done.stderr
    assert "For example:\n    fastml survey " in run("survey", "--help").stdout


def test_report_of_parts(tmp_path: Path) -> None:
    table = pa.table({"c": ["a"] * 4 + ["b"] * 4, "id": [1, 1, 2, 2] + [1] * 4, "y": [1.0, 2.0, 5.0, 7.0] * 2})
    pq.write_table(table, tmp_path / "t.parquet")
    done = run("report", tmp_path / "t.parquet", "-y", "y", "-g", "id", "--by", "c", "-o", tmp_path / "r.html")
    told = "fastml: 1 of 2 parts has no result: c b (there is one group only; the variance between groups needs at least two)"
    assert (done.returncode, done.stderr) == (3, told + "\n")
    assert "there is one group only" in (tmp_path / "r.html").read_text()


class TestStatsAndMerge:
    def test_files_are_added_and_fitted(self, days: Path, table: pa.Table, tmp_path: Path) -> None:
        for i in range(4):
            assert good("stats", days / f"{i}.parquet", "-y", "score", "-g", "school", "-o", tmp_path / f"{i}.s") == ""
        parts = [tmp_path / f"{i}.s" for i in range(4)]
        assert good("merge", *parts, "-o", tmp_path / "all.s") == ""
        found = figures(tmp_path / "all.s")
        truth = fastml.fit(table, "score", "school")
        assert found["n_obs"] == 6000
        assert found["icc"] == pytest.approx(truth.icc, rel=1e-13)
        # fit adds several files by itself.
        assert figures(*parts)["icc"] == pytest.approx(truth.icc, rel=1e-13)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["0.s", "1.s", "2.s", "3.s", "all.s", "days"]

    def test_a_daily_increment_in_place(self, days: Path, tmp_path: Path) -> None:
        total = tmp_path / "total.parquet"
        good("stats", days / "0.parquet", "-y", "score", "-g", "school", "-o", total)
        good("stats", days / "1.parquet", "-y", "score", "-g", "school", "-o", tmp_path / "day.parquet")
        good("merge", total, tmp_path / "day.parquet", "-o", total)
        assert figures(total)["n_obs"] == 3000
        # The job runs again.
        message = bad("merge", total, tmp_path / "day.parquet", "-o", total)
        assert "1.parquet (1,500 rows) is in both; its rows would count twice" in message
        good("merge", total, tmp_path / "day.parquet", "-o", total, "--replace")
        assert figures(total)["n_obs"] == 3000

    def test_tags_keep_cycles_apart(self, days: Path, tmp_path: Path) -> None:
        call = ["stats", days / "0.parquet", "-y", "score", "-g", "school"]
        good(*call, "--tag", "cycle=2019", "--tag", "country=TUR", "-o", tmp_path / "a.s")
        good(*call, "--tag", "cycle=2023", "--tag", "country=TUR", "-o", tmp_path / "b.s")
        good("merge", tmp_path / "a.s", tmp_path / "b.s", "-o", tmp_path / "ab.s")
        stats = fastml.GroupStats.read(tmp_path / "ab.s")
        assert stats.group == ("cycle", "country", "school")
        assert stats.keys["cycle"].type == pa.int64()
        one = fastml.fit(days / "0.parquet", "score", "school")
        assert figures(tmp_path / "ab.s")["n_groups"] == 2 * one.n_groups

    def test_by_and_weights(self, days: Path, table: pa.Table, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "school", "--by", "cycle", "--weights", "student_weight",
             "--group-weights", "school_weight", "-o", tmp_path / "w.s")  # fmt: skip
        rows = json.loads(good("fit", tmp_path / "w.s", "--by", "cycle", "--format", "json"))
        weights = {"weights": "student_weight", "group_weights": "school_weight"}
        truth = fastml.fit_by(table, "score", "school", by="cycle", **weights).to_frame()
        assert [row["cycle"] for row in rows] == [2019, 2023]
        assert [row["icc"] for row in rows] == pytest.approx(truth["icc"].tolist(), rel=1e-12)

    def test_tags_are_as_they_are_written(self, days: Path, tmp_path: Path) -> None:
        call = ["stats", days / "0.parquet", "-y", "score", "-g", "school", "-o", tmp_path / "t.s"]
        tags = {"a": 2019, "b": -5, "c": 0, "d": "007", "e": "٣", "f": "x=y", "g": "-0"}
        good(*call, *(word for name, value in tags.items() for word in ("--tag", f"{name}={value}")))
        keys = fastml.GroupStats.read(tmp_path / "t.s").keys
        assert {name: keys[name][0].as_py() for name in tags} == tags
        assert "--tag gives 'a' twice, as 1 and '2'" in bad(*call, "--tag", "a=1", "--tag", "a=2")

    def test_small_groups_leave_with_a_record(self, days: Path, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "school", "--min-group-size", "80", "-o", tmp_path / "s")
        (note,) = fastml.GroupStats.read(tmp_path / "s").notes
        assert note.startswith("groups of fewer than 80 left out: ")


class TestRefusals:
    def test_statistics_that_do_not_add(self, days: Path, tmp_path: Path) -> None:
        calls = {
            "a": ["-y", "score", "-g", "school"],
            "outcomes": ["-y", "student_weight", "-g", "school"],
            "group": ["-y", "score", "-g", "cycle"],
            "by": ["-y", "score", "-g", "school", "--by", "cycle"],
            "group_weights": ["-y", "score", "-g", "school", "--group-weights", "school_weight"],
        }
        for name, call in calls.items():
            good("stats", days, *call, "-o", tmp_path / name)
        for name in list(calls)[1:]:
            said = name if name != "group_weights" else "--group-weights"
            message = bad("merge", tmp_path / "a", tmp_path / name, "-o", tmp_path / "sum")
            assert f"file {tmp_path / name} can't be added to file {tmp_path / 'a'}: " in message
            assert f"statistics of different {said} can't be added" in message
        unlabelled = fastml.GroupStats.from_summary(n=[2, 3], mean=[1.0, 2.0], sd=[1.0, 1.0], outcome="score")
        for name in ("u", "v"):
            unlabelled.write(tmp_path / name)
        assert "without labels" in bad("merge", tmp_path / "u", tmp_path / "v", "-o", tmp_path / "sum")
        assert not (tmp_path / "sum").exists()

    def test_a_school_of_two_weights(self, table: pa.Table, tmp_path: Path) -> None:
        for name, factor in (("a", 1.0), ("b", 2.0)):
            weight = pa.array(factor * table["school_weight"].to_numpy())
            pq.write_table(table.set_column(3, "school_weight", weight), tmp_path / f"{name}.parquet")
            good("stats", tmp_path / f"{name}.parquet", "-y", "score", "-g", "school", "--group-weights", "school_weight",
                 "-o", tmp_path / name)  # fmt: skip
        message = bad("merge", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "sum")
        assert "group 1 has group weight" in message

    def test_files_that_hold_no_statistics(self, days: Path, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "school", "-o", tmp_path / "s")
        rows = days / "0.parquet"
        assert "holds no fastml statistics" in bad("merge", rows, "-o", tmp_path / "sum")
        assert "give files of one kind" in bad("merge", tmp_path / "s", rows, "-o", tmp_path / "sum")
        assert "give files of one kind" in bad("fit", tmp_path / "s", rows)
        assert "named twice" in bad("merge", tmp_path / "s", tmp_path / "s", "-o", tmp_path / "sum")
        assert "saved statistics hold none" in bad("fit", tmp_path / "s", "--filter", "cycle = 2019")
        content = (tmp_path / "s").read_bytes()
        (tmp_path / "s").write_bytes(content[:-300])
        assert "is not a Parquet file that can be read" in bad("merge", tmp_path / "s", "-o", tmp_path / "sum")
        (tmp_path / "s").write_bytes(content.replace(b'"version": 1', b'"version": 7'))
        assert "version 7" in bad("fit", tmp_path / "s")
        assert not (tmp_path / "sum").exists()

    def test_calls_that_are_wrong(self, days: Path, tmp_path: Path) -> None:
        call = ["stats", days, "-y", "score", "-g", "school"]
        assert "Missing option '--output'" in bad(*call)
        assert "is not NAME=VALUE" in bad(*call, "--tag", "2019", "-o", tmp_path / "s")
        assert "school" in bad(*call, "--tag", "school=1", "-o", tmp_path / "s")
        assert "can't write to" in bad(*call, "-o", tmp_path / "no" / "s")
        assert "can't be read at" in bad(*call, "--filter", "cycle ~ 3", "-o", tmp_path / "s")
        assert "did you mean" in bad("stats", days, "-y", "scor", "-g", "school", "-o", tmp_path / "s")
        assert "is not a whole number" in bad("simulate", "--students", "2.5", "-o", tmp_path / "s")
        assert "--schools 6 is more than --students 5" in bad(
            "simulate", "--students", "5", "--schools", "6", "-o", tmp_path / "s"
        )
        assert list(tmp_path.iterdir()) == [days]

    def test_a_part_without_a_result_is_status_3(self, days: Path, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "cycle", "--by", "school", "-o", tmp_path / "s")
        one = pa.table({"score": [1.0, 2.0], "cycle": [2019, 2019], "school": [999, 999]})
        pq.write_table(one, tmp_path / "one.parquet")
        good("stats", tmp_path / "one.parquet", "-y", "score", "-g", "cycle", "--by", "school", "-o", tmp_path / "o")
        done = run("fit", tmp_path / "s", tmp_path / "o", "--by", "school", "--format", "csv")
        assert done.returncode == 3
        assert "one group only" in done.stdout


def test_simulate(tmp_path: Path) -> None:
    call = ["simulate", "--students", "1e4", "--schools", "2e2", "--seed", "3", "--weights", "--outcomes", "2"]
    assert good(*call, "-o", tmp_path / "one.parquet") == ""
    with pq.ParquetFile(tmp_path / "one.parquet") as file:
        found = file.read()
    assert found.equals(fastml.simulate(students=10_000, schools=200, seed=3, weights=True, outcomes=2))
    good(*call, "--files", "3", "-o", tmp_path / "many")
    assert figures(tmp_path / "many", "-y", "score1", "-g", "school") == figures(
        tmp_path / "one.parquet", "-y", "score1", "-g", "school"
    )


@pytest.mark.parametrize("count", ["nan", "inf", "1e30", "1.5"])
def test_counts_that_are_none(count: str, tmp_path: Path) -> None:
    done = run("simulate", "--students", count, "-o", tmp_path / "s.parquet")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"fastml: .* is not a whole number of ordinary size\n", done.stderr)


PLAN = """\
93 schools of 25 students, 2,325 in all (the number of schools found)
icc 0.200, standard deviation 100.000

standard error of the mean                               4.995   df 92
95 % margin                                              9.920
design effect                                             5.80   effective n 400.9
reliability of a school mean                              0.86
least difference found with power 0.8                   14.141
95 % interval of the icc, as expected             0.152 to 0.262
"""


def test_plan_prints_what_it_found() -> None:
    # By hand: deff = 1 + .2 x 24 = 5.8; the least J with 100 sqrt(5.8/(25 J)) <= 5 is 5.8 x 16 = 92.8, so 93.
    done = run("plan", "--icc", 0.2, "--cluster-size", 25, "--sd", 100, "--se", 5)
    assert (done.returncode, done.stdout, done.stderr) == (0, PLAN, "")
    assert f"{fastml.plan(0.2, cluster_size=25, sd=100.0, se=5.0)}\n" == PLAN


def test_plan_as_json() -> None:
    done = run("plan", "--icc", 0.2, "--schools", 150, "--cluster-size", 25, "--difference", 0.2, "--arms", 2,
               "--format", "json")  # fmt: skip
    made = fastml.plan(0.2, 150, 25, difference=0.2, arms=2)
    assert json.loads(done.stdout) == made.to_dict()
    assert json.loads(run("plan", "--icc", 0.2, "--schools", 9, "--cluster-size", 1, "--format", "json").stdout)[
        "icc_width"
    ] is None  # fmt: skip
    assert "power to find a difference of 0.200" in str(made)


def test_plan_by_sizes_like_those_to_come() -> None:
    words = ["plan", "--icc", 0.2, "--schools", 20, "--cluster-size", 25, "--format", "json"]
    sizes = [9, 30, 25]
    assert json.loads(run(*words, "--sizes", "9,30,25").stdout) == fastml.plan(0.2, 20, 25, sizes=sizes).to_dict()
    done = run(*words, "--sizes", "9,many")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--sizes ['9', 'many'] can't be: it is two or more numbers of students" in done.stderr


def test_plan_in_every_form(tmp_path: Path) -> None:
    words = ["plan", "--icc", 0.2, "--cluster-size", 25, "--sd", 100, "--se", 5]
    made = fastml.plan(0.2, cluster_size=25, sd=100.0, se=5.0)
    for form in ("csv", "markdown", "latex", "html"):
        assert run(*words, "--format", form).stdout.strip() == getattr(made, f"to_{form}")().strip()
    assert '<td style="text-align:right">4.995</td>' in made._repr_html_()
    assert run(*words, "--format", "parquet", "-o", tmp_path / "p.parquet").returncode == 0
    (row,) = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert row == made._figures()
    assert run(*words, "-o", tmp_path / "p.txt").stdout == ""
    assert (tmp_path / "p.txt").read_text() == PLAN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--icc", 1.2, "--cluster-size", 25], "--icc 1.2 can't be: it is a number from 0 to below 1"),
        (
            ["--icc", 0.2, "--cluster-size", 25],
            "--se left out can't be: it is needed to find the other size by, or else",
        ),
        (["--icc", 0.2], "give --schools or --cluster-size with a target"),
        (["--icc", 0.2, "--schools", 50, "--se", 0.06], "no --cluster-size reaches --se 0.06: it stays above 0.06325"),
        (["--icc", 0.2, "--schools", 1, "--cluster-size", 5], "--schools 1 can't be: it is a whole number of schools"),
        (
            ["--icc", 0.2, "--cluster-size", 0, "--se", 0.1],
            "--cluster-size 0 can't be: it is a whole number of students",
        ),
        (["--icc", 0.2, "--cluster-size", 5, "--size-cv", -1, "--se", 0.1], "--size-cv -1.0 can't be: it is a number"),
        (["--icc", 0.2, "--cluster-size", 1, "--icc-width", 0.1], "--cluster-size 1 can't be: it is 2 or more for an"),
        (["--icc", "x"], "--icc: it takes a number"),
        ([], "Missing option '--icc'"),
    ],
)
def test_plan_refuses_in_one_line(options: list[object], message: str) -> None:
    done = run("plan", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fastml: {message}")
    assert done.stderr.count("\n") == 1


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


def test_warmup_leaves_nothing_to_compile(lecture_file: Path) -> None:
    from fastml.kernels.jit import KERNELS

    done = run("warmup")
    assert (done.returncode, done.stderr) == (0, "")
    import fastml.kernels.load as kernels

    folders, names = kernels.load_all()
    assert done.stdout == f"{len(names)} kernels, kept in {' and '.join(map(str, folders))}\n"
    assert sorted(names) == sorted(KERNELS)
