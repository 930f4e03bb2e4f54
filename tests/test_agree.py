"""evaluate/agree: agreement against closed forms, intervals over patients."""

from __future__ import annotations

import numpy as np
import pytest

from footcli.evaluate.agree import (
    any_interval,
    icc21,
    interval,
    limits_of_agreement,
    mean_interval,
    resamples,
)


def test_icc_of_equal_values_is_one_and_a_constant_offset_lowers_it_by_its_square() -> None:
    a = np.arange(10.0)
    assert icc21(a, a) == pytest.approx(1.0)
    variance = a.var(ddof=1)
    # between rows 2 v, no rest, between raters n c^2 / 2: v / (v + c^2 / 2)
    assert icc21(a, a + 3) == pytest.approx(variance / (variance + 9 / 2))


def test_icc_follows_the_mean_squares_of_a_two_way_table() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(0, 5, 30)
    b = a + rng.normal(1, 2, 30)
    table = np.stack([a, b], 1)
    n, k = table.shape
    rows = k * ((table.mean(1) - table.mean()) ** 2).sum() / (n - 1)
    raters = n * ((table.mean(0) - table.mean()) ** 2).sum() / (k - 1)
    total = ((table - table.mean()) ** 2).sum()
    rest = (total - rows * (n - 1) - raters * (k - 1)) / ((n - 1) * (k - 1))
    assert icc21(a, b) == pytest.approx(
        (rows - rest) / (rows + (k - 1) * rest + k * (raters - rest) / n)
    )


def test_icc_is_not_known_of_two_pairs_or_of_values_that_do_not_vary() -> None:
    assert icc21(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert icc21(np.ones(5), np.ones(5)) is None


def test_limits_of_agreement_are_the_mean_and_about_two_deviations() -> None:
    gaps = np.array([-1.0, 0.0, 1.0, 2.0, 3.0])
    low, high = limits_of_agreement(gaps) or (0.0, 0.0)
    assert (low + high) / 2 == pytest.approx(1.0)
    assert high - low == pytest.approx(2 * 1.96 * gaps.std(ddof=1))
    assert limits_of_agreement(gaps[:2]) is None


def test_cases_of_one_patient_are_drawn_together_and_too_few_patients_give_no_interval() -> None:
    draws = resamples(["a", "b", "a", "c", "d", "e"])
    assert draws is not None
    assert (draws[:, 0] == draws[:, 2]).all()
    assert (draws[:, [0, 1, 3, 4, 5]].sum(1) == 5).all()
    assert resamples(["a", "b", "a", "b", "c", "d"]) is None
    np.testing.assert_array_equal(draws, resamples(["a", "b", "a", "c", "d", "e"]))


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        values = rng.normal(3.0, 1.0, 40)
        low, high = mean_interval(values, np.ones(40), resamples([str(i) for i in range(40)])) or (
            0.0,
            0.0,
        )
        inside += low <= 3.0 <= high
    assert 178 <= inside <= 200  # 95 % of 200, a little fewer for 40 patients


def test_an_interval_of_mostly_unknown_values_is_unknown() -> None:
    assert interval(np.array([1.0, np.nan, np.nan])) is None
    assert mean_interval(np.zeros(6), np.zeros(6), resamples(list("abcdef"))) is None
    assert any_interval(lambda weights: None, resamples(list("abcdef"))) is None
    assert any_interval(lambda weights: float(weights.sum()), resamples(list("abcdef"))) == (
        6.0,
        6.0,
    )
