"""Stimuli: time series of an input, as BrainPy's functions of the same names define them.

A stimulus does not know its step until a population samples it: row k is the value held during step k, which starts at
``t = k*dt``. It lives in absolute time, so that a run that is continued goes on in it. Stimuli add up: ``section(...) + wiener(...)``.
Where BrainPy truncates ``time/dt``, a time within 1e-6 steps of an edge counts as on it.

Every function takes ``dt=None``; with a step given, ``numpy.asarray(stimulus)`` is the series itself.
"""

from __future__ import annotations

import functools
import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from izhigen.errors import IzhigenError, ValueShapeError
from izhigen.timegrid import TOLERANCE, check_dt, first_step_at_or_after

Series = Any
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Stimulus:
    """A time series of an input.

    Attributes
    ----------
    name : str
        What it is, for messages.
    duration : float
        Length in ms.
    make : callable
        ``make(dt)`` returns the series, shape (T,) or (T, n).
    dt : float or None
        Step in ms, when fixed.
    """

    name: str
    duration: float
    make: Callable[[float], Series]
    dt: float | None = None
    _sampled: dict[float, Series] = field(default_factory=dict, init=False, repr=False, compare=False)

    __array_ufunc__ = None  # so that numpy numbers leave arithmetic to the stimulus

    def sample(self, dt: float | None = None) -> Series:
        """The series at a step, shape (T,) or (T, n), float64, read-only.

        Raises
        ------
        ValueShapeError
            When no step is known, or another one than the stimulus was made for.
        """
        step = self.dt if dt is None else check_dt(dt)
        if step is None:
            raise ValueShapeError(f"{self.name}: no step is known; give dt= or sample(dt)")
        if self.dt is not None and not math.isclose(step, self.dt, rel_tol=1e-9):
            raise ValueShapeError(f"{self.name} was made with dt={self.dt:g} ms but is used at dt={step:g} ms; leave dt out to fit any step")
        if step not in self._sampled:
            self._sampled.clear()  # one series is kept: successive runs use the same step
            try:
                self._sampled[step] = np.asarray(self.make(step), dtype=np.float64)
            except (TypeError, ValueError) as problem:
                raise problem if isinstance(problem, IzhigenError) else ValueShapeError(f"{self.name}: {problem}") from problem
            self._sampled[step].setflags(write=False)
        return self._sampled[step]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Series:
        values = self.sample()
        return values if dtype is None else values.astype(dtype)

    def __len__(self) -> int:
        return len(self.sample())

    def __add__(self, other: Any) -> Stimulus:
        if not isinstance(other, Stimulus):
            if not isinstance(other, (int, float, np.number)):
                return NotImplemented
            return Stimulus(f"{self.name} + {other}", self.duration, lambda dt: self.sample(dt) + float(other), self.dt)
        return Stimulus(f"{self.name} + {other.name}", max(self.duration, other.duration), lambda dt: _sum(self, other, dt),
                        self.dt if self.dt is not None else other.dt)

    __radd__ = __add__

    def __neg__(self) -> Stimulus:
        return self * -1.0

    def __sub__(self, other: Any) -> Stimulus:
        return self + (-other)

    def __rsub__(self, other: Any) -> Stimulus:
        return (-self) + other

    def __truediv__(self, divisor: float) -> Stimulus:
        return self * (1.0 / divisor)

    def __mul__(self, factor: float) -> Stimulus:
        if not isinstance(factor, (int, float, np.number)):
            return NotImplemented
        return Stimulus(f"{factor}*{self.name}", self.duration, lambda dt: self.sample(dt) * factor, self.dt)

    __rmul__ = __mul__


def _sum(first: Stimulus, second: Stimulus, dt: float) -> Series:
    """Two series added; the shorter one is zero after its end, one series serves all neurons of the other."""
    a, b = first.sample(dt), second.sample(dt)
    if a.ndim != b.ndim:
        a, b = (x[:, None] if x.ndim == 1 else x for x in (a, b))
    rows = max(len(a), len(b))
    a, b = (np.concatenate([x, np.zeros((rows - len(x), *x.shape[1:]))]) for x in (a, b))
    try:
        return a + b
    except ValueError:
        raise ValueShapeError(f"{first.name} and {second.name} have {a.shape[1]} and {b.shape[1]} columns; they do not add up") from None


def _stimulus(name: str, duration: float, dt: float | None, make: Callable[[float], Series]) -> Stimulus:
    if not (isinstance(duration, (int, float, np.number)) and math.isfinite(duration) and duration > 0):
        raise ValueShapeError(f"{name}: duration={duration!r} is not a positive number of ms")
    return Stimulus(name, float(duration), make, None if dt is None else check_dt(dt))


def _rows(duration: float, dt: float) -> int:
    return first_step_at_or_after(duration, dt)


def _steps_in(duration: float, dt: float) -> int:
    """Whole steps in a stretch of time: its start belongs to it, a started last step does not."""
    return math.floor(duration / dt + TOLERANCE)


def _checked(function: F) -> F:
    """Wrong kinds of arguments (text for a number, a number for a list) become errors that name the stimulus."""
    @functools.wraps(function)
    def stimulus(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except (TypeError, ValueError) as problem:
            if isinstance(problem, IzhigenError):
                raise
            raise ValueShapeError(f"{function.__name__}: {problem}") from problem

    return stimulus  # type: ignore[return-value]


@_checked
def section(values: Sequence[Any], durations: Sequence[float], dt: float | None = None) -> Stimulus:
    """Constant stretches one after another: ``values[i]`` (a number, or one per neuron) for ``durations[i]`` ms."""
    if len(values) != len(durations):
        raise ValueShapeError(f"section: {len(values)} values but {len(durations)} durations; give one duration a value")
    if not len(values) or any(d < 0 for d in durations):
        raise ValueShapeError("section: give at least one value, and durations that are not negative")
    shapes = {np.shape(v) for v in values if np.ndim(v)}
    if len(shapes) > 1:
        raise ValueShapeError(f"section: values are numbers, or arrays of one shape, not of {sorted(shapes)}")
    shape = shapes.pop() if shapes else ()

    def make(dt: float) -> Series:
        series = np.zeros((_rows(sum(durations), dt), *shape))
        start = 0
        for value, duration in zip(values, durations):
            stop = start + _steps_in(duration, dt)
            series[start:stop] = value
            start = stop
        return series

    return _stimulus("section", sum(durations), dt, make)


@_checked
def constant(value: Any, duration: float | None = None, dt: float | None = None) -> Stimulus:
    """A constant, ``constant(value, duration)``; or, without a duration, stretches given as pairs ``[(value, duration), ...]``."""
    if duration is None and not isinstance(value, (list, tuple)):
        raise ValueShapeError("constant: give a duration, or pairs (value, duration) such as [(0, 100), (22, 300)]")
    pairs = list(value) if duration is None else [(value, duration)]
    if any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in pairs):
        raise ValueShapeError("constant: give pairs (value, duration), such as [(0, 100), (22, 300)]")
    return section([value for value, _ in pairs], [duration for _, duration in pairs], dt)


@_checked
def spike_train(times: Sequence[float], lengths: Any, sizes: Any, duration: float, dt: float | None = None) -> Stimulus:
    """Pulses: from ``times[i]`` for ``lengths[i]`` ms the value ``sizes[i]``; a single length or size serves all. Zero between."""
    count = len(times)
    widths, heights = (np.broadcast_to(np.asarray(x, float), count) if np.ndim(x) == 0 else np.asarray(x, float) for x in (lengths, sizes))
    if len(widths) != count or len(heights) != count:
        raise ValueShapeError(f"spike_train: {count} times but {len(widths)} lengths and {len(heights)} sizes")
    if not all(0 <= time < math.inf for time in times) or not (np.isfinite(widths).all() and (widths >= 0).all()):
        raise ValueShapeError("spike_train: times and lengths must be finite and not negative")

    def make(dt: float) -> Series:
        series = np.zeros(_rows(duration, dt))
        for time, width, height in zip(times, widths, heights):
            start = _steps_in(time, dt)
            series[start:start + _steps_in(width, dt)] = height
        return series

    return _stimulus("spike_train", duration, dt, make)


@_checked
def ramp(c_start: float, c_end: float, duration: float, t_start: float = 0.0, t_end: float | None = None, dt: float | None = None) -> Stimulus:
    """A straight line from ``c_start`` to ``c_end``, both reached, over the steps from ``t_start`` to ``t_end``; zero elsewhere."""
    def make(dt: float) -> Series:
        series = np.zeros(_rows(duration, dt))
        first, last = _rows(t_start, dt), _rows(duration if t_end is None else t_end, dt)
        series[first:last] = np.linspace(c_start, c_end, max(last - first, 0))
        return series

    _check_window("ramp", duration, t_start, t_end)
    return _stimulus("ramp", duration, dt, make)


@_checked
def sinusoid(amplitude: float, frequency: float, duration: float, dt: float | None = None, t_start: float = 0.0,
             t_end: float | None = None, bias: bool = False) -> Stimulus:
    """``amplitude*sin(2 pi f (t - t_start))`` from ``t_start`` to ``t_end`` (ms), f in Hz; plus the amplitude with ``bias``."""
    return _periodic("sinusoid", lambda cycles: np.sin(2 * np.pi * cycles), amplitude, frequency, duration, dt, t_start, t_end, bias)


@_checked
def square(amplitude: float, frequency: float, duration: float, dt: float | None = None, bias: bool = False,
           t_start: float = 0.0, t_end: float | None = None) -> Stimulus:
    """A square wave of +-``amplitude`` (first half of a period positive), f in Hz; plus the amplitude with ``bias``."""
    def wave(cycles: Series) -> Series:
        return np.where(np.floor(2 * cycles + TOLERANCE) % 2 == 0, 1.0, -1.0)  # an edge on a step's start belongs to that step

    return _periodic("square", wave, amplitude, frequency, duration, dt, t_start, t_end, bias)


def _periodic(name: str, wave: Callable[[Series], Series], amplitude: float, frequency: float, duration: float, dt: float | None,
              t_start: float, t_end: float | None, bias: bool) -> Stimulus:
    def make(dt: float) -> Series:
        series = np.zeros(_steps_in(duration, dt))
        first, last = _steps_in(t_start, dt), min(len(series), _steps_in(duration if t_end is None else t_end, dt))
        times = np.arange(max(last - first, 0)) * dt
        series[first:last] = amplitude * wave(times * (frequency / 1000.0)) + (amplitude if bias else 0.0)
        return series

    _check_window(name, duration, t_start, t_end)
    return _stimulus(name, duration, dt, make)


@_checked
def wiener(duration: float, dt: float | None = None, n: int = 1, t_start: float = 0.0, t_end: float | None = None,
           seed: int | None = None) -> Stimulus:
    """Increments of a Wiener process, N(0, 1)*sqrt(dt), one column a neuron (``n``); zero outside ``t_start ... t_end``."""
    def series(rng: np.random.Generator, steps: int, dt: float) -> Series:
        return rng.standard_normal((steps, n)) * math.sqrt(dt)

    return _random("wiener", series, duration, dt, n, t_start, t_end, seed)


@_checked
def ornstein_uhlenbeck(mean: float, sigma: float, tau: float, duration: float, dt: float | None = None, n: int = 1,
                       t_start: float = 0.0, t_end: float | None = None, seed: int | None = None) -> Stimulus:
    """An Ornstein-Uhlenbeck process, dX = (mean - X)/tau dt + sigma dW, by Euler-Maruyama from X = mean; one column a neuron.

    BrainPy 2.8.2 draws its dW from a uniform distribution on [0, 1); here it is normal, as its documentation says.
    """
    if not tau > 0:
        raise ValueShapeError(f"ornstein_uhlenbeck: tau={tau!r} is not positive")

    def series(rng: np.random.Generator, steps: int, dt: float) -> Series:
        kicks = sigma * math.sqrt(dt) * rng.standard_normal((steps, n))
        values, x = np.empty((steps, n)), np.full(n, float(mean))
        for k in range(steps):
            x = x + dt * (mean - x) / tau + kicks[k]
            values[k] = x
        return values

    return _random("ornstein_uhlenbeck", series, duration, dt, n, t_start, t_end, seed)


def _random(name: str, series: Callable[[np.random.Generator, int, float], Series], duration: float, dt: float | None, n: int,
            t_start: float, t_end: float | None, seed: int | None) -> Stimulus:
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueShapeError(f"{name}: n={n!r} is not a number of columns")
    if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ValueShapeError(f"{name}: seed={seed!r} is not a whole number from 0 on")
    fixed_seed = secrets.randbits(63) if seed is None else seed  # drawn once, so that sampling again gives the same series

    def make(dt: float) -> Series:
        values = np.zeros((_steps_in(duration, dt), n))
        first, last = _steps_in(t_start, dt), min(len(values), _steps_in(duration if t_end is None else t_end, dt))
        if last > first:
            values[first:last] = series(np.random.default_rng(fixed_seed), last - first, dt)
        return values

    _check_window(name, duration, t_start, t_end)
    return _stimulus(name, duration, dt, make)


def _check_window(name: str, duration: float, t_start: float, t_end: float | None) -> None:
    end = duration if t_end is None else t_end
    if not 0 <= t_start <= end <= duration:
        raise ValueShapeError(f"{name}: needs 0 <= t_start <= t_end <= duration, got {t_start}, {end}, {duration}")


@_checked
def from_array(values: Any, dt: float) -> Stimulus:
    """A given series, shape (T,) or (T, n), sampled at ``dt`` ms; a path to a ``.npy`` or ``.csv`` file is read."""
    if isinstance(values, (str, Path)):
        values = _read_series(Path(values))
    given = np.asarray(values)
    if given.dtype.kind not in "biuf" or given.ndim < 1 or not len(given):
        raise ValueShapeError(f"from_array: an array of {given.dtype} of shape {given.shape} is not a series of numbers, (T,) or (T, n)")
    series = given.astype(np.float64)
    step = check_dt(dt)
    return _stimulus("from_array", len(series) * step, step, lambda dt: series)


def _read_series(path: Path) -> Series:
    if not path.is_file():
        raise ValueShapeError(f"from_array: no file {str(path)!r}")
    try:
        return np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, delimiter=",", comments="#")
    except (ValueError, EOFError, OSError) as problem:
        raise ValueShapeError(f"from_array: {path} holds no table of numbers ({problem})") from None


section_input, constant_input, spike_input, ramp_input = section, constant, spike_train, ramp
sinusoidal_input, square_input, wiener_process, ou_process = sinusoid, square, wiener, ornstein_uhlenbeck
sinusoidal, ou = sinusoid, ornstein_uhlenbeck

__all__ = ["Stimulus", "constant", "constant_input", "from_array", "ornstein_uhlenbeck", "ou", "ou_process", "ramp", "ramp_input", "section",
           "section_input", "sinusoid", "sinusoidal", "sinusoidal_input", "spike_input", "spike_train", "square", "square_input", "wiener",
           "wiener_process"]
