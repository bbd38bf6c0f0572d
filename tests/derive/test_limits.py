"""Models at the limits that are stated: what is derived from them stays about as large as they are."""

from __future__ import annotations

import mpmath
import pytest
import sympy as sp

from izhigen import Model
from izhigen.derive.derivative import LONG, derivative
from izhigen.derive.expansion import tree_size
from izhigen.derive.step import derive_step
from izhigen.derive.system import MOST_BLOCK, EquationClass
from izhigen.errors import ModelError
from izhigen.model.expressions import parse_expression
from izhigen.model.limits import check_inlined

x = sp.Symbol("x", real=True)


def ring(count):
    lines = [f"dx{k}/dt = (x{(k + 1) % count} - x{k})/tau + I" for k in range(count)]
    return Model("Ring", "\n".join(lines), inputs=["I"], parameters={"tau": 10.0})


def cable(count):
    lines = []
    for k in range(count):
        axial = " + ".join(f"g*(V{j} - V{k})" for j in (k - 1, k + 1) if 0 <= j < count)
        lines.append(f"dV{k}/dt = (E - V{k} + {axial} + I)/tau")
    parameters = {"tau": 10.0, "E": -65.0, "g": 2.0}
    return Model("Cable", "\n".join(lines), inputs=["I"], parameters=parameters, threshold="V0 > -50", reset="V0 = E")


def nested(count):
    text = "V"
    for k in range(count):
        text = f"where(V > {k}, {text}, {k}*w)"
    return text


PRODUCT = "*".join(f"(V - {k + 1})" for k in range(60))
MODELS = {
    "a ring of 14 states": ring(14),
    "a cable of 50 compartments": cable(50),
    "a product of 60 factors": Model("A", f"dV/dt = 1e-9*{PRODUCT} - V"),
    "a product of functions": Model("A", "dV/dt = " + "*".join(f"(1 + exp(-(V - {k})/9))" for k in range(60))),
    "a quotient of products": Model("A", f"dV/dt = {PRODUCT}/({PRODUCT.replace('-', '+')}) - V"),
    "powers of sums": Model(
        "A", "dV/dt = w + " + " + ".join(f"(V + {k} + w)**{2 + k % 7}" for k in range(60)) + "\ndw/dt = -w*V"
    ),
    "one power of a sum": Model(
        "A", "dV/dt = -V + (" + "+".join(f"{k}*V" for k in range(1, 60)) + " + w)**64\ndw/dt = -w"
    ),
    "nested selects": Model("A", f"dV/dt = -V + {nested(55)}\ndw/dt = -w"),
    "a chain of conditions": Model(
        "A", "dV/dt = -V + where(" + " or ".join(f"V > {k} and w < {k}" for k in range(100)) + ", 1, V)\ndw/dt = -w"
    ),
    "maxima": Model("A", "dV/dt = -V + max(" + ", ".join(f"{k}*w + V" for k in range(1, 40)) + ")\ndw/dt = -w"),
    "a product of 40 factors of two states": Model(
        "A", f"dV/dt = -V + w*{'*'.join(PRODUCT.split('*')[:40])}\ndw/dt = -w"
    ),
    "a chain of 199 terms": Model("A", "dV/dt = -V + " + " + ".join(f"{k}*w" for k in range(1, 199)) + "\ndw/dt = -w"),
    "lines that double": Model(
        "A",
        "y0 = V - w\n"
        + "\n".join(f"y{k} = y{k - 1}*(1 - y{k - 1})" for k in range(1, 8))
        + "\ndV/dt = y7 - V\ndw/dt = -w",
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", ["exp_euler", "rk4"])
@pytest.mark.sample(12)
def test_models_at_the_limits_stay_small(name, method):
    """Written out as trees: a step has a small multiple of its model's parts, and what is shown of it fits on some pages."""
    model = MODELS[name]
    step = derive_step(model, method)
    written = sum(tree_size(e.rhs) for e in step.system.equations)
    derived = sum(tree_size(a.expression) for a in step.assignments) + sum(tree_size(i) for i in step.increments)
    assert derived <= 60 * written + 1_000
    assert len(model.source("c", method=method)) < 300_000
    if method == "exp_euler":
        assert len(model.derive(method).report()) < 100_000


def test_a_large_linear_block_goes_equation_by_equation_and_the_report_says_so():
    small, large = derive_step(ring(MOST_BLOCK)), derive_step(ring(MOST_BLOCK + 1))
    assert [len(block) for block in small.system.blocks] == [MOST_BLOCK] and not small.system.large_blocks
    assert not large.system.blocks and [len(block) for block in large.system.large_blocks] == [MOST_BLOCK + 1]
    assert all(e.kind is EquationClass.LINEAR_PARAMETER_RATE for e in large.system.equations)
    assert "linear block of 9 states" in ring(9).derive().report() and "too large" not in ring(8).derive().report()
    assert "too large" not in ring(9).derive("rk4").report()


@pytest.mark.parametrize("operator", ["+", "-", "*", "/"])
def test_a_chain_is_one_level_of_nesting(operator):
    chain = operator.join(f"(V + {k})" for k in range(1, 200))
    assert check_inlined("V", parse_expression(chain), {})[1] <= 3
    with pytest.raises(ModelError, match="nested"):
        check_inlined("V", parse_expression("exp(" * 50 + "V" + ")" * 50), {"V": (100, 60)})


@pytest.mark.parametrize("count", [LONG, LONG + 1, 30])
def test_long_products_have_the_derivative_of_products(count):
    product = sp.Mul(3, *(x - k + sp.sin(k * x) for k in range(count)))
    slope = derivative(sp.exp(-(product**2) / 10**60) + product, x)
    with mpmath.workdps(40):
        at = mpmath.mpf(7) / 5
        value = 3 * mpmath.fprod(at - k + mpmath.sin(k * at) for k in range(count))
        relative = mpmath.fsum((1 + k * mpmath.cos(k * at)) / (at - k + mpmath.sin(k * at)) for k in range(count))
        exact = value * relative * (1 - 2 * value / 10**60 * mpmath.exp(-(value**2) / 10**60))
        assert abs(sp.lambdify(x, slope, "mpmath")(at) / exact - 1) <= mpmath.mpf("1e-25")
    assert tree_size(derivative(product, x)) <= 40 * count * (count.bit_length() + 1)


def test_updates_that_would_be_large_are_not_inlined():
    step = derive_step(MODELS["maxima"], "rk4")
    assert "V" not in step.short_updates and "w" in step.short_updates
    assert "see the body" in step.model.source("c", method="rk4")
    assert r"k_{4,\mathrm{V}}" in step.model.derive("rk4").latex()  # its stages stand for it
