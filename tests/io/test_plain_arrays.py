"""What dictionaries, views, run ends and extensions hold, one inside the other too."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pytest
from key_columns import TYPES, column

from fastml.io.plain_arrays import plain_array, plain_type

VALUES = ["a", "b", None, "a", "c"]


def encodings() -> dict[str, pa.Array]:
    views = pa.array(VALUES, pa.string_view())
    indices = pa.array([0, 1, None, 0, 2], pa.uint32())
    of_views = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b", "c"], pa.string_view()))
    ends = pa.array([1, 2, 3, 4, 5], pa.int16())
    return {
        "plain": pa.array(VALUES),
        "views": views,
        "dictionary": pa.array(VALUES).dictionary_encode(),
        "dictionary of views": of_views,
        "null in the dictionary": pa.DictionaryArray.from_arrays(
            pa.array([0, 1, 2, 0, 3]), pa.array(["a", "b", None, "c"])
        ),
        "run ends": pa.RunEndEncodedArray.from_arrays(ends, pa.array(VALUES)),
        "run ends of views": pa.RunEndEncodedArray.from_arrays(ends, views),
        "run ends of a dictionary of views": pa.RunEndEncodedArray.from_arrays(ends, of_views),
    }


@pytest.mark.parametrize("name", encodings())
def test_texts_however_they_are_encoded(name: str) -> None:
    array = encodings()[name]
    for start in (0, 1, 3):
        found = plain_array(array.slice(start, 4))
        assert found.type == plain_type(array.type)
        assert found.to_pylist() == VALUES[start : start + 4]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_label(name: str) -> None:
    array = column(name, 30, "shuffled", True)
    found = plain_array(array)
    assert found.type == plain_type(array.type) == plain_type(found.type)
    assert found.to_pylist() == array.to_pylist()


def test_an_extension_is_its_storage() -> None:
    ids = [uuid.UUID(int=i).bytes for i in range(3)]
    array = pa.ExtensionArray.from_storage(pa.uuid(), pa.array(ids, pa.binary(16)))
    assert plain_array(array.slice(1)).to_pylist() == ids[1:]
