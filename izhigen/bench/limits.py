"""Measured limits of the machine: multiply-adds a second of one core, and bytes a second of a copy."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from izhigen.bench.native import NativeLibrary
from izhigen.codegen.render import environment
from izhigen.errors import BackendError

FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-fPIC", "-shared")
ACCUMULATORS = 12
PROTOTYPES = """int lanes(void);
{real} multiply_add(int64_t rounds, {real} factor, {real} term);
void copy({real} *target, {real} *source, int64_t count, int64_t repeats);"""


@dataclass(frozen=True)
class Peak:
    """Multiply-adds of numbers a second of one core, best of the repeats, and numbers in a vector."""

    dtype: str
    rate: float
    lanes: int


class Limits:
    """The measuring code of one number type.

    Raises
    ------
    BackendError
        When the arithmetic is not what it should be, so that its figures would mean nothing.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype, self.real = dtype, "float" if dtype == "float32" else "double"
        source = environment().get_template("c/limits.c.j2").render(real=self.real, accumulators=ACCUMULATORS)
        self._library = NativeLibrary(source, PROTOTYPES.format(real=self.real), FLAGS)
        self.lanes = int(self._library.functions.lanes())
        self._check()

    def multiply_add(self, count: int) -> None:
        """About that many multiply-adds, in whole rounds."""
        self._library.functions.multiply_add(max(1, round(count / (ACCUMULATORS * self.lanes))), 0.999, 1e-3)

    def peak(self, seconds: float = 0.1, repeats: int = 7) -> Peak:
        """Multiply-adds a second of one core."""
        count, elapsed = 1 << 20, 0.0
        while elapsed < seconds:
            count *= 2
            elapsed = self._timed(count)
        return Peak(self.dtype, count / min(self._timed(count) for _ in range(repeats)), self.lanes)

    def _timed(self, count: int) -> float:
        started = time.perf_counter()
        self.multiply_add(count)
        return time.perf_counter() - started

    def _check(self) -> None:
        """Three rounds by hand: nothing was left out by the compiler."""
        found = self._library.functions.multiply_add(3, 0.5, 1.0)
        expected = self.lanes * sum(((start * 0.5 + 1) * 0.5 + 1) * 0.5 + 1 for start in range(1, ACCUMULATORS + 1))
        if abs(found - expected) > 1e-3 * expected:
            raise BackendError(f"the multiply-add benchmark computes {found} where it should {expected}")

    def bandwidth(self, size: int, threads: int = 1, seconds: float = 0.1, repeats: int = 5) -> float:
        """Bytes read and written a second by a copy of ``size`` bytes a thread from and to; best of the repeats."""
        count = max(64, size // 2 // np.dtype(self.dtype).itemsize)
        pairs = [(np.zeros(count, self.dtype), np.ones(count, self.dtype)) for _ in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            rounds, elapsed = 1, self._copy(pool, pairs, 1)
            while elapsed < seconds:
                rounds *= 2
                elapsed = self._copy(pool, pairs, rounds)
            best = min([elapsed, *(self._copy(pool, pairs, rounds) for _ in range(repeats))])
        return 2.0 * count * np.dtype(self.dtype).itemsize * threads * rounds / best

    def _copy(self, pool: ThreadPoolExecutor, pairs: list, rounds: int) -> float:
        def work(pair: tuple[np.ndarray, np.ndarray]) -> None:
            kind = f"{self.real} *"
            self._library.functions.copy(
                self._library.pointer(kind, pair[0]), self._library.pointer(kind, pair[1]), len(pair[0]), rounds
            )

        started = time.perf_counter()
        list(pool.map(work, pairs))
        return time.perf_counter() - started


class PeakCandidate:
    """A neuron-step of so many multiply-adds and nothing else, as something that can be measured beside kernels: their
    ceiling on one core.
    """

    fixed_steps: int | None = None
    least_steps = 1

    def __init__(self, limits: Limits, count: int, each: float) -> None:
        self._limits, self.count, self._work = limits, count, count * each

    def run(self, steps: int) -> None:
        """As many multiply-adds as ``steps`` steps have."""
        self._limits.multiply_add(int(self._work * steps))
