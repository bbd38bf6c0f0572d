"""Conditions and regimes of a component: as events, a refractory period, or a state that says which regime holds.

LEMS looks at conditions after integration, in the order of the file, and reads the time at the step's start; so do
events here. A regime's conditions are those of the regime in which the step began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from izhigen.errors import ModelError, shown, suggest
from izhigen.importers.lems.components import Flattener, Instance
from izhigen.importers.lems.draft import Draft, Happening, Made
from izhigen.importers.lems.expressions import Text
from izhigen.importers.lems.types import Assigned, Condition, Dynamics, Regime
from izhigen.importers.trees import names_in
from izhigen.model.events import SPIKE
from izhigen.model.expressions import OLD, Binary, Call, Compare, Logical, Moment, Name, Node, Number, walk
from izhigen.model.functions import LAST_SPIKE

PERIOD = "tau_ref"
"""What a refractory period of izhigen's own is called."""
NO_MORE, ONE_MORE = Fraction(999, 1000), Fraction(1001, 1000)
"""Steps by which LEMS' interpreters hold longer, with what rounding may add to a time: after ``.geq.`` and ``.gt.``."""
MOST_REGIMES = 20
"""Most regimes of a component."""
_ZERO = Number(Fraction(0))


class Happenings:
    """Adds to a draft what happens to a component, and how its states move meanwhile."""

    def __init__(self, flattener: Flattener, draft: Draft) -> None:
        self._flattener, self._draft = flattener, draft

    def find(self, made: Instance) -> None:
        """Rates, assignments at the start, and events, of a component and of those within it."""
        for _, child in made.within:
            self.find(child)
        dynamics = made.dynamics
        if dynamics is None:
            return
        self._add_rates(made, dynamics.rates)
        self._draft.start += self._flattener.assigned(made, dynamics.start, at_start=True)
        for condition in dynamics.conditions:
            if condition.regime:
                raise ModelError(f"{condition.test.place}: a <Transition> stands outside of regimes; put it into one")
            self._add(made, condition, self._test(made, condition))
        if dynamics.regimes:
            initial = _initial(dynamics)
            if not self._add_refractory(made, dynamics, initial):
                self._add_numbered(made, dynamics, initial)

    def _state(self, made: Instance, name: str, source: Text) -> str:
        node = made.scope.get(name)
        if not isinstance(node, Name) or node.id not in self._draft.rates:
            raise ModelError(f"{source.place}: {shown(name)} is no state{suggest(name, made.scope)}")
        self._draft.places[node.id] = source.place
        return node.id

    def _add_rates(self, made: Instance, rates: Mapping[str, Text]) -> None:
        for name, rate in rates.items():
            self._draft.rates[self._state(made, name, rate)] = self._flattener.tree(made, rate)

    def _test(self, made: Instance, condition: Condition) -> Node:
        return self._flattener.tree_after_step(made, condition.test, is_condition=True)

    def _add(
        self, made: Instance, condition: Condition, test: Node, then: Iterable[Assigned] = (), also: Iterable[Made] = ()
    ) -> None:
        """An event of a condition: named by its port, or by its number."""
        place, draft = condition.test.place, self._draft
        if len(condition.ports) > 1:
            raise ModelError(f"{place}: one condition sends {len(condition.ports)} events; send one")
        is_spike = condition.ports == (SPIKE,) and made.parent is None
        if is_spike and any(each.name == SPIKE for each in draft.happenings):
            raise ModelError(f"{place}: a second condition sends a spike; join the two by .or., or name another port")
        name = SPIKE
        if not is_spike:
            port = condition.ports[0] if condition.ports else f"condition_{len(draft.happenings) + 1}"
            name = draft.names.take(made.prefix + port, place)
        assigned = (*self._flattener.assigned(made, (*condition.assigned, *then)), *also)
        read = names_in(test)
        if condition.ports and not read & {each.state for each in assigned}:
            draft.report.append(
                f"{place}: {name} happens in every step after which its test holds, as nothing that it assigns ends "
                "that; trigger='rising' would count the first of them"
            )
        draft.happenings.append(Happening(name, test, assigned, place))

    # -- a refractory period ----------------------------------------------------------------------------------------

    def _add_refractory(self, made: Instance, dynamics: Dynamics, initial: Regime) -> bool:
        """Whether the regimes are integration and a time after the spike, and are added as that."""
        others = [each for each in dynamics.regimes if each is not initial]
        if len(others) != 1 or made.parent is not None or not _follows_spike(initial, others[0]):
            return False
        after, forth, back = others[0], initial.conditions[0], others[0].conditions[0]
        stamps = [each for each in after.entry if each.value.text.strip() == "t"]
        stamp = made.scope.get(stamps[0].variable) if stamps else None
        found = _period(self._test(made, back), stamp) if isinstance(stamp, Name) else None
        if found is None or not isinstance(stamp, Name):
            return False
        entry = tuple(each for each in after.entry if each is not stamps[0])
        read = [self._flattener.tree(made, each.value) for each in (*entry, *forth.assigned)]
        read += [self._test(made, forth), *(self._flattener.tree(made, rate) for rate in initial.rates.values())]
        if stamp.id in self._names_read(read):
            return False
        draft = self._draft
        del draft.rates[stamp.id]
        is_own = bool(made.units)  # in others the initial regime begins whatever the time is
        draft.start = [
            replace(each, state=LAST_SPIKE) if each.state == stamp.id else each
            for each in draft.start
            if is_own or each.state != stamp.id
        ]
        self._add_rates(made, initial.rates)
        self._add(made, forth, self._test(made, forth), entry)
        held = [name for name in initial.rates if name not in after.rates]
        draft.is_refractory = True
        draft.hold = tuple(self._state(made, name, initial.rates[name]) for name in held)
        self._end(*found, back)
        return True

    def _names_read(self, more: Iterable[Node]) -> set[str]:
        """What the expressions of the draft, and some more, read."""
        draft = self._draft
        trees = [*draft.lines.values(), *draft.rates.values(), *more]
        trees += [each.value for each in draft.start]
        for happening in draft.happenings:
            trees += [happening.condition, *(each.value for each in happening.made)]
        return set().union(*map(names_in, trees))

    def _end(self, operator: str, period: Node, back: Condition) -> None:
        """The end of the refractory period, in whole steps as LEMS' interpreters count them."""
        draft, place = self._draft, back.test.place
        if operator == ">=" and period == Name(PERIOD):
            draft.report.append(
                f"{place}: the neuron is held for {PERIOD} after a spike; a period that is no whole number of steps "
                "ends up to a step earlier than in LEMS' interpreters"
            )
            return
        steps = ONE_MORE if operator == ">" else NO_MORE
        draft.until = Compare(
            ">",
            Binary("-", Name("t"), Name(LAST_SPIKE)),
            Binary("+", period, Binary("*", Number(steps), Name("dt"))),
        )
        draft.report.append(
            f"{place}: LEMS looks for the end of a regime after a step, so the neuron is held one step longer than the "
            "period; a thousandth of a step allows for rounding"
        )

    # -- any regimes ------------------------------------------------------------------------------------------------

    def _add_numbered(self, made: Instance, dynamics: Dynamics, initial: Regime) -> None:
        """Regimes by their number, which is a state."""
        draft, flattener = self._draft, self._flattener
        numbers = {each.name: number for number, each in enumerate(dynamics.regimes)}
        state = draft.declare(made.prefix + "regime", "1", dynamics.regimes[0].place)
        draft.rates[state] = _ZERO
        listed = ", ".join(f"{number} is {name}" for name, number in numbers.items())
        draft.report.append(f"{dynamics.regimes[0].place}: the state {state} says which regime holds: {listed}")
        for name, source in {name: rate for each in dynamics.regimes for name, rate in each.rates.items()}.items():
            *firsts, last = (
                flattener.tree(made, each.rates[name]) if name in each.rates else _ZERO for each in dynamics.regimes
            )
            tree = last
            for index, rate in reversed(list(enumerate(firsts))):
                tree = Call("where", (_below(Name(state), index), rate, tree))
            draft.rates[self._state(made, name, source)] = tree
        draft.start += flattener.assigned(made, initial.entry, at_start=True)
        draft.start.append(Made(state, Number(Fraction(numbers[initial.name])), initial.place))
        for each in dynamics.regimes:
            for condition in each.conditions:
                test = _and(*_is_now(state, numbers[each.name], len(numbers)), self._test(made, condition))
                target = next((other for other in dynamics.regimes if other.name == condition.regime), None)
                then = target.entry if target else ()
                number = Number(Fraction(numbers[target.name])) if target else _ZERO
                also = [Made(state, number, condition.test.place)] if target else []
                self._add(made, condition, test, then, also)


def _initial(dynamics: Dynamics) -> Regime:
    """The regime that holds at the start; all of them are looked at."""
    regimes = dynamics.regimes
    initial, names = [each for each in regimes if each.is_initial], [each.name for each in regimes]
    if len(regimes) > MOST_REGIMES:
        raise ModelError(f"{regimes[0].place}: more than {MOST_REGIMES} regimes")
    if len(initial) != 1:
        raise ModelError(f'{regimes[0].place}: {len(initial)} regimes are initial; mark one by initial="true"')
    for number, each in enumerate(regimes):
        if each.name in names[:number]:
            raise ModelError(f"{each.place}: a second regime is called {shown(each.name)}; rename it")
        for condition in each.conditions:
            if condition.regime and condition.regime not in names:
                raise ModelError(
                    f"{condition.test.place}: no regime {shown(condition.regime)}{suggest(condition.regime, names)}"
                )
        for state, rate in each.rates.items():
            if state in dynamics.rates:
                raise ModelError(f"{rate.place}: {shown(state)} has a TimeDerivative outside of regimes too")
    return initial[0]


def _follows_spike(initial: Regime, after: Regime) -> bool:
    """Whether a regime follows the spike and ends by itself, and states that move in it move as before."""
    if initial.entry or len(initial.conditions) != 1 or len(after.conditions) != 1:
        return False
    forth, back = initial.conditions[0], after.conditions[0]
    is_spike = forth.ports == (SPIKE,) and forth.regime == after.name
    is_end = back.regime == initial.name and not back.assigned and not back.ports
    same = (rate.text.split() == initial.rates[name].text.split() for name, rate in after.rates.items())
    return is_spike and is_end and after.rates.keys() <= initial.rates.keys() and all(same)


def _period(test: Node, stamp: Name) -> tuple[str, Node] | None:
    """The comparison and the length in ``t > stamp + length`` or ``t - stamp > length``, however it is turned."""
    if not isinstance(test, Compare) or test.operator not in ("<", "<=", ">", ">="):
        return None
    is_turned = test.operator.startswith("<")
    late, early = (test.right, test.left) if is_turned else (test.left, test.right)
    length: Node | None = None
    if late == Name("t") and isinstance(early, Binary) and early.operator == "+" and stamp in (early.left, early.right):
        length = early.right if early.left == stamp else early.left
    elif late == Binary("-", Name("t"), stamp):
        length = early
    if length is None or any(node in (stamp, Name("t")) for node in walk(length)):
        return None
    return test.operator.replace("<", ">"), length


def _below(state: Node, number: int) -> Node:
    return Compare("<", state, Number(Fraction(2 * number + 1, 2)))


def _is_now(state: str, number: int, count: int) -> Iterator[Node]:
    """Conditions that a regime held when the step began."""
    before = Moment(OLD, Name(state))
    if number > 0:
        yield Compare(">", before, Number(Fraction(2 * number - 1, 2)))
    if number < count - 1:
        yield _below(before, number)


def _and(*conditions: Node) -> Node:
    parts: list[Node] = []
    for each in conditions:
        parts += each.operands if isinstance(each, Logical) and each.operator == "and" else (each,)
    return Logical("and", tuple(parts)) if len(parts) > 1 else parts[0]
