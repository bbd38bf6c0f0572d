"""A procedure: what it is given, statements, and what it stores. A kernel consists of them."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sympy as sp

from izhigen.derive.functions import OwnFunction, phi1_action


class Placement(enum.Flag):
    """What a value varies with."""

    UNIFORM = 0
    NEURON = enum.auto()
    STEP = enum.auto()
    BOTH = NEURON | STEP


class Kind(enum.Enum):
    """The type of a value.

    A number of the kernel's dtype; a time in ms, in double precision whatever the dtype is; the number of a step; a
    condition; or all rows of a matrix times a vector.
    """

    REAL = "real"
    TIME = "time"
    STEP = "step"
    CONDITION = "condition"
    ROWS = "rows"


class block_rows(OwnFunction):
    """``block_rows(z11, z12, ..., v1, v2, ...)``: all rows of phi1(Z) v, which are found together."""


def rows_of(rows: Any) -> int:
    """How many rows they are."""
    return math.isqrt(len(rows.args))


class block_row(OwnFunction):
    """``block_row(row, rows)``: one of them."""


def rows_together(expression: Any) -> Any:
    """The expression with every row of a block as one of all its rows."""
    return expression.replace(phi1_action, lambda row, *parts: block_row(row, block_rows(*parts)))


class Word(sp.Symbol):  # type: ignore[misc]
    """A name that the templates use: equal to no name of a model, and printed as it is."""


@dataclass(frozen=True)
class Statement:
    """``symbol = expression``, computed once where it is placed."""

    symbol: sp.Symbol
    expression: Any
    kind: Kind


@dataclass(frozen=True)
class Store(Statement):
    """The new value of something that outlives the procedure, or what is added to it."""

    how: Literal["set", "add"] = "set"


@dataclass(frozen=True)
class Argument:
    """A value that a procedure is given."""

    symbol: sp.Symbol
    kind: Kind
    placement: Placement


@dataclass(frozen=True)
class Procedure:
    """Statements that are computed one after the other.

    Attributes
    ----------
    arguments : tuple of Argument
        What the statements and stores read that none of them computes.
    statements : tuple of Statement
    stores : tuple of Store
    """

    arguments: tuple[Argument, ...] = ()
    statements: tuple[Statement, ...] = ()
    stores: tuple[Store, ...] = ()

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Everything that is read: arguments, and results of statements that others read."""
        return symbols_read((*self.statements, *self.stores))


def symbols_read(statements: Iterable[Statement]) -> frozenset[sp.Symbol]:
    """All symbols on the right-hand sides."""
    return frozenset().union(*(s.expression.free_symbols for s in statements))


def make_procedure(
    statements: Iterable[Statement], stores: Iterable[Store], known: Mapping[sp.Symbol, tuple[Kind, Placement]]
) -> Procedure:
    """A procedure, with arguments in the order in which they are ``known``."""
    body, results = tuple(statements), tuple(stores)
    read = symbols_read((*body, *results)) - {s.symbol for s in body}
    arguments = tuple(Argument(symbol, *known[symbol]) for symbol in known if symbol in read)
    assert len(arguments) == len(read), f"unknown symbols: {read - set(known)}"
    return Procedure(arguments, body, results)
