"""Repeated subexpressions get a statement of their own, named by what it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from izhigen.codegen.economy import is_only_added, shared_powers
from izhigen.codegen.naming import Namer
from izhigen.codegen.placing import kind_of
from izhigen.codegen.procedure import Statement, Store, rows_together


@dataclass(frozen=True)
class Sharer:
    """Names repeated subexpressions."""

    namer: Namer
    known: dict[Any, str]
    dtype: str

    def name(self, value: Any, inlined: Any) -> sp.Symbol:
        """The user's own name for a value where there is one, else one that spells it."""
        if inlined in self.known:
            return self.namer.fixed(self.known[inlined])
        return self.namer.temporary(value, "shared")


def _is_negated_symbol(value: Any) -> bool:
    return bool(value.is_Mul and len(value.args) == 2 and value.args[0] == -1 and value.args[1].is_Symbol)


def _in_order(definitions: list[tuple[sp.Symbol, Any]]) -> list[tuple[sp.Symbol, Any]]:
    """Definitions sorted so that each reads only what stands before it."""
    waiting = dict(definitions)
    ordered: list[tuple[sp.Symbol, Any]] = []
    while waiting:
        ready = [name for name, value in waiting.items() if not value.free_symbols & waiting.keys()]
        ordered += [(name, waiting.pop(name)) for name in ready]
    return ordered


def _is_one_product(value: Any) -> bool:
    return bool(value.is_Mul and len(value.args) == 2 and not any(a.args for a in value.args))


def share(
    body: Iterable[Statement], stores: Iterable[Store], sharer: Sharer
) -> tuple[tuple[Statement, ...], tuple[Store, ...]]:
    """Give every repeated subexpression of the body a statement before its first use."""
    everything = [replace(s, expression=rows_together(s.expression)) for s in (*body, *stores)]
    temporaries = sp.numbered_symbols("shared_expression_", real=True)
    powers, plain = shared_powers([s.expression for s in everything], lambda: next(temporaries), sharer.dtype)
    found, reduced = sp.cse([*powers.values(), *plain], symbols=temporaries)
    replacements = _in_order([*found, *zip(powers, reduced)])
    reduced = reduced[len(powers) :]
    readers = [*(e for _, e in replacements), *reduced]
    renamed: dict[sp.Symbol, Any] = {}
    inlined: dict[sp.Symbol, Any] = {}
    definitions: dict[sp.Symbol, Any] = {}
    for temporary, raw in replacements:
        value = raw.xreplace(renamed)
        inlined[temporary] = raw.xreplace(inlined)
        if _is_negated_symbol(value) or (_is_one_product(value) and is_only_added(temporary, readers)):
            renamed[temporary] = value
            continue
        renamed[temporary] = sharer.name(value, inlined[temporary])
        definitions[renamed[temporary]] = value
    rewritten: list[Any] = []
    placed: set[sp.Symbol] = set()

    def place(expression: Any) -> None:
        read = expression.free_symbols & definitions.keys() - placed
        for name in definitions if read else ():
            if name in read and name not in placed:
                place(definitions[name])
                placed.add(name)
                rewritten.append(Statement(name, definitions[name], kind_of(definitions[name])))

    for statement, value in zip(everything, reduced):
        place(value.xreplace(renamed))
        rewritten.append(replace(statement, expression=value.xreplace(renamed)))
    stored = tuple(s for s in rewritten if isinstance(s, Store))
    return tuple(s for s in rewritten if not isinstance(s, Store)), stored
