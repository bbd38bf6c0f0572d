"""Surrogate gradients by name, as in ``iz.surrogates.sigmoid(alpha=4.0)``: one file each.

The names are those of BrainPy, and each is known with ``_grad`` after it as well. A user's own is text or a SymPy
expression in x, given to a population as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from izhigen.derive.lowering import lower
from izhigen.derive.surrogate import WHERE, Surrogate, X
from izhigen.derive.surrogates.arctan import arctan as arctan
from izhigen.derive.surrogates.erf import erf as erf
from izhigen.derive.surrogates.gaussian import gaussian as gaussian
from izhigen.derive.surrogates.inv_square import inv_square as inv_square
from izhigen.derive.surrogates.leaky_relu import leaky_relu as leaky_relu
from izhigen.derive.surrogates.log_tailed_relu import log_tailed_relu as log_tailed_relu
from izhigen.derive.surrogates.multi_gaussian import multi_gaussian as multi_gaussian
from izhigen.derive.surrogates.nonzero_sign_log import nonzero_sign_log as nonzero_sign_log
from izhigen.derive.surrogates.piecewise_exp import piecewise_exp as piecewise_exp
from izhigen.derive.surrogates.piecewise_leaky_relu import piecewise_leaky_relu as piecewise_leaky_relu
from izhigen.derive.surrogates.piecewise_quadratic import piecewise_quadratic as piecewise_quadratic
from izhigen.derive.surrogates.q_pseudo_spike import q_pseudo_spike as q_pseudo_spike
from izhigen.derive.surrogates.relu import relu as relu
from izhigen.derive.surrogates.s2nn import s2nn as s2nn
from izhigen.derive.surrogates.sigmoid import sigmoid as sigmoid
from izhigen.derive.surrogates.slayer import slayer as slayer
from izhigen.derive.surrogates.soft_sign import soft_sign as soft_sign
from izhigen.derive.surrogates.squarewave_fourier_series import squarewave_fourier_series as squarewave_fourier_series
from izhigen.errors import DerivationError, shown, suggest
from izhigen.model.equations import expression_text
from izhigen.model.expressions import parse_expression

# Importing them all here sets their names once and for all: a file that was imported before hides no function.
FUNCTIONS: dict[str, Callable[..., Surrogate]] = {
    function.__name__: function
    for function in (
        arctan,
        erf,
        gaussian,
        inv_square,
        leaky_relu,
        log_tailed_relu,
        multi_gaussian,
        nonzero_sign_log,
        piecewise_exp,
        piecewise_leaky_relu,
        piecewise_quadratic,
        q_pseudo_spike,
        relu,
        s2nn,
        sigmoid,
        slayer,
        soft_sign,
        squarewave_fourier_series,
    )
}


def names() -> tuple[str, ...]:
    """Names of all surrogates."""
    return tuple(FUNCTIONS)


def find(name: str) -> Callable[..., Surrogate]:
    """The function that makes a surrogate, by its name.

    Raises
    ------
    DerivationError
        For an unknown name, listing the known ones.
    """
    stem = name.removesuffix("_grad")
    if stem not in FUNCTIONS:
        raise DerivationError(f"no surrogate {shown(name)}{suggest(name, names())} (surrogates: {', '.join(names())})")
    return FUNCTIONS[stem]


def read_surrogate(source: Any) -> Surrogate:
    """A surrogate as it is, one by its name, or a user's own gradient as text or SymPy expression in x.

    Raises
    ------
    EquationError
        For text outside the equation language, with the column.
    DerivationError
        For an expression that reads anything but x.
    """
    if isinstance(source, Surrogate):
        return source
    if any(source is function for function in FUNCTIONS.values()):  # iz.surrogates.sigmoid, not called
        return read_surrogate(source())
    if isinstance(source, str) and source.strip().isidentifier() and source.strip() != X.name:
        return find(source.strip())()
    text = expression_text(source, WHERE)
    value = lower(parse_expression(text, WHERE), WHERE)
    others = sorted(s.name for s in value.free_symbols - {X})
    if others:
        raise DerivationError(
            f"{WHERE}: {shown(text)} reads {', '.join(others)}; it is a function of x alone, the margin by which the "
            "condition of a spike holds; put numbers in the place of other names"
        )
    return Surrogate(text, (), value)


def __getattr__(name: str) -> Callable[..., Surrogate]:
    try:
        return find(name)
    except DerivationError as problem:
        raise AttributeError(str(problem)) from None


def __dir__() -> list[str]:
    return [*names(), "find", "names", "read_surrogate"]
