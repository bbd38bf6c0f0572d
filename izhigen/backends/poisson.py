"""Poisson variates, the same on every backend: one uniform number of 64 bits, inverted, which is exact for any mean.

The values are taken in the order mode, mode + 1, mode - 1, ... (Kemp 1981, "Efficient generation of logarithmically
distributed pseudo-random variables", Applied Statistics 30, and Devroye 1986, "Non-Uniform Random Variate Generation",
X.3): the variate is the first one at which the sum of their probabilities exceeds the uniform number. Sums are whole
numbers of 2^-64, so that no rounding decides a draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from izhigen.backends.random import random_words
from izhigen.codegen.agreed import HIGH_WORDS, LOW_WORDS

Array = Any

DIRECT = 32
"""Modes below this one: the probability is a product; from it on, Stirling's series (Loader 2000) gives 16 digits."""
TWO_64 = 2.0**64
LARGEST_WORD = np.uint64(0xFFFFFFFFFFFFFFFF)


def first_sum(mean: Any) -> Array:
    """The probability of the most likely value, floor(mean), in units of 2^-64; uint64 in the mean's shape.

    For a mean below 1 it is 2^64 less the probability of any event, which keeps the digits of small means. Source: C.
    Loader (2000), "Fast and accurate computation of binomial probabilities": p(m) = exp(-delta(m) - m(d - log(1 +
    d)))/sqrt(2 pi m) with d = (mean - m)/m.
    """
    mean = np.asarray(mean, np.float64)
    mode = np.floor(mean)
    some = (-np.expm1(-np.minimum(mean, 1.0)) * TWO_64).astype(np.uint64)
    none = LARGEST_WORD - np.maximum(some, np.uint64(1)) + np.uint64(1)
    small = np.exp(-np.minimum(mean, float(DIRECT)))
    for k in range(1, DIRECT):
        small = np.where(k <= mode, small * (mean / k), small)
    m = np.maximum(mode, float(DIRECT))
    d, inverse = (mean - m) / m, 1.0 / (m * m)
    delta = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse * (1.0 / 1680.0)))) / m
    with np.errstate(all="ignore"):
        large = np.exp(-delta - m * (d - np.log1p(d))) / np.sqrt(2.0 * np.pi * m)
    some_mode = np.where(mode < DIRECT, small, large) * TWO_64
    return np.where(mode < 1.0, none, np.where(mode < 1.0, 0.0, some_mode).astype(np.uint64))


def poisson_counts(mean: Array, first: Array, key: int, first_index: int, n: int, step: int) -> Array:
    """Counts of neurons ``first_index ... first_index + n - 1`` in a step, shape (n,), int64.

    Parameters
    ----------
    mean : array of float64, shape (1,) or (n,)
    first : array of uint64, the same shape
        What :func:`first_sum` gives for it.
    key : int
        Of the stream, below 2**64.
    """
    high, low = (
        random_words(key, first_index, n, step >> 2, step >> 2, part)[step & 3, 0].astype(np.uint64)
        for part in (HIGH_WORDS, LOW_WORDS)
    )
    return _invert(
        np.broadcast_to(mean, n).astype(np.float64), np.broadcast_to(first, n), (high << np.uint64(32)) | low
    )


def _invert(mean: Array, first: Array, uniform: Array) -> Array:
    """The values whose sums of probabilities are the first above the uniform numbers."""
    mode = np.floor(mean).astype(np.int64)
    found = mode.copy()
    active = np.flatnonzero(uniform >= first)
    mean, mode, uniform, total = mean[active], mode[active], uniform[active], first[active].copy()
    up, down = total.astype(np.float64), total.astype(np.float64)
    j = 0
    while len(active):
        j += 1
        rises = (j > 2 * mode) | (j % 2 == 1)
        k = np.where(j > 2 * mode, j, mode + (j + 1) // 2 if j % 2 else mode - j // 2)
        with np.errstate(all="ignore"):
            up = np.where(rises, up * (mean / k), up)
            down = np.where(rises, down, down * ((k + 1) / mean))
        part = np.where(rises, up, down).astype(np.uint64)
        total = np.where(total + part < total, LARGEST_WORD, total + part)
        done = uniform < total
        found[active[done]] = k[done]
        spent = (up < 1.0) & ((down < 1.0) | (j >= 2 * mode))  # 2^-64 is left: the most likely value takes it
        stay = ~done & ~spent
        active, mean, mode, uniform, total, up, down = (x[stay] for x in (active, mean, mode, uniform, total, up, down))
    return found
