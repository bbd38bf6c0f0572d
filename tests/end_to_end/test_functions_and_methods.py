"""Every function of the language under every method, against formulas and tableaus written again here, in 30 digits."""

from __future__ import annotations

import ast

import mpmath
import pytest
import sympy as sp

from izhigen import Model
from izhigen.codegen import kernel
from izhigen.derive import functions as own
from izhigen.derive.scheme import method_names
from izhigen.model.functions import FUNCTIONS

DT = 0.05
START = 0.62

R5 = mpmath.sqrt(5)
TABLEAUS = {
    "euler": ([[]], [1]),
    "midpoint": ([[], ["1/2"]], [0, 1]),
    "heun2": ([[], [1]], ["1/2", "1/2"]),
    "rk2": ([[], ["2/3"]], ["1/4", "3/4"]),
    "ralston2": ([[], ["2/3"]], ["1/4", "3/4"]),
    "heun3": ([[], ["1/3"], [0, "2/3"]], ["1/4", 0, "3/4"]),
    "ralston3": ([[], ["1/2"], [0, "3/4"]], ["2/9", "3/9", "4/9"]),
    "rk3": ([[], ["1/2"], [-1, 2]], ["1/6", "4/6", "1/6"]),
    "ssprk3": ([[], [1], ["1/4", "1/4"]], ["1/6", "1/6", "4/6"]),
    "rk4": ([[], ["1/2"], [0, "1/2"], [0, 0, 1]], ["1/6", "2/6", "2/6", "1/6"]),
    "rk4_38rule": ([[], ["1/3"], ["-1/3", 1], [1, -1, 1]], ["1/8", "3/8", "3/8", "1/8"]),
    "ralston4": (
        [
            [],
            ["2/5"],
            [(-2889 + 1428 * R5) / 1024, (3785 - 1620 * R5) / 1024],
            [(-3365 + 2094 * R5) / 6040, (-975 - 3046 * R5) / 2552, (467040 + 203968 * R5) / 240845],
        ],
        [
            (263 + 24 * R5) / 1812,
            (125 - 1000 * R5) / 3828,
            1024 * (3346 + 1623 * R5) / 5924787,
            (30 - 4 * R5) / 123,
        ],
    ),
}

HALVES = ([[], ["1/2"]], ["1/2", "1/2"])
"""Two half steps of Euler; what the first state makes under izhikevich2003."""


def rest(f, x, h, z):
    """N(a) - N(x) with N(y) = f(y) - f'(x) y at exponential Euler's a two thirds of a step later."""
    move = h * f(x) * mpmath.expm1(2 * z / 3) / z
    return f(x + move) - f(x) - z / h * move


EXPONENTIAL = {
    "exp_euler": lambda f, x, h, z, phi1: x + h * f(x) * phi1,
    "etdrk2": lambda f, x, h, z, phi1: x + h * f(x) * phi1 + 3 * h / 2 * (phi1 - 1) / z * rest(f, x, h, z),
    "exp_rosenbrock": lambda f, x, h, z, phi1: x + h * f(x) * phi1,
    "strang": lambda f, x, h, z, phi1: x + h * f(x) * phi1,  # one equation each, none quadratic
}
"""From f, x, the step h, z = h f'(x) and phi1(z)."""
COMPILED = ("exp_euler", "heun2", "etdrk2")
"""Methods for which the kernel is compiled as well, one that has derivatives, one that has stages and one that has both; each takes a
few seconds."""
PLAIN = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "tanh": mpmath.tanh,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "abs": abs,
    "sign": mpmath.sign,
    "min": min,
    "max": max,
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda condition, a, b: a if condition else b,
    "heaviside": lambda x: mpmath.mpf(x >= 0),
    "floor": mpmath.floor,
    "expm1": mpmath.expm1,
    "log1p": lambda x: mpmath.log(1 + x),
    "exprel": lambda x: mpmath.expm1(x) / x,
    "erf": mpmath.erf,
}
CALLS = {
    "min": "min({x}, 0.9*{x} + 0.05, 2)",
    "max": "max({x}, 0.9*{x} + 0.05, 0.1)",
    "clip": "clip({x}, 0.1, 0.95)",
    "where": "where({x} > 0.4 and not ({x} > 0.95 or {x} < 0.1), {x}**2, 1 - {x})",
}


def right_side(name, state):
    """The function of a select and in a condition, beside roots of which SymPy does not know whether they are real."""
    inner = f"where(sqrt({state}) > 0.3, sqrt({state}), 1 + {state})"
    call = CALLS.get(name, name + "({x})").format(x=inner)
    return f"{call}*sqrt(where({state} > 0.3, {state}, 1)) + where({call} + sqrt({state}) > 0.2, -{state}, 0.5)"


STATES = {name: f"x_{name}" for name in FUNCTIONS}
MODEL = Model(
    "Functions",
    "\n".join(f"d{state}/dt = {right_side(name, state)}" for name, state in STATES.items()),
    initial=dict.fromkeys(STATES.values(), START),
)


def slope(name):
    code = compile(right_side(name, "x"), name, "eval")  # the language is a subset of Python's

    def f(x):
        return eval(code, {"__builtins__": {}}, {**PLAIN, "x": x})

    return f


def number(value):
    return (
        mpmath.mpmathify(sp.Rational(value).p) / sp.Rational(value).q if isinstance(value, str) else mpmath.mpf(value)
    )


def one_step(f, x, method):
    h = mpmath.mpf(DT)
    if method in EXPONENTIAL:
        z = h * mpmath.diff(f, x, h=mpmath.mpf("1e-12"))
        return EXPONENTIAL[method](f, x, h, z, mpmath.expm1(z) / z)
    rows, weights = TABLEAUS.get(method, HALVES)
    slopes: list[mpmath.mpf] = []
    for row in rows:
        slopes.append(f(x + h * mpmath.fsum(number(a) * k for a, k in zip(row, slopes))))
    return x + h * mpmath.fsum(number(b) * k for b, k in zip(weights, slopes))


@pytest.mark.parametrize("method", [*TABLEAUS, *EXPONENTIAL, "izhikevich2003"])
@pytest.mark.sample(7)
def test_every_function_under_every_method(method):
    with mpmath.workdps(30):
        of_first, of_others = ("two halves", "euler") if method == "izhikevich2003" else (method, method)
        methods = {name: of_others if k else of_first for k, name in enumerate(STATES)}
        expected = {name: one_step(slope(name), mpmath.mpf(START), methods[name]) for name in STATES}
    for backend in ("c", "numpy") if method in COMPILED else ("numpy",):
        pop = MODEL.population(1, dt=DT, method=method, backend=backend, dtype="float64")
        pop.step()
        for name, state in STATES.items():
            assert float(pop.state[state][0]) == pytest.approx(float(expected[name]), rel=1e-14), (name, backend)


def test_the_reference_knows_every_function_and_method():
    assert PLAIN.keys() == FUNCTIONS.keys()
    assert {*TABLEAUS, *EXPONENTIAL, "izhikevich2003", "exact"} == set(method_names())  # the last is for linear systems


CLASSES = [
    value
    for module in (own, kernel)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, sp.Function) and value.__module__ == module.__name__
]


@pytest.mark.parametrize("function", CLASSES, ids=lambda c: c.__name__)
def test_every_function_of_ours_is_a_number_whatever_its_arguments_are(function):
    """A condition has no commutativity; without one of its own, a function of it counts as no real number in comparisons."""
    assert function.is_commutative is True
    assert issubclass(function, own.OwnFunction)


def test_no_function_class_stands_elsewhere():
    from tests.conftest import ROOT

    for path in (ROOT / "izhigen").rglob("*.py"):
        classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        bases = {node.name: [ast.unparse(base) for base in node.bases] for node in classes}
        assert not [name for name, of in bases.items() if "sp.Function" in of and name != "OwnFunction"], path
