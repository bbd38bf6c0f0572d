"""NESTML's update block, read as what our step does: what is integrated when, and what is assigned around it.

Statements before ``integrate_odes`` keep values of the step's start, or make a variable decay by a factor; two branches
that integrate different states are told apart by a condition at the step's start. What is left over is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from izhigen.errors import shown, suggest
from izhigen.importers.nestml_syntax import (
    Assignment,
    Call,
    Choice,
    Declaration,
    Handler,
    Name,
    Node,
    Product,
    walk,
)

INTEGRATE, EMIT = "integrate_odes", "emit_spike"


@dataclass
class Update:
    """What an update block says.

    Attributes
    ----------
    guard : Node or None
        The condition at the step's start that chooses between two branches.
    integrated : tuple of (set of str or None)
        The states that are integrated where the guard holds, and where it does not; None for all.
    kept : dict
        Name to the statement that gives it a value of the step's start.
    decays : dict
        State to the factor it is multiplied with in a step, and whether that is so in each branch.
    arrivals : list of Assignment
        Those after integration that read a spike port.
    others : list of Assignment
        Those after integration that do not.
    spikes : list of Handler
        Conditions after integration under which a spike is emitted.
    """

    guard: Node | None = None
    integrated: tuple[set[str] | None, set[str] | None] = field(default_factory=lambda: (set(), set()))
    kept: dict[str, Assignment | Declaration] = field(default_factory=dict)
    decays: dict[str, tuple[Node, tuple[bool, bool]]] = field(default_factory=dict)
    arrivals: list[Assignment] = field(default_factory=list)
    others: list[Assignment] = field(default_factory=list)
    spikes: list[Handler] = field(default_factory=list)


def calls(nodes: Node | Iterable[Node], function: str) -> bool:
    """Whether a function is called in some statements."""
    return any(isinstance(part, Call) and part.function == function for part in walk(_as_tuple(nodes)))


def reads(node: Node, names: Iterable[str]) -> set[str]:
    """Which of some names a node reads."""
    return {part.id for part in walk(node) if isinstance(part, Name)} & set(names)


def _as_tuple(nodes: Node | Iterable[Node]) -> tuple[Node, ...]:
    return (nodes,) if isinstance(nodes, Node) else tuple(nodes)


def read_update(statements: tuple[Node, ...], odes: tuple[str, ...], ports: tuple[str, ...]) -> Update:
    """Read an update block.

    Parameters
    ----------
    statements : tuple of Node
    odes : tuple of str
        States that have differential equations.
    ports : tuple of str
        Spike ports.

    Raises
    ------
    ModelError
        For what a step here has no place for, with its line.
    """
    found, integrated = Update(), False
    for statement in statements:
        if calls(statement, INTEGRATE):
            if integrated:
                raise statement.place.error("integrate_odes() again in a step; a step here integrates once")
            integrated = True
            _integration(statement, found, odes)
        elif integrated:
            _after(statement, found, ports)
        else:
            _before(statement, found, (True, True))
    if odes and not integrated and statements:
        raise statements[0].place.error("the update block integrates nothing; write integrate_odes()")
    return found


def _integration(statement: Node, found: Update, odes: tuple[str, ...]) -> None:
    if isinstance(statement, Call):
        states = _integrated(statement, odes)
        found.integrated = states, states
        return
    if not isinstance(statement, Choice):
        raise statement.place.error("integrate_odes() stands alone, or in the branches of one 'if'")
    (guard, first), *rest = statement.branches
    if guard is not None:
        _check_decays(guard, found)
    if len(rest) > 1 or (rest and rest[0][0] is not None):
        raise statement.place.error("more than two branches around integrate_odes(); write one 'if' and one 'else'")
    second = rest[0][1] if rest else ()
    found.guard = guard
    found.integrated = _branch(first, found, odes, (True, False)), _branch(second, found, odes, (False, True))


def _branch(body: tuple[Node, ...], found: Update, odes: tuple[str, ...], which: tuple[bool, bool]) -> set[str] | None:
    states: set[str] | None = set()
    done = False
    for statement in body:
        if done:
            raise statement.place.error(
                "what follows integrate_odes() in a branch is not read; write it after the 'if'"
            )
        if isinstance(statement, Call) and statement.function == INTEGRATE:
            states, done = _integrated(statement, odes), True
        else:
            _before(statement, found, which)
    return states


def _integrated(call: Call, odes: tuple[str, ...]) -> set[str] | None:
    """The states of one ``integrate_odes``; None for all."""
    named = set()
    for argument in call.arguments:
        name = argument.id.rstrip("'") if isinstance(argument, Name) else ""
        if name not in odes:
            raise argument.place.error(
                f"integrate_odes() takes states that have equations{suggest(name, odes)} ({', '.join(odes)})"
            )
        named.add(name)
    return named if call.arguments else None


def _before(statement: Node, found: Update, which: tuple[bool, bool]) -> None:
    """A statement before integration."""
    if isinstance(statement, Declaration) and statement.value is not None and which == (True, True):
        _check_decays(statement.value, found)
        twice = next((name for name in statement.names if name in found.kept), None)
        if twice is not None:
            raise statement.place.error(f"{shown(twice)} is declared twice; rename one of them")
        found.kept.update(dict.fromkeys(statement.names, statement))
        return
    if not isinstance(statement, Assignment):
        raise statement.place.error("this statement before integrate_odes() is not read; write assignments there")
    factor = _factor(statement)
    if factor is not None:
        if statement.name in found.decays:
            raise statement.place.error(f"{statement.name} is multiplied twice in a step; write one factor")
        found.decays[statement.name] = factor, which
        return
    own = reads(statement.value, (statement.name,)) or statement.operator
    if own or which != (True, True) or statement.name in found.kept:
        raise statement.place.error(
            f"{statement.name} is assigned before integrate_odes() in a way that is not read; it may keep a value of "
            "the step's start (V_old = V), or be multiplied with a constant factor"
        )
    _check_decays(statement.value, found)
    found.kept[statement.name] = statement


def _check_decays(node: Node, found: Update) -> None:
    """Refuse what reads a state after it was multiplied, as a step here decays while others move."""
    for name in sorted(reads(node, found.decays)):
        raise node.place.error(f"{name} is read after it was multiplied in the step; read it above that")


def _factor(statement: Assignment) -> Node | None:
    """What a statement multiplies its own name with."""
    if statement.operator == "*":
        return statement.value
    if statement.operator or not isinstance(statement.value, Product):
        return None
    factors = statement.value.factors
    own = [i for i, (o, f) in enumerate(factors) if o == "*" and isinstance(f, Name) and f.id == statement.name]
    if len(own) != 1:
        return None
    rest = tuple(pair for i, pair in enumerate(factors) if i != own[0])
    if rest[0][0] == "*" and len(rest) == 1:
        return rest[0][1]
    return Product(statement.value.place, rest)


def _after(statement: Node, found: Update, ports: tuple[str, ...]) -> None:
    """A statement after integration."""
    if isinstance(statement, Assignment):
        (found.arrivals if reads(statement.value, ports) else found.others).append(statement)
    elif isinstance(statement, Choice) and calls(statement, EMIT):
        condition, body = statement.branches[0]
        if len(statement.branches) > 1 or condition is None:
            raise statement.place.error(f"{EMIT}() in an 'if' with other branches is not read; write onCondition(...)")
        found.spikes.append(Handler(statement.place, condition, body))
    else:
        what = shown(statement.function) if isinstance(statement, Call) else "this statement"
        raise statement.place.error(
            f"{what} after integrate_odes() is not read; write onReceive(...) or onCondition(...)"
        )
