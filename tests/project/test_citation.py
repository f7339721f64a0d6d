"""What stands beside the code says the same as the code."""

from __future__ import annotations

import re
import tomllib

import yaml
from conftest import ROOT

import fastml

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_citation_is_of_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (fastml.__version__, PROJECT["license"])
    holder = re.findall(r"Copyright \(c\) \d+, the (.+)", (ROOT / "LICENSE").read_text())
    assert [author["name"].removeprefix("The ") for author in citation["authors"]] == holder


def test_the_workflow_runs_what_must_hold() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    runs = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert runs["all"] == ["bash .ci/run"]
    systems = {
        name: job["strategy"]["matrix"]["os"]
        for name, job in jobs.items()
        if "os" in job.get("strategy", {}).get("matrix", {})
    }
    assert {*systems["all"], jobs["windows"]["runs-on"]} == {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert set(systems["benchmarks"]) == {"ubuntu-latest", "macos-latest", "windows-latest"}
    oldest = min(re.findall(r"3\.\d+", PROJECT["requires-python"]))
    assert all(
        step["with"]["python-version"] in (oldest, "${{ matrix.python }}")
        for job in jobs.values()
        for step in job["steps"]
        if "setup-python" in step.get("uses", "")
    )
