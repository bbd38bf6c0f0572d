"""Units that have to agree: every place of a declaration, with its column and the two units."""

import random

import numpy as np
import pytest
import sympy as sp

import izhigen as iz
from izhigen import Event, Model
from izhigen.errors import EquationError, ModelError
from izhigen.model import unit_checks

UNITS = {"gL": "nS", "EL": "mV", "DT": "mV", "VT": "mV", "C": "pF", "a": "nS", "tau": "ms", "b": "pA", "I": "pA"}
PARAMETERS = {"gL": 30.0, "EL": -70.6, "DT": 2.0, "VT": -50.4, "C": 281.0, "a": 4.0, "tau": 144.0, "b": 80.0}
GOOD = {
    "equations": """
        i_exp = gL*DT*exp((V - VT)/DT)
        dV/dt = (gL*(EL - V) + i_exp - w + I)/C : mV
        dw/dt = (a*(V - EL) - w)/tau : pA
    """,
    "threshold": "V > VT",
    "reset": "V = EL; w = w + b",
    "initial": {"V": "EL", "w": "a*(VT - EL)"},
}


def build(strict=True, units=UNITS, **changes):
    return Model("AdEx", parameters=PARAMETERS, inputs=["I"], units=units, strict_units=strict, **{**GOOD, **changes})


def with_equation(line):
    return build(equations=GOOD["equations"] + line)


@pytest.mark.parametrize("strict", [True, False])
def test_what_agrees_passes(strict):
    model = build(strict)
    assert model.with_noise(w="b/sqrt(tau)").noise
    model.with_refractory(2.0).with_current("g*(E - V)", ["g"], E="0*mV", units={"g": "nS"})
    model.with_part(
        "ds/dt = -s/tau_s : nS", current="s*(E_s - V)", on_event={"arrives": "s = s + arrives"},
        parameters={"tau_s": "5*ms", "E_s": "0*mV"}, units={"arrives": "nS"},
    )  # fmt: skip
    assert build(strict, events={"high": Event("V > EL + DT", "w = 2*w")}).event_numbers["high"] == 1


WRONG = {
    "a term": (lambda: with_equation("dx/dt = (V - w)/tau : mV"), "equation dx/dt, column 18: .* mV .V. and pA .w."),
    "a rate": (lambda: with_equation("dx/dt = V : mV"), "equation dx/dt, column 13: .* in mV .V., and mV/ms is due"),
    "a scale": (
        lambda: build(units={**UNITS, "C": "nF"}),
        "equation dV/dt, column 18: .* and mV/ms is due: 0.001 times what is due",
    ),
    "a line with a unit": (lambda: with_equation("y = V : pA"), "equation y, column 9: .* in mV .V., and pA is due"),
    "an argument": (lambda: with_equation("y = exp(V)"), r"equation y, column 13: exp\(\) takes a plain number.* mV .V."),
    "an argument of another scale": (
        lambda: build(units={**UNITS, "DT": "V"}),
        r"exp\(\) takes a plain number",
    ),
    "an exponent": (lambda: with_equation("y = (V/DT)**w"), "column 17: an exponent is a plain number.* pA .w."),
    "a base": (lambda: with_equation("y = V**(w/b)"), "column 9: what is in mV .V. is raised to a power that is no"),
    "choices": (lambda: with_equation("y = where(V > VT, V, w)"), r"what where\(\) chooses from .* mV .V. and pA .w."),
    "a maximum": (lambda: with_equation("y = max(V, w)"), r"the arguments of max\(\) have different units"),
    "a comparison in a line": (lambda: with_equation("y = where(V > w, 1, 2)"), "the sides of > have different units"),
    "threshold": (lambda: build(threshold="V > w"), "threshold, column 5: the sides of > .* mV .V. and pA .w."),
    "threshold with and": (lambda: build(threshold="V > VT and w < C"), "the sides of < .* pA .w. and pF .C."),
    "reset": (lambda: build(reset="V = w"), "reset of V, column 5: .* in pA .w., and mV is due"),
    "initial value": (lambda: build(initial={"V": "b"}), "initial value of V, column 1: .* pA .b., and mV is due"),
    "an event": (lambda: build(events={"x": Event("w > VT")}), "the sides of > have different units"),
    "what an event assigns": (lambda: build(events={"x": Event("V > EL", "V = w")}), "assignment to V.* mV is due"),
    "a current": (lambda: build().with_current("gL*C"), "current 1, column 1: .* and pA is due"),
    "noise": (lambda: build().with_noise(V="DT"), "noise on V, column 1: .* in mV .DT., and mV/sqrt.ms. is due"),
    "refractory until": (lambda: build().with_refractory(until="V < w", hold="w"), "with_refractory: until, column 5"),
    "a number that is plain": (lambda: with_equation("y = V + 65"), "equation y, column 9: .* mV .V. and 1"),
    "a number first": (lambda: with_equation("y = 65 + V"), "equation y, column 14: .* 1 and mV .V."),
    "a choice that is a number": (lambda: with_equation("y = where(V > VT, V, 5)"), "equation y, column 23: .* and 1"),
    "a threshold that is a number": (lambda: build(threshold="V > -50"), "threshold, column 1: .* mV .V. and 1"),
    "old": (lambda: build(threshold="V > old(w)"), "the sides of >"),
    "a part": (
        lambda: build().with_part("ds/dt = -s/tau_s : nS", current="s*tau_s", parameters={"tau_s": "5*ms"}),
        "current 1, column 1: .* and pA is due",
    ),
    "time": (lambda: with_equation("y = V + t"), "mV .V. and ms .t."),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_clashes_is_named(what):
    make, message = WRONG[what]
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize("kind", ["parameter 'gL'", "input 'I'", "state 'x'"])
def test_strict_models_want_all(kind):
    units = {name: unit for name, unit in UNITS.items() if f"'{name}'" not in kind}
    with pytest.raises(ModelError, match=f"strict_units: {kind} of model 'AdEx' has no unit"):
        build(units=units, equations=GOOD["equations"] + ("dx/dt = -x/tau" if "'x'" in kind else ""))


def test_degrees_celsius_are_no_kelvin():
    about = {"parameters": {"T": 36.0, "T0": 309.0, "R": 1.0}, "units": {"T": "degC", "T0": "K", "R": "J/K"}}
    for line, message in (
        ("y = T + T0", "degC .T. and K .T0."),
        ("y = where(T > T0, 1, 2)", "degC .T. and K .T0."),
        ("y = exp(T/T0)", r"argument is in degC/K"),
        ("y = R*T : J", r"right-hand side is in degC\*J/K, and J is due"),
    ):
        with pytest.raises(ModelError, match=message):
            Model("A", f"dx/dt = 0 : 1\n{line}", **about)
    Model("A", "dx/dt = 0 : 1\ny = exp((T - T)/T)*R*T0 : J", **about)


def test_a_refractory_period_is_in_the_unit_of_time():
    model = build().with_refractory(2.0)
    with pytest.raises(ModelError, match="units: 'tau_ref' of model 'Other' is in ms, not in s"):
        model.variant("Other", units={"tau_ref": "s"})
    assert model.variant("Other", units={"tau_ref": "ms"}, tau_ref="0.003*s").parameters["tau_ref"] == 3.0


def test_a_state_has_one_unit_wherever_it_is_given():
    V, tau = sp.symbols("V tau")
    about = {"parameters": {"tau": "10*ms"}, "initial": {"V": "1"}}
    model = Model("A", {V: -V / tau}, **about, units={"V": "mV"}, strict_units=True)
    assert model.unit_of("V") == "mV" and model.population(1, backend="numpy", V="0.002*V").V[0] == 2.0
    for other in (
        model.variant("B", threshold="V > 1", reset="V = 0"),
        model.variant("B", threshold="V > 1").with_refractory(1.0).with_refractory(until="V < 0"),
    ):
        assert other.unit_of("V") == "mV"
    with pytest.raises(ModelError, match="units: 'V' of model 'A' is in mV, not in V"):
        Model("A", "dV/dt = -V/tau : mV", **about, units={"V": "V"})
    Model("A", "dV/dt = -V/tau : mV", **about, units={"V": "mV"})


def test_numbers_may_stand_for_quantities_unless_strict():
    text = "dV/dt = 0.04*V**2 + 5*V + 140 - u + I : mV\ndu/dt = a*(b*V - u) : mV/ms"
    units = {"a": "1/ms", "b": "1/ms", "I": "mV/ms"}
    given = {"parameters": {"a": 0.02, "b": 0.2}, "inputs": ["I"], "units": units}
    Model("Izhikevich", text, **given)
    with pytest.raises(ModelError, match=r"the terms beside \+ have different units, mV\*mV and mV"):
        Model("Izhikevich", text, **given, strict_units=True)
    with pytest.raises(ModelError, match="mV"):  # the mistake in it is seen all the same
        Model("Izhikevich", text.replace("mV/ms", "mV"), **given)


def test_models_without_units_stay_as_they_are():
    """Those of states alone are labels, as in the example of the interface."""
    Model("A", "dV/dt = -V + I : mV\ndu/dt = V : 1", inputs=["I"])
    Model(
        "B", "dV/dt = p*V**2 - u + I : mV\ndu/dt = a*(b*V - u) : mV", parameters={"p": 1, "a": 1, "b": 1}, inputs=["I"]
    )
    Model("C", "dV/dt = (E - V + R*I)/tau : mV", parameters={"E": 0, "R": 1, "tau": 1}, inputs=["I"], units={"R": "V"})


def test_strictness_is_of_the_declaration_and_checks_go_on():
    from izhigen.model.document import model_document, read_model

    model = build()
    assert model.with_current("g*(E - V)", ["g"], E=0.0).unit_of("g") == ""
    with pytest.raises(ModelError, match="have different units"):
        model.variant("Other", threshold="V > w")
    again = read_model(model_document(model), Model)
    assert again.fields == model.fields
    with pytest.raises(ModelError, match="have different units"):
        again.variant("Other", threshold="V > w")


def test_what_is_no_flag_is_refused():
    with pytest.raises(iz.IzhigenError, match="strict_units='yes' is not True or False"):
        build(strict="yes")


NAMES = {"V": "V", "W": "V", "I": "A", "J": "A", "g": "S", "C": "F", "tau": "s", "r": "ohm", "m": "1", "f": "Hz"}
"""Names in units that need no factors between them."""


def random_expression(rng, depth):
    """Text; about half of them agree."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([*NAMES, "2", "0.5"])
    kind = rng.choice(
        ["+", "-", "*", "*", "/", "/", "**", "exp", "tanh", "abs", "max", "sqrt", "twin", "twin", "ratio"]
    )
    a, b = (random_expression(rng, depth - 1) for _ in range(2))
    if kind in ("exp", "tanh", "abs", "sqrt"):
        return f"{kind}({a})"
    if kind == "**":
        return f"({a})**{rng.choice([-2, -1, 2, 3])}"
    written = {"max": f"max({a}, {b})", "twin": f"(({a}) + 2*({a}))", "ratio": f"tanh(({a})/({a}))"}
    return written.get(kind, f"(({a}) {kind} ({b}))")


def of_pint(registry, text):
    """The dimension of a text, as pint computes with quantities; None where they clash."""
    import pint

    values = {
        name: registry.Quantity(1.5 + 0.1 * k, unit if unit != "1" else "")
        for k, (name, unit) in enumerate(NAMES.items())
    }
    functions = {"exp": np.exp, "tanh": np.tanh, "abs": np.abs, "sqrt": np.sqrt, "max": np.maximum}
    try:
        with np.errstate(all="ignore"):
            found = eval(text, {"__builtins__": {}}, {**values, **functions})  # text of the lines above
    except pint.DimensionalityError:
        return None
    return registry.Quantity(found).dimensionality


def test_random_expressions_beside_pint():
    """An oracle that shares nothing with ours: quantities that pint computes with."""
    pint = pytest.importorskip("pint")
    rng, agreed, clashed, registry = random.Random(11), 0, 0, pint.UnitRegistry()
    about = {
        "parameters": dict.fromkeys((*NAMES, "tau_x"), 1.0),
        "units": {**NAMES, "tau_x": "ms"},
        "strict_units": True,
    }
    while min(agreed, clashed) < 120:
        text = random_expression(rng, 3)
        try:
            expected = of_pint(registry, text)
        except (ZeroDivisionError, OverflowError):
            continue
        try:
            Model("A", f"y = {text}\ndx/dt = -x/tau_x : 1", **about)
            found = True
        except ModelError as problem:
            assert "units" in str(problem) or "plain number" in str(problem)
            found = False
        except EquationError:  # such as a constant that is not finite
            continue
        assert found == (expected is not None), text
        agreed, clashed = agreed + found, clashed + (not found)
    assert min(agreed, clashed) >= 120


def test_units_are_put_into_words_for_messages_alone(monkeypatch):
    """The search for words takes a time that grows with the square of the units of a model."""
    monkeypatch.setattr(unit_checks, "common_text", None)
    with_equation("y = V - EL\nz = y*gL/C\ndx/dt = z/tau : mV/ms")


def test_zero_is_zero_in_any_unit():
    build(threshold="V + w*0*EL/b > 0", equations=GOOD["equations"] + "y = max(0, V) + 0 : mV")
    with pytest.raises(ModelError, match="have different units"):
        with_equation("y = V + tanh(0)")


@pytest.mark.parametrize(
    ("equation", "found"),
    [
        ("dV/dt = (E - V)/tau + I + w*tau : mV", "column 27: .* mV/ms and "),
        ("dV/dt = exp(V) + I : mV", "column 13: exp.. takes a plain number"),
        ("dV/dt = (F - V)/tau + I : mV", "column 14: .* V .F. and mV .V."),
        ("dV/dt = I*V : mV", None),
    ],
)
def test_a_name_without_a_unit_hides_no_other_clash(equation, found):
    parameters = {"E": "-65*mV", "F": "-0.065*V", "tau": "10*ms", "w": "1*nA"}
    if found is None:
        Model("M", equation, parameters=parameters, inputs=["I"])
        return
    with pytest.raises(ModelError, match=found):
        Model("M", equation, parameters=parameters, inputs=["I"])


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("0.01*s", 10.0, "ms"),
        ("100*us", 0.1, "ms"),
        ("10*Hz", 0.01, "1/ms"),
        ("3*s**2", 3e6, "ms**2"),
        ("2/s**2", 2e-6, "1/ms**2"),
        ("1*mV/s", 1.0, "mV/s"),
        ("1*m", 1.0, "m"),
    ],
)
def test_times_are_in_ms_whatever_their_text_says(text, value, unit):
    model = Model("M", "dV/dt = -V/10 + x", parameters={"x": text})
    assert model.parameters["x"] == pytest.approx(value, rel=1e-15) and model.units["x"] == unit
    assert model.variant(x=text) == model
