"""Profile-likelihood sets: where the deviance is within a chi-square quantile of its minimum.

Everything is one-dimensional in theta = tau00/sigma2. At a given theta the deviance is least at
sigma2 = R(theta)/dof and gamma00 = gamma(theta), and the joint set {deviance <= minimum + c} is, above that theta,
one interval of sigma2 and one of gamma00, in closed form. So the set falls into pieces exactly where the set of
theta does, and the limits of any parameter are extrema, over a piece, of a smooth function of theta.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fastml.errors import ModelError
from fastml.inference.distributions import chi2_quantile, chi2_upper, root
from fastml.model.profile import evaluate_many
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents

__all__ = ["ProfileLimits", "ProfileSet", "profile_set", "relative_deviance"]

Floats = npt.NDArray[np.float64]
# Of theta, the rows of the curve there, the slack left to the limit and the side (-1 or 1): the log of sigma2, say.
_Edge = Callable[[Floats, Floats, Floats, Floats], Floats]

_GAMMA, _W1, _R, _VALUE, _SLOPE = 0, 1, 4, 9, 10  # places in a row of `evaluate_many`

# A set within less of the minimum (a level of 1e-16) is, to rounding, the estimate.
SMALLEST_DROP = 1e-32


@dataclass(frozen=True)
class ProfileLimits:
    """Limits of one parameter's profile interval, in the units of the `SizeTable`.

    Attributes
    ----------
    low, high : float
        Of the connected piece that holds the global optimum.
    pieces : int
        Connected pieces of the whole set; more than 1 when another optimum reaches it.
    """

    low: float
    high: float
    pieces: int


@dataclass(frozen=True, eq=False)
class ProfileSet:
    """The thetas within `drop` of the least deviance, and what they imply for the other parameters.

    Attributes
    ----------
    table : SizeTable
    theta : float
        The global optimum.
    dof : float
        N - 1 (REML) or N (ML).
    restricted : bool
        REML.
    drop : float
        Chi-square quantile with 1 degree of freedom.
    pieces : tuple of (float, float)
        Connected pieces of the set of theta, lowest first.
    main : int
        Which of them holds `theta`.
    """

    table: SizeTable
    theta: float
    dof: float
    restricted: bool
    drop: float
    pieces: tuple[tuple[float, float], ...]
    main: int

    def limits_theta(self) -> ProfileLimits:
        """Limits of theta, which those of the icc and of all that follows from it map."""
        low, high = self.pieces[self.main]
        return ProfileLimits(low, high, len(self.pieces))

    def limits_sigma2(self) -> ProfileLimits:
        """Limits of sigma2, in `table.unit` squared."""

        def log_sigma2(theta: Floats, rows: Floats, slack: Floats, side: Floats) -> Floats:
            return np.log(rows[:, _R] / self.dof) - _gap(slack / self.dof, -side)

        low, high, pieces = self._project(log_sigma2)
        return ProfileLimits(math.exp(low), math.exp(high), pieces)

    def limits_tau00(self) -> ProfileLimits:
        """Limits of tau00, in `table.unit` squared."""

        def log_tau00(theta: Floats, rows: Floats, slack: Floats, side: Floats) -> Floats:
            with np.errstate(divide="ignore"):
                return np.log(theta) + np.log(rows[:, _R] / self.dof) - _gap(slack / self.dof, -side)

        low, high, pieces = self._project(log_tau00)
        return ProfileLimits(math.exp(low), math.exp(high), pieces)

    def limits_gamma00(self) -> ProfileLimits:
        """Limits of gamma00 less `table.origin`, in `table.unit`; for an ML set."""
        if self.restricted:
            raise ModelError("the restricted likelihood has no gamma00 to profile; use an ML fit")

        def gamma(theta: Floats, rows: Floats, slack: Floats, side: Floats) -> Floats:
            return rows[:, _GAMMA] + side * np.sqrt(rows[:, _R] / rows[:, _W1] * np.expm1(slack / self.dof))

        return ProfileLimits(*self._project(gamma))

    def _project(self, edge: _Edge) -> tuple[float, float, int]:
        """Limits of the connected piece with the optimum, of a parameter between the edges of the joint set."""
        shadows = [self._extremes(edge, piece) for piece in self.pieces]
        low, high = shadows[self.main]
        # Pieces apart in theta may overlap in this parameter, and a chain of them may reach the main one.
        rest = [shadow for k, shadow in enumerate(shadows) if k != self.main]
        while touching := [shadow for shadow in rest if shadow[0] <= high and shadow[1] >= low]:
            low = min([low, *(shadow[0] for shadow in touching)])
            high = max([high, *(shadow[1] for shadow in touching)])
            rest = [shadow for shadow in rest if shadow not in touching]
        return low, high, 1 + _count_pieces(rest)

    def _extremes(self, edge: _Edge, piece: tuple[float, float]) -> tuple[float, float]:
        """Least and greatest value on the edge of the joint set over a piece: once around it, then parabolas.

        The edge is a closed curve, theta going like a cosine: its two sides meet smoothly where the slack is 0. Where
        the piece is cut at theta = 0 they do not, and each side has an end there.
        """
        low, high = piece
        # u = log(theta + shift), so that 0 is an ordinary end.
        shift = 0.0 if low > 0.0 else min(high, 1.0 / (float(self.table.size[-1]) * math.sqrt(self.table.n_groups)))
        u_low, u_high = math.log(low + shift), math.log(high + shift)
        middle, half = 0.5 * (u_low + u_high), 0.5 * (u_high - u_low)

        def value(angle: Floats, side: Floats) -> Floats:
            theta = np.clip(np.exp(middle - half * np.cos(angle)) - shift, low, high)
            theta[angle == 0.0] = low
            rows = _curve(self.table, theta, self.theta, self.dof, self.restricted)
            return edge(theta, rows, np.maximum(self.drop - rows[:, _VALUE], 0.0), side)

        steps = max(40, math.ceil(2.0 * half / 0.1))
        right = np.linspace(0.0, math.pi, steps + 1)
        if low == 0.0:
            right = np.concatenate(([0.0], right[1] * 0.5 ** np.arange(10, 0, -1), right[1:]))
        sides = np.concatenate((np.full(right.size, -1.0), np.ones(right.size - 1)))
        angles = np.concatenate((-right[::-1], right[1:]))
        angles[right.size - 1] = 0.0  # the lower side's end; the upper side has its own
        if low == 0.0:
            angles, sides = np.append(angles, 0.0), np.append(sides, 1.0)
        heights = value(angles, sides)
        ends = []
        for sign in (-1.0, 1.0):
            best = float(np.max(sign * heights))
            around_loop = sign * heights[: 2 * right.size - 2]  # the last is the first again
            before, after = np.roll(around_loop, 1), np.roll(around_loop, -1)
            for top in np.flatnonzero((around_loop >= before) & (around_loop >= after)):
                centre = float(angles[top])
                if low == 0.0 and centre == 0.0:
                    continue  # an end, not a top
                h = float(min(abs(angles[top - 1] - centre) if top else math.pi, abs(angles[top + 1] - centre)))
                best = max(best, self._top(value, sign, centre, h, low == 0.0))
            ends.append(sign * best)
        return ends[0], ends[1]

    @staticmethod
    def _top(value: Callable[[Floats, Floats], Floats], sign: float, centre: float, h: float, cut: bool) -> float:
        """Greatest of sign*value near an angle, by parabolas through ever closer points."""
        best = -math.inf
        start = math.copysign(1.0, centre)
        for _ in range(12):
            angle = np.array([centre - h, centre, centre + h])
            # Angles wrap at pi onto the other side; at 0 only where the edge closes there.
            wrapped = np.remainder(angle + math.pi, 2.0 * math.pi) - math.pi
            side = np.where(wrapped >= 0.0, 1.0, -1.0)
            if cut:
                side[np.abs(angle) < 0.5 * math.pi] = start
            left, mid, right = sign * value(wrapped, side)
            best = max(best, float(left), float(mid), float(right))
            if not (math.isfinite(left) and math.isfinite(right)):
                break  # next to theta = 0, whose log has no parabola
            bend = left - 2.0 * mid + right
            if not bend < 0.0:
                break
            move = float(0.5 * h * (left - right) / bend)
            if abs(move) >= h:
                centre += math.copysign(h, move)
                continue
            centre += move
            h *= 0.05
            if h < 1e-7:
                break
        return best


def _count_pieces(intervals: list[tuple[float, float]]) -> int:
    count, end = 0, math.nan  # an interval may begin at minus infinity, where the log of tau00 = 0 is
    for low, high in sorted(intervals):
        count += not low <= end
        end = high if math.isnan(end) else max(end, high)
    return count


def _gap(excess: Floats, sign: Floats) -> Floats:
    """L with exp(L) - 1 - L = excess, of the given sign: how far log(1/sigma2) may go, by Newton from outside."""
    first = np.sqrt(2.0 * excess)
    gap = np.where(sign > 0.0, np.minimum(first, np.log1p(excess + first)), -np.minimum(1.0 + excess, excess + first))
    for _ in range(60):
        slope = np.expm1(gap)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.where(slope == 0.0, 0.0, (slope - gap - excess) / slope)
        gap = gap - step
        if np.all(np.abs(step) <= 1e-8 * np.abs(gap)):  # Newton squares what is left
            break
    return gap


def _curve(table: SizeTable, theta: Floats, origin: float, dof: float, restricted: bool) -> Floats:
    return evaluate_many(table.columns, theta, origin, table.ssw, dof, restricted)


def relative_deviance(table: SizeTable, vc: VarianceComponents, theta: float) -> float:
    """Profile deviance at a theta less that at the fit's, without the cancellation of subtracting the two.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
        A REML or ML fit.
    theta : float
        0 or more.

    Returns
    -------
    float
    """
    return float(_curve(table, np.array([theta]), vc.theta, vc.dof, vc.method == "reml")[0, _VALUE])


def profile_set(table: SizeTable, vc: VarianceComponents, level: float) -> ProfileSet:
    """Find the thetas that a profile-likelihood interval of the fit's own deviance allows.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
        A REML or ML fit.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    ProfileSet
    """
    if vc.optimum is None:
        raise ModelError("method='anova' has no likelihood to profile; use method='exact' or 'bootstrap'")
    restricted = vc.method == "reml"
    drop = max(SMALLEST_DROP, chi2_upper(1.0 - level, 1.0) if level > 0.5 else chi2_quantile(level, 1.0))

    def rows(*thetas: float) -> Floats:
        return _curve(table, np.array(thetas), vc.theta, vc.dof, restricted)

    minima = list(vc.optimum.thetas)
    values = rows(*minima)[:, _VALUE]
    # Between two minima lies one maximum, where the score turns from positive to negative.
    saddles = [_maximum(rows, a, b) for a, b in pairwise(minima)]
    heights = [float(rows(saddle)[0, _VALUE]) for saddle in saddles]
    zero_inside = float(rows(0.0)[0, _VALUE]) <= drop
    pieces: list[tuple[float, float]] = []
    main = 0
    start: float | None = None
    for k, theta in enumerate(minima):
        if values[k] >= drop:
            continue
        if start is None:
            floor = saddles[k - 1] if k else 0.0
            start = 0.0 if k == 0 and zero_inside else _crossing(rows, drop, theta, floor)
        if theta == vc.theta:
            main = len(pieces)
        if k < len(saddles) and heights[k] < drop:
            continue
        pieces.append((start, _crossing(rows, drop, theta, saddles[k] if k < len(saddles) else math.inf)))
        start = None
    return ProfileSet(table, vc.theta, vc.dof, restricted, drop, tuple(pieces), main)


def _maximum(rows: Callable[..., Floats], left: float, right: float) -> float:
    """Theta between two minima where the deviance is highest."""
    low = math.log(left) if left > 0.0 else math.log(right) - 60.0
    high = math.log(right)
    for _ in range(80):
        middle = 0.5 * (low + high)
        if rows(math.exp(middle))[0, _SLOPE] > 0.0:
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high))


def _crossing(rows: Callable[..., Floats], drop: float, inside: float, outside: float) -> float:
    """Theta between a minimum inside the set and a point outside it, where the deviance has risen by `drop`."""
    sign = 1.0 if outside > inside else -1.0
    if inside == 0.0:
        # From the boundary: first a positive theta that is still inside.
        high = outside
        if math.isinf(high):
            high = 1.0
            while rows(high)[0, _VALUE] <= drop:
                high *= 16.0
        inside = high
        while rows(inside)[0, _VALUE] > drop:
            inside *= 0.0625
        outside = min(high, 16.0 * inside)
    else:
        # A bracket of a factor 4; far out there may be nothing but slopes of one sign.
        factor = 4.0**sign
        near = inside
        while sign * (near * factor - outside) < 0.0 and rows(near * factor)[0, _VALUE] <= drop:
            near *= factor
        inside, outside = near, (near * factor if sign * (near * factor - outside) < 0.0 else outside)
    if outside == 0.0:
        return max(0.0, inside)

    def excess(u: float) -> tuple[float, float]:
        theta = math.exp(sign * u)
        row = rows(theta)[0]
        return float(row[_VALUE]) - drop, sign * theta * float(row[_SLOPE])

    low, high = sorted((sign * math.log(inside), sign * math.log(outside)))
    return math.exp(sign * root(excess, low, high, 0.5 * (low + high)))
