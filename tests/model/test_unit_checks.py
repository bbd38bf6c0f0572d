"""Units that have to agree: every place of a declaration, with its column and the two units."""

import pytest

import izhigen as iz
from izhigen import Event, Model
from izhigen.errors import ModelError

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
    "a number that is plain": (lambda: with_equation("y = V + 65"), "mV .V. and 1"),
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
