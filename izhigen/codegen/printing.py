"""Statements as lines of a target's language."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from izhigen.codegen.identifiers import c_name
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.procedure import Kind, Statement, Store, Word
from izhigen.codegen.view import Line
from izhigen.codegen.words import Words


def print_statement(statement: Statement, printer: CPrinter) -> Line:
    """A statement or store as a line."""
    text = printer.doprint(statement.expression)
    whole = text.startswith("(") and text.endswith(")") and _closes_at_end(text)
    types = {Kind.CONDITION: "int", Kind.TIME: "double", Kind.STEP: printer.step_type}
    if statement.kind is Kind.ROWS:
        types[Kind.ROWS] = printer.rows_type(statement.expression)
    how = "+=" if isinstance(statement, Store) and statement.how == "add" else "="
    return Line(
        word_of(statement.symbol),
        types.get(statement.kind, printer.format.real),
        text[1:-1] if whole else text,
        how,
    )


def _closes_at_end(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position < len(text) - 1:
            return False
    return True


def printed(statements: Iterable[Statement], printer: CPrinter, words: Words) -> tuple[Line, ...]:
    return tuple(print_statement(words.put_into(s), printer) for s in statements)


def word_of(symbol: sp.Symbol) -> str:
    """How a symbol is printed."""
    return str(symbol.name) if isinstance(symbol, Word) else c_name(symbol.name)
