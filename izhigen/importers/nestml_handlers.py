"""What NESTML's ``onReceive`` and ``onCondition`` do, as assignments that all read the values before.

Statements of a block follow one another there; here each value is written out in terms of the values at the block's
beginning, local names included, so that all assignments of an event can be made at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from izhigen.errors import shown, suggest
from izhigen.importers.nestml_expressions import Expressions, declared_unit
from izhigen.importers.nestml_syntax import Assignment, Call, Choice, Declaration, Definition, Handler, Name, Node, walk
from izhigen.importers.nestml_terms import Term, named, wrapped
from izhigen.importers.nestml_update import EMIT, calls, reads
from izhigen.model.events import SPIKE
from izhigen.units.dimensions import PLAIN

Assigned = dict[str, Term]
"""Name of a state here to its new value."""


class Lines:
    """Names as an event reads them: a line is read by name unless a statement above has changed what it depends on.

    Parameters
    ----------
    definitions : mapping
        Inline expressions.
    known : mapping
        What every name stands for.
    states : set of str
        Names that assignments may change.
    expressions : Expressions
    """

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        known: Mapping[str, Term],
        states: set[str],
        expressions: Expressions,
    ) -> None:
        self._definitions, self._known, self._states = definitions, known, states
        self._expressions = expressions
        self._needs: dict[str, set[str]] = {}

    def scope(self, changed: Mapping[str, Term]) -> Mapping[str, Term]:
        """What names stand for after some have been changed."""
        return _Scope(self, {**self._known, **changed}, set(changed))

    def needs(self, name: str, path: tuple[str, ...] = ()) -> set[str]:
        """The states that a line depends on, also through other lines."""
        if name not in self._needs and name not in path:
            found = set[str]()
            for part in walk(self._definitions[name].value):
                if isinstance(part, Name) and part.id in self._definitions:
                    found |= self.needs(part.id, (*path, name))
                elif isinstance(part, Name) and part.id in self._states:
                    found.add(part.id)
            self._needs[name] = found
        return self._needs.get(name, set())

    def depends(self, name: str, changed: set[str]) -> bool:
        """Whether a line's value is another after changes."""
        return name in self._definitions and name not in changed and bool(self.needs(name) & changed)

    def written_out(self, name: str, scope: Mapping[str, Term]) -> Term:
        """The value of a line where others stand for what it reads."""
        line = self._definitions[name]
        assert line.unit is not None
        value = self._expressions.finite(line.value, scope)
        return self._expressions.converted(value, declared_unit(line.unit)[0], line.place, name)


class _Scope(dict[str, Term]):
    """What names stand for in the middle of a block."""

    def __init__(self, lines: Lines, terms: Mapping[str, Term], changed: set[str]) -> None:
        super().__init__(terms)
        self._lines, self._changed = lines, changed

    def __getitem__(self, name: str) -> Term:
        if self._lines.depends(name, self._changed):
            return self._lines.written_out(name, self)
        return super().__getitem__(name)


@dataclass(frozen=True)
class Happening:
    """A condition and what is assigned where it holds."""

    condition: Term
    assigned: Assigned = field(default_factory=dict)


class Effects:
    """Reads the handlers of a neuron.

    Parameters
    ----------
    lines : Lines
    states : mapping
        What each state is called here.
    handlers : tuple of Handler
        In their order.
    flag : (str, Node) or None
        The state that tells the branches of the update block apart, and the condition that it stands for.
    expressions : Expressions
    """

    def __init__(
        self,
        lines: Lines,
        states: Mapping[str, Term],
        handlers: tuple[Handler, ...],
        flag: tuple[str, Node] | None,
        expressions: Expressions,
    ) -> None:
        self._lines, self._states, self._handlers, self._flag = lines, states, handlers, flag
        self._expressions = expressions

    def arrivals(self, ports: Mapping[str, Term], jumps: Mapping[str, Assigned]) -> dict[str, Assigned]:
        """What spikes assign at each port.

        Parameters
        ----------
        ports : mapping
            What a port's name stands for in its handler.
        jumps : mapping
            Port to what spikes assign there besides.
        """
        found = {port: dict(assigned) for port, assigned in jumps.items()}
        for handler in self._handlers:
            if not isinstance(handler.when, str):
                continue
            port = handler.when
            changed = self._run(handler.body, {port: ports[port]}, emits=False)
            assigned = self._assigned(changed)
            twice = next((name for name in assigned if name in found.get(port, {})), None)
            if twice is not None:
                raise handler.place.error(f"spikes of {port} change {twice} in two places; write one onReceive({port})")
            found.setdefault(port, {}).update(assigned)
        return {port: found[port] for port in ports if found.get(port)}

    def events(self, falls_by_itself: bool) -> dict[str, Happening]:
        """The spike, what else happens, and where the flag changes.

        Parameters
        ----------
        falls_by_itself : bool
            Whether the flag's condition, once false, becomes true by events alone.
        """
        found: dict[str, Happening] = {}
        for handler in self._handlers:
            if isinstance(handler.when, str):
                continue
            emits = calls(handler.body, EMIT)
            if emits and found:
                raise handler.place.error(
                    "this spike is not the first condition, and a step here decides the spike first; write its "
                    "onCondition above others, and emit_spike() in one only"
                )
            name = SPIKE if emits else f"condition_{handler.place.line}"
            condition = self._expressions.condition(handler.when, self._lines.scope({}))
            changed = self._run(handler.body, {}, emits=emits)
            assigned = self._assigned(changed)
            if self._flag is not None and reads(self._flag[1], changed):
                assigned[self._flag[0]] = self._expressions.value(self._flag[1], self._lines.scope(changed))
            found[name] = Happening(condition, assigned)
        return found | self._flag_events(falls_by_itself)

    def _flag_events(self, falls_by_itself: bool) -> dict[str, Happening]:
        if self._flag is None:
            return {}
        name, guard = self._flag
        condition = self._expressions.condition(guard, self._lines.scope({}))
        own = named(name, PLAIN)
        off = wrapped(f"{name} > 0.5 and not ({condition.text})", PLAIN, [own, condition], is_condition=True)
        found = {f"{name}_ends": Happening(off, {name: Term(coefficient=Fraction(0))})}
        if not falls_by_itself:
            on = wrapped(f"{name} < 0.5 and ({condition.text})", PLAIN, [own, condition], is_condition=True)
            found[f"{name}_begins"] = Happening(on, {name: Term()})
        return found

    def _assigned(self, changed: Mapping[str, Term]) -> Assigned:
        """The states among what a block has changed."""
        return {self._states[name].text: term for name, term in changed.items() if name in self._states}

    def _run(self, body: Iterable[Node], given: Mapping[str, Term], *, emits: bool) -> dict[str, Term]:
        """What names stand for after a block, of those that it has changed or declared."""
        changed = dict(given)
        for statement in body:
            if isinstance(statement, Call) and statement.function == EMIT and emits:
                continue
            self._statement(statement, changed)
        return changed

    def _statement(self, statement: Node, changed: dict[str, Term]) -> None:
        scope = self._lines.scope(changed)
        if isinstance(statement, Declaration):
            assert statement.value is not None
            value = self._expressions.finite(statement.value, scope)
            for name in statement.names:
                if name in scope:
                    raise statement.place.error(f"{shown(name)} is declared twice; rename the local one")
                unit = declared_unit(statement.unit)[0]
                changed[name] = self._expressions.converted(value, unit, statement.place, name)
        elif isinstance(statement, Assignment):
            if statement.name not in self._states and statement.name not in changed:
                hint = suggest(statement.name, self._states)
                raise statement.place.error(f"{shown(statement.name)} is no state that an event could assign{hint}")
            changed[statement.name] = self._expressions.assigned(statement, scope[statement.name], scope)
        elif isinstance(statement, Choice):
            self._choice(statement, changed)
        elif isinstance(statement, Call) and statement.function == EMIT:
            raise statement.place.error(
                "emit_spike() under a further condition; join that to the condition of the block"
            )
        else:
            what = shown(f"{statement.function}()") if isinstance(statement, Call) else "this statement"
            raise statement.place.error(f"{what} is not read in an event; write assignments and 'if'")

    def _choice(self, statement: Choice, changed: dict[str, Term]) -> None:
        """``if`` and ``else``: what each name is made of, chosen by the conditions at the beginning."""
        before = self._lines.scope(changed)
        results: list[tuple[Term | None, dict[str, Term]]] = []
        for condition, body in statement.branches:
            chosen = None if condition is None else self._expressions.condition(condition, before)
            results.append((chosen, self._run_branch(body, changed)))
        names = dict.fromkeys(
            name for _, result in results for name in result if name in changed or name in self._states
        )
        for name in names:
            value = before[name]
            for condition_term, result in reversed(results):
                new = result.get(name, before[name])
                if condition_term is None:
                    value = new
                elif new is not value:
                    value = self._expressions.chosen(condition_term, new, value, statement.place)
            changed[name] = value

    def _run_branch(self, body: Iterable[Node], changed: Mapping[str, Term]) -> dict[str, Term]:
        own = dict(changed)
        for statement in body:
            self._statement(statement, own)
        return {name: term for name, term in own.items() if changed.get(name) is not term}
