"""NESTML's kernels as states: what ``convolve(kernel, port)`` becomes.

An exponential is one state that a spike adds to. An alpha function, c t exp(r t), is two: a spike adds c to the first,
which decays with r and feeds the second, which decays with r (Rotter and Diesmann 1999, Biological Cybernetics 81:381).
A kernel of differential equations has their states, and a spike adds their initial values. A delta function has none:
it makes what it is added to jump.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from izhigen.errors import shown, suggest
from izhigen.importers.coherent import MILLISECOND
from izhigen.importers.nestml_expressions import Expressions, Scope
from izhigen.importers.nestml_syntax import Call, Definition, Kernel, Name, Node, Product, Sum, walk
from izhigen.importers.nestml_terms import Term, named
from izhigen.units.dimensions import PLAIN, Unit

EXAMPLES = "exp(-t/tau), e/tau*t*exp(-t/tau), delta(t), or differential equations"


def plain_name(name: str) -> str:
    """A name of NESTML as one of the equation language, as NESTML itself calls it in what it generates."""
    return name.replace("$", "__DOLLAR").replace("'", "__d")


@dataclass(frozen=True)
class KernelState:
    """One state of a kernel at a port.

    Attributes
    ----------
    name : str
    unit : Unit
    derivative : Term
    jump : Term
        What a spike of weight 1 adds; zero for nothing.
    """

    name: str
    unit: Unit
    derivative: Term
    jump: Term


def reads_time(node: Node) -> bool:
    """Whether a part of a kernel depends on t."""
    return any(isinstance(part, Name) and part.id == "t" for part in walk(node))


def is_delta(kernel: Kernel) -> bool:
    """Whether a kernel is ``delta(t)``."""
    value = kernel.definitions[0].value
    return isinstance(value, Call) and value.function == "delta"


def kernel_name(kernel: Kernel) -> str:
    """What ``convolve`` calls it."""
    return kernel.definitions[0].name.rstrip("'")


def own_states(kernels: tuple[Kernel, ...]) -> set[str]:
    """Names of the state block that give initial values of kernels' equations, and are no states of the neuron."""
    return {lower for kernel in kernels for definition in kernel.definitions for lower in lower_derivatives(definition)}


def lower_derivatives(definition: Definition) -> Iterator[str]:
    """The names of the states of an equation: ``g`` and ``g'`` of ``g'' = ...``."""
    base = definition.name.rstrip("'")
    yield from (base + "'" * order for order in range(definition.order))


def states_of(
    kernel: Kernel, port: str, expressions: Expressions, scope: Scope, initial: Mapping[str, Term]
) -> tuple[KernelState, ...]:
    """The states of a kernel at a port; the first one is what ``convolve`` gives.

    Parameters
    ----------
    kernel : Kernel
    port : str
        Where spikes arrive.
    expressions : Expressions
    scope : mapping
        Parameters and internals.
    initial : mapping
        Initial value of each state of a kernel of differential equations.

    Raises
    ------
    ModelError
        For a function of t that is none of those known.
    """
    definition, *more = kernel.definitions
    if definition.order:
        return tuple(_of_equations(kernel, port, expressions, scope, initial))
    if more:
        raise kernel.place.error("a kernel that is a function of t is defined alone; write each in a line of its own")
    state = f"{plain_name(definition.name)}__X__{port}"
    size, power, rate = _form(definition, expressions, scope)
    own = named(state, size.unit)
    if power == 0:
        return (KernelState(state, size.unit, own.times(rate), size),)
    first = named(f"{state}__d", size.unit)
    unit = size.unit * MILLISECOND
    derivative = expressions.sum_of([first, named(state, unit).times(rate)], definition.place)
    second = KernelState(state, unit, derivative, Term(unit, Fraction(0)))
    return second, KernelState(first.text, size.unit, first.times(rate), size)


def _of_equations(
    kernel: Kernel, port: str, expressions: Expressions, scope: Scope, initial: Mapping[str, Term]
) -> Iterator[KernelState]:
    """The states of differential equations; each is in the unit of its initial value."""
    lower = [name for definition in kernel.definitions for name in lower_derivatives(definition)]
    missing = next((name for name in lower if name not in initial), None)
    if missing is not None:
        raise kernel.place.error(f"the kernel's {missing} has no value in the state block; a spike adds that")
    own = {name: named(f"{plain_name(name)}__X__{port}", initial[name].unit) for name in lower}
    for definition in kernel.definitions:
        names = list(lower_derivatives(definition))
        for name, above in pairwise(names):
            due = own[name].unit / MILLISECOND
            yield KernelState(
                own[name].text,
                own[name].unit,
                expressions.converted(own[above], due, definition.place, above),
                initial[name],
            )
        last = names[-1]
        value = expressions.finite(definition.value, {**scope, **own})
        due = own[last].unit / MILLISECOND
        derivative = expressions.converted(value, due, definition.place, f"{definition.name}")
        yield KernelState(own[last].text, own[last].unit, derivative, initial[last])


def _form(definition: Definition, expressions: Expressions, scope: Scope) -> tuple[Term, int, Term]:
    """A kernel as size * t**power * exp(rate * t): size, power and rate."""
    factors = definition.value.factors if isinstance(definition.value, Product) else (("*", definition.value),)
    size, power, rate = Term(), 0, None
    for operator, factor in factors:
        if not reads_time(factor):
            term = expressions.finite(factor, scope)
            size = size.times(term) if operator == "*" else size.over(term)
        elif isinstance(factor, Name) and operator == "*":
            power += 1
        elif isinstance(factor, Call) and factor.function == "exp" and operator == "*" and rate is None:
            rate = _rate(factor, expressions, scope)
        else:
            power = 2
    if rate is None or power > 1:
        raise definition.place.error(f"the kernel {definition.name} is none of those that are read: {EXAMPLES}")
    return size, power, rate


def _rate(call: Call, expressions: Expressions, scope: Scope) -> Term:
    """What t is multiplied with in an exponential's argument."""
    node = call.arguments[0] if len(call.arguments) == 1 else call
    sign = Fraction(1)
    while isinstance(node, Sum) and len(node.terms) == 1:
        sign *= -1 if node.terms[0][0] == "-" else 1
        node = node.terms[0][1]
    factors = node.factors if isinstance(node, Product) else (("*", node),)
    found, times = Term(coefficient=sign), 0
    for operator, factor in factors:
        inner = factor
        while isinstance(inner, Sum) and len(inner.terms) == 1:
            found = found.negative() if inner.terms[0][0] == "-" else found
            inner = inner.terms[0][1]
        if isinstance(inner, Name) and inner.id == "t" and operator == "*":
            times += 1
        elif reads_time(inner):
            times = 2
        else:
            term = expressions.finite(inner, scope)
            found = found.times(term) if operator == "*" else found.over(term)
    if times != 1:
        raise call.place.error(f"an exponential of t is read as exp(-t/tau); kernels are {EXAMPLES}")
    return expressions.converted(found, PLAIN / MILLISECOND, call.place, "the rate of the exponential")


def find(call: Call, kernels: Mapping[str, Kernel], ports: tuple[str, ...]) -> tuple[Kernel, str]:
    """The kernel and the port of a ``convolve``.

    Raises
    ------
    ModelError
        Where one of them is not there.
    """
    names = [argument.id for argument in call.arguments if isinstance(argument, Name)]
    if len(call.arguments) != 2 or len(names) != 2:
        raise call.place.error("convolve() takes the name of a kernel and that of a spike port")
    for name, known, what in ((names[0], tuple(kernels), "kernel"), (names[1], ports, "spike port")):
        if name not in known:
            raise call.place.error(
                f"no {what} {shown(name)}{suggest(name, known)} ({what}s: {', '.join(known) or 'none'})"
            )
    return kernels[names[0]], names[1]
