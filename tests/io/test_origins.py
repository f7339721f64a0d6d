"""What was read is known by its content, wherever it is and whatever it is called."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fastml.io.locations import Location
from fastml.io.origins import Origin, file_origin, origin_in_memory


def digest(path: Path, use: str = "") -> str:
    return file_origin(Location(str(path)), 3, use).digest


@pytest.mark.parametrize("size", [0, 10, 1 << 17, (1 << 17) + 1, 1 << 20])
def test_the_same_content_has_one_digest(size: int, tmp_path: Path) -> None:
    content = bytes(i * 7 % 251 for i in range(1000)) * (size // 1000 + 1)
    path, copy = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(content[:size])
    shutil.copy(path, copy)
    os.link(path, tmp_path / "hard")
    (tmp_path / "soft").symlink_to(path)
    known = digest(path)
    assert {digest(tmp_path / name) for name in ("b.csv", "hard", "soft")} == {known}
    assert digest(path, "filter") != known
    copy.write_bytes(content[: size + 1])
    assert digest(copy) != known
    for place in {0, size // 9 + 5, size - 1} if size else ():  # the ends, and a piece between
        changed = bytearray(content[:size])
        changed[place] ^= 1
        copy.write_bytes(changed)
        assert digest(copy) != known, place


def test_an_origin_says_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    origin = file_origin(Location(str(tmp_path / "a"), None, "file:///a"), 7, "use")
    assert (origin.name, origin.rows) == ("file:///a", 7)
    assert origin.marked("tags") != origin
    assert origin.marked("tags") == origin.marked("tags") != origin.marked("others")
    assert origin.marked("tags").name == origin.name


def test_data_in_memory_are_known_by_the_call() -> None:
    one, other = (origin_in_memory("the DataFrame", 5) for _ in range(2))
    assert (one.name, one.rows) == ("the DataFrame", 5)
    assert one.digest != other.digest
    assert one == Origin("the DataFrame", 5, one.digest, is_file=False)
