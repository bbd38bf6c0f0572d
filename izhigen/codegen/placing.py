"""Every part of an expression is computed where it varies least: once a call, once a neuron, once a step, or always."""

from __future__ import annotations

from functools import reduce
from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from izhigen.codegen.naming import Namer
from izhigen.codegen.procedure import Kind, Placement, Statement, block_rows


class Placer:
    """Builds the statement lists; alive while a kernel is built."""

    def __init__(self, placements: dict[sp.Symbol, Placement], namer: Namer) -> None:
        self.placements, self.namer = placements, namer
        self.lists: dict[Placement, list[Statement]] = {
            p: [] for p in (Placement.UNIFORM, Placement.NEURON, Placement.STEP)
        }
        self.hoisted: dict[Any, sp.Symbol] = {}
        self.owner = ""

    def place(self, expression: Any) -> Placement:
        """What an expression varies with."""
        return reduce(lambda p, s: p | self.placements[s], expression.free_symbols, Placement.UNIFORM)

    def hoist(self, expression: Any) -> Any:
        """The expression with every part that varies less than the whole replaced by a statement of its own."""
        if not expression.args:
            return expression
        level = self.place(expression)
        if expression.is_Add or expression.is_Mul:
            return self._hoist_operands(expression, level)
        return expression.func(*(self._operand(a, level) for a in expression.args))

    def _operand(self, part: Any, level: Placement) -> Any:
        return self.hoist(part) if self.place(part) == level else self.named(part)

    def _hoist_operands(self, expression: Any, level: Placement) -> Any:
        operation = expression.func
        groups: dict[Placement, list[Any]] = {}
        for part in expression.args:
            groups.setdefault(self.place(part), []).append(part)
        uniform = groups.pop(Placement.UNIFORM, [])
        sign = sp.S.One
        if expression.is_Mul and uniform and uniform[0].is_Number and uniform[0].is_negative:
            sign, uniform = sp.S.NegativeOne, ([-uniform[0]] if uniform[0] != -1 else []) + uniform[1:]
        if level is Placement.UNIFORM:
            return sign * operation(*(self.hoist(p) for p in uniform))
        kept = [self.hoist(p) for p in groups.pop(level, [])]
        lower = [p for p in (Placement.NEURON, Placement.STEP) if p in groups]
        if lower:
            groups[lower[0]] = uniform + groups[lower[0]]
            uniform = []
        parts = [operation(*groups[p]) for p in lower] + ([operation(*uniform)] if uniform else [])
        return sign * operation(*(self.named(p) for p in parts), *kept)

    def named(self, expression: Any) -> Any:
        """A symbol that stands for the expression, computed once at its own placement."""
        if not expression.args or (
            expression.is_Mul and expression.args[0] == -1 and len(expression.args) == 2 and not expression.args[1].args
        ):
            return expression
        level = self.place(expression)
        if level is Placement.BOTH:
            return self.hoist(expression)
        if expression not in self.hoisted:
            value = self.hoist(expression)
            name = self.namer.temporary(expression, self.owner)
            self.placements[name] = level
            self.hoisted[expression] = name
            self.lists[level].append(Statement(name, value, kind_of(expression)))
        return self.hoisted[expression]


def kind_of(expression: Any) -> Kind:
    """Whether an expression is a condition, all rows of a block, or a number."""
    if isinstance(expression, block_rows):
        return Kind.ROWS
    return Kind.CONDITION if isinstance(expression, Boolean) and not expression.is_Symbol else Kind.REAL
