"""Arrays that are used again: each thread has its own, tables begin with a cache line, no result lies in them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from streams import KINDS, rows

import fastml
from fastml.kernels import workspace
from fastml.kernels.workspace import Workspace, empty_table
from fastml.reduce import workers


@pytest.mark.parametrize("shape", [(1, 4), (10, 4), (3, 1000, 4), (0, 5), (7,)])
def test_tables_begin_with_a_cache_line(shape: tuple[int, ...]) -> None:
    table = empty_table(*shape)
    assert table.shape == shape
    assert table.dtype == np.float64
    assert table.flags.c_contiguous
    assert table.flags.writeable
    assert table.size == 0 or table.ctypes.data % 64 == 0
    assert not np.shares_memory(table, empty_table(*shape))


def test_an_array_comes_again_until_more_is_asked_for() -> None:
    space = Workspace()
    first = space.array("codes", 1000, np.int32)
    first[:] = np.arange(1000)
    assert space.array("codes", 900, np.int32).tolist() == list(range(900))
    assert np.shares_memory(space.array("codes", 1000, np.int32), first)
    assert not np.shares_memory(space.array("marks", 1000, np.uint8), first)
    more = space.array("codes", 5000, np.int32)
    assert more.shape == (5000,)
    assert not np.shares_memory(more, first)


def test_a_workspace_that_is_closed_leaves_its_arrays_to_one_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "_spare", [])
    space = Workspace()
    first = space.array("codes", 1000, np.int32)
    assert not np.shares_memory(Workspace().array("codes", 1000, np.int32), first)
    space.close()
    heir, other = Workspace(), Workspace()
    assert np.shares_memory(heir.array("codes", 900, np.int32), first)
    for late in (other, space):
        assert not np.shares_memory(late.array("codes", 900, np.int32), first)
    monkeypatch.setattr(workspace, "_KEPT", 100)
    heir.close()
    assert workspace._spare == []


def test_a_thing_is_made_once() -> None:
    space, made = Workspace(), []
    for _ in range(3):
        assert space.thing("list", lambda: made.append(1) or made) is made
    assert made == [1]


def test_threads_share_nothing() -> None:
    space = Workspace()
    ours, theirs = space.array("codes", 1000, np.int32), []
    thing = space.thing("thing", list)

    def work() -> None:
        theirs.append(space.array("codes", 1000, np.int32))
        theirs.append(space.thing("thing", list))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not np.shares_memory(ours, theirs[0])
    assert theirs[1] is not thing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", [None, "w"])
def test_results_lie_in_no_memory_that_is_used_again(
    kind: str, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a workspace handed out is overwritten after the call."""
    held: list[np.ndarray] = []

    def overwritten(self: Workspace, name: str, length: int, dtype: type) -> np.ndarray:
        found = array(self, name, length, dtype)
        held.append(found)
        return found

    monkeypatch.setattr(workers, "TILE_ROWS", 64)
    table = rows(kind)
    array = Workspace.array
    monkeypatch.setattr(Workspace, "array", overwritten)
    for threads in (1, 3):
        stats = fastml.group_stats(table, ["y", "z"], "id", by="c", weights=weights, threads=threads)
        before = stats.to_arrow().to_pydict()
        assert held
        for free in held:
            free.view(np.uint8)[:] = 0xFF
        assert str(stats.to_arrow().to_pydict()) == str(before)
        again = fastml.group_stats(table, ["y", "z"], "id", by="c", weights=weights, threads=threads)
        assert str(again.to_arrow().to_pydict()) == str(before)
