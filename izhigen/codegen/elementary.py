"""Elementary functions that generated sources carry with them: what each needs.

The text of a function is its template in ``templates/math``; the numbers are in :mod:`izhigen.codegen.formats`.
``exp``, ``expm1`` and the phi functions share one argument reduction, z = n ln 2 + r with |r| <= ln(2)/2, and one
minimax polynomial for phi1(r); the reduction is that of Cody and Waite (1980), "Software Manual for the Elementary
Functions". All are branch-free, so that loops over neurons become vector code, and pass NaN on (but for ``maximum``,
``minimum`` and ``signum``, which say what they do). ``log``, ``log1p`` and ``pow`` share the split x = 2^e m; ``sin``,
``cos`` and ``tan`` share the reduction by multiples of pi/2. Each template names its method; ``docs/internals.md``
lists the error of each function and what it gives for special values. ``sqrt``, ``fabs`` and ``floor``, for which
processors have instructions, come from the C library; they have templates for targets without one.
"""

from __future__ import annotations

NEEDS: dict[str, tuple[str, ...]] = {
    "limited": (),
    "capped": (),
    "maximum": (),
    "minimum": (),
    "signum": (),
    "from_bits": (),
    "to_bits": (),
    "fabs": ("from_bits", "to_bits"),
    "floor": ("fabs",),
    "sqrt": ("from_bits", "to_bits"),
    "reduction": ("from_bits", "to_bits"),
    "limits": ("reduction",),
    "exp": ("limits",),
    "expm1": ("limits",),
    "phi1": ("limits",),
    "phi2": ("inlining", "phi1"),
    "phi3": ("inlining", "phi1"),
    "phi4": ("inlining", "phi1"),
    "of_root": ("inlining", "phi1", "sqrt"),
    "cosh_sqrt": ("of_root",),
    "sinhc_sqrt": ("of_root",),
    "sinhc_sqrt_slope": ("of_root", "exp"),
    "of_pair": ("inlining", "phi1", "exp", "sin", "cos", "sqrt", "fabs"),
    "phi1_mean": ("of_pair",),
    "phi1_difference": ("of_pair",),
    "tanh": ("expm1",),
    "sinh": ("expm1",),
    "cosh": ("exp",),
    "phi1_near": (),
    "phi1_wide": (),
    "phi2_near": (),
    "phi2_wide": (),
    "phi1_unlimited": ("reduction",),
    "head": ("from_bits", "to_bits"),
    "binary": ("from_bits", "to_bits"),
    "inlining": (),
    "log_sum": ("inlining",),
    "log": ("binary", "log_sum"),
    "log1p": ("binary", "log_sum"),
    "pair": ("inlining", "head", "binary", "fabs"),
    "pow": ("pair", "floor"),
    "angle": ("inlining", "to_bits", "fabs"),
    "sin": ("angle", "from_bits"),
    "cos": ("angle", "from_bits"),
    "tan": ("angle",),
    "erf": ("inlining", "exp", "fabs"),
    "philox": (),
    "normal": ("philox", "from_bits", "to_bits", "sqrt"),
    "normals": ("normal",),
    "variate": ("normal",),
    "poisson": ("philox",),
    "time": ("head",),
    "time_fused": (),
    "start": (),
    "release": ("start",),
    "release_inside": (),
    "since_inside": (),
    "since": (),  # after "start", which a device's is made with
}
"""Templates in ``templates/math`` and the ones that must stand before them."""


def in_order(wanted: set[str], provided: frozenset[str] = frozenset()) -> list[str]:
    """The templates of the wanted functions and of all they need, needs first, without what the target provides."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name in provided:
            return
        for need in NEEDS[name]:
            visit(need)
        if name not in ordered:
            ordered.append(name)

    for name in NEEDS:
        if name in wanted:
            visit(name)
    return ordered
