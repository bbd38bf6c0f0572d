"""Run by itself, with a library of ``templates/checks/arithmetic.c``: prints what of its arithmetic is not IEEE 754's.

In a process of its own, because a library may change the arithmetic of whoever loads it.
"""

from __future__ import annotations

import ctypes
import struct
import sys

NAN, INFINITY, SUBNORMAL = float("nan"), float("inf"), 5e-324
COUNT = 67
"""Some vectors, and a rest."""


def single(x: float) -> float:
    """The nearest number of 32 bits."""
    return float(struct.unpack("f", struct.pack("f", x))[0])


def faults(library: ctypes.CDLL) -> list[str]:
    """What is not as it should be, in words."""
    double, real = ctypes.c_double, ctypes.c_float

    def call(name: str, *values: float, kind: type = double, result: type | None = None) -> float:
        function = getattr(library, name)
        function.argtypes, function.restype = [kind] * len(values), result or kind
        return float(function(*values))

    numbers = [float(k) for k in range(1, COUNT + 1)]
    places = real * COUNT
    quotients = places()
    library.reciprocals(quotients, places(*numbers), COUNT)
    checks = {
        "sums are reordered": call("sum_less_first", 1.0, 2.0**-60) == 0.0
        and call("sum_less_first_single", 1.0, 2.0**-40, kind=real) == 0.0,
        "NaN is taken for a number": call("differs_from_itself", NAN, result=ctypes.c_int) == 1,
        "the sign of zero is lost": str(call("plus_zero", -0.0)) == "0.0",
        "divisions are replaced": all(call("third", x) == x / 3.0 for x in numbers)
        and all(call("third_single", x, kind=real) == single(x / 3.0) for x in numbers)
        and list(quotients) == [single(1.0 / x) for x in numbers],
        "constants are rounded to single precision": call("tenth", 1.0) == 0.1,
        "products are not rounded": call("product_over_factor", 3e38, 3e38, kind=real) == INFINITY,
        "subnormal numbers are flushed to zero": call("half", 2 * SUBNORMAL) == SUBNORMAL
        and call("half_single", 2.0**-148, kind=real) == 2.0**-149
        and float(sys.argv[0] != "") * SUBNORMAL == SUBNORMAL,
        "structs are laid out in another way": call("place_of_second", result=ctypes.c_size_t)
        == ctypes.alignment(ctypes.c_double),
    }
    return [fault for fault, right in checks.items() if not right]


if __name__ == "__main__":
    print("; ".join(faults(ctypes.CDLL(sys.argv[1]))))
