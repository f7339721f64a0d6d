"""Memory that is used again: blocks that fit, a limit, threads that take at once, and no result that lies in it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from streams import KINDS, rows

import fastml
from fastml.kernels.workspace import SPARE, Spare, Workspace
from fastml.reduce import workers


def test_blocks_begin_with_a_cache_line_and_come_again() -> None:
    spare = Spare()
    for length in (1, 63, 64, 1000, 100_000):
        block = spare.block(length)
        assert len(block) == length
        assert block.ctypes.data % 64 == 0
        spare.give(block)
        again = spare.block(length)
        assert again.ctypes.data == block.ctypes.data
        spare.give(again)
    table = spare.table(10, 4)
    assert table.shape == (10, 4)
    assert table.flags.c_contiguous


def test_a_block_that_is_too_small_or_far_too_large_is_left_to_others() -> None:
    spare = Spare()
    small, large = spare.block(100), spare.block(1 << 20)
    spare.give(small)
    spare.give(large)
    block = spare.block(50_000)
    assert not np.shares_memory(block, small)
    assert not np.shares_memory(block, large)
    assert np.shares_memory(spare.block(900_000), large)


def test_no_more_is_kept_than_the_limit_and_nothing_that_is_no_block() -> None:
    spare = Spare(limit=10_000)
    blocks = [spare.block(4_000) for _ in range(5)]
    for block in blocks:
        spare.give(block)
    kept = [any(np.shares_memory(free, block) for free in spare._free) for block in blocks]
    assert sum(kept) == 2
    spare.give(np.zeros((3, 4)))
    spare.give(np.zeros((3, 4))[1:])
    assert len(spare._free) == 2


def test_a_workspace_gives_back_what_its_thread_holds() -> None:
    spare = Spare()
    space = Workspace(spare)
    ours = space.array("codes", 1000, np.int32)
    theirs = []

    def work() -> None:
        theirs.append(space.array("codes", 1000, np.int32))
        space.release()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not np.shares_memory(ours, theirs[0])
    assert np.shares_memory(spare.block(4000), theirs[0])
    assert np.shares_memory(space.array("codes", 900, np.int32), ours)


def test_threads_never_hold_one_block_at_once() -> None:
    spare, wrong = Spare(), []

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(300):
            held = [spare.table(int(n), 4) for n in rng.integers(1, 900, 3)]
            for k, table in enumerate(held):
                table[:] = 10 * number + k
            wrong.extend(k for k, table in enumerate(held) if (table != 10 * number + k).any())
            for table in held:
                spare.give(table)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", [None, "w"])
def test_results_lie_in_no_memory_that_is_used_again(
    kind: str, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "TILE_ROWS", 64)
    table = rows(kind)
    for threads in (1, 3):
        stats = fastml.group_stats(table, ["y", "z"], "id", by="c", weights=weights, threads=threads)
        before = stats.to_arrow().to_pydict()
        for free in SPARE._free:
            free[:] = 0xFF
        assert str(stats.to_arrow().to_pydict()) == str(before)
        again = fastml.group_stats(table, ["y", "z"], "id", by="c", weights=weights, threads=threads)
        assert str(again.to_arrow().to_pydict()) == str(before)
