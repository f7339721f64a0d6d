"""Codes of rows, of runs and of numbers tell the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fastml.io.pieces import Pieces
from fastml.keys.dictionaries import RangeDictionary, TileDictionary
from fastml.keys.key_table import KeyTable
from fastml.keys.row_codes import RowCodes

LABELS = TileDictionary((pa.array(["b", "a", None]), pa.array([1.0, float("nan"), 3.0])))


def test_rows_runs_and_numbers_tell_the_same() -> None:
    expected = [3, 3, 4, 4, 4, 3]
    numbers = RangeDictionary(3, 2, pa.int64())
    values = TileDictionary((pa.array([3, 4]),))
    runs = TileDictionary((pa.array([3, 4, 3]),))
    starts = np.array([0, 2, 5, 6], np.int32)
    for keys, n_records in (
        (RowCodes(numbers, None, None, Pieces((np.array(expected),)), 3), 2),
        (RowCodes(numbers, None, None, Pieces((np.array([3, 3, 4]), np.array([4, 4, 3]))), 3), 2),
        (RowCodes(values, np.array([0, 0, 1, 1, 1, 0], np.int32)), 2),
        (RowCodes(values, np.array([0, 1, 0], np.int32), starts), 3),
        (RowCodes(runs, None, starts), 3),
    ):
        assert [keys.labels[0][int(code)].as_py() for code in keys.by_row()] == expected
        assert keys.n_records == n_records
        records = [keys.record_at(row) for row in range(6)]
        assert keys.record_of_row().tolist() == records
        assert [keys.label_text(record) for record in records] == [str(label) for label in expected]
        assert keys.are_runs == (keys.codes is None and keys.starts is not None)


def test_labels_that_lack_a_part_are_unlabelled() -> None:
    assert RowCodes(LABELS, np.array([0, 1, 2], np.int32)).unlabelled().tolist() == [False, True, True]


def test_global_codes_are_of_labels_or_of_runs() -> None:
    labels, table = TileDictionary((pa.array([5, 6]),)), KeyTable([pa.int64()])
    table.codes_for([pa.array([0, 6])])
    labels.look_up(table, np.arange(2))
    assert RowCodes(labels, np.array([1, 0, 1], np.int32)).global_codes().tolist() == [2, 1]
    runs = RowCodes(labels, np.array([1, 0, 1], np.int32), np.array([0, 9, 18, 27], np.int32))
    assert runs.global_codes().tolist() == [1, 2, 1]


def test_the_largest_share_is_0_unless_the_first_rows_repeat() -> None:
    labels = TileDictionary((pa.array(range(100)),))
    few = np.repeat(np.arange(2, dtype=np.int32), 500)
    assert RowCodes(labels, few).largest_share() == pytest.approx(0.5, abs=0.02)
    assert RowCodes(labels, np.tile(np.arange(100, dtype=np.int32), 10)).largest_share() == 0.0


def test_kept_codes_of_runs_are_copies() -> None:
    starts, codes = np.array([0, 9], np.int32), np.array([1], np.int32)
    kept = RowCodes(LABELS, codes, starts).kept()
    starts[:], codes[:] = -1, -1
    assert (kept.starts.tolist(), kept.codes.tolist()) == ([0, 9], [1])  # type: ignore[union-attr]
    assert RowCodes(LABELS, codes).kept().codes is None
