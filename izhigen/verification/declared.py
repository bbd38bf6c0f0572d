"""The declared model as plain Python functions of numbers, written from the parsed text and from nothing that is
derived from it: what kernels and derivations are checked against.

Only names, numbers and operators of the parser's trees become text of Python, so nothing that a user wrote is executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from izhigen.errors import DerivationError
from izhigen.model.events import DeclaredEvent, Trigger
from izhigen.model.expressions import Binary, Compare, Expression, Logical, Moment, Name, Negative, Node, Number, walk
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.initial import NEVER_SPIKED
from izhigen.model.model import Declaration
from izhigen.verification.digits import VALUES

Function = Callable[..., Any]
Scope = Mapping[str, str]
"""What names are in Python."""


def _without_overflow(function: Function, limit: float) -> Function:
    """The function, infinite where doubles end."""

    def limited(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return limit

    return limited


def _sign(x: Any) -> int:
    return (x > 0) - (x < 0)


def double_functions() -> dict[str, Function]:
    """What equations call, on doubles."""
    return {
        **{name: getattr(math, name) for name in ("log", "sqrt", "sin", "cos", "tan", "tanh", "log1p", "erf")},
        **{name: _without_overflow(getattr(math, name), math.inf) for name in ("exp", "expm1", "cosh")},
        "sinh": lambda x: math.sinh(x) if abs(x) < 710 else math.copysign(math.inf, x),
        "exprel": lambda x: math.expm1(x) / x if x else 1.0,
        "power": math.pow,
        "floor": math.floor,
    }


def long_functions() -> dict[str, Function]:
    """The same on numbers of as many digits as mpmath is set to."""
    return {name: VALUES["phi1" if name == "exprel" else name] for name in double_functions()}


_PLAIN: dict[str, Function] = {
    "abs": abs,
    "min": min,
    "max": max,
    "sign": _sign,
    "heaviside": lambda x: int(x >= 0),
    "clip": lambda x, low, high: min(max(x, low), high),
}


class Declared:
    """A model's equations, events and arrivals as functions.

    Every function takes the time t (ms), the states y in the order of the model's, the inputs x as they are given, and
    the time of the last spike.

    Parameters
    ----------
    model : Declaration
    values : mapping of str to float
        Parameters and initial states that are not the declared ones.
    digits : int, optional
        Digits of the numbers, by mpmath; doubles where it is left out.

    Raises
    ------
    DerivationError
        For equations that read dt: they have no solution apart from a step.

    Attributes
    ----------
    conditions_move : bool
        Whether the condition of an event, or one that ends a hold, reads time or an input, so that it may change while
        the states do not.
    """

    def __init__(
        self, model: Declaration, values: Mapping[str, float] | None = None, digits: int | None = None
    ) -> None:
        self.model, self.values = model, dict(values or {})
        self.lines = {e.name: e.expression for e in model.equations if not e.is_ode}
        self.number: Function = float
        functions = double_functions()
        if digits is not None:
            import mpmath

            self.number, functions = mpmath.mpf, long_functions()
        self._space: dict[str, Any] = {f"f_{name}": value for name, value in {**_PLAIN, **functions}.items()}
        self._space["f_pi"] = self.number(math.pi) if digits is None else +mpmath.pi
        self.parameters = {name: self.values.get(name, value) for name, value in model.parameters.items()}
        self._space |= {f"p_{name}": self.number(value) for name, value in self.parameters.items()}
        self._long = digits is not None
        self._held_currents = any(model.is_held(current) for current in model.currents)
        self.sums = self._function(["[" + ", ".join(self._meant(name) for name in model.inputs) + "]"], "t, y, x, last")
        self.slopes = self._function(self._slopes(), "t, y, i, last")
        self.reads_old = {
            e.name for e in model.events if any(isinstance(node, Moment) for node in walk(e.condition.tree))
        }
        self.conditions = {e.name: self._condition(e.condition) for e in model.events}
        self.margins = {e.name: self._margin(e.condition) for e in model.events}
        self.assigned = {e.name: self._assignments(e.assignments) for e in model.events}
        self.arrived = {name: self._assignments(assignments) for name, assignments in model.on_event.items()}
        until = model.refractory.until if model.refractory else None
        conditions = [e.condition for e in model.events] + ([] if until is None else [until])
        self.conditions_move = any(self._names(c) & {"t", LAST_SPIKE, *model.inputs} for c in conditions)
        self.until = None if until is None else self._condition(until)

    # -- what is asked for ------------------------------------------------------------------------------------------

    def rhs(self, t: Any, y: Any, x: Any, last: Any) -> list[Any]:
        """Right-hand sides per ms, with the currents that are added to inputs."""
        found: list[Any] = self.slopes(t, y, self.sums(t, y, x, last) if self.model.currents else x, last)
        return found

    def _names(self, expression: Expression) -> set[str]:
        """What an expression reads, also by the lines that it names."""
        found = set(expression.names)
        return found.union(*(self._names(self.lines[name]) for name in found if name in self.lines))

    @property
    def holds_currents(self) -> bool:
        """Whether currents are held during a step, so that no step sees how they change in it."""
        return self._held_currents

    def trigger(self, event: DeclaredEvent) -> Trigger:
        """Of an event."""
        return self.model.trigger_of(event)

    def initial(self) -> tuple[list[float], float]:
        """States and time of the last spike at time 0."""
        found: dict[str, float] = {}

        def value_of(state: str) -> float:
            if state not in found:
                expression = self.model.initial.get(state)
                if state in self.values or expression is None:
                    found[state] = self.values.get(state, NEVER_SPIKED if state == LAST_SPIKE else 0.0)
                else:
                    known = {name: f"({value_of(name)!r})" for name in expression.names if name in self.model.states}
                    found[state] = float(eval(self._text(expression.tree, known), self._space))
            return found[state]

        return [value_of(state) for state in self.model.states], value_of(LAST_SPIKE)

    def of_time(self, expression: Expression) -> Function:
        """An expression of t alone."""
        return self._function([self._text(expression.tree, {"t": "t"})], "t")

    # -- writing ----------------------------------------------------------------------------------------------------

    def _function(self, body: list[str], arguments: str) -> Function:
        """A function of these lines, the last of which is what it returns."""
        *lines, result = body
        text = "".join(f"    {line}\n" for line in [*lines, f"return {result}"])
        space: dict[str, Any] = {}
        exec(f"def function({arguments}):\n{text}", self._space, space)
        found: Function = space["function"]
        return found

    def _states(self, what: str) -> dict[str, str]:
        return {name: f"{what}[{k}]" for k, name in enumerate(self.model.states)}

    def _given(self) -> dict[str, str]:
        """Inputs as they are given, and times."""
        inputs = {name: f"x[{k}]" for k, name in enumerate(self.model.inputs)}
        return {**inputs, "t": "t", LAST_SPIKE: "last"}

    def _meant(self, name: str, states: Scope | None = None) -> str:
        """An input with the currents that are added to it; these read inputs as given."""
        scope = {**self._given(), **(states or self._states("y"))}
        currents = [c.expression for c in self.model.currents if c.to == name]
        return " + ".join([scope[name], *(f"({self._text(c.tree, scope)})" for c in currents)])

    def _scope(self, states: Scope) -> dict[str, str]:
        """What names mean in events, where states are these."""
        inputs = {name: f"({self._meant(name, states)})" for name in self.model.inputs}
        return {**self._given(), **inputs, **states}

    def _slopes(self) -> list[str]:
        """Lines of the right-hand sides; ``i`` are the inputs with their currents."""
        states = self._states("y")
        scope = {**self._given(), **{n: f"i[{k}]" for k, n in enumerate(self.model.inputs)}}
        scope |= {name: f"s_{name}" for name in states}
        body = [f"{', '.join(scope[name] for name in states)}, = y"]

        def bind(expression: Expression) -> None:
            for name in expression.names:
                if name in self.lines and name not in scope:
                    bind(self.lines[name])
                    body.append(f"l_{name} = {self._text(self.lines[name].tree, scope)}")
                    scope[name] = f"l_{name}"

        for equation in self.model.odes:
            bind(equation.expression)
        sides = [self._text(e.expression.tree, scope) for e in self.model.odes]
        return [*body, "[" + ", ".join(sides) + "]"]

    def _condition(self, expression: Expression) -> Function:
        scopes = {"old": self._scope(self._states("old"))}
        return self._function(
            [self._text(expression.tree, self._scope(self._states("y")), scopes)], "t, y, x, last, old=()"
        )

    def _margin(self, expression: Expression) -> Function | None:
        """By how much a condition holds; None where it compares no numbers."""
        scope, scopes = self._scope(self._states("y")), {"old": self._scope(self._states("old"))}

        def text(node: Node) -> str | None:
            if isinstance(node, Compare) and node.operator in ("<", "<=", ">", ">="):
                left, right = (self._text(side, scope, scopes) for side in (node.left, node.right))
                return f"({left}) - ({right})" if node.operator[0] == ">" else f"({right}) - ({left})"
            if not isinstance(node, Logical):
                return None
            parts = [part for part in map(text, node.operands) if part is not None]
            if not parts or node.operator == "not":
                return f"-({parts[0]})" if parts else None
            choose = "min" if node.operator == "and" else "max"
            return f"f_{choose}({', '.join(parts)})" if len(parts) > 1 else parts[0]

        found = text(expression.tree)
        return None if found is None else self._function([found], "t, y, x, last, old=()")

    def _assignments(self, assignments: Any) -> Function:
        """The states after assignments, which read those before; ``new`` means what lines above have assigned."""
        now, new, body = self._states("y"), dict(self._states("y")), []
        for assignment in assignments:
            scopes = {"old": self._scope(self._states("old")), "new": self._scope(new)}
            body.append(f"n_{assignment.state} = {self._text(assignment.expression.tree, self._scope(now), scopes)}")
            new[assignment.state] = f"n_{assignment.state}"
        return self._function(
            [*body, "[" + ", ".join(new[name] for name in self.model.states) + "]"], "t, y, x, last, old=()"
        )

    def _text(self, node: Node, scope: Scope, moments: Mapping[str, Scope] | None = None) -> str:
        """Python's text of a tree."""
        if isinstance(node, Number):
            if self._long:
                name = f"k_{node.value.numerator}_{node.value.denominator}".replace("-", "m")
                self._space[name] = self.number(node.value.numerator) / node.value.denominator
                return name
            return f"({float(node.value)!r})"
        if isinstance(node, Name):
            return self._name(node.id, scope, moments)
        if isinstance(node, Moment):
            return f"({self._text(node.operand, (moments or {})[node.which])})"
        if isinstance(node, Negative):
            return f"(-{self._text(node.operand, scope, moments)})"
        if isinstance(node, Binary) and node.operator == "**":
            base, power = self._text(node.left, scope, moments), node.right
            if isinstance(power, Number) and power.value.denominator == 1:
                return f"({base}**({power.value.numerator}))"
            return f"f_power({base}, {self._text(power, scope, moments)})"
        if isinstance(node, Binary):
            return self._chain(node, scope, moments)
        if isinstance(node, Compare):
            left, right = (self._text(part, scope, moments) for part in (node.left, node.right))
            return f"({left} {node.operator} {right})"
        parts = [
            self._text(p, scope, moments) for p in (node.operands if isinstance(node, Logical) else node.arguments)
        ]
        if isinstance(node, Logical):
            return f"(not {parts[0]})" if node.operator == "not" else f"({f' {node.operator} '.join(parts)})"
        if node.function == "where":
            return f"({parts[1]} if {parts[0]} else {parts[2]})"
        return f"f_{node.function}({', '.join(parts)})"

    def _chain(self, node: Binary, scope: Scope, moments: Mapping[str, Scope] | None) -> str:
        """Terms or factors in a row, in one pair of brackets: Python nests 200 of these at most."""
        first: Node = node
        signs, rest = "+-" if node.operator in "+-" else "*/", list[tuple[str, Node]]()
        while isinstance(first, Binary) and first.operator in signs:
            rest.append((first.operator, first.right))
            first = first.left
        tail = "".join(f" {sign} {self._text(part, scope, moments)}" for sign, part in reversed(rest))
        return f"({self._text(first, scope, moments)}{tail})"

    def _name(self, name: str, scope: Scope, moments: Mapping[str, Scope] | None) -> str:
        if name in scope:
            return scope[name]
        if name in self.lines:
            return f"({self._text(self.lines[name].tree, scope, moments)})"
        if name == "pi":
            return "f_pi"
        if name == "dt":
            raise DerivationError(
                f"the equations of {self.model.name!r} read dt, so they have no solution apart from a step; "
                "verify needs equations that do not"
            )
        return f"p_{name}"
