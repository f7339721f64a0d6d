"""Speed of assessments: one country of TIMSS, sixty countries, a PISA-like file; a Markdown table on stdout.

    python benchmarks/survey.py [folder with timss2019_g8_tur.parquet]

Simulated files are written to a temporary folder. Times are the best of three, end to end from Parquet, kernels
compiled before. Where R has WeMix, it fits the same file once beside it; else its published time is taken: about 10 s
for one weighted null fit of one country and one plausible value, which makes the 755 fits of a country two hours.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

PUBLISHED = 10.0


def simulate(folder: Path, n_countries: int, n_schools: int, size: int, study: str) -> tuple[Path, Path]:
    """Write a student and a school file, country by country."""
    rng = np.random.default_rng(1)
    students = schools = None
    file, school_file = folder / f"{study}.parquet", folder / f"{study}_schools.parquet"
    for country in range(n_countries):
        n = rng.integers(size // 2, size * 3 // 2, n_schools)
        school = np.repeat(np.arange(n_schools), n)
        v = np.exp(rng.normal(3.0, 0.5, n_schools))
        total = v[school] * np.exp(rng.normal(0.5, 0.3, len(school)))
        score = 500.0 + rng.normal(0.0, 45.0, n_schools)[school] + rng.normal(0.0, 80.0, len(school))

        def values(m: int, score: np.ndarray = score) -> list[np.ndarray]:
            return [score + rng.normal(0.0, 30.0, len(score)) for _ in range(m)]

        ids = np.full(len(school), float(country))
        if study == "timss":
            columns = {"IDCNTRY": ids, "IDSCHOOL": school + 1.0, "TOTWGT": total, "SCHWGT": v[school],
                       "JKZONE": (school // 2 + 1.0), "JKREP": (school % 2).astype(float)}  # fmt: skip
            columns |= {f"BSMMAT{k:02d}": y for k, y in enumerate(values(5), 1)}
        else:
            columns = {"CNTRYID": ids, "CNTSCHID": country * 10_000.0 + school, "W_FSTUWT": total}
            columns |= {f"PV{k}MATH": y for k, y in enumerate(values(10), 1)}
            for r in range(1, 81):
                columns[f"W_FSTURWT{r}"] = total * np.where(rng.random(n_schools) < 0.5, 0.5, 1.5)[school]
        table = pa.table(columns)
        school_table = pa.table({"CNTRYID": np.full(n_schools, float(country)), "CNTSCHID":
                                 country * 10_000.0 + np.arange(n_schools), "W_SCHGRNRABWT": v})  # fmt: skip
        students = students or pq.ParquetWriter(file, table.schema)
        schools = schools or pq.ParquetWriter(school_file, school_table.schema)
        students.write_table(table)
        schools.write_table(school_table)
    assert students is not None
    assert schools is not None
    students.close()
    schools.close()
    return file, school_file


def measure(call: str) -> tuple[float, float, int]:
    """Best of three times after one to warm up, peak memory in GB, rows of the table; in a process of its own."""
    program = (
        "import json, resource, time, fastml\n"
        "times = []\n"
        f"for _ in range(4):\n    start = time.perf_counter(); table = {call}\n"
        "    times.append(time.perf_counter() - start)\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6\n"
        "assert table.complete\nprint(json.dumps([min(times[1:]), peak, len(table)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    best, peak, rows = json.loads(done.stdout)
    return best, peak, rows


def wemix(file: Path) -> float | None:
    """Seconds of WeMix for one weighted null fit of one plausible value of TIMSS; None where R hasn't got it."""
    if shutil.which("Rscript") is None:
        return None
    table = pq.read_table(file, columns=["IDSCHOOL", "BSMMAT01", "TOTWGT", "WGTFAC1", "WGTADJ1"])
    with tempfile.NamedTemporaryFile(suffix=".csv") as rows:
        pa.csv.write_csv(table, rows.name)
        program = (
            "if (!requireNamespace('WeMix', quietly = TRUE)) quit(status = 9)\n"
            f"d <- read.csv('{rows.name}'); d$v <- d$WGTFAC1 * d$WGTADJ1\n"
            "fit <- function() WeMix::mix(BSMMAT01 ~ 1 + (1 | IDSCHOOL), data = d, weights = c('TOTWGT', 'v'))\n"
            "cat(system.time(fit())[['elapsed']])"
        )
        done = subprocess.run(["Rscript", "-e", program], capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1].parent / "shared" / "assessments"
    real = folder / "timss2019_g8_tur.parquet"
    measured = wemix(real) if real.exists() else None
    per_fit, said = (PUBLISHED, "published") if measured is None else (measured, "measured here")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        start = time.perf_counter()
        sixty, _ = simulate(Path(temporary), 60, 150, 35, "timss")
        pisa, schools = simulate(Path(temporary), 80, 220, 36, "pisa")
        print(f"simulated in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        calls = [
            ("60 countries of TIMSS, simulated", sixty,
             f"fastml.fit_survey({str(sixty)!r}, 'BSMMAT', 'timss', by='IDCNTRY')", 60 * 5 * 151),
            ("80 countries of PISA, simulated", pisa,
             f"fastml.fit_survey({str(pisa)!r}, 'MATH', 'pisa', by='CNTRYID', school_data={str(schools)!r})",
             80 * 10 * 81),
        ]  # fmt: skip
        if real.exists():
            one = ("TIMSS 2019 grade 8, Türkiye", real, f"fastml.fit_survey({str(real)!r}, 'BSMMAT', 'timss')", 5 * 151)
            calls.insert(0, one)
        for name, file, call, fits in calls:
            best, peak, _ = measure(call)
            students = pq.ParquetFile(file).metadata.num_rows
            hours = fits * per_fit / 3600.0
            rows.append((name, f"{students:,}", f"{fits:,}", f"{best:.3f}", f"{peak:.2f}", f"{hours:,.1f} h"))
    print(f"| file | students | fits | seconds | peak GB | WeMix at {per_fit:.1f} s a fit ({said}) |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
