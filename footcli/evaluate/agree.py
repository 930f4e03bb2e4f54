"""Agreement of two sets of numbers, and intervals by resampling patients. No anatomy here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROUNDS = 1000
"""Bootstrap rounds: enough for the ends of a 95 % interval to two digits."""
FEWEST = 5
"""Fewer patients than this give no interval: resampling them shows only their few values."""
SEED = 20


def icc21(a: Array, b: Array) -> float | None:
    """ICC(2,1), two-way random effects, absolute agreement, single measure, of paired values (n,).

    None for fewer than 3 pairs or values that do not vary. Source: Shrout and Fleiss, Psychological
    Bulletin 1979;86:420-428.
    """
    n = len(a)
    if n < 3:
        return None
    table = np.stack([a, b], axis=1)
    grand, rows, columns = table.mean(), table.mean(1), table.mean(0)
    between_rows = 2 * float(((rows - grand) ** 2).sum()) / (n - 1)
    between_columns = n * float(((columns - grand) ** 2).sum())  # one degree of freedom: two raters
    rest = float(((table - rows[:, None] - columns[None] + grand) ** 2).sum()) / (n - 1)
    under = between_rows + rest + 2 * (between_columns - rest) / n
    return (between_rows - rest) / under if under > 0 else None


def limits_of_agreement(differences: Array) -> tuple[float, float] | None:
    """Mean -/+ 1.96 standard deviations of paired differences (n,); None for fewer than 3.

    Source: Bland and Altman, Lancet 1986;327:307-310.
    """
    if len(differences) < 3:
        return None
    middle, half_width = float(differences.mean()), 1.96 * float(differences.std(ddof=1))
    return middle - half_width, middle + half_width


def resamples(patients: Sequence[str], rounds: int = ROUNDS) -> NDArray[np.int64] | None:
    """(rounds, cases) how often each case is drawn when patients are drawn with replacement; all
    cases of a patient are drawn at once.

    None for fewer than FEWEST patients. The same patients give the same draws.
    """
    names = sorted(set(patients))
    if len(names) < FEWEST:
        return None
    drawn = np.random.default_rng(SEED).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=rounds
    )
    rank = {name: i for i, name in enumerate(names)}
    return np.asarray(drawn[:, [rank[p] for p in patients]])


def mean_known(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are known; None without any."""
    good = [v for v in values if v is not None]
    return float(np.mean(good)) if good else None


def interval(values: Array) -> tuple[float, float] | None:
    """The middle 95 % of resampled values; None where half of them or more are undefined (NaN)."""
    good = values[np.isfinite(values)]
    if 2 * len(good) <= len(values):
        return None
    low, high = np.percentile(good, (2.5, 97.5))
    return float(low), float(high)


def mean_interval(
    sums: Array, counts: Array, draws: NDArray[np.int64] | None
) -> tuple[float, float] | None:
    """Interval of sum / count, both per case (cases,); None if fewer than FEWEST cases count."""
    if draws is None or np.count_nonzero(counts) < FEWEST:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval((draws @ sums) / (draws @ counts))


def macro_interval(table: Array, draws: NDArray[np.int64] | None) -> tuple[float, float] | None:
    """Interval of the mean over columns of the means over cases: table (cases, columns), NaN where
    a case has no value.

    None if a column has fewer than FEWEST cases; columns without any are left out.
    """
    there = np.isfinite(table)
    used = there.any(0)
    if draws is None or not used.any() or (there.sum(0)[used] < FEWEST).any():
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (draws @ np.where(there, table, 0.0)[:, used]) / (
            draws @ there[:, used].astype(float)
        )
    return interval(means.mean(1))


def rate_interval(hits: int, of: int) -> tuple[float, float] | None:
    """Wilson's 95 % interval of a proportion of independent patients; None if `of` is 0.

    Source: Journal of the ASA 1927;22:209-212.
    """
    if not of:
        return None
    from scipy.stats import binomtest

    found = binomtest(hits, of).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def any_interval(
    statistic: Callable[[NDArray[np.int64]], float | None], draws: NDArray[np.int64] | None
) -> tuple[float, float] | None:
    """Interval of a statistic, which takes how often each case counts (cases,)."""
    if draws is None:
        return None
    found = [statistic(weights) for weights in draws]
    return interval(np.array([np.nan if v is None else v for v in found]))
