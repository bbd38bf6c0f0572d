"""Trees as text and back, and noise taken out of them, for any tree."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from izhigen.errors import EquationError, ModelError
from izhigen.importers.trees import linear_parts, names_in, size_of, substituted, written
from izhigen.model.expressions import (
    Binary,
    Call,
    Compare,
    Expression,
    Logical,
    Name,
    Negative,
    Node,
    Number,
    parse_expression,
)

NAMES = {"a": 1.25, "b": -0.5, "xi": 0.75, "xi_1": -2.0}
NUMBERS = st.one_of(
    st.integers(-20, 20).map(Fraction),
    st.fractions(min_value=-5, max_value=5, max_denominator=12),
    st.floats(1e-9, 1e9).map(lambda x: Fraction(repr(x))),
).map(Number)


def numbers(names):
    def more(parts):
        conditions = st.builds(Compare, st.sampled_from(["<", ">=", "!="]), parts, parts)
        logical = st.one_of(
            conditions,
            st.builds(lambda c: Logical("not", (c,)), conditions),
            st.builds(
                lambda o, p: Logical(o, tuple(p)), st.sampled_from(["and", "or"]), st.tuples(conditions, conditions)
            ),
            st.builds(
                lambda p, c: Logical("and", (Logical("or", tuple(p)), c)), st.tuples(conditions, conditions), conditions
            ),
        )
        return st.one_of(
            st.builds(Binary, st.sampled_from(list("+-*/")), parts, parts),
            st.builds(lambda base, n: Binary("**", base, Number(Fraction(n))), parts, st.integers(-3, 3)),
            st.builds(Negative, parts),
            st.builds(lambda x: Call("abs", (x,)), parts),
            st.builds(lambda c, x, y: Call("where", (c, x, y)), logical, parts, parts),
        )

    return st.recursive(st.one_of(NUMBERS, st.sampled_from(names).map(Name)), more, max_leaves=12)


def value(tree: Node):
    with np.errstate(all="ignore"):
        return float(Expression("", tree).evaluate(NAMES))


@given(numbers(["a", "b"]))
def test_text_means_the_tree(tree):
    try:
        read = parse_expression(written(tree)).tree
    except EquationError as problem:  # the parser computes constants, and refuses some
        assert any(word in str(problem) for word in ("finite", "division", "degree", "exponent"))
        return
    expected, found = value(tree), value(read)
    assert found == pytest.approx(expected, rel=1e-9, nan_ok=True) or not np.isfinite(expected)


@given(numbers(["a"]), numbers(["a"]), numbers(["b"]), st.integers(0, 3))
def test_noise_is_taken_out(drift, first, second, shape):
    tree: Node = Binary("+", drift, Binary("*", first, Name("xi")))
    tree = (
        tree,
        Binary("-", tree, Binary("/", Name("xi_1"), second)),
        Negative(Binary("*", second, tree)),
        Binary("-", Binary("*", Name("xi"), second), Binary("/", tree, second)),
    )[shape]
    rest, factors = linear_parts(tree, ("xi", "xi_1"), "here")
    total = (0.0 if rest is None else value(rest)) + sum(value(f) * NAMES[name] for name, f in factors.items())
    assert not any(names_in(part) & {"xi", "xi_1"} for part in (*factors.values(), *([rest] if rest else [])))
    expected = value(tree)
    parts = [abs(value(f) * NAMES[name]) for name, f in factors.items()] + [abs(expected)]
    assert not np.isfinite(sum(parts)) or total == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(parts))


@pytest.mark.parametrize("text", ["xi*xi", "1/xi", "xi**2", "exp(xi)", "where(xi > 0, 1, 0)", "abs(xi)*a"])
def test_noise_that_does_not_enter_as_a_term(text):
    with pytest.raises(ModelError, match="xi stands elsewhere"):
        linear_parts(parse_expression(text).tree, ("xi",), "here")


def test_a_number_takes_as_many_digits_as_it_needs():
    for text in ("0.1", "1e300", "1e-12", "123456789", "1234567.5", "-2.5e-10", "0.0003", "1/3", "-22/7"):
        tree = parse_expression(text).tree
        tree = Number(Fraction(text)) if "/" in text else tree
        assert written(tree) == text.replace("-2.5e-10", "-25e-11")
        assert value(parse_expression(written(tree)).tree) == pytest.approx(value(tree), rel=1e-15)
    with pytest.raises(ModelError, match="too many digits"):
        written(Number(Fraction(10**70 + 1, 10**69 + 3)))


def test_what_is_put_in_place_of_names_may_not_grow_without_end():
    tree: Node = Name("a")
    assert substituted(tree, {"b": tree}, "here") is tree
    with pytest.raises(ModelError, match="here: .*simplify"):
        for _ in range(20):
            tree = substituted(Binary("*", Name("a"), Name("a")), {"a": tree}, "here")
    assert size_of(tree) <= 5_000
