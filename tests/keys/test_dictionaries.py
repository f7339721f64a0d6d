"""Local dictionaries: labels by local code, and global codes that are looked up once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fastml.kernels.workspace import Workspace
from fastml.keys import dictionaries
from fastml.keys.dictionaries import NumberDictionary, RangeDictionary, TileDictionary
from fastml.keys.encoder import Encoder
from fastml.keys.key_table import KeyTable


def test_a_dictionary_is_read_once_while_it_is_the_same() -> None:
    labels = pa.array(["b", "a", "c"])
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0] * 100), labels)
    encoder = Encoder(Workspace())
    first = encoder.encode([column])
    table = first.dictionary
    assert table.dictionary_codes(column.dictionary) is table.dictionary_codes(column.slice(7).dictionary)
    other = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0] * 100), pa.array(["c", "b", "d"]))
    assert encoder.encode([other]).by_row()[:3].tolist() == [2, 0, 3]


def test_a_range_has_its_numbers_for_labels() -> None:
    for dtype, expected in ((pa.int16(), [-3, -2, -1, 0]), (pa.float64(), [-3.0, -2.0, -1.0, 0.0])):
        labels = RangeDictionary(-3, 4, dtype)
        assert (len(labels), labels.high) == (4, 0)
        assert labels.take()[0].equals(pa.array(expected, dtype))
        assert labels.take(np.array([3, 1]))[0].to_pylist() == [expected[3], expected[1]]


def test_only_new_labels_are_looked_up() -> None:
    labels, table = NumberDictionary(pa.int64()), KeyTable([pa.int64()])
    table.codes_for([pa.array([7])])
    labels.table.codes_for(np.array([9, 8, 7]))
    labels.look_up(table, np.array([2, 0]))
    assert labels.global_codes().tolist() == [1, -1, 0]
    labels.table.codes_for(np.array([6]))  # a later tile brings one
    assert labels.global_codes().tolist() == [1, -1, 0, -1]
    labels.look_up(table, np.array([3, 1, 2]))
    assert table.labels()[0].to_pylist()[:2] == [7, 9]
    codes = labels.global_codes()
    assert [table.labels()[0][int(code)].as_py() for code in codes] == [9, 8, 7, 6]


def test_the_labels_of_a_tile_are_looked_up_at_once_where_all_are_used() -> None:
    labels, table = (
        TileDictionary((pa.array(["b", "a", None]), pa.array([1, 2, 3]))),
        KeyTable([pa.string(), pa.int64()]),
    )
    labels.look_up(table, np.array([1]))
    assert labels.global_codes().tolist() == [-1, 0, -1]
    labels.look_up(table, np.arange(3))
    assert [code >= 0 for code in labels.global_codes()] == [True] * 3
    assert labels.global_codes()[1] == 0
    assert len(table) == 3


def test_a_dictionary_of_mostly_unused_labels_is_overgrown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionaries, "_LABELS_FREE", 20)
    labels, table = NumberDictionary(pa.int64()), KeyTable([pa.int64()])
    labels.table.codes_for(np.arange(50))
    labels.look_up(table, np.arange(13))
    assert not labels.overgrown
    labels.look_up(table, np.arange(12))
    assert labels.overgrown
