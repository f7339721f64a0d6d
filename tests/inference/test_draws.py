"""What a simulation may be asked: numbers of draws, and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from fastml.errors import RangeError
from fastml.inference.draws import MOST, check_draws, generator


@pytest.mark.parametrize("draws", [39, MOST + 1, 1e4, True, "100", None])
def test_numbers_of_draws_that_are_none(draws: int) -> None:
    check_draws(40, 40)
    check_draws(np.int64(MOST), 40)
    with pytest.raises(RangeError, match="a whole number of draws, from 40 to 100,000,000"):
        check_draws(draws, 40)


@pytest.mark.parametrize("seed", [-1, 1.5, "one"])
def test_seeds_that_are_none(seed: int) -> None:
    with pytest.raises(RangeError, match="a whole number of 0 or more"):
        generator(seed)


def test_a_generator_is_taken_as_it_is_and_goes_on() -> None:
    given = np.random.default_rng(3)
    assert generator(given) is given
    assert generator(3).random() == given.random()
    assert generator(3).random() != given.random()
    assert generator(None).random() != generator(None).random()
