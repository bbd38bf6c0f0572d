"""The elementary functions that a kernel calls, compiled from the kernel's own text, beside mpmath."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from izhigen.bench.native import NativeLibrary
from izhigen.codegen.elementary import in_order
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.program import C_FLAGS
from izhigen.codegen.render import elementary_texts
from izhigen.verification.digits import VALUES

Array = Any
SAMPLES = 400
LARGE = {"float32": 80.0, "float64": 690.0}
"""Arguments of exponentials up to here give ordinary numbers."""


_SAME = ("exp", "expm1", "tanh", "sinh", "cosh", "log", "log1p", "sin", "cos", "tan", "erf", "phi3", "phi4")
EXACT: dict[str, Callable[..., Any]] = {
    **{name: VALUES[name] for name in _SAME},
    **dict.fromkeys(("phi1", "phi1_near", "phi1_wide", "phi1_unlimited"), VALUES["phi1"]),
    **dict.fromkeys(("phi2", "phi2_near", "phi2_wide"), VALUES["phi2"]),
    "pow": VALUES["power"],
}
"""Functions of one argument, or two, that kernels call."""
LIMITS = {
    "phi1_near": 1.0,
    "phi2_near": 1.0,
    "phi1_wide": 2.0,
    "phi2_wide": 2.0,
    "sin": 100.0,
    "cos": 100.0,
    "tan": 100.0,
    "erf": 3.0,
    "tanh": 20.0,
}
"""Largest arguments that are tried, where they are smaller than those of exponentials."""


@dataclass(frozen=True)
class Error:
    """The largest error found of a function, in units in the last place, and where."""

    function: str
    dtype: str
    ulp: float
    place: float


def called(source: str) -> list[str]:
    """The functions of :data:`EXACT` that a source calls."""
    found = set(re.findall(r"\biz_(\w+)\(", source))
    return [name for name in EXACT if name in found]


def measure(source: str, dtype: str) -> Iterator[Error]:
    """The errors of the functions that a kernel's source calls.

    Raises
    ------
    CompileError
        With the compiler's text.
    """
    names = called(source)
    if not names:
        return
    printer = CPrinter(dtype)
    real = printer.format.real
    lines = ["#include <math.h>", "#include <stdint.h>", "#include <string.h>"]
    lines += elementary_texts(printer, in_order(set(names)))
    for name in names:
        arguments = "x[k], y[k]" if name == "pow" else "x[k]"
        lines.append(
            f"void all_{name}(int n, const {real} *x, const {real} *y, {real} *value) "
            f"{{ int k; (void)y; for (k = 0; k < n; k++) value[k] = iz_{name}({arguments}); }}"
        )
    kinds = f"int, const {real} *, const {real} *, {real} *"
    prototypes = "\n".join(f"void all_{name}({kinds});" for name in names)
    library = NativeLibrary("\n".join(lines), prototypes, (*C_FLAGS, "-march=native", "-fPIC", "-shared"))
    for name in names:
        yield _error(library, name, dtype, real)


def _error(library: NativeLibrary, name: str, dtype: str, real: str) -> Error:
    x, y = _arguments(name, dtype)
    value = np.empty_like(x)
    pointers = [library.pointer(f"{real} *", array) for array in (x, y, value)]
    getattr(library.functions, f"all_{name}")(len(x), *pointers)
    worst, place = 0.0, 0.0
    with mpmath.workdps(40):
        for k in range(len(x)):
            given = [mpmath.mpf(float(x[k]))] + ([mpmath.mpf(float(y[k]))] if name == "pow" else [])
            exact = EXACT[name](*given)
            near = x.dtype.type(float(exact))
            if not np.isfinite(near) or abs(near) < np.finfo(x.dtype).tiny:
                continue
            error = float(abs(mpmath.mpf(float(value[k])) - exact) / mpmath.mpf(float(np.spacing(abs(near)))))
            if not error <= worst:
                worst, place = error, float(x[k])
    return Error(name, dtype, worst, place)


def _arguments(name: str, dtype: str) -> tuple[Array, Array]:
    """Arguments over the range of a function, evenly and by magnitude."""
    rng, number = np.random.default_rng(3), np.dtype(dtype).type
    limit = min(LIMITS.get(name, np.inf), LARGE[dtype])
    if name in ("log", "pow"):
        x = np.concatenate([10.0 ** rng.uniform(-8, 8, SAMPLES // 2), rng.uniform(0.5, 2, SAMPLES // 2)])
    elif name == "log1p":
        x = np.concatenate([rng.uniform(-0.99, 4, SAMPLES // 2), 10.0 ** rng.uniform(-8, 8, SAMPLES // 2)])
    else:
        small = rng.choice([-1, 1], SAMPLES // 2) * np.minimum(10.0 ** rng.uniform(-6, 1, SAMPLES // 2), limit)
        x = np.concatenate([rng.uniform(-limit, limit, SAMPLES // 2), small])
    return x.astype(number), rng.uniform(-3, 3, len(x)).astype(number)
