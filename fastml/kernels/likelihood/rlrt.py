"""Null distribution of the restricted likelihood-ratio test of tau00 = 0 (Crainiceanu and Ruppert 2004)."""

from __future__ import annotations

import math

from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, TABLE_IN, inner, kernel

__all__ = ["suprema", "within_roots"]


@kernel(F8_IN, F8_IN, F8_OUT)
def within_roots(size, count, out):
    """Fill `out` (S - 1,) with the roots of sum(count size/(size - x)) = 0, one between each two sizes.

    They are the simple eigenvalues of diag(n) - nn'/N but for 0 (x times this sum is sum(count size^2/(size - x)) - N,
    its secular equation); a size itself is one too, count - 1 times.
    """
    for i in range(size.shape[0] - 1):
        low = size[i]
        high = size[i + 1]
        x = 0.5 * (low + high)
        # The sum below x and that above it are each as one pole at the next size, in value and slope: the root of such
        # a pair and a constant is that of a quadratic, and it squares the error (secular equations; Li 1993).
        for _ in range(54):
            below = 0.0
            below_slope = 0.0
            for s in range(i + 1):
                inverse = 1.0 / (size[s] - x)
                term = count[s] * size[s] * inverse
                below += term
                below_slope += term * inverse
            above = 0.0
            above_slope = 0.0
            for s in range(i + 1, size.shape[0]):
                inverse = 1.0 / (size[s] - x)
                term = count[s] * size[s] * inverse
                above += term
                above_slope += term * inverse
            value = below + above
            if value < 0.0:
                low = x
            else:
                high = x
            to_left = size[i] - x
            to_right = size[i + 1] - x
            square = value - to_left * below_slope - to_right * above_slope
            linear = (to_left + to_right) * value - to_left * to_right * (below_slope + above_slope)
            constant = to_left * to_right * value
            root = math.sqrt(max(linear * linear - 4.0 * constant * square, 0.0))
            new = x + (2.0 * constant / (linear + root) if linear > 0.0 else 0.5 * (linear - root) / square)
            if not low <= new <= high:
                new = 0.5 * (low + high)
            step = abs(new - x)
            x = new
            if step <= 1e-9 * min(x - size[i], size[i + 1] - x):
                break
        out[i] = x


@inner
def _height(theta, eigenvalues, multiplicity, squares, total, dof):
    explained = 0.0
    logs = 0.0
    for k in range(eigenvalues.shape[0]):
        x = eigenvalues[k] * theta
        explained += squares[k] * (x / (1.0 + x))
    for k in range(eigenvalues.shape[0]):
        logs += multiplicity[k] * math.log1p(eigenvalues[k] * theta)
    return -dof * math.log1p(-explained / total) - logs


@inner
def _slopes(theta, eigenvalues, multiplicity, squares, total, dof):
    """First and second derivative of the height by log theta."""
    explained = 0.0
    rise = 0.0
    bend = 0.0
    logs_rise = 0.0
    logs_bend = 0.0
    for k in range(eigenvalues.shape[0]):
        x = eigenvalues[k] * theta
        down = 1.0 / (1.0 + x)
        a = x * down
        b = a * down
        c = b * (down - a)
        explained += squares[k] * a
        rise += squares[k] * b
        bend += squares[k] * c
        logs_rise += multiplicity[k] * a
        logs_bend += multiplicity[k] * b
    left = total - explained
    return dof * rise / left - logs_rise, dof * (bend / left + (rise / left) ** 2) - logs_bend


@kernel(F8_IN, F8_IN, F8_IN, TABLE_IN, TABLE_IN, F8_IN, types.float64, F8_OUT)
def suprema(grid, eigenvalues, multiplicity, heights, squares, totals, dof, out):
    """Fill `out` (B,) with the supremum over theta >= 0 of each draw's likelihood ratio, 0 at theta = 0.

    `heights` (B, T): the ratio at `grid` (T,). The top of the grid is polished by Newton in log theta; one at an
    end of the grid is followed beyond it. `squares` (B, K): chi-square of each eigenvalue's block, `totals` (B,)
    their sum and the within part's.
    """
    points = grid.shape[0]
    for b in range(heights.shape[0]):
        row = squares[b]
        slope = 0.0  # at 0: positive where the supremum is
        for k in range(eigenvalues.shape[0]):
            slope += eigenvalues[k] * (dof * row[k] / totals[b] - multiplicity[k])
        best = 0
        for t in range(1, points):
            if heights[b, t] > heights[b, best]:
                best = t
        top = heights[b, best]
        if top <= 0.0 and slope <= 0.0:
            out[b] = 0.0
            continue
        u = math.log(grid[best])
        h = math.log(grid[1] / grid[0])
        if top <= 0.0:
            best = 0
            u = math.log(grid[0])
        if best == 0 or best == points - 1:
            h = -h if best == 0 else h
            here = _height(math.exp(u), eigenvalues, multiplicity, row, totals[b], dof)
            for _ in range(2000):
                there = _height(math.exp(u + h), eigenvalues, multiplicity, row, totals[b], dof)
                if there <= here and here > 0.0:
                    break
                u += h
                here = there
            h = abs(h)
            top = here
        centre = u
        for _ in range(12):
            first, second = _slopes(math.exp(u), eigenvalues, multiplicity, row, totals[b], dof)
            if not second < 0.0:
                break
            new = min(max(u - first / second, centre - h), centre + h)
            step = abs(new - u)
            u = new
            if step < 1e-6:  # leaves 1e-12 of the height
                break
        out[b] = max(top, _height(math.exp(u), eigenvalues, multiplicity, row, totals[b], dof), 0.0)
