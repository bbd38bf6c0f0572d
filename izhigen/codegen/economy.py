"""Fewer operations for the same values: rules on SymPy expressions, each with why it is safe in floating point.

A rule may give a term one more rounding, as a change of a state or a parameter in its last place would; so sums are
multiplied by a coefficient term by term, but never by one another: ``(v - a)*(v - b)`` keeps its digits near its roots.
The increment of a state stays whole, and is added to the state once. Where a form is chosen, the cheaper one by
:data:`~izhigen.codegen.operations.COST` wins, counted over all statements with equal parts counted once and with what
does not vary in the body free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from izhigen.codegen.formats import PHI1_SATURATES
from izhigen.codegen.operations import COST, OTHER_CALL, is_reciprocal, multiplies, own_operations
from izhigen.derive import functions as f
from izhigen.derive.event import Assignment
from izhigen.derive.expansion import bounded_expand
from izhigen.derive.lowering import DT, symbol
from izhigen.derive.step import Step
from izhigen.derive.system import StateEquation

MOST_NODES = 300
"""Statements larger than this are left as they are."""
MOST_STATEMENTS = 250
"""Plans of more statements are not searched for cheaper forms: the search takes the square of their number."""
MOST_SITES = 8
"""Products tried in one statement, at most."""
LARGEST = {dtype: sp.Integer(int(math.expm1(z) / z)) for dtype, z in PHI1_SATURATES.items()}
"""The largest values of phi1, which it keeps for arguments beyond those."""
FAR_BELOW = {"float32": sp.Integer(-(10**38)), "float64": sp.Integer(-(10**308))}
"""In the place of an argument of phi1 below it: finite, so that its product with a phi1 of 0 is 0."""
HIGHEST_MULTIPLE = 4
"""``exp(n*x)`` is taken as a power of ``exp(x)`` up to this n: its relative error is n times that of ``exp(x)``."""

Free = Callable[[Any], bool]


@lru_cache(maxsize=4096)
def _symbols(expression: Any) -> frozenset[sp.Symbol]:
    """The symbols of an expression, which is asked for them for every state."""
    return frozenset(expression.free_symbols)


@dataclass(frozen=True)
class Plan:
    """What a step computes before states change: named intermediates in order, and each state's increment and noise."""

    assignments: tuple[Assignment, ...]
    increments: tuple[Any, ...]

    @property
    def expressions(self) -> tuple[Any, ...]:
        """All right-hand sides."""
        return (*(a.expression for a in self.assignments), *self.increments)

    def mapped(self, rule: Callable[[Any], Any]) -> Plan:
        """The same with a rule applied to every right-hand side."""
        return Plan(
            tuple(Assignment(a.symbol, rule(a.expression)) for a in self.assignments),
            tuple(rule(i) for i in self.increments),
        )


class Score:
    """The cost of a plan's body, the addition of increments to states included; known expressions are remembered."""

    def __init__(self, free: Free, loads: Free, variables: Iterable[sp.Symbol]) -> None:
        self.free, self.loads, self.variables = free, loads, tuple(variables)
        self._seen: dict[Any, tuple[dict[Any, int], frozenset[Any]]] = {}

    def __call__(self, plan: Plan) -> int:
        costs: dict[Any, int] = {}
        fused = {i for i in plan.increments if multiplies(i, self.free)}
        for expression in plan.expressions:
            if expression not in self._seen:
                self._seen[expression] = self._parts(horner(expression, self.variables))
            own, products = self._seen[expression]
            costs |= own
            fused |= products
        return sum(costs.values()) - len(fused) + len(plan.increments)

    def _parts(self, expression: Any) -> tuple[dict[Any, int], frozenset[Any]]:
        """The cost of every distinct part, and the products that a sum takes in for nothing."""
        costs: dict[Any, int] = {}
        fused: set[Any] = set()
        waiting = [expression]
        while waiting:
            part = waiting.pop()
            if part in costs or not part.args:
                continue
            if self.free(part):
                costs[part] = int(self.loads(part))
                continue
            operations = dict(own_operations(part, self.free))
            if part.is_Add:
                products = [a for a in part.args if not self.free(a) and multiplies(a, self.free)]
                fused.update(products[: operations["multiply-add"]])
                operations["multiplication"] = 0
            costs[part] = sum(n * COST.get(kind, OTHER_CALL) for kind, n in operations.items())
            waiting += part.args
            if part.is_Add or part.is_Mul:  # what does not vary in it is one value, whose own parts do not count
                lower = [a for a in part.args if self.free(a)]
                waiting = [a for a in waiting if a not in lower]
                if any(self.loads(a) for a in lower):
                    costs[part.func(*lower)] = 1
        return costs, frozenset(fused)


def economical(step: Step, definitions: Mapping[Any, str], free: Free, loads: Free) -> Plan:
    """The statements of a step in the cheapest form that the rules find.

    Parameters
    ----------
    step : Step
    definitions : mapping
        Values that the user named, with their names.
    free : callable
        Whether an expression is computed outside the body.
    loads : callable
        Whether such an expression is one value per neuron, which the body has to load.
    """
    plan = Plan(step.assignments, tuple(step.new_value(i) - s for i, s in enumerate(step.states)))
    if len(plan.expressions) > MOST_STATEMENTS:
        return with_names(plan, definitions, free, step.system.intermediate)
    score = Score(free, loads, (*step.states, *(a.symbol for a in plan.assignments if not free(a.symbol))))
    for rule in (join_exponentials, lambda e: over_common_denominators(e, free)):
        plan = min(plan, plan.mapped(lambda e, rule=rule: rule(e) if _is_small(e) else e), key=score)  # type: ignore[misc]
    plan = _spread(plan, range(len(plan.expressions)), score)
    for name in [a.symbol for a in plan.assignments if not free(a.symbol)]:
        forms = [plan]
        scaled = scale_folded(plan, name, free, step.system.intermediate)
        if scaled is not None:
            forms.append(_spread(scaled, _places(scaled, plan), score))
        linear = linear_form(step, plan, name)
        if linear is not None:
            forms.append(_spread(linear, _places(linear, plan), score))
        plan = min(forms, key=score)
    return with_names(plan, definitions, free, step.system.intermediate)


def _is_small(expression: Any) -> bool:
    return sum(1 for _, _ in zip(sp.preorder_traversal(expression), range(MOST_NODES + 1))) <= MOST_NODES


def _places(new: Plan, old: Plan) -> list[int]:
    """Where the expressions of one plan are none of the other's."""
    known = set(old.expressions)
    return [i for i, e in enumerate(new.expressions) if e not in known]


def horner(expression: Any, variables: Iterable[sp.Symbol]) -> Any:
    """Nest every sum that holds a power of a variable above the first, such as ``(p1*V + p2)*V + p3``."""
    if not expression.args or isinstance(expression, Boolean):
        return expression
    read = _symbols(expression)
    names = [name for name in variables if name in read]
    rebuilt = expression.func(*(horner(a, names) for a in expression.args))
    if rebuilt.is_Add:
        for variable in names:
            rebuilt = _horner_in(rebuilt, variable)
    return rebuilt


def _horner_in(total: Any, variable: sp.Symbol) -> Any:
    by_degree: dict[int, list[Any]] = {}
    for term in total.args:
        degree, coefficient = _degree(term, variable)
        by_degree.setdefault(degree, []).append(coefficient)
    top = max(by_degree)
    if top < 2:
        return total
    nested = sp.Add(*by_degree[top])
    for degree in range(top - 1, -1, -1):
        nested = sp.Add(sp.Mul(variable, nested, evaluate=False), *by_degree.get(degree, []))
    return nested


def _degree(term: Any, variable: sp.Symbol) -> tuple[int, Any]:
    """The power of a variable in a term, and the rest; 0 and the term where it stands in other places too."""
    factors = list(term.args) if term.is_Mul else [term]
    for place, factor in enumerate(factors):
        base, exponent = (factor.base, factor.exp) if factor.is_Pow else (factor, sp.S.One)
        if base == variable and exponent.is_Integer and exponent > 0:
            rest = factors[:place] + factors[place + 1 :]
            if not any(variable in _symbols(other) for other in rest):
                return int(exponent), sp.Mul(*rest)
    return 0, term


def _rebuilt(expression: Any, rule: Callable[[Any], Any]) -> Any:
    """A rule applied to every part, innermost first; conditions stay as they are."""
    if not expression.args or isinstance(expression, Boolean):
        return expression
    parts = tuple(_rebuilt(a, rule) for a in expression.args)
    return rule(expression if parts == expression.args else expression.func(*parts))


def join_exponentials(expression: Any) -> Any:
    """``exp(a)*exp(b)`` as ``exp(a + b)``: one call, no overflow between the factors, one rounding more."""

    def rule(part: Any) -> Any:
        exponentials = [a for a in part.args if isinstance(a, sp.exp)] if part.is_Mul else []
        if len(exponentials) < 2:
            return part
        return sp.Mul(
            sp.exp(sp.Add(*(e.args[0] for e in exponentials))), *(a for a in part.args if a not in exponentials)
        )

    return _rebuilt(expression, rule)


def over_common_denominators(expression: Any, free: Free) -> Any:
    """``a/d + b/d`` as ``(a + b)/d`` for a denominator that varies: one division, and one rounding instead of two."""

    def rule(part: Any) -> Any:
        if not part.is_Add:
            return part
        groups: dict[Any, list[Any]] = {}
        for term in part.args:
            below = [a for a in sp.Mul.make_args(term) if is_reciprocal(a) and not free(a)]
            groups.setdefault(sp.Mul(*below), []).append(sp.Mul(*(a for a in sp.Mul.make_args(term) if a not in below)))
        if not any(d != 1 and len(terms) > 1 for d, terms in groups.items()):
            return part
        return sp.Add(*(sp.Mul(d, sp.Add(*terms)) for d, terms in groups.items()))

    return _rebuilt(expression, rule)


def spread_coefficient(product: Any, free: Free) -> Any:
    """``c*(x + y)*z`` as ``(c*x + c*y)*z`` for a coefficient c that does not vary; None where there is no such sum.

    Each term gets one rounding more. ``c*x`` with a constant x is one constant, and ``k*V - k*E`` is what ``k*(V - E)``
    gives for an E that differs in its last place.
    """
    if not product.is_Mul:
        return None
    lower = [a for a in product.args if free(a)]
    sums = [a for a in product.args if a.is_Add and a not in lower]
    if not sums or not any(_symbols(a) for a in lower):
        return None
    chosen = max(sums, key=lambda s: sum(free(a) for a in s.args))
    rest = [a for a in product.args if a not in lower]
    rest.remove(chosen)
    return sp.Mul(*rest, sp.Add(*(sp.Mul(*lower, term) for term in chosen.args)))


def _spread(plan: Plan, places: Iterable[int], score: Score) -> Plan:
    """Spread coefficients over sums where that is cheaper, for all of a statement or for one product everywhere."""
    for place in places:
        expression = plan.expressions[place]
        if not _is_small(expression):
            continue
        everywhere = _rebuilt(expression, lambda part: spread_coefficient(part, score.free) or part)
        plan = min(plan, _replaced(plan, place, everywhere), key=score)
        for site, new in _sites(plan.expressions[place], score.free):
            plan = min(plan, plan.mapped(lambda e, change={site: new}: e.xreplace(change)), key=score)  # type: ignore[misc]
    return plan


def _sites(expression: Any, free: Free) -> list[tuple[Any, Any]]:
    """Products of an expression that a coefficient can be spread in, and what they become."""
    products = dict.fromkeys(part for part in sp.preorder_traversal(expression) if part.is_Mul)
    found = ((product, spread_coefficient(product, free)) for product in products)
    return [(product, new) for product, new in found if new is not None][:MOST_SITES]


def _replaced(plan: Plan, place: int, expression: Any) -> Plan:
    count = len(plan.assignments)
    if place < count:
        changed = replace(plan.assignments[place], expression=expression)
        return Plan((*plan.assignments[:place], changed, *plan.assignments[place + 1 :]), plan.increments)
    place -= count
    return Plan(plan.assignments, (*plan.increments[:place], expression, *plan.increments[place + 1 :]))


def scale_folded(plan: Plan, name: sp.Symbol, free: Free, fresh: Callable[[str], sp.Symbol]) -> Plan | None:
    """An intermediate that is only ever multiplied by the same constant c, such as dt, becomes c times it; else None.

    The product is the same; only the order of its factors changes. The constant then meets those of the intermediate.
    """
    uses = set().union(*(_coefficients(e, name, free) for e in plan.expressions if name in _symbols(e)))
    if len(uses) != 1 or not (coefficient := uses.pop()).free_symbols:
        return None
    scaled = fresh(f"{coefficient.name if coefficient.is_Symbol else 'scaled'}_{name.name}")
    if any(scaled in (a.symbol, *_symbols(a.expression)) for a in plan.assignments):
        return None
    folded = plan.mapped(lambda e: _without_coefficient(e, name, scaled, free) if name in _symbols(e) else e)
    place = next(place for place, a in enumerate(folded.assignments) if a.symbol == name)
    value, assignments = folded.assignments[place].expression, [a for a in folded.assignments if a.symbol != name]
    if _symbols(coefficient) & {a.symbol for a in assignments[place:]}:
        # what the constant reads is defined later, but stands before all that read the product
        readers = (later for later, a in enumerate(assignments) if scaled in _symbols(a.expression))
        place = next(readers, len(assignments))
    assignments.insert(place, Assignment(scaled, coefficient * value))
    return Plan(tuple(assignments), folded.increments)


def _coefficients(expression: Any, name: sp.Symbol, free: Free) -> set[Any]:
    """The constants that a symbol is multiplied by wherever it stands."""
    if expression == name:
        return {sp.S.One}
    if expression.is_Mul and name in expression.args:
        inner = set().union(
            *(_coefficients(a, name, free) for a in expression.args if a != name and name in _symbols(a))
        )
        return inner | {sp.Mul(*(a for a in expression.args if free(a)))}
    return set().union(*(_coefficients(a, name, free) for a in expression.args if name in _symbols(a)))


def _without_coefficient(expression: Any, name: sp.Symbol, scaled: sp.Symbol, free: Free) -> Any:
    """The symbol times its constant, replaced by the scaled symbol."""
    if not expression.args or name not in _symbols(expression):
        return expression
    kept = (
        [a for a in expression.args if not free(a)]
        if expression.is_Mul and name in expression.args
        else expression.args
    )
    return expression.func(*(scaled if a == name else _without_coefficient(a, name, scaled, free) for a in kept))


def linear_form(step: Step, plan: Plan, name: sp.Symbol) -> Plan | None:
    """For an intermediate ``f`` that is a slope proved to be ``A*x + B``, with an intermediate ``z = dt*A`` at hand:
    ``dt*f`` as ``z*x + dt*B``; None where that does not apply.

    It applies to any method that reads f in products with dt and a phi function of z alone. A rounding of ``z*x`` moves
    ``phi1(z)*dt*f`` by ``|z|*phi1(z)*|x| = |exp(z) - 1|*|x|`` units of the last place, as much as one of x itself does,
    and products with the higher phi functions by less.
    """
    arguments = set().union(*(_phi_arguments(e, name) for e in plan.expressions if name in _symbols(e)))
    values = {a.symbol: a.expression for a in step.assignments}
    if len(arguments) != 1 or (z := arguments.pop()) not in values:
        return None
    for equation in step.system.equations:
        if equation.proved and equation.rhs == values.get(name) and _is_dt_times(equation.rate, values[z]):
            return _with_linear_form(step, plan, name, z, equation)
    return None


def _is_dt_times(rate: Any, value: Any) -> bool:
    """Whether a value is ``dt*rate``, as a product or as a sum of products."""
    quotient = sp.Add(*(term / DT for term in sp.Add.make_args(value)))
    return rate != 0 and (quotient == rate or bounded_expand(quotient - rate) == 0)


def _phi_arguments(expression: Any, name: sp.Symbol) -> set[Any]:
    """What stands in the phi functions by which ``dt*name`` is multiplied; None among it if a reading of the name is
    another.
    """
    if expression == name:
        return {None}
    parts: list[Any] = [a for a in expression.args if name in _symbols(a)]
    found: set[Any] = set()
    if expression.is_Mul and name in parts and DT in expression.args:
        parts.remove(name)
        found = {a.args[0] for a in expression.args if type(a) in f.PHI.values()} or {None}
    return found.union(*(_phi_arguments(a, name) for a in parts))


def _with_linear_form(step: Step, plan: Plan, name: sp.Symbol, z: sp.Symbol, equation: StateEquation) -> Plan | None:
    rest = equation.rhs.xreplace({equation.state: sp.S.Zero})
    scaled = step.system.intermediate(f"dt_{name.name}")
    if rest.has(sp.zoo, sp.nan, sp.oo) or scaled in _defined(plan):
        return None
    assignments = [a for a in plan.assignments if a.symbol != name]
    after = 1 + next(i for i, a in enumerate(assignments) if a.symbol == z)
    assignments.insert(after, Assignment(scaled, z * equation.state + DT * rest))
    return Plan(tuple(assignments), plan.increments).mapped(
        lambda e: _without_coefficient(e, name, scaled, lambda factor: factor == DT)
    )


def _defined(plan: Plan) -> set[sp.Symbol]:
    """The symbols that a plan defines."""
    return {a.symbol for a in plan.assignments}


def with_names(plan: Plan, definitions: Mapping[Any, str], free: Free, fresh: Callable[[str], sp.Symbol]) -> Plan:
    """Values that the user named, and their products with dt, as statements; a bare product is left to its sums."""
    known = {v: n for v, n in definitions.items() if not free(v) and not (v.is_Mul and not any(a.args for a in v.args))}
    symbols: dict[Any, sp.Symbol] = {}

    def named(part: Any) -> Any:
        if part in known:
            return symbols.setdefault(part, symbol(known[part]))
        for sign in (1, -1) if part.is_Mul and DT in part.args else ():
            if (value := sign * part / DT) in known:
                return sign * symbols.setdefault(sign * part, fresh(f"dt_{known[value]}"))
        return None

    def outermost(expression: Any) -> Any:
        if not expression.args or isinstance(expression, Boolean):
            return expression
        return named(expression) or inside(expression)

    def inside(expression: Any) -> Any:
        parts = tuple(outermost(a) for a in expression.args)
        return expression if parts == expression.args else expression.func(*parts)

    read = plan.mapped(outermost)
    given: dict[sp.Symbol, Any] = {}
    while missing := [value for value, name in symbols.items() if name not in given]:
        given.update({symbols[v]: inside(v) if v in known else DT * inside(v / DT) for v in missing})
    return _with_definitions(read, given)


def _with_definitions(plan: Plan, given: dict[sp.Symbol, Any]) -> Plan:
    """The plan with each definition before what first reads it."""
    ordered: list[Assignment] = []
    placed: set[sp.Symbol] = set()

    def place(expression: Any) -> None:
        read = _symbols(expression) & given.keys() - placed
        for name in given if read else ():
            if name in read and name not in placed:
                placed.add(name)
                place(given[name])
                ordered.append(Assignment(name, given[name]))

    for assignment in plan.assignments:
        place(assignment.expression)
        ordered.append(assignment)
    for increment in plan.increments:
        place(increment)
    return Plan(tuple(ordered), plan.increments)


class _Shared:
    """Values named so that others can be computed from them; alive during :func:`shared_powers`."""

    def __init__(self, fresh: Callable[[], sp.Symbol]) -> None:
        self.fresh = fresh
        self.names: dict[Any, sp.Symbol] = {}
        self.replaced: dict[Any, Any] = {}

    def name(self, value: Any) -> sp.Symbol:
        """The name of a value, which from then on stands for it everywhere."""
        if value not in self.names:
            self.names[value] = self.replaced[value] = self.fresh()
        return self.names[value]


def shared_powers(
    expressions: Iterable[Any], fresh: Callable[[], sp.Symbol], dtype: str
) -> tuple[dict[sp.Symbol, Any], list[Any]]:
    """Values from which several powers or functions follow: definitions, and the expressions in terms of them.

    - ``exp(n*x)`` beside ``exp(x)``, n an integer up to :data:`HIGHEST_MULTIPLE`, as its power: the relative error is n
    times as large.
      Not ``exp(-x)`` as ``1/exp(x)``: where exp saturates that is wrong by more than rounding.
    - ``phi1(2*z)`` beside p = ``phi1(z)`` as ``p*(1 + z*p/2)``, and its largest value where that is more or
      overflows: ``z*phi1(z) = exp(z) - 1`` is never below -1, so nothing cancels.
      Not ``exp(z)`` as ``1 + z*phi1(z)``, which does.
    - ``x**2`` beside other powers of x.
    """
    shared = _Shared(fresh)
    given = list(expressions)
    for function in (sp.exp, f.phi1):
        calls = {
            call.args[0]: call
            for call in sorted(set().union(*(e.atoms(function) for e in given)), key=sp.default_sort_key)
        }
        for z, call in calls.items() if len(calls) > 1 else ():
            multiples = range(HIGHEST_MULTIPLE, 1, -1) if function is sp.exp else (2,)
            n, root = next(
                ((n, calls[z / n]) for n in multiples if z / n in calls and calls[z / n] not in shared.replaced),
                (0, None),
            )
            if root is not None and function is sp.exp:
                shared.replaced[call] = shared.name(root) ** n
            elif root is not None:
                p = shared.name(root)
                shared.replaced[call] = f.minimum(LARGEST[dtype], p * (1 + f.maximum(FAR_BELOW[dtype], z / 4) * p))
    _share_squares(given, shared)
    return {name: value for value, name in shared.names.items()}, [e.xreplace(shared.replaced) for e in given]


def _share_squares(expressions: list[Any], shared: _Shared) -> None:
    powers = set().union(*(e.atoms(sp.Pow) for e in expressions))
    by_base: dict[Any, set[int]] = {}
    for power in powers:
        if power.exp.is_Integer and power.exp > 1:
            by_base.setdefault(power.base, set()).add(int(power.exp))
    for base in sorted(by_base, key=sp.default_sort_key):
        exponents = sorted(by_base[base])
        if exponents[0] == 2 and len(exponents) > 1:
            square = shared.name(base**2)
            shared.replaced.update({base**n: square ** (n // 2) * base ** (n % 2) for n in exponents[1:]})


def is_only_added(name: sp.Symbol, expressions: Iterable[Any]) -> bool:
    """Whether a symbol stands only as a term of sums, so that a product in its place is a multiply-add."""
    return all(_only_added(name, e) for e in expressions if name in _symbols(e))


def _only_added(name: sp.Symbol, expression: Any) -> bool:
    readers = [a for a in expression.args if name in _symbols(a)]
    if expression == name or not expression.is_Add:
        return expression != name and all(_only_added(name, a) for a in readers)
    return all(a in (name, -name) or _only_added(name, a) for a in readers)
