"""Stimuli: sums of parts, and the functions that make them."""

from __future__ import annotations

import functools
import math
import numbers
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from izhigen.errors import IzhigenError, ValueShapeError, shown
from izhigen.files import read_path
from izhigen.inputs.parts import (
    GivenSpikes,
    Offset,
    OrnsteinUhlenbeck,
    Part,
    Periodic,
    Poisson,
    Pulses,
    Ramp,
    Section,
    Series,
    Text,
    White,
)
from izhigen.memory.layout import Layout
from izhigen.memory.space import refuse_masked
from izhigen.model.expressions import Expression, parse_expression
from izhigen.model.forms import Form, form_of
from izhigen.model.functions import CONSTANTS
from izhigen.scalars import LARGEST_WHOLE, read_array, read_finite, read_flag, read_real, read_whole
from izhigen.timegrid import check_dt

Array = Any
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Stimulus:
    """A time series of an input: the sum of its parts.

    Attributes
    ----------
    name : str
        What it is, for messages.
    parts : tuple of Part
        Each zero outside its own time.
    dt : float or None
        Step in ms, when fixed.
    """

    name: str
    parts: tuple[Part, ...]
    dt: float | None = None

    __array_ufunc__ = None  # so that numpy numbers leave arithmetic to the stimulus

    def step_length(self, dt: float | None = None) -> float:
        """The step to use, in ms.

        Raises
        ------
        ValueShapeError
            When no step is known, or another one than the stimulus was made for.
        """
        step = self.dt if dt is None else check_dt(dt)
        if step is None:
            raise ValueShapeError(f"{self.name}: no step is known; give dt= or sample(dt)")
        if self.dt is not None and not math.isclose(step, self.dt, rel_tol=1e-9):
            raise ValueShapeError(
                f"{self.name} was made with dt={self.dt:g} ms but is used at dt={step:g} ms; "
                "leave dt out to fit any step"
            )
        return step

    def steps(self, dt: float) -> int | None:
        """Steps that it lasts: those of its longest part; None where all parts last as long as a run."""
        return max((steps for part in self.parts if (steps := part.steps(dt)) is not None), default=None)

    def _length(self, dt: float) -> int:
        steps = self.steps(dt)
        if steps is None:
            raise ValueShapeError(
                f"{self.name} lasts as long as the run that it is given to, "
                "and is computed there for each neuron; it has no rows of its own"
            )
        return steps

    def of_neurons(self, whole: Layout, first: int, last: int) -> Stimulus:
        """What the neurons ``first`` to ``last - 1`` of a population of the layout ``whole`` get, for a population of
        theirs that counts its neurons from ``first`` on.
        """
        return replace(self, parts=tuple(part.of_neurons(whole, first, last) for part in self.parts))

    def rows(self, dt: float, first: int, count: int) -> Array:
        """Rows ``first ... first + count - 1`` of the series at a step, shape (count,) or (count, n), float64."""
        try:
            total: Any = np.zeros(count)
            for part in self.parts:
                total = self._added(total, part.factor * part.rows(dt, first, count))
            return total
        except (TypeError, ValueError) as problem:
            raise (
                problem if isinstance(problem, IzhigenError) else ValueShapeError(f"{self.name}: {problem}")
            ) from problem

    def _added(self, a: Array, b: Array) -> Array:
        if a.ndim != b.ndim:  # one series serves all neurons of the other
            a, b = (x.reshape(len(x), *[1] * (max(a.ndim, b.ndim) - 1)) if x.ndim == 1 else x for x in (a, b))
        if a.shape[1:] != b.shape[1:] and 1 not in (math.prod(a.shape[1:]), math.prod(b.shape[1:])):
            raise ValueShapeError(f"{self.name}: {a.shape[1]} and {b.shape[1]} columns do not add up")
        return a + b

    def form(self, dt: float) -> Form | None:
        """The whole series as a form that a kernel computes; None where a part is a table or is drawn."""
        texts = [part.text(dt) for part in self.parts]
        if any(text is None for text in texts):
            return None
        terms = [f"({part.factor!r})*{text}" if part.factor != 1.0 else text for part, text in zip(self.parts, texts)]
        return form_of(parse_expression(" + ".join(str(term) for term in terms), self.name).tree)

    def sample(self, dt: float | None = None) -> Array:
        """The whole series at a step, shape (T,) or (T, n), float64."""
        step = self.step_length(dt)
        return self.rows(step, 0, self._length(step))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        values = self.sample()
        return values if dtype is None else values.astype(dtype)

    def __len__(self) -> int:
        return self._length(self.step_length())

    def __add__(self, other: Any) -> Stimulus:
        if isinstance(other, Stimulus):
            return Stimulus(
                f"{self.name} + {other.name}", self.parts + other.parts, self.dt if self.dt is not None else other.dt
            )
        if not isinstance(other, numbers.Number):
            return NotImplemented
        number = read_finite(other, f"the number added to {self.name}")
        return Stimulus(f"{self.name} + {shown(other)}", (*self.parts, Offset(number)), self.dt)

    __radd__ = __add__

    def __neg__(self) -> Stimulus:
        return self * -1.0

    def __sub__(self, other: Any) -> Stimulus:
        if isinstance(other, numbers.Number):  # -True would be a number
            other = read_finite(other, f"the number taken from {self.name}")
        return self + (-other)

    def __rsub__(self, other: Any) -> Stimulus:
        return (-self) + other

    def __truediv__(self, divisor: float) -> Stimulus:
        if not isinstance(divisor, numbers.Number):
            return NotImplemented
        number = read_finite(divisor, f"the divisor of {self.name}")
        if number == 0:
            raise ValueShapeError(f"{self.name} is divided by zero")
        return self * (1.0 / number)

    def __mul__(self, factor: float) -> Stimulus:
        if not isinstance(factor, numbers.Number):
            return NotImplemented
        number = read_finite(factor, f"the factor of {self.name}")
        parts = tuple(replace(part, factor=part.factor * number) for part in self.parts)
        return Stimulus(f"{shown(factor)}*{self.name}", parts, self.dt)

    __rmul__ = __mul__


def _stimulus(name: str, duration: float, dt: float | None, part: Part) -> Stimulus:
    if not 0 < read_real(duration, f"{name}: duration") < math.inf:
        raise ValueShapeError(f"{name}: duration={shown(duration)} is not a positive number of ms")
    return Stimulus(name, (part,), None if dt is None else check_dt(dt))


def _checked(function: F) -> F:
    """Wrong kinds of arguments (text for a number, a number for a list) become errors that name the stimulus."""

    @functools.wraps(function)
    def stimulus(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except (TypeError, ValueError, RuntimeError, OverflowError) as problem:  # PyTorch's are of RuntimeError
            if isinstance(problem, IzhigenError):
                raise
            raise ValueShapeError(f"{function.__name__}: {' '.join(str(problem).split())}") from problem

    return stimulus  # type: ignore[return-value]


@_checked
def section(values: Sequence[Any], durations: Sequence[float], dt: float | None = None) -> Stimulus:
    """Constant stretches one after another: ``values[i]`` (a number, or one per neuron) for ``durations[i]`` ms."""
    if len(values) != len(durations):
        raise ValueShapeError(
            f"section: {len(values)} values but {len(durations)} durations; give one duration a value"
        )
    stretches = tuple(read_real(d, f"section: durations[{i}]") for i, d in enumerate(durations))
    if not len(values) or any(d < 0 for d in stretches):
        raise ValueShapeError("section: give at least one value, and durations that are not negative")
    refuse_masked("section", list(values))
    levels = [read_array(f"section: values[{i}]", value) for i, value in enumerate(values)]
    shapes = {level.shape for level in levels if level.ndim}
    if len(shapes) > 1:
        raise ValueShapeError(f"section: values are numbers, or arrays of one shape, not of {sorted(shapes)}")
    shape = shapes.pop() if shapes else ()
    spread = np.array([np.broadcast_to(level.astype(np.float64), shape) for level in levels])
    return _stimulus("section", sum(stretches), dt, Section(spread, stretches))


@_checked
def constant(value: Any, duration: float | None = None, dt: float | None = None) -> Stimulus:
    """A ``value`` for a ``duration``, or several one after another: ``constant([(value, duration), ...])``."""
    if duration is None and not isinstance(value, (list, tuple)):
        raise ValueShapeError("constant: give a duration, or pairs (value, duration) such as [(0, 100), (22, 300)]")
    pairs = list(value) if duration is None else [(value, duration)]
    if any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in pairs):
        raise ValueShapeError("constant: give pairs (value, duration), such as [(0, 100), (22, 300)]")
    return section([value for value, _ in pairs], [duration for _, duration in pairs], dt)


@_checked
def spike_train(times: Sequence[float], lengths: Any, sizes: Any, duration: float, dt: float | None = None) -> Stimulus:
    """Pulses of ``sizes[i]`` from ``times[i]`` for ``lengths[i]`` ms, zero between; one length or size serves all."""
    count = len(times)
    widths, heights = (
        np.broadcast_to(x, count) if x.ndim == 0 else x
        for x in (
            read_array(f"spike_train: {name}", x).astype(float) for name, x in (("lengths", lengths), ("sizes", sizes))
        )
    )
    if len(widths) != count or len(heights) != count:
        raise ValueShapeError(f"spike_train: {count} times but {len(widths)} lengths and {len(heights)} sizes")
    starts = [read_real(time, f"spike_train: times[{i}]") for i, time in enumerate(times)]
    if not all(0 <= time < math.inf for time in starts) or not (np.isfinite(widths).all() and (widths >= 0).all()):
        raise ValueShapeError("spike_train: times and lengths must be finite and not negative")
    pulses = tuple((float(time), float(width), float(height)) for time, width, height in zip(starts, widths, heights))
    return _stimulus("spike_train", duration, dt, Pulses(pulses, read_real(duration, "spike_train: duration")))


@_checked
def ramp(
    c_start: float,
    c_end: float,
    duration: float,
    t_start: float = 0.0,
    t_end: float | None = None,
    dt: float | None = None,
) -> Stimulus:
    """A line from ``c_start`` to ``c_end``, both reached, from ``t_start`` to ``t_end`` (ms); zero elsewhere."""
    window = _window("ramp", duration, t_start, t_end)
    return _stimulus("ramp", duration, dt, Ramp(*window, *_numbers("ramp", c_start=c_start, c_end=c_end)))


@_checked
def sinusoid(
    amplitude: float,
    frequency: float,
    duration: float,
    dt: float | None = None,
    t_start: float = 0.0,
    t_end: float | None = None,
    bias: bool = False,
) -> Stimulus:
    """``amplitude*sin(2 pi f (t - t_start))``, f in Hz, from ``t_start`` to ``t_end``; ``bias`` adds the amplitude."""
    return _periodic("sinusoid", amplitude, frequency, bias, (duration, t_start, t_end), dt, is_square=False)


@_checked
def square(
    amplitude: float,
    frequency: float,
    duration: float,
    dt: float | None = None,
    bias: bool = False,
    t_start: float = 0.0,
    t_end: float | None = None,
) -> Stimulus:
    """A square wave of +-``amplitude`` (first half of a period positive), f in Hz; plus the amplitude with ``bias``."""
    return _periodic("square", amplitude, frequency, bias, (duration, t_start, t_end), dt, is_square=True)


@_checked
def wiener(
    duration: float,
    dt: float | None = None,
    n: int = 1,
    t_start: float = 0.0,
    t_end: float | None = None,
    seed: int | None = None,
) -> Stimulus:
    """Increments of a Wiener process, N(0, 1)*sqrt(dt), one column a neuron.

    The variates are those of the kernel's own generator, keyed by (seed, column, step). With one column a neuron they
    are drawn in the kernel.
    """
    window = _window("wiener", duration, t_start, t_end)
    return _stimulus("wiener", duration, dt, White(*window, _check_columns("wiener", n), _check_seed("wiener", seed)))


@_checked
def ornstein_uhlenbeck(
    mean: float,
    sigma: float,
    tau: float,
    duration: float,
    dt: float | None = None,
    n: int = 1,
    t_start: float = 0.0,
    t_end: float | None = None,
    seed: int | None = None,
) -> Stimulus:
    """An Ornstein-Uhlenbeck process, ``dX = (mean - X)/tau dt + sigma dW``, one column a neuron.

    By Euler-Maruyama from X = mean. BrainPy 2.8.2 draws its dW from a uniform distribution on [0, 1); here it is
    normal, as its documentation says.
    """
    level, spread, decay = _numbers("ornstein_uhlenbeck", mean=mean, sigma=sigma, tau=tau)
    if not decay > 0:
        raise ValueShapeError(f"ornstein_uhlenbeck: tau={shown(tau)} is not positive")
    window = _window("ornstein_uhlenbeck", duration, t_start, t_end)
    columns, key = _check_columns("ornstein_uhlenbeck", n), _check_seed("ornstein_uhlenbeck", seed)
    return _stimulus("ornstein_uhlenbeck", duration, dt, OrnsteinUhlenbeck(*window, level, spread, decay, columns, key))


def _check_columns(name: str, n: Any) -> int:
    columns = read_whole(n, 1)
    if columns is None:
        raise ValueShapeError(f"{name}: n={shown(n)} is not a number of columns")
    return columns


def _periodic(
    name: str,
    amplitude: float,
    frequency: float,
    bias: bool,
    times: tuple[float, float, float | None],
    dt: float | None,
    *,
    is_square: bool,
) -> Stimulus:
    window = _window(name, *times)
    height, hertz = _numbers(name, amplitude=amplitude, frequency=frequency)
    part = Periodic(*window, is_square, height, hertz, read_flag(bias, f"{name}: bias"))
    return _stimulus(name, times[0], dt, part)


def _numbers(name: str, **values: Any) -> tuple[float, ...]:
    return tuple(read_finite(value, f"{name}: {what}") for what, value in values.items())


def _check_seed(name: str, seed: Any) -> int:
    if seed is None:
        return secrets.randbits(63)  # drawn once, so that sampling again gives the same series
    key = read_whole(seed, 0, 2**64 - 1)
    if key is None:
        raise ValueShapeError(f"{name}: seed={shown(seed)} is not a whole number from 0 to 2**64 - 1")
    return key


def _window(name: str, duration: float, t_start: float, t_end: float | None) -> tuple[float, float, float]:
    """Duration, start and end of a part, checked."""
    times = {"duration": duration, "t_start": t_start, "t_end": duration if t_end is None else t_end}
    length, start, end = (read_real(value, f"{name}: {what}") for what, value in times.items())
    if not 0 <= start <= end <= length:
        raise ValueShapeError(f"{name}: needs 0 <= t_start <= t_end <= duration, got {start:g}, {end:g}, {length:g}")
    return length, start, end


@_checked
def poisson(rate: Any, weight: Any = 1.0, n: int = 1) -> Stimulus:
    """Poisson processes, each neuron's own: the value in a step is ``weight`` times the number of events in it.

    The counts are drawn in the kernel, exactly, for as long as a run lasts. They are keyed by the population's seed,
    the neuron, the step and the input's name: two inputs are independent, and one input has the same counts on every
    backend and however a run is cut.

    Parameters
    ----------
    rate : float, array or str
        Hz of one source: a number, one a neuron in the population's shape, or text in t (ms),
        taken at the start of each step.
    weight : float or array
        What one event adds, in units of the input (mV for a jump ``V_delta``); a number, or one a neuron.
    n : int
        Sources a neuron; they multiply the rate.

    Raises
    ------
    ValueShapeError
        For a rate that is negative or no number.
        A population refuses arrays that do not fit, and means above a million events a step.
    """
    sources = read_whole(n, 1)
    if sources is None:
        raise ValueShapeError(f"poisson: n={shown(n)} is not a number of sources; give 1 or more")
    rates: Any
    if isinstance(rate, str):
        rates = _in_time(rate, "rate of poisson", "a rate as text")
    else:
        rates = _finite("poisson", "rate", rate)
    if not isinstance(rates, Expression) and (rates < 0).any():
        bad = int(np.flatnonzero(rates < 0)[0])
        where = f" of neuron {bad}" if rates.ndim else ""
        raise ValueShapeError(f"poisson: rate{where} = {rates.flat[bad]:g} Hz is negative; give a rate in Hz from 0 on")
    return Stimulus("poisson", (Poisson(rates, _finite("poisson", "weight", weight), sources),))


def text_stimulus(name: str, text: str, duration: float) -> Stimulus:
    """Text in t (ms), given for the input ``name``, as a stimulus of that duration.

    Raises
    ------
    EquationError
        For text that is no expression.
    ValueShapeError
        When it reads another name than t and pi.
    """
    return Stimulus(f"{text!r}", (Text(_in_time(text, f"input {name!r}", "text for an input"), duration),))


def _in_time(text: str, where: str, what: str) -> Expression:
    """An expression of time alone."""
    expression = parse_expression(text, where)
    for symbol, column in expression.names.items():
        if symbol != "t" and symbol not in CONSTANTS:
            raise ValueShapeError(
                f"{where}, column {column}: {shown(symbol)} is not known; {what} may use t (ms) and pi only"
            )
    return expression


def _finite(stimulus: str, what: str, value: Any) -> Array:
    """A number or an array of numbers, float64, all finite."""
    refuse_masked(f"{stimulus}: {what}", value)
    found = read_array(f"{stimulus}: {what}", value).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        where = f"[{int(bad[0])}]" if found.ndim else ""
        raise ValueShapeError(f"{stimulus}: {what}{where} = {found.flat[bad[0]]} is not a finite number")
    return found


@_checked
def spikes(times: Any, indices: Any, weight: Any = 1.0) -> Stimulus:
    """Spikes of single neurons: spike i adds ``weight`` in the step of ``times[i]`` to flat neuron ``indices[i]``; zero
    in all other steps.

    A time t with k*dt <= t < (k + 1)*dt belongs to step k; one within 1e-6 steps of an edge counts as on it. Spikes of
    a neuron in one step add up. Spikes need no order, and are delivered in the kernel for as long as a run lasts.

    Parameters
    ----------
    times : array, shape (m,)
        ms since the last reset, from 0 on.
    indices : array of int, shape (m,)
    weight : float or array of shape (m,)
        What a spike adds, in units of the input.

    Raises
    ------
    ValueShapeError
        For times that are negative or not finite, arrays that do not fit each other, and (by a population) neurons that
        it does not have.
    """
    when, weights = _finite("spikes", "times", times), _finite("spikes", "weight", weight)
    refuse_masked("spikes: indices", indices)
    who = read_array("spikes: indices", indices, "; give flat indices of neurons")
    if who.size and (who.dtype.kind == "f" or int(who.max()) > LARGEST_WHOLE):
        raise ValueShapeError(f"spikes: indices = {shown(indices)} are not whole numbers; give flat indices of neurons")
    if when.ndim != 1 or who.shape != when.shape or weights.shape not in ((), when.shape):
        raise ValueShapeError(
            f"spikes: times, indices and weights have the shapes {when.shape}, {who.shape} and {weights.shape}; "
            "give one time and one neuron a spike, and a number or one weight a spike"
        )
    for what, values in (("times", when), ("indices", who)):
        if len(values) and values.min() < 0:
            raise ValueShapeError(f"spikes: {what}[{int(values.argmin())}] = {values.min():g} is negative")
    return Stimulus("spikes", (GivenSpikes(when, who.astype(np.int64), np.broadcast_to(weights, when.shape)),))


@_checked
def from_array(values: Any, dt: float) -> Stimulus:
    """Given ``values``, shape (T,) or (T, n), sampled at ``dt`` ms; of a path, those of a ``.npy`` or ``.csv`` file."""
    if isinstance(values, (str, Path)):
        values = _read_series(read_path(values, "current.npy"))
    refuse_masked("from_array", values)
    given = read_array("from_array: values", values, "; give a series of numbers, (T,) or (T, n)")
    if given.ndim < 1 or not len(given):
        raise ValueShapeError(
            f"from_array: an array of {given.dtype} of shape {given.shape} is not a series of numbers, (T,) or (T, n)"
        )
    series = given.astype(np.float64)
    step = check_dt(dt)
    return _stimulus("from_array", len(series) * step, step, Series(series))


def _read_series(path: Path) -> Array:
    try:
        there = path.is_file()
    except OSError:  # a name too long for the system
        there = False
    if not there:
        raise ValueShapeError(f"from_array: no file {str(path)!r}")
    try:
        return (
            np.load(path, allow_pickle=False)
            if path.suffix == ".npy"
            else np.loadtxt(path, delimiter=",", comments="#")
        )
    except (ValueError, EOFError, OSError) as problem:
        raise ValueShapeError(f"from_array: {path} holds no table of numbers ({problem})") from None
