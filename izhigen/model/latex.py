"""Equations as LaTeX, in the form in which they were written. No text of a model reaches it but names, which are
letters, digits and _.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from izhigen.model.equations import Equation
from izhigen.model.events import SPIKE, Assignment, DeclaredEvent, Trigger
from izhigen.model.expressions import Binary, Call, Compare, Logical, Moment, Name, Negative, Node, Number
from izhigen.model.model import Declaration
from izhigen.model.part import Part

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
)
_RELATIONS = {"<": "<", "<=": r"\leq", ">": ">", ">=": r"\geq", "==": "=", "!=": r"\neq"}
_LOGICAL = {"and": r"\land", "or": r"\lor"}
_FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "min", "max"}
SUM, PRODUCT, SIGN, POWER, ATOM = range(1, 6)
"""How tightly an expression holds together."""


def name_latex(name: str) -> str:
    """A name as a symbol: Greek letters by name, what follows the first underscore or the first digit as an index."""
    if name == "dt":
        return r"{\Delta t}"
    head, _, index = name.partition("_")
    letters = head.rstrip("0123456789")
    parts = [part for part in (head[len(letters) :], *index.split("_")) if part]
    if letters in GREEK:
        base = "\\" + letters
    else:
        base = letters if len(letters) == 1 else rf"\mathit{{{letters}}}"
    shown = ",".join(
        "\\" + part if part in GREEK else part if part.isdigit() else rf"\mathrm{{{part}}}" for part in parts
    )
    return f"{base}_{{{shown}}}" if shown else base


def expression_latex(node: Node) -> str:
    """An expression."""
    return _printed(node)[0]


def _printed(node: Node) -> tuple[str, int]:
    """The text of a node, and how tightly it holds together."""
    if isinstance(node, Number):
        text = str(node.value.numerator) if node.value.denominator == 1 else _decimal(float(node.value))
        return text, SIGN if node.value < 0 else PRODUCT if "cdot" in text else ATOM
    if isinstance(node, Name):
        return name_latex(node.id), ATOM
    if isinstance(node, Negative):
        return "-" + _within(node.operand, PRODUCT), SUM
    if isinstance(node, Compare):
        return f"{_within(node.left, SUM)} {_RELATIONS[node.operator]} {_within(node.right, SUM)}", 0
    if isinstance(node, Logical):
        if node.operator == "not":
            return rf"\lnot {_within(node.operands[0], SUM)}", 0
        return f" {_LOGICAL[node.operator]} ".join(_within(part, SUM, loose=0) for part in node.operands), 0
    if isinstance(node, Call):
        return _call(node)
    if isinstance(node, Moment):
        return rf"{{{_within(node.operand, ATOM)}}}^{{\mathrm{{{node.which}}}}}", POWER
    return _binary(node)


def _decimal(value: float) -> str:
    mantissa, _, exponent = repr(value).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _within(node: Node, least: int, loose: int = -1) -> str:
    text, strength = _printed(node)
    return text if strength >= least or (strength == loose and not isinstance(node, Logical)) else _bracketed(text)


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)"


def _binary(node: Binary) -> tuple[str, int]:
    if node.operator == "/":
        return rf"\frac{{{expression_latex(node.left)}}}{{{expression_latex(node.right)}}}", PRODUCT
    if node.operator == "**":
        return f"{{{_within(node.left, ATOM)}}}^{{{expression_latex(node.right)}}}", POWER
    if node.operator == "*":
        right = _within(node.right, PRODUCT)
        between = r" \cdot " if right[0].isdigit() else r" \, "
        return f"{_within(node.left, PRODUCT)}{between}{right}", PRODUCT
    return (
        f"{_within(node.left, SUM)} {node.operator} {_within(node.right, SUM if node.operator == '+' else PRODUCT)}",
        SUM,
    )


def _call(node: Call) -> tuple[str, int]:
    parts = [expression_latex(argument) for argument in node.arguments]
    if node.function == "sqrt":
        return rf"\sqrt{{{parts[0]}}}", ATOM
    if node.function in ("abs", "floor"):
        left, right = {"abs": (r"\left|", r"\right|"), "floor": (r"\left\lfloor ", r" \right\rfloor")}[node.function]
        return left + parts[0] + right, ATOM
    if node.function == "where":
        cases = rf"{parts[1]} & \text{{if }} {parts[0]} \\ {parts[2]} & \text{{otherwise}}"
        return rf"\begin{{cases}} {cases} \end{{cases}}", PRODUCT
    name = "\\" + node.function if node.function in _FUNCTIONS else rf"\operatorname{{{node.function}}}"
    return f"{name}{_bracketed(', '.join(parts))}", ATOM


def equation_rows(model: Declaration) -> Iterator[tuple[str, str, str]]:
    """Left side, right side with its sign, and note of everything that a model declares; the note is plain text."""
    yield from _declared(model.equations)
    for current in model.currents:
        how = "held during the step" if model.is_held(current) else "part of the equation"
        yield name_latex(current.to), r"\mathrel{+}= " + expression_latex(current.expression.tree), how
    for noise in model.noise:
        amplitude = _within(noise.amplitude.tree, PRODUCT)
        yield f"d{name_latex(noise.state)}", rf"\mathrel{{+}}= {amplitude} \, dW", "noise"
    yield from _happening(model.on_event, [(event, model.trigger_of(event)) for event in model.events])
    if model.refractory:
        until = model.refractory.until
        how = (
            rf"\text{{until }} {expression_latex(until.tree)}"
            if until
            else r"\text{while } t - t_{\mathrm{last\,spike}} \leq \tau_{\mathrm{ref}}"
        )
        held = ", ".join(map(name_latex, model.refractory.states))
        yield held or r"\text{no spike}", (r"\text{held }" if held else "") + how, ""


def part_rows(part: Part) -> Iterator[tuple[str, str, str]]:
    """The same of a part."""
    yield from _declared(part.equations)
    if part.current:
        how = "" if part.held else "part of the equation"
        yield r"\text{current}", "= " + expression_latex(part.current.tree), how
    yield from _happening(part.on_event, [(event, event.trigger) for event in part.events])
    yield from _assigned(part.reset, "at a spike")


def _declared(equations: Iterable[Equation]) -> Iterator[tuple[str, str, str]]:
    for equation in equations:
        name = name_latex(equation.name)
        left = rf"\frac{{d{name}}}{{dt}}" if equation.is_ode else name
        yield left, "= " + expression_latex(equation.expression.tree), equation.unit


def _happening(
    arriving: Mapping[str, tuple[Assignment, ...]], events: Iterable[tuple[DeclaredEvent, Trigger]]
) -> Iterator[tuple[str, str, str]]:
    """What is assigned where something arrives, and at events with their triggers."""
    for name, assignments in arriving.items():
        yield from _assigned(assignments, f"where {text_of(name)} arrives")
    for event, trigger in events:
        rising = "becomes true" if trigger is Trigger.RISING else ""
        yield rf"\text{{{text_of(event.name)} when}}", expression_latex(event.condition.tree), rising
        yield from _assigned(event.assignments, "at a spike" if event.name == SPIKE else f"at {text_of(event.name)}")


def _assigned(assignments: Iterable[Assignment], when: str) -> Iterator[tuple[str, str, str]]:
    for assignment in assignments:
        yield name_latex(assignment.state), r"\leftarrow " + expression_latex(assignment.expression.tree), when


def text_of(name: str) -> str:
    """A name within text."""
    return name.replace("_", r"\_")


def equations_latex(of: Declaration | Part) -> str:
    """All equations of a model or a part as an ``align*`` block."""
    rows = [
        rf"{left} &{right}"
        + (rf" && \text{{{note}}}" if note and not set(note.replace(r"\_", "")) & set("*^_&%$#{}\\~") else "")
        for left, right, note in (part_rows(of) if isinstance(of, Part) else equation_rows(of))
    ]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"
