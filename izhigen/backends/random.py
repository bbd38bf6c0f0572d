"""Counter-based random numbers, the same on every backend: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers:
as easy as 1, 2, 3", SC'11), keyed by seed, neuron, step and stream, and normal variates by Box and Muller (1958).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from izhigen.codegen.agreed import MULTIPLIERS, ROUNDS, STREAM_SHIFT, WEYL

_FACTORS = tuple(np.uint64(multiplier) for multiplier in MULTIPLIERS)
_LOW = np.uint64(0xFFFFFFFF)


def philox4x32(counter: Any, key: tuple[int, int]) -> Any:
    """Four random words for each counter.

    Parameters
    ----------
    counter : array of uint32, shape (4, n)
    key : two integers below 2**32

    Returns
    -------
    array of uint32, shape (4, n)
    """
    c = [np.asarray(word, np.uint64) for word in counter]
    k0, k1 = key
    shift = np.uint64(32)
    for _ in range(ROUNDS):
        a, b = c[0] * _FACTORS[0], c[2] * _FACTORS[1]
        c = [(b >> shift) ^ c[1] ^ np.uint64(k0), b & _LOW, (a >> shift) ^ c[3] ^ np.uint64(k1), a & _LOW]
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return np.array(c, dtype=np.uint32)


def random_words(
    key: int, first_index: int, n: int, first_block: int, last_block: int, part: int, stream: int = 0
) -> Any:
    """The words of successive blocks of four steps, shape (4, blocks, n); ``part`` tells kinds of variates apart, in
    bits that no block has.
    """
    neuron = (np.uint64(first_index) + np.arange(n, dtype=np.uint64))[None, :]
    block = np.arange(first_block, last_block + 1, dtype=np.uint64)[:, None]
    counter = np.broadcast_arrays(
        neuron & _LOW,
        (neuron >> np.uint64(32)) ^ np.uint64(stream << STREAM_SHIFT),
        block & _LOW,
        (block >> np.uint64(32)) ^ np.uint64(part),
    )
    return philox4x32(counter, (key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF))


def normals(seed: int, first_index: int, n: int, step: int, stream: int, dtype: Any) -> Any:
    """Standard normal variates of one step for neurons ``first_index ... first_index + n - 1``, shape (n,)."""
    return normal_rows(seed, first_index, n, step, 1, stream, dtype)[0]


def normal_rows(seed: int, first_index: int, n: int, first_step: int, steps: int, stream: int, dtype: Any) -> Any:
    """Standard normal variates of successive steps, shape (steps, n).

    One counter serves four successive steps of a neuron; words 0, 1 and 2, 3 are the pairs of Box and Muller.
    """
    words = random_words(seed, first_index, n, first_step >> 2, (first_step + steps - 1) >> 2, 0, stream)
    bits = 24 if np.dtype(dtype) == np.float32 else 32
    fractions = (words >> np.uint32(32 - bits)).astype(np.float64)
    rows = np.empty((words.shape[1], 4, n), dtype)
    for pair in (0, 2):
        radius = np.sqrt(-2.0 * np.log((fractions[pair] + 0.5) / 2.0**bits))
        angle = 2.0 * np.pi * (fractions[pair + 1] / 2.0**bits)
        rows[:, pair], rows[:, pair + 1] = radius * np.cos(angle), radius * np.sin(angle)
    start = first_step & 3
    return rows.reshape(-1, n)[start : start + steps]
