"""Compiled code: one signature a kernel."""

from __future__ import annotations

import numba
import pytest

from fastml.kernels import jit
from fastml.kernels.load import load_all

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="with JIT off nothing is compiled")


def test_each_kernel_has_one_signature() -> None:
    load_all()
    assert jit.KERNELS
    for kernel in jit.KERNELS.values():
        assert len(kernel.load().signatures) == 1, kernel.name


def test_a_signature_of_another_length_is_refused() -> None:
    with pytest.raises(TypeError, match=r"its signature has 1 types"):
        jit.kernel(jit.F8_IN)(lambda one, two: None)
