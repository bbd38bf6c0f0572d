"""Where arrays lie; Ctrl-C in the middle of a run; and high-precision evaluation with a first-order bound on the rounding error of any sensible evaluation order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import sympy as sp

import izhigen as iz
from izhigen.derive import functions as f
from izhigen.memory.space import fetch
from izhigen.model.library import library_families
from izhigen.signals import Interruptible

Pair = tuple[Any, Any]
ALL = bool(os.environ.get("IZHIGEN_ALL_TESTS"))
"""Whether all cases are tested of what is marked ``sample`` and of random models and texts: a part shows most of it, and a change of a
kernel asks for all."""


@cache
def real_device() -> bool:
    """Whether the machine has a CUDA device, and CuPy to use it. Asked before any double of CuPy stands in its place."""
    try:
        import cupy

        return bool(cupy.cuda.runtime.getDeviceCount() > 0)
    except (ImportError, RuntimeError):
        return False


OTHER_EQUATIONS = [*library_families()["izhikevich"], "izhikevich2007", "Accommodation"]
"""Izhikevich's models that tests of all they can do are run for; of the rest of the library there are tests of its own."""


@cache
def distinct_models() -> dict[str, iz.Model]:
    """Those of :data:`OTHER_EQUATIONS` that differ in more than their names, descriptions and defaults."""
    found: dict[str, iz.Model] = {}
    for model in map(iz.load, OTHER_EQUATIONS):
        ones: Any = dict.fromkeys(model.parameters, 1.0)
        same = model.variant("Same", description="", initial={}, **ones)
        found.setdefault(same.content, model)
    return {model.name: model for model in found.values()}


def interrupt_what_runs(
    seconds: float, send: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGINT)
) -> threading.Thread:
    """Ctrl-C that long after a run has begun to listen for it: what is built before may take any time."""

    def wait() -> None:
        while not isinstance(getattr(signal.getsignal(signal.SIGINT), "__self__", None), Interruptible):
            time.sleep(0.005)
        time.sleep(seconds)
        send()

    sender = threading.Thread(target=wait, daemon=True)
    sender.start()
    return sender


def host(values: Any) -> Any:
    """An array as NumPy's, wherever it lies."""
    return fetch(values) if hasattr(values, "get") and hasattr(values, "dtype") else values


def first_order_error(expression: Any, values: dict[Any, float]) -> tuple[float, float]:
    """The value in 40 digits, and a number ``s``: evaluation with unit roundoff eps errs by about ``eps*s``.

    Each leaf is taken as rounded once, each operation as rounded once more; errors of parts are carried on by first derivatives.
    """
    with mpmath.workdps(40):
        value, scale = _evaluate(expression, {k: mpmath.mpf(v) for k, v in values.items()})
        return float(value), float(scale) + 1e-300


def _evaluate(e: Any, values: dict[Any, Any]) -> Pair:
    if e.is_Symbol:
        return values[e], abs(values[e])
    if e.is_Number or e.is_NumberSymbol:
        number = mpmath.mpf(sp.N(e, 45)._mpf_) if not e.is_Rational else mpmath.mpf(int(e.p)) / int(e.q)
        return number, abs(number)
    parts = [_evaluate(a, values) for a in e.args if not isinstance(e, f.where)]
    if e.is_Add:
        return sum(v for v, _ in parts), sum(s for _, s in parts) + sum(abs(v) for v, _ in parts)
    if e.is_Mul:
        value, relative = mpmath.mpf(1), mpmath.mpf(len(parts))
        for v, s in parts:
            value *= v
        scale = sum(
            s * abs(mpmath.fprod([w for k, (w, _) in enumerate(parts) if k != i])) for i, (_, s) in enumerate(parts)
        )
        return value, scale + relative * abs(value)
    if e.is_Pow:
        (base, s), (exponent, _) = parts
        value = base**exponent
        return value, abs(exponent * base ** (exponent - 1)) * s + (abs(exponent) + 4) * abs(value)
    if isinstance(e, f.where):
        return _evaluate(e.args[1] if _holds(e.args[0], values) else e.args[2], values)
    if isinstance(e, (f.maximum, f.minimum)):
        return (max if isinstance(e, f.maximum) else min)(parts, key=lambda p: p[0])
    if isinstance(e, f.phi1_block):
        entries = parts[2:]
        growth = mpmath.exp(sum(abs(v) for v, _ in entries))
        return _block(e, [v for v, _ in entries]), growth * sum(s for _, s in entries) + 16 * growth
    v, s = parts[0]
    value, slope = _FUNCTIONS[type(e).__name__](v)
    return value, abs(slope) * s + 6 * abs(value)


def _holds(condition: Any, values: dict[Any, Any]) -> bool:
    if isinstance(condition, (sp.And, sp.Or)):
        return (all if isinstance(condition, sp.And) else any)(_holds(a, values) for a in condition.args)
    if isinstance(condition, sp.Not):
        return not _holds(condition.args[0], values)
    left, right = (_evaluate(a, values)[0] for a in condition.args)
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
        "==": left == right,
        "!=": left != right,
    }[condition.rel_op]


def _block(e: Any, entries: list[Any]) -> Any:
    """An entry of phi1 of a matrix, from its Taylor series."""
    n = e.size
    z = mpmath.matrix(n, n)
    for k, value in enumerate(entries):
        z[k // n, k % n] = value
    total, power = mpmath.matrix(n, n), mpmath.eye(n)
    for k in range(1, 60):
        total += power / mpmath.factorial(k)
        power = power * z
    return total[int(e.args[0]), int(e.args[1])]


def _phi1(z: Any) -> Pair:
    value = mpmath.expm1(z) / z if z != 0 else mpmath.mpf(1)
    slope = (mpmath.exp(z) - value) / z if abs(z) > 1e-12 else mpmath.mpf("0.5")
    return value, slope


def _phi_n(order: int) -> Any:
    """phi_order from its series, the sum of z^k/(k + order)!; its slope is that of the same sum."""

    def evaluate(z: Any) -> Pair:
        terms = [(k, 1 / mpmath.factorial(k + order)) for k in range(200)]
        return mpmath.fsum(c * z**k for k, c in terms), mpmath.fsum(k * c * z ** (k - 1) for k, c in terms[1:])

    return evaluate


_FUNCTIONS = {
    "exp": lambda v: (mpmath.exp(v), mpmath.exp(v)),
    "log": lambda v: (mpmath.log(v), 1 / v),
    "sin": lambda v: (mpmath.sin(v), 1),
    "cos": lambda v: (mpmath.cos(v), 1),
    "tan": lambda v: (mpmath.tan(v), 1 + mpmath.tan(v) ** 2),
    "tanh": lambda v: (mpmath.tanh(v), 1 - mpmath.tanh(v) ** 2),
    "sinh": lambda v: (mpmath.sinh(v), mpmath.cosh(v)),
    "cosh": lambda v: (mpmath.cosh(v), mpmath.sinh(v)),
    "erf": lambda v: (mpmath.erf(v), 2),
    "expm1": lambda v: (mpmath.expm1(v), mpmath.exp(v)),
    "log1p": lambda v: (mpmath.log1p(v), 1 / (1 + v)),
    "phi1": _phi1,
    "phi2": _phi_n(2),
    "phi3": _phi_n(3),
    "phi4": _phi_n(4),
    "absolute": lambda v: (abs(v), 1),
    "limited": lambda v: (v, 1),
    "capped": lambda v: (v, 1),
    "signum": lambda v: (mpmath.sign(v), 0),
    "heaviside": lambda v: (mpmath.mpf(1 if v >= 0 else 0), 0),
    "floor_": lambda v: (mpmath.floor(v), 0),
}
