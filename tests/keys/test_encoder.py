"""Codes of every kind of key against a dict's: types, nulls, slices, dictionaries, runs, combinations, many tiles."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from key_columns import TYPES, check, column, decoded

from fastml.io.plain_arrays import plain_type
from fastml.kernels.workspace import Workspace
from fastml.keys import dictionaries
from fastml.keys.encoder import Encoder, encode_rows, encode_tile
from fastml.keys.key_table import KeyTable


@pytest.mark.parametrize("nulls", [False, True], ids=["full", "nulls"])
@pytest.mark.parametrize("order", ["clustered", "shuffled"])
@pytest.mark.parametrize("name", TYPES)
def test_every_type(name: str, order: str, nulls: bool) -> None:
    rows = column(name, 200, order, nulls)
    check([rows])
    check([rows.slice(13, 150)])
    check([rows.slice(7, 1)])
    check([rows.slice(200)])


@pytest.mark.parametrize("name", TYPES)
def test_every_type_in_a_combination(name: str) -> None:
    rows = column(name, 120, "shuffled", True)
    other = pa.array((np.arange(120) // 40).tolist(), pa.int16())
    check([rows, other])
    check([other, rows])
    check([other.slice(11), rows.slice(11), column("string", 120, "shuffled", True).slice(11)])


def test_run_end_encoded() -> None:
    rows = pa.RunEndEncodedArray.from_arrays([3, 5, 9], pa.array(["b", None, "a"]))
    keys = encode_rows([rows])
    assert [keys.labels[0][int(code)].as_py() for code in keys.by_row()] == ["b"] * 3 + [None] * 2 + ["a"] * 4


def test_nan_is_null_and_the_two_zeros_are_one() -> None:
    values = pa.array([0.0, -0.0, float("nan"), None, 1.5, -float("nan")])
    for keys in (encode_rows([values]), encode_tile([values])):
        found = [keys.labels[0][int(code)].as_py() for code in keys.by_row()]
        assert found[:2] == [0.0, 0.0]
        assert found[4] == 1.5
        assert len(set(keys.by_row()[:2].tolist())) == 1
        table = KeyTable([pa.float64()])
        into = table.codes_for(keys.labels)
        assert len({int(into[keys.by_row()[row]]) for row in (2, 3, 5)}) == 1
        assert table.labels()[0][int(into[keys.by_row()[2]])].as_py() is None


def test_a_dictionary_with_double_null_and_unused_labels() -> None:
    rows = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, None, 3, 0], pa.uint8()), pa.array(["b", "a", "b", None, "unused"])
    )
    check([rows])
    keys = encode_rows([rows])
    table = KeyTable([pa.string()])
    into = table.codes_for(keys.labels)[keys.by_row()]
    assert [table.labels()[0][int(code)].as_py() for code in into] == ["b", "a", "b", None, None, "b"]
    assert len(set(into.tolist())) == 3


def test_codes_of_dictionaries_are_not_trusted_across_batches() -> None:
    table = KeyTable([pa.string()])
    found = []
    for labels in (["x", "y"], ["y", "x"], ["z", "y"]):
        keys = encode_rows([pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), pa.array(labels))])
        found += table.codes_for(keys.labels)[keys.by_row()].tolist()
    assert [table.labels()[0][code].as_py() for code in found] == ["x", "y", "y", "y", "x", "x", "z", "y", "y"]


@pytest.mark.parametrize("where", [1, 62, 63, 64, 65, 66, 127, 128])
def test_a_run_that_ends_at_any_place_of_a_word_is_seen(where: int) -> None:
    keys = np.zeros(200, np.int64)
    keys[where:] = 2**40
    assert encode_rows([pa.array(keys)]).starts is not None
    check([pa.array(keys)])


def global_codes(encoder: Encoder, whole: KeyTable, column: pa.Array) -> list[int]:
    """Global codes of the rows of a tile, as the pass gets them: assumed first, exactly if that was wrong."""
    keys = encoder.encode([column])
    if (
        keys.numbers is not None
        and not ((keys.rows.joined >= keys.low) & (keys.rows.joined - keys.low < len(keys.dictionary))).all()
    ):
        keys = encoder.encode([column], exact=True)
    keys.dictionary.look_up(whole, np.unique(keys.by_row()).astype(np.int64))
    return keys.dictionary.global_codes()[keys.by_row()].tolist()


def unbounded(n: int) -> Any:
    """Distinct integers of any size, the same for the same number."""
    return np.random.default_rng(0).integers(-(2**63), 2**63 - 1, n)


STREAMS: dict[str, Any] = {
    "a range that moves": lambda i, r: pa.array(r.integers(50 * i, 50 * i + 90, 600)),
    "a range that widens": lambda i, r: pa.array(r.integers(-10 * i, 90 + i, 600)),
    "a range too wide in the end": lambda i, r: pa.array(r.integers(0, 10 ** (2 + 2 * i), 600)),
    "whole floats": lambda i, r: pa.array(r.integers(0, 90 + i, 600) * 1.0),
    "floats, whole and not": lambda i, r: pa.array(r.integers(0, 90, 600) / (1.0 + i % 2)),
    "unbounded": lambda i, r: pa.array(unbounded(300)[r.integers(0, 300, 600)]),
    "unbounded, many rows each": lambda i, r: pa.array(unbounded(30)[r.integers(0, 30, 600)]),
    "unbounded, new ones in some tiles": (
        lambda i, r: pa.array(unbounded(40)[np.minimum(r.integers(0, 30 + i // 2, 600), r.integers(0, 60, 600))])
    ),
    "unbounded, others in each tile": lambda i, r: pa.array(unbounded(300)[30 * i + r.integers(0, 30, 600)]),
    "nulls now and then": (
        lambda i, r: pa.array(r.integers(0, 90, 600), mask=(r.random(600) < 0.1) if i % 2 else np.zeros(600, bool))
    ),
    "strings": lambda i, r: pa.array([f"s{k}" for k in r.integers(0, 50 + 20 * i, 600)]),
    "dictionaries": (
        lambda i, r: pa.DictionaryArray.from_arrays(
            pa.array(r.integers(0, 40, 600)), pa.array([f"s{k}" for k in r.permutation(100)[:40]])
        )
    ),
    "dictionaries with nulls and doubles": (
        lambda i, r: pa.DictionaryArray.from_arrays(
            pa.array(r.integers(0, 5, 600), mask=r.random(600) < 0.1), pa.array(["a", "b", None, "a", f"s{i % 3}"])
        )
    ),
    "clustered, then not": (
        lambda i, r: pa.array(np.sort(x) if i % 2 else x) if (x := r.integers(0, 30, 600)) is not None else None
    ),
}  # fmt: skip


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("stream", STREAMS)
def test_an_encoder_goes_on_from_tile_to_tile(stream: str, forgetful: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if forgetful:
        monkeypatch.setattr(dictionaries, "_LABELS_FREE", 20)
        monkeypatch.setattr(dictionaries, "_LABELS_PER_USED", 1)
    make = STREAMS[stream]
    rng = np.random.default_rng(5)
    tiles = [make(i, rng) for i in range(7)]
    whole, encoder = KeyTable([plain_type(tiles[0].type)]), Encoder(Workspace())
    codes = [code for tile in tiles for code in global_codes(encoder, whole, tile)]
    labels = whole.labels()[0].to_pylist()
    expected = [value for tile in tiles for value in decoded(tile)]
    assert [labels[code] for code in codes] == expected
    assert len(set(labels)) == len(labels)


def cut(column: Any, seed: int) -> list[pa.Array]:
    """Pieces of a column, some with an offset, some empty."""
    rng = np.random.default_rng(seed)
    ends = [0, *np.sort(rng.integers(0, len(column) + 1, rng.integers(1, 5))).tolist(), len(column)]
    return [column.slice(a, b - a) for a, b in pairwise(ends)]


@pytest.mark.parametrize("seed", range(12))
def test_rows_in_pieces_have_the_codes_of_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    encoder, before = Encoder(Workspace()), Encoder(Workspace())
    for _ in range(3):
        whole = pa.array(rng.integers(-40, 900, 9000)).slice(5)
        keys, joined = encoder.encode_pieces(cut(whole, seed)), before.encode([whole])
        assert keys is not None
        assert keys.rows.dtype == np.int64
        if not ((keys.rows.joined >= keys.low) & (keys.rows.joined - keys.low < len(keys.dictionary))).all():
            continue  # which the kernels see
        labels = keys.labels[0].take(pa.array(keys.by_row()))
        assert labels.to_pylist() == whole.to_pylist() == joined.labels[0].take(pa.array(joined.by_row())).to_pylist()


@pytest.mark.parametrize("shuffled", [0, 3000, 4096, 4097, 9000])
@pytest.mark.parametrize("tail", [0, 1, 8000, 300_000])
@pytest.mark.parametrize("p", [0.0, 0.01, 0.1, 0.2, 0.25, 0.5, 1.0])
def test_pieces_are_in_runs_where_the_whole_is(p: float, tail: int, shuffled: int) -> None:
    rng = np.random.default_rng(tail)
    keys = np.concatenate([np.cumsum(rng.random(shuffled) < p) % 50, np.repeat(7, tail)])
    for ordered in (keys, keys[::-1].copy()) if len(keys) else ():
        whole = encode_rows([pa.array(ordered)])
        for seed in range(3):
            found = Encoder(Workspace()).encode_pieces(cut(pa.array(ordered), seed))
            assert found is not None
            assert (found.starts is None) == (whole.starts is None)
            if found.starts is not None and whole.starts is not None:
                assert found.starts.tolist() == whole.starts.tolist()
                assert found.labels[0].equals(whole.labels[0])
            else:
                assert found.labels[0].take(pa.array(found.by_row())).to_numpy().tolist() == ordered.tolist()


@pytest.mark.parametrize("end", [9, 10, 11, 20])
def test_pieces_of_the_two_zeros_and_of_nans_have_the_runs_of_the_whole(end: int) -> None:
    values = pa.array([0.0] * 10 + [-0.0] * 10 + [math.nan] * 10 + [-math.nan] * 10 + [1.5] * 10)
    pieces = [values.slice(0, end), values.slice(end)]
    whole, found = encode_rows([values]), Encoder(Workspace()).encode_pieces(pieces)
    assert found is not None
    assert found.starts is not None
    assert whole.starts is not None
    assert found.starts.tolist() == whole.starts.tolist()
    assert found.labels[0].view(pa.int64()).equals(whole.labels[0].view(pa.int64()))  # to KeyTable they are one label


def test_rows_are_in_runs_of_eight_on_average_or_not_at_all() -> None:
    def runs(lengths: list[int], tile_rows: int | None = None) -> int:
        keys = pa.array(np.repeat(np.arange(len(lengths)), lengths))
        found = encode_rows([keys]) if tile_rows is None else Encoder(Workspace()).encode_runs([keys], tile_rows)
        return 0 if found is None or found.starts is None else len(found.starts) - 1

    assert runs([8] * 1000) == 1000
    assert runs([8] * 999 + [7]) == 0
    assert runs([7] * 1000) == 0
    assert runs([7] * 1000 + [1008]) == 1001
    assert runs([3] * 1365 + [200_000]) == 0  # which the first 4,096 rows tell
    assert runs([4] * 1024 + [200_000]) == 1025
    assert runs([50] * 40, 500) == 40
    assert runs([50] * 40, 475) == 42  # a run ends where a tile does
    assert runs([50] * 40, 1993) == 0  # the last tile has seven rows
    assert runs([50] * 20 + [1] * 500 + [500], 1000) == 0


@pytest.mark.parametrize("name", [name for name in TYPES if not name.startswith("int64")])
def test_pieces_of_every_type_are_encoded_or_joined(name: str) -> None:
    rows = column(name, 9000, "shuffled", False)
    found = Encoder(Workspace()).encode_pieces(cut(rows, 3))
    assert found is None or found.labels[0].take(pa.array(found.by_row())).to_pylist() == rows.to_pylist()
    assert found is not None or name not in ("int8", "uint8", "bool")
    assert found is None or found.starts is not None or not pa.types.is_floating(rows.type)


def test_pieces_with_nulls_and_of_a_wide_range_are_joined() -> None:
    encoder, rng = Encoder(Workspace()), np.random.default_rng(0)
    keys = rng.integers(0, 900, 9000)
    nulls = pa.concat_arrays([pa.array(keys), pa.nulls(1, pa.int64())])
    assert encoder.encode_pieces([nulls.slice(0, 5000), nulls.slice(5000)]) is None
    assert encoder.encode_pieces(cut(pa.array(keys), 0)) is not None
    wide = Encoder(Workspace())
    for _ in range(2):  # the second time it is known
        assert wide.encode_pieces(cut(pa.array(keys * 2**40), 0)) is None
