"""Base against head on one machine: has a change made anything slower?

    python benchmarks/compare.py                        # the working tree against the main branch's last commit before it
    python benchmarks/compare.py --base v0.1 --head HEAD -k "pass or keys"

Each side is a git worktree of its own (the head is the working tree where no --head is given), with its own cache of
machine code, and runs the head's benchmarks: one turn each side, several turns, sides changing places. The figure is
each benchmark's best over all turns. It is slower where that is 15 % more *and* 50 ms more; then the status is 1. What
the base has not yet is "new".
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PART, SECONDS = 0.15, 0.05


def measure(
    tree: Path, benchmarks: Path, cache: Path, options: list[str], scale: float, may_lack: bool = False
) -> dict[str, float]:
    """Best seconds of each benchmark with the package of a tree, which `may_lack` what some of them measure."""
    out = cache / "figures.json"
    out.unlink(missing_ok=True)
    environment = {
        **os.environ, "PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(cache), "FASTML_BENCH_SCALE": str(scale),
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(benchmarks / "pytest.ini"), "--rootdir", str(benchmarks),
               str(benchmarks), f"--benchmark-json={out}", "-p", "no:cacheprovider", *options,
               *(["--continue-on-collection-errors"] if may_lack else [])]  # fmt: skip
    done = subprocess.run(command, cwd=cache, env=environment, capture_output=True, text=True)
    if done.returncode and not (may_lack and out.exists()):
        raise SystemExit(f"the benchmarks of {tree} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return {b["fullname"].split("::")[-1]: b["stats"]["min"] for b in json.loads(out.read_text())["benchmarks"]}


def is_slower(base: float, head: float) -> bool:
    return head > base * (1.0 + PART) and head > base + SECONDS


def render(base: dict[str, float], head: dict[str, float]) -> str:
    lines = ["| benchmark | base, s | head, s | head/base | |", "|---|---:|---:|---:|---|"]
    for name in sorted(head):
        if name not in base:
            lines.append(f"| {name} | | {head[name]:.4f} | | new |")
            continue
        verdict = "slower" if is_slower(base[name], head[name]) else ""
        lines.append(f"| {name} | {base[name]:.4f} | {head[name]:.4f} | {head[name] / base[name]:.2f} | {verdict} |")
    lines += [f"| {name} | {base[name]:.4f} | | | gone |" for name in sorted(set(base) - set(head))]
    return "\n".join(lines) + "\n"


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True).stdout.strip()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="commit; without, HEAD where the tree has changes, else the commit before it")
    parser.add_argument("--head", help="commit; without, the working tree")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--scale", type=float, default=0.1, help="part of the full rows")
    parser.add_argument("-k", dest="choice", help="only these benchmarks, as pytest has it")
    args = parser.parse_args(arguments)
    base_commit = args.base or ("HEAD" if _git("status", "--porcelain", "fastml") else "HEAD~1")
    options = ["-k", args.choice] if args.choice else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trees = {"base": folder / "base", "head": folder / "head" if args.head else ROOT}
        for side, commit in (("base", base_commit), ("head", args.head)):
            (folder / f"cache-{side}").mkdir()
            if commit:
                _git("worktree", "add", "--detach", str(trees[side]), commit)
        try:
            best: dict[str, dict[str, float]] = {"base": {}, "head": {}}
            for turn in range(args.turns):
                for side in ("base", "head") if turn % 2 == 0 else ("head", "base"):
                    print(f"turn {turn + 1}: {side}", file=sys.stderr, flush=True)
                    # The same benchmarks for both: those of this file's folder.
                    found = measure(trees[side], ROOT / "benchmarks", folder / f"cache-{side}", options, args.scale,
                                    may_lack=side == "base")  # fmt: skip
                    for key, seconds in found.items():
                        best[side][key] = min(seconds, best[side].get(key, seconds))
        finally:
            for side in ("base", "head"):
                if trees[side] != ROOT and trees[side].exists():
                    _git("worktree", "remove", "--force", str(trees[side]))
                    shutil.rmtree(trees[side], ignore_errors=True)
    print(render(best["base"], best["head"]), end="")
    slower = [key for key in best["head"] if key in best["base"] and is_slower(best["base"][key], best["head"][key])]
    if slower:
        print(f"\nslower by more than {PART:.0%} and {SECONDS * 1e3:.0f} ms: {', '.join(sorted(slower))}")
    return 1 if slower else 0


if __name__ == "__main__":
    raise SystemExit(main())
