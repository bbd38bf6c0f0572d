"""What the derivation found and what the kernel will compute, for people: as text and as LaTeX."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from izhigen.codegen.kernel import Kernel, as_written
from izhigen.derive.event import Assignment, Hold
from izhigen.derive.expansion import tree_size
from izhigen.derive.lowering import SINCE_SPIKE, symbol
from izhigen.derive.ranges import short_ranges
from izhigen.derive.scheme import noise_amplitudes
from izhigen.derive.sequence import NoiseTerm
from izhigen.derive.step import Step
from izhigen.derive.system import MOST_BLOCK, EquationClass, StateEquation
from izhigen.model.events import SPIKE, SpikeTiming, Trigger
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.latex import name_latex, text_of

FUNCTIONS = {
    **{f"phi{n}": rf"\varphi_{{{n}}}" for n in (1, 2, 3)},
    "exp": r"\exp",
    "log": r"\ln",
    "maximum": r"\max",
    "minimum": r"\min",
    "signum": r"\operatorname{sgn}",
    "heaviside": r"\Theta",
    "expm1": r"\operatorname{expm1}",
    "log1p": r"\operatorname{log1p}",
    "phi1_block": r"\varphi_1^{\mathrm{block}}",
    "phi1_action": r"\varphi_1^{\mathrm{block}}",
    "phi1_mean": r"\bar\varphi_1",
    "phi1_difference": r"\Delta\varphi_1",
    "cosh_sqrt": r"\operatorname{coshsqrt}",
    "sinhc_sqrt": r"\operatorname{sinhcsqrt}",
    "block_covariance": r"\operatorname{cov}",
}
MOST_OPERATIONS = 40
"""Longer updates are shown in terms of their intermediates."""
MOST_SHOWN = 10_000
"""Expressions of more parts are not counted for showing."""
LONG_UPDATE = "too long to show; see the report or the generated source"
_MEANING = {
    EquationClass.CONSTANT: "exact while the other terms are constant",
    EquationClass.LINEAR_PARAMETER_RATE: "exact while the other terms are constant; "
    "its exponential is computed once a call",
    EquationClass.LINEAR_STATE_RATE: "exact with the other states frozen over the step",
    EquationClass.COUPLED_LINEAR: "the states of the block share one propagator, "
    "exact while the other terms are constant",
    EquationClass.QUADRATIC: "linearized at the old state",
    EquationClass.NONLINEAR: "linearized at the old state",
}


class _Printer(LatexPrinter):
    """SymPy's printer, with symbols and functions as in the LaTeX of a model."""

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        if expr == SINCE_SPIKE:
            return rf"\left(t - {name_latex(LAST_SPIKE)}\right)"
        which, bracket, state = expr.name.partition("(")
        return rf"{self._print(symbol(state[:-1]))}^{{\mathrm{{{which}}}}}" if bracket else name_latex(which)

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        name = type(expr).__name__
        parts = [self._print(argument) for argument in expr.args]
        if name == "where":
            text = (
                rf"\begin{{cases}} {parts[1]} & \text{{if }} {parts[0]} \\ "
                rf"{parts[2]} & \text{{otherwise}} \end{{cases}}"
            )
        elif name in ("absolute", "floor_"):
            left, right = (r"\left|", r"\right|") if name == "absolute" else (r"\left\lfloor ", r" \right\rfloor")
            text = f"{left}{parts[0]}{right}"
        elif name in FUNCTIONS:
            text = rf"{FUNCTIONS[name]}\left({', '.join(parts)}\right)"
        else:
            return str(super()._print_Function(expr, exp))
        return text if exp is None else rf"{{\left({text}\right)}}^{{{exp}}}"

    def _print_ExpBase(self, expr: Any, exp: Any = None) -> str:
        return self._print_Function(expr, exp)

    def _print_log(self, expr: Any, exp: Any = None) -> str:
        return self._print_Function(expr, exp)


def _tex(expression: Any) -> str:
    return str(_Printer().doprint(expression))


def update_latex(step: Step, equation: StateEquation) -> str:
    """The update of a state; in terms of the intermediates where it is long."""
    whole = step.short_updates.get(equation.state.name)
    if whole is None or sp.count_ops(whole) > MOST_OPERATIONS:
        whole = step.new_value(step.states.index(equation.state))
    if tree_size(whole) > MOST_SHOWN or sp.count_ops(whole) > 10 * MOST_OPERATIONS:
        return rf"\text{{{LONG_UPDATE}}}"
    return _tex(whole)


def rhs_latex(equation: StateEquation) -> tuple[str, str, str]:
    """State, right-hand side and linear part of an equation."""
    return _tex(equation.state), _tex(equation.rhs), _tex(equation.rate)


def event_rows(step: Step) -> list[tuple[str, str, str]]:
    """What arrives, what is held, and every event with what it assigns: left side, right side with its sign, note."""
    rows = []
    for arrive in step.arrivals:
        rows.append((rf"\text{{where {text_of(arrive.input.name)} arrives}}", f": {_tex(arrive.condition)}", ""))
        rows += _assigned_latex(arrive.assignments)
    for event in step.events:
        if event.hold:
            how, condition = _lasts(event.hold)
            held = rf"\text{{{how} }} {_tex(condition)}"
            rows += [(f"{_tex(state)}'", f"= {_tex(state)}", held) for state in event.hold.states]
            rows += [(rf"\text{{no {text_of(event.name)}}}", "", held)] if event.is_muted else []
        rising = r"\text{becomes true}" if event.trigger is Trigger.RISING else ""
        rows.append((rf"\text{{{text_of(event.name)} when}}", _tex(event.condition), rising))
        rows += _assigned_latex(event.resets)
    return rows


def _assigned_latex(assignments: tuple[Assignment, ...]) -> list[tuple[str, str, str]]:
    return [(_tex(a.symbol), rf"\leftarrow {_tex(a.expression)}", "") for a in assignments]


def _linear_text(equation: StateEquation, exponential: bool) -> Iterator[str]:
    state = equation.state
    if equation.kind is EquationClass.CONSTANT:
        yield f"right-hand side free of {state}: d{state}/dt = {_short(equation.rhs)}"
    elif equation.proved:
        yield f"A*{state} + B  with A = {_short(equation.rate)}"
        yield " " * len(f"A*{state} + B  with ") + f"B = {_short(equation.remainder)}"
        yield (
            f"proof: A = df/d{equation.state} is free of {equation.state}, and f has no jumps in it, "
            f"so A*{equation.state} + B equals f"
        )
    else:
        yield (
            f"linearized: J = {_short(equation.rate)} still depends on {state}"
            if exponential
            else f"J = {_short(equation.rate)}"
        )


TIMINGS = {
    SpikeTiming.LINEAR: "on the straight line between the states before and after it, or before and after a part of it",
    SpikeTiming.LOCATED: "where the method's own solution, over a fraction of the step, meets their condition",
}
"""Where events happen that do not at the step's end."""


def report_lines(step: Step, kernel: Kernel) -> Iterator[str]:
    exponential = step.scheme.exponential
    yield f"{step.model.name}, method {step.method} ({step.scheme.accuracy}), time in ms"
    if step.chosen:
        yield f"  method chosen: {step.chosen}"
    if step.location is not None:
        yield f"  events happen inside the step: {TIMINGS[step.timing]}"
    for held in step.system.frozen:
        yield f"  held during the step: {held.symbol} = {held.expression}"
    for block in step.system.large_blocks if exponential else ():
        names = [step.states[index].name for index in block]
        shown = ", ".join(names[:6]) + (
            f", ... {names[-1]}" if len(names) > 7 else "".join(f", {n}" for n in names[6:])
        )
        yield (
            f"  linear block of {len(names)} states ({shown}): too large for its matrix (more than {MOST_BLOCK}), "
            "so its equations are taken one by one"
        )
    yield from (f"  {note}" for note in step.scheme.notes(step.system))
    for equation in step.system.equations:
        yield ""
        yield f"d{equation.state}/dt = {_short(equation.rhs)}"
        meaning = f" ({({**_MEANING, **step.scheme.meanings})[equation.kind]})" if exponential else ""
        yield f"  class      {equation.kind.value}{meaning}"
        first, *rest = _linear_text(equation, exponential)
        yield f"  linear     {first}"
        yield from (f"             {line}" for line in rest)
        yield from _update(step, equation)
    yield ""
    yield from _events(step)
    yield from _hoisted(kernel)
    yield from _short_forms(step, kernel)
    yield f"body: {kernel.counts}"
    yield (
        f"body: {kernel.operations} operations ({as_written(step).total} as derived) "
        f"and {kernel.bytes_per_step} bytes a neuron-step ({kernel.dtype}, one step a call)"
    )


def _short_forms(step: Step, kernel: Kernel) -> Iterator[str]:
    """The proofs of the arguments for which the kernel uses the short form of phi1."""
    used = {s.argument for s in kernel.short}
    defaults = {symbol(name): sp.Rational(str(value)) for name, value in step.model.parameters.items()}
    for found in short_ranges(step):
        if found.argument in used:
            yield from found.proof(defaults)


def _events(step: Step) -> Iterator[str]:
    for term in step.noise:
        yield f"noise on {term.state}: {term.factor}*{term.xi}  ({_noise_meaning(step, term)})"
    for arrive in step.arrivals:
        yield f"where {arrive.input} arrives: {_assigned(arrive.assignments)}"
    for event in step.events:
        if event.hold:
            word, condition = _lasts(event.hold)
            held = ", ".join(state.name for state in event.hold.states)
            how = f"{held} keeps its old value" if event.hold.states else "no state is held"
            muted = f", and no {event.name} comes," if event.is_muted else ""
            yield f"refractory: {how}{muted} {word} {condition}"
        rising = "  (rising: not so at the step's start)" if event.trigger is Trigger.RISING else ""
        yield f"{event.name}: {event.condition}{rising}"
        yield ("reset: " if event.name == SPIKE else f"at {event.name}: ") + (_assigned(event.resets) or "none")


def _lasts(hold: Hold) -> tuple[str, Any]:
    """The word and the condition that say how long something is held."""
    return ("while", hold.condition) if hold.end is None else ("until", hold.end)


def _assigned(assignments: tuple[Assignment, ...]) -> str:
    return "; ".join(f"{a.symbol} = {a.expression}" for a in assignments)


def _noise_meaning(step: Step, term: NoiseTerm) -> str:
    index = step.states.index(term.state)
    how = _noise_method(step, index)
    varying = {*step.states, SINCE_SPIKE}
    read = noise_amplitudes(step.system).get(index, sp.S.Zero).free_symbols & varying
    return f"Ito: its amplitude is that at the step's start; {how}" if read else how


def _noise_method(step: Step, index: int) -> str:
    if not step.scheme.exponential:
        return "Euler-Maruyama"
    if any(index in block for block in step.system.blocks):
        return "with the covariance that the linear block gives it over a step"
    return "exact for this linear drift" if step.system.equations[index].proved else "with the rate at the old state"


def _hoisted(kernel: Kernel) -> Iterator[str]:
    for title, procedure in (
        ("once a call", kernel["constants"]),
        ("once a call and neuron", kernel["prepare"]),
        ("once a step", kernel["clock"]),
    ):
        for statement in procedure.statements:
            yield f"hoisted, {title}: {statement.symbol} = {statement.expression}"


def _update(step: Step, equation: StateEquation) -> Iterator[str]:
    """The update in one line where it is short, else in terms of the intermediates that it reads."""
    whole = step.short_updates.get(equation.state.name)
    if whole is not None and sp.count_ops(whole) <= MOST_OPERATIONS:
        yield f"  update     {equation.state}' = {whole}"
        return
    value = step.new_value(step.states.index(equation.state))
    yield f"  update     {equation.state}' = {value}"
    needed = set(value.free_symbols)
    lines = []
    for assignment in reversed(step.assignments):
        if assignment.symbol in needed:
            needed |= assignment.expression.free_symbols
            lines.append(f"{assignment.symbol} = {_short(assignment.expression)}")
    yield from (f"             with {line}" for line in reversed(lines))


def _short(expression: Any) -> str:
    """An expression, or how many operations it has where those are many."""
    operations = sp.count_ops(expression) if tree_size(expression) <= MOST_SHOWN else MOST_SHOWN
    if operations < 200:
        return str(expression)
    about = "more than " if operations == MOST_SHOWN else ""
    return f"({about}{operations} operations; see the generated source)"


def step_latex(step: Step) -> str:
    rows = [
        rf"\text{{{step.model.name.replace('_', chr(92) + '_')}, {step.method.replace('_', ' ')}:}}\quad & "
        rf"{step.scheme.formula}"
    ]
    for held in step.system.frozen:
        rows.append(rf"{_tex(held.symbol)} &= {_tex(held.expression)}")
    for equation in step.system.equations:
        state = _tex(equation.state)
        rows.append(rf"\frac{{d{state}}}{{dt}} &= {_tex(equation.rhs)} && \text{{{equation.kind.value}}}")
        rows.append(
            rf"J_{{{state}}} &= {_tex(equation.rate)} && \text{{{'proved' if equation.proved else 'linearized'}}}"
        )
        rows.append(rf"{state}' &= {update_latex(step, equation)}")
    rows += [rf"{left} &{right}" + (f" && {note}" if note else "") for left, right, note in event_rows(step)]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"
