r"""Where in a step events happen.

A step is gone through in parts. A part begins at the step's start, or at an event inside the step, and ends where an
event's condition becomes true for the first time, or a hold ends, or the step does; the scheme advances the states over
a part as over a step of that length. So what a scheme gives over a fraction of a step is its dense output: continuous
in the fraction, and of the scheme's own order. Inputs are held for the whole step. Noise grows linearly inside it, so
that its parts add up to that of the step.

An event happens inside a step where its condition is false at the beginning of a part and true later, whatever its
trigger is. What jumps and arrivals bring about at the step's end, and a level that was reached before the part began,
are decided there, as in a step whose events are not located.

The search is Newton's, between bounds, on the dense output. It starts from the crossing of the local quadratic: where
``m' = r + J (m - m0) + q (m - m0)**2`` for a margin m0 < 0 that changes at the rate r,

.. math:: \tau = y\,\frac{\operatorname{artanh}\sqrt{s}}{\sqrt{s}}, \qquad
   y = \frac{-m_0}{r - J m_0/2}, \quad s = (J^2/4 - q r)\,y^2,

which is exact for a quadratic equation whose other terms are constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import sympy as sp

from izhigen.derive.derivative import derivative
from izhigen.derive.event import Assignment, Event, margin_of
from izhigen.derive.expansion import tree_size
from izhigen.derive.functions import where
from izhigen.derive.lowering import DT, SINCE_SPIKE, T, own_functions, symbol
from izhigen.derive.sequence import Arrive, Integrate
from izhigen.derive.singularities import remove_singularities
from izhigen.derive.system import MOST_PARTS, System
from izhigen.model.events import SpikeTiming, Trigger

LENGTH, ELAPSED = symbol("(length of the part)"), symbol("(time into the step)")
"""Length of a part in ms, and how far into the step it begins; no model has such names."""
MOST_TRIES = 64
"""Places tried in the search for an event in a part, at most."""
HALVED = 4
"""Every so many tries, the bounds are halved instead."""
FINEST = {"float32": sp.Rational(1, 2**21), "float64": sp.Rational(1, 2**46)}
"""How closely an event is located, as a fraction of the part."""
NEVER = sp.Integer(10) ** 30
"""The time in ms until something that is not on its way."""


@dataclass(frozen=True)
class Location:
    """What the search for events inside a step computes.

    Attributes
    ----------
    timing : SpikeTiming
    part : Integrate
        Integration over a part: of :data:`LENGTH`, from :data:`ELAPSED` into the step on.
    events : tuple of Event
        Those of the step, at the time that is :data:`ELAPSED` into it; states' symbols stand for values then.
    arrivals : tuple of Arrive
        What event inputs do at the step's end. They read the time of its start, as in neurons whose step is whole.
    assignments : tuple of Assignment
        Named intermediates of the values below, each reading only what stands before it.
    margins : mapping of str to Expr
        By how much the condition of an event holds, of those whose margin is looked at; see :data:`timing`.
    ahead : mapping of str to Expr
        The time in ms until the margin is 0 by its rate of change; negative where it was before.
    first : mapping of str to Expr
        The same by the local quadratic, from a part's beginning on.
    """

    timing: SpikeTiming
    part: Integrate
    events: tuple[Event, ...]
    arrivals: tuple[Arrive, ...]
    assignments: tuple[Assignment, ...]
    margins: Mapping[str, Any]
    ahead: Mapping[str, Any]
    first: Mapping[str, Any]

    @property
    def watched(self) -> tuple[Event, ...]:
        """The events as a step's end sees them. One that reads time counts as a level, for it would rise from another
        time on; to look into a step in vain does no harm.
        """
        end = {ELAPSED: DT, SINCE_SPIKE: SINCE_SPIKE + DT}
        found = []
        for event in self.events:
            is_timed = bool({ELAPSED, SINCE_SPIKE} & event.condition.free_symbols)
            trigger = Trigger.LEVEL if is_timed else event.trigger
            found.append(replace(event, condition=event.condition.xreplace(end), trigger=trigger))
        return tuple(found)


def locate(
    system: System, timing: SpikeTiming, integrate: Integrate, events: Iterable[Event], arrivals: Iterable[Arrive]
) -> Location:
    """How the events of a step are located.

    Parameters
    ----------
    system : System
    timing : SpikeTiming
        ``LINEAR`` or ``LOCATED``.
    integrate : Integrate
        The integration over a whole step.
    events : iterable of Event
        What they are at the end of a step.
    arrivals : iterable of Arrive
    """
    then = tuple(event.xreplace({T: T + ELAPSED}) for event in events)  # some time into the step
    start = {SINCE_SPIKE: SINCE_SPIKE - DT}  # at the step's end, the time since the spike is that of the end
    part, come = _over_part(integrate), tuple(arrive.xreplace(start) for arrive in arrivals)
    found = {event.name: margin_of(event.condition) for event in then}
    margins = {name: margin for name, margin in found.items() if margin is not None}
    if timing is SpikeTiming.LINEAR:
        return Location(timing, part, then, come, (), MappingProxyType(margins), _NOTHING, _NOTHING)
    assignments, ahead, first = list[Assignment](), dict[str, Any](), dict[str, Any]()
    for name, margin in margins.items():
        rate = system.intermediate(f"rate_{name}")
        assignments.append(Assignment(rate, _rate(system, margin)))
        ahead[name] = _until(-margin / rate, sp.Gt(rate, 0))
        quadratic = _quadratic(system, name, margin, rate)
        if quadratic is not None:
            assignments += quadratic
            first[name] = _crossing(*(a.symbol for a in quadratic))
    found_first, found_ahead = MappingProxyType(first), MappingProxyType(ahead)
    return Location(timing, part, then, come, tuple(assignments), _NOTHING, found_ahead, found_first)


_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _over_part(integrate: Integrate) -> Integrate:
    """The integration over a part instead of a whole step."""
    change = {DT: LENGTH, T: T + ELAPSED}
    share = sp.sqrt(LENGTH / DT)  # a spread grows with the root of time; the path inside a step is a straight line
    return Integrate(
        tuple(a.xreplace(change) for a in integrate.assignments),
        tuple(increment.xreplace(change) for increment in integrate.increments),
        tuple(replace(term, factor=term.factor.xreplace(change) * share) for term in integrate.noise),
    )


def _in_part(system: System, expression: Any) -> Any:
    """A value of the system, some time into the step, with the currents that are held in a part as they are there."""
    held = {assignment.symbol: assignment.expression for assignment in system.frozen}
    return expression.xreplace(held).xreplace({T: T + ELAPSED})


def _rate(system: System, margin: Any) -> Any:
    """The change of a margin with time, along the solution without noise."""
    flow = {e.state: _in_part(system, e.rhs) for e in system.equations}
    flow |= {SINCE_SPIKE: sp.S.One, T: sp.S.One}
    read = margin.free_symbols
    slopes = {name: own_functions(derivative(margin, name)) for name in flow if name in read}
    return remove_singularities(sp.Add(*(slope * flow[name] for name, slope in slopes.items())))


def _quadratic(system: System, name: str, margin: Any, rate: Any) -> list[Assignment] | None:
    """y and s of the local quadratic, of a margin that is one state, or minus one, less what is constant; None for
    others.
    """
    read = [e for e in system.equations if e.state in margin.free_symbols]
    if len(read) != 1 or SINCE_SPIKE in margin.free_symbols:
        return None
    (equation,) = read
    sign = own_functions(derivative(margin, equation.state))
    if sign not in (1, -1) or tree_size(equation.rate) > MOST_PARTS:
        return None
    slope = _in_part(system, equation.rate)
    curvature = sign * remove_singularities(own_functions(derivative(slope, equation.state))) / 2
    if curvature.has(sp.Derivative, sp.DiracDelta, sp.Subs, sp.nan, sp.zoo):
        curvature = sp.S.Zero
    y, s = system.intermediate(f"y_{name}"), system.intermediate(f"s_{name}")
    values = -margin / (rate - slope * margin / 2), (slope**2 / 4 - curvature * rate) * y**2
    return [Assignment(y, values[0]), Assignment(s, values[1])]


def _crossing(y: Any, s: Any) -> Any:
    """The time until the local quadratic crosses."""
    return _until(y * _artanh_ratio(s), sp.And(sp.Gt(y, 0), sp.Lt(s, 1)))


def _artanh_ratio(s: Any) -> Any:
    """artanh(sqrt s)/sqrt s, within a hundredth for s < 0, where it is arctan(r)/r (Rajan et al. 2006, IEEE Signal
    Processing Magazine 23:108); a first guess needs no more.
    """
    root, angle = sp.sqrt(where(sp.Gt(s, 0), s, 1)), sp.sqrt(where(sp.Lt(s, -1), -s, 1))
    number = sp.Rational(28, 100)
    above = sp.log((1 + root) / (1 - root)) / (2 * root)
    below = (sp.pi / 2 - angle / (angle**2 + number)) / angle
    return where(sp.Gt(s, sp.Rational(1, 1000)), above, where(sp.Lt(s, -1), below, 1 / (1 - number * s)))


def _until(time: Any, is_known: Any) -> Any:
    """A time, where something is on its way."""
    return where(is_known, time, NEVER)
