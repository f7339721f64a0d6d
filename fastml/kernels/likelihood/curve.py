"""The profile deviance at many thetas, measured from one of them without cancellation.

Arguments as in `profile.py`.
"""

from __future__ import annotations

import math

from numba.core import types

from fastml.kernels.jit import F8_IN, TABLE_OUT, kernel
from fastml.kernels.likelihood.profile import _terms

__all__ = ["N_CURVE", "profile_curve"]

N_CURVE = 7


@kernel(F8_IN, types.float64, F8_IN, F8_IN, F8_IN, F8_IN, types.float64, types.float64, types.boolean, TABLE_OUT)
def profile_curve(thetas, origin, size, count, mean, ss, ssw, dof, restricted, out):
    """Fill rows of `out` (T, N_CURVE) with the profile deviance at `thetas` (T,) and what goes with it.

    deviance(theta) - deviance(origin); its derivative by theta; gamma; W1 = sum(count w); R; Q2; W2. The difference
    is summed from differences: at 1e7 observations the deviance itself has lost what an interval's limit needs.
    """
    gamma0, w10, _, _, _, _, _, _ = _terms(origin, size, count, mean, ss, 0.0)
    r0 = ssw
    for s in range(size.shape[0]):
        e = mean[s] - gamma0
        r0 += size[s] / (1.0 + size[s] * origin) * (ss[s] + count[s] * e * e)
    for t in range(thetas.shape[0]):
        theta = thetas[t]
        gamma, w1, w2, _, r, q2, _, _ = _terms(theta, size, count, mean, ss, ssw)
        logs = 0.0
        falls = 0.0
        for s in range(size.shape[0]):
            base = 1.0 + size[s] * origin
            # log of (1 + size theta)/(1 + size origin), from the side where log1p's argument is not near -1.
            if theta >= origin:
                logs += count[s] * math.log1p(size[s] * (theta - origin) / base)
            else:
                logs -= count[s] * math.log1p(size[s] * (origin - theta) / (1.0 + size[s] * theta))
            # w - w0 = -w0 w (theta - origin); gamma moves only in the second order, but that too is kept.
            e0 = mean[s] - gamma0
            w0 = size[s] / base
            w = size[s] / (1.0 + size[s] * theta)
            falls -= w0 * w * (theta - origin) * (ss[s] + count[s] * e0 * e0)
        # R(theta) is its sum about gamma0 less W1 (gamma - gamma0)^2.
        falls -= w1 * (gamma - gamma0) ** 2
        # Where next to nothing of R is left, its fall is all of it.
        value = logs + dof * (math.log(r / r0) if r < 0.5 * r0 else math.log1p(falls / r0))
        slope = w1 - dof * (q2 / r)
        if restricted:
            value += math.log(w1 / w10)
            slope -= w2 / w1
        out[t, 0] = value
        out[t, 1] = slope
        out[t, 2] = gamma
        out[t, 3] = w1
        out[t, 4] = r
        out[t, 5] = q2
        out[t, 6] = w2
