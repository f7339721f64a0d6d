"""The oldest versions that pyproject.toml allows, as constraints for pip: `python .ci/floors.py > floors.txt`."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
floors: dict[str, tuple[int, ...]] = {}
for requirement in [
    *project["dependencies"],
    *(x for extra in project["optional-dependencies"].values() for x in extra),
]:
    if found := re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)", requirement):
        name, version = found[1], tuple(map(int, found[2].split(".")))
        floors[name] = max(version, floors.get(name, version))  # an extra may ask for more than another
for name, version in sorted(floors.items()):
    print(f"{name}=={'.'.join(map(str, version))}")
