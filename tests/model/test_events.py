"""Events in declarations: what is accepted, what it means, and what is refused with which words."""

import pickle

import pytest
import sympy as sp

import izhigen as iz
from izhigen import Model
from izhigen.errors import DerivationError, EquationError, ModelError
from izhigen.model.events import Trigger
from izhigen.model.library import library_families

EQUATIONS = "dV/dt = -V/tau + I\ndu/dt = -u\nx = V + u"


def declare(threshold="V >= 1", **more):
    return Model("M", EQUATIONS, threshold, parameters={"tau": 5.0}, inputs=["I"], **more)


def trigger(model, name="spike"):
    return next(model.trigger_of(event) for event in model.events if event.name == name)


@pytest.mark.parametrize(
    ("threshold", "reset", "expected"),
    [
        ("V >= 1", "V = 0", Trigger.LEVEL),
        ("V >= 1", "u = 0", Trigger.RISING),
        ("V >= 1", None, Trigger.RISING),
        ("x >= 1", "u = 0", Trigger.LEVEL),  # through a line
        ("u > old(V)", "V = 0", Trigger.LEVEL),  # within old() too
        ("u > old(x)", "V = 0", Trigger.LEVEL),
        ("I > 1", "u = 0", Trigger.LEVEL),  # no state is read, so nothing could rise
        ("t > 5", None, Trigger.LEVEL),
        ("old(V) > 5", None, Trigger.LEVEL),
        ("old(V) > 5 or u > 1", None, Trigger.RISING),
    ],
)
def test_auto(threshold, reset, expected):
    assert trigger(declare(threshold, reset=reset)) is expected


def test_auto_sees_states_through_the_current_of_an_input():
    held = declare("I > 1", reset="u = 0").with_current("u*(E - V)", E=0.0)
    model = held.with_liquid_time_constant()
    assert trigger(model) is Trigger.LEVEL and trigger(model.variant(reset=None)) is Trigger.RISING
    assert trigger(held.variant(reset=None)) is Trigger.LEVEL  # what is held during a step does not rise in it


def test_the_library_rises_where_no_reset_takes_the_potential_back():
    for name, model in ((name, model) for models in library_families().values() for name, model in models.items()):
        if model.spike is not None:
            assert trigger(model) is (Trigger.LEVEL if model.reset else Trigger.RISING), name


def test_threshold_and_reset_are_the_event_spike():
    written = declare(reset="V = 0", trigger="rising", events={"low": iz.Event("V < -1", "u = 1")})
    spike = iz.Event("V >= 1", "V = 0", trigger="rising")
    named = declare(None, events={"low": iz.Event("V < -1", "u = 1"), "spike": spike})
    assert written == named and [event.name for event in named.events] == ["spike", "low"]
    assert named.threshold.text == "V >= 1" and str(named.reset[0]) == "V = 0"
    assert pickle.loads(pickle.dumps(named)) == named
    assert written != declare(reset="V = 0", events={"low": iz.Event("V < -1", "u = 1")})
    assert hash(written) == hash(named)


def test_variants_replace_one_part_and_keep_the_others():
    model = declare(reset="V = 0", events={"low": iz.Event("V < -1")}, on_event={"a": "u = u + a"})
    assert [e.name for e in model.variant(threshold="V > 2").events] == ["spike", "low"]
    assert str(model.variant(threshold="V > 2").reset[0]) == "V = 0"
    assert [e.name for e in model.variant(events={}).events] == ["spike"]
    assert model.variant(events={"spike": iz.Event("u > 1")}).threshold.text == "u > 1"
    assert model.variant(threshold=None, reset=None).spike is None
    assert model.variant(inputs=["I", "J"]).inputs == ("I", "J", "a")
    assert model.variant(on_event={"b": "u = b"}).inputs == ("I", "b")
    assert model.variant(on_event={}).event_inputs == ()
    assert trigger(model.variant(trigger="rising")) is Trigger.RISING
    with pytest.raises(ModelError, match="give it to the event 'spike'"):
        model.variant(events={"spike": iz.Event("V > 2", "V = 0")}, trigger="rising")
    since = Model("M", "dV/dt = -V*(t - t_last_spike)", "V > 1", initial={"t_last_spike": -3.0, "V": 2.0})
    assert list(since.variant(equations="dV/dt = -V").initial) == ["V"]
    assert since.scaled((0, 2), (0, 1)).initial["t_last_spike"].text == "-3.0"
    assert model.with_current("g*V", ["g"]).inputs == ("I", "g", "a")


def test_describe_says_all_of_it():
    model = declare(
        "V >= 1 + old(u)",
        reset="V = 0; u = u + new(V)",
        events={"low": iz.Event("V < -1", "u = 1")},
        on_event={"a": "V += a"},
    ).with_refractory(2.0, hold=())
    assert str(model).splitlines()[4:] == [
        "    when a arrives: V = V + (a)",
        "    spike when V >= 1 + old(u)",
        "    reset: V = 0; u = u + new(V)",
        "    low when V < -1 becomes true",
        "    at low: u = 1",
        "    refractory: no spike while t - t_last_spike <= tau_ref",
    ]
    latex = model._repr_latex_()
    assert r"{u}^{\mathrm{old}}" in latex and r"\text{low when}" in latex and r"\text{where a arrives}" in latex


REFUSED = {
    "old outside": (dict(equations="dV/dt = old(V)"), r"equation dV/dt, column 9: old\(x\) is known in conditions"),
    "new in a condition": (dict(threshold="new(V) > 1"), r"threshold, column 1: new\(x\) is known in assignments of"),
    "new of nothing above": (dict(reset="V = new(u)"), r"reset of V, column 9: new\(\) reads what a line above has"),
    "new of its own line": (dict(reset="u = 1; V = new(V)"), r"column 16: .*lines above assign u only"),
    "old of a number": (dict(threshold="old(3) > V"), r"old\(\) of a number is the number"),
    "old twice": (dict(threshold="old(old(V)) > 1"), r"stands around another old\(\) or new\(\)"),
    "old of two": (dict(threshold="old(V, u) > 1"), r"old\(\) takes 1 argument, 2 given"),
    "old of a condition": (dict(threshold="old(V > 1) > 1"), "a condition stands where a number is due"),
    "undefined in old": (dict(threshold="old(Q) > 1"), r"threshold, column 5: undefined name 'Q'"),
    "unknown trigger": (dict(trigger="rise"), r"threshold: no trigger 'rise'; did you mean 'rising'"),
    "trigger of no kind": (dict(trigger=["level"]), r"threshold: no trigger \['level'\]"),
    "nothing to rise": (dict(threshold="I > 1", trigger="rising"), "reads no state"),
    "a reset alone": (dict(threshold=None, reset="V = 0"), "has a reset but no threshold"),
    "spike twice": (dict(events={"spike": iz.Event("V > 1")}), "threshold and reset declare the event 'spike'"),
    "trigger without threshold": (
        dict(threshold=None, events={"spike": iz.Event("V > 1")}, trigger="level"),
        "give it to the event 'spike'",
    ),
    "a trigger alone": (dict(threshold=None, trigger="rising"), "has a trigger but no threshold"),
    "on_event of the spike": (dict(on_event={"spike": "u = 1"}), "what happens at the neuron's own spike is its reset"),
    "events of text": (dict(events={"low": "V < 1"}), r"event low: an event is declared as in .* not by str"),
    "events in a list": (dict(events=[iz.Event("V < 1")]), "events are a mapping such as"),
    "an event's name": (dict(events={"V": iz.Event("V < 1")}), "'V' is both equation and event"),
    "a figure's name": (dict(events={"count": iz.Event("V < 1")}), "'count' clashes"),
    "no name": (dict(events={"a b": iz.Event("V < 1")}), "'a b' is not a name"),
    "an option's name": (dict(events={"seed": iz.Event("V < 1")}), "populations have an option or attribute 'seed'"),
    "an event's state": (dict(events={"low": iz.Event("V < 1", "q = 1")}), r"event low: no state 'q'"),
    "an event's text": (dict(events={"low": iz.Event("V < 1", "u ~ 1")}), r"event low, column 1: expected 'state ="),
    "an event's condition": (dict(events={"low": iz.Event("V")}), "event low, column 1: a comparison"),
    "an event that assigns": (dict(events={"low": iz.Event("V = 1")}), "assigns; a condition is a comparison"),
    "twice in an event": (dict(events={"low": iz.Event("V < 1", "u = 1; u = 2")}), "event low: 'u' is assigned twice"),
    "undefined in an event": (dict(events={"low": iz.Event("V < 1", "u = q")}), "event low, assignment to u, column 5"),
    "too many": (
        dict(events={f"e{k}": iz.Event("V > 1") for k in range(8)}),
        "8 events besides the spike, more than 7",
    ),
    "constant": (dict(events={"e": iz.Event("1 > 0")}), "event e, column 1: '1 > 0' reads nothing that varies"),
    "rising of old": (dict(threshold="old(V) > 1", trigger="rising"), "or only in old"),
    "arrival at refractory": (dict(on_event={"a": "refractory = 0"}), "on_event a: no state 'refractory'"),
    "on_event of text": (dict(on_event="u = 1"), "on_event is a mapping such as"),
    "nothing assigned": (dict(on_event={"a": ""}), "on_event a: nothing is assigned"),
    "an input twice": (dict(on_event={"I": "u = I"}), "'I' is defined twice as input"),
    "read elsewhere": (
        dict(equations="dV/dt = -V + a", on_event={"a": "V = a"}),
        "equation dV/dt, column 14: 'a' is an event input, read in its own",
    ),
    "of another": (
        dict(on_event={"a": "u = b", "b": "u = a"}),
        "on_event a, assignment to u, column 5: 'b' is an event",
    ),
    "last spike of none": (
        dict(threshold=None, equations="dV/dt = -V*(t - t_last_spike)"),
        "'t_last_spike' is known in models with a threshold; this one has none",
    ),
    "last spike not kept": (dict(initial={"t_last_spike": -3.0}), "do not keep t_last_spike"),
    "refractory not kept": (dict(initial={"refractory": 1.0}), "has no state refractory; with_refractory"),
    "last spike of a state": (
        dict(equations="dV/dt = -V*(t - t_last_spike)", initial={"t_last_spike": "V"}),
        "initial value of t_last_spike, column 1: undefined name 'V'",
    ),
    "both sides": (dict(threshold=" V >= V"), "column 2: both sides of the comparison are the same"),
    "last spike declared": (dict(equations="dV/dt = -V\nt_last_spike = 3"), "'t_last_spike' is both equation and"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    changes, message = REFUSED[case]
    arguments = {"equations": EQUATIONS, "threshold": "V >= 1", "parameters": {"tau": 5.0}, "inputs": ["I"], **changes}
    with pytest.raises((ModelError, EquationError), match=message):
        Model("M", **arguments)


def test_moments_by_sympy():
    V, u = sp.symbols("V u")
    old, new = sp.Function("old"), sp.Function("new")
    by_text = declare(threshold="V >= old(V) + 1", reset="V = old(V); u = new(V) + u")
    assert declare(threshold=sp.Ge(V, old(V) + 1), reset={V: old(V), u: new(V) + u}) == by_text


def test_refused_when_derived():
    with pytest.raises(DerivationError, match="event never: 'V - V > 1' is False whatever the state is"):
        declare(events={"never": iz.Event("V - V > 1")}).derive()
    with pytest.raises(
        DerivationError, match="true at the start of every step.* so it never rises; take trigger='level'"
    ):
        declare(events={"moves": iz.Event("V - old(V) > -1")}).derive()
    assert declare(events={"moves": iz.Event("V - old(V) > -1", trigger="level")}).derive()


def test_refractory_in_full_and_its_errors():
    model = declare(reset="V = 0")
    assert model.with_refractory(2.0).refractory.states == ("V",)
    assert model.with_refractory(2.0, hold=["u", "V"]).refractory.states == ("u", "V")
    assert model.with_refractory(2.0, hold="u").refractory.states == ("u",)
    assert model.with_refractory(hold=()).parameters["tau_ref"] == 0.0
    until = model.with_refractory(2.0).with_refractory(until="V < -1")
    assert until.states == ("V", "u", "refractory") and "tau_ref" not in until.parameters
    assert until.all_states == until.states and until.with_refractory(1.0).all_states[2:] == (
        "refractory",
        "t_last_spike",
    )
    assert until.variant(equations="dV/dt = -V + I").states == ("V", "refractory")
    assert until.variant(initial={"refractory": 1.0}).population(2).refractory.tolist() == [1.0, 1.0]
    with pytest.raises(ModelError, match="each end it; give one of them"):
        model.with_refractory(2.0, until="V < 0")
    with pytest.raises(ModelError, match="'q' is not a state"):
        model.with_refractory(2.0, hold=["q"])
    with pytest.raises(ModelError, match="with_refractory: until, column 1: undefined name 'q'"):
        model.with_refractory(until="q < 0")
    for text, message in {"V": "a comparison", "old(V) < 0": r"old\(x\) is known in conditions"}.items():
        with pytest.raises(EquationError, match=message):
            model.with_refractory(until=text)
    with pytest.raises(ModelError, match="'refractory' becomes 1 at a spike; another event may set it to 0"):
        until.variant(reset="V = 0; refractory = 0")
    released = until.variant(events={"release": iz.Event("u > 3", "refractory = 0")})
    assert released.derive().events[1].resets[0].symbol.name == "refractory"


AMPA = {
    "equations": "ds/dt = -s/tau\nopen = s/(1 + s)",
    "current": "g*open*(E - V)",
    "on_event": {"arrival": "s = s + arrival*(1 - s)"},
    "events": {"full": iz.Event("s > limit", "s = limit")},
    "parameters": {"tau": 5.0, "g": 0.1, "E": 0.0, "limit": 0.9},
    "initial": {"s": "limit/2"},
    "units": {"tau": "ms"},
}


def test_a_part_brings_states_inputs_events_and_a_current():
    cell = Model("Cell", "dV/dt = -V/tau_m + I", "V >= 1", "V = 0", {"tau_m": 10.0}, ["I"])
    model = cell.with_part(**AMPA)
    assert model.states == ("V", "s") and model.inputs == ("I", "arrival") and model.currents[0].to == "I"
    assert [e.name for e in model.events] == ["spike", "full"] and model.unit_of("tau") == "ms"
    twice = model.with_part(**AMPA, prefix="slow")
    assert twice.states == ("V", "s", "slow_s") and twice.inputs == ("I", "arrival", "slow_arrival")
    assert twice.currents[1].expression.text == "slow_g*slow_open*(slow_E - V)"
    assert str(twice.on_event["slow_arrival"][0]) == "slow_s = slow_s + slow_arrival*(1 - slow_s)"
    assert str(twice.events[2].condition) == "slow_s > slow_limit" and twice.parameters["slow_limit"] == 0.9
    assert twice.initial["slow_s"].text == "slow_limit/2" and twice.unit_of("slow_tau") == "ms"
    assert twice.derive().updates["slow_s"]
    with pytest.raises(
        ModelError, match="equation 's' exists already in model 'Cell' as an equation; give the part a prefix"
    ):
        model.with_part(**AMPA)


def test_a_part_renames_whole_names_and_no_functions():
    part = {"equations": "dexp1/dt = -exp1*exp(-e/2) + 1e3*0.5e-3*e", "parameters": {"e": 2.0}}
    model = Model("M", "dV/dt = -V").with_part(**part, prefix="p")
    assert model.equations[1].expression.text == "-p_exp1*exp(-p_e/2) + 1e3*0.5e-3*p_e"
    values = {"p_exp1": 2.0, "p_e": 3.0}
    assert float(model.equations[1].expression.evaluate(values)) == pytest.approx(-2 * 2.718281828459045**-1.5 + 1.5)


def test_a_part_adds_to_the_reset():
    cell = Model("Cell", "dV/dt = -V/tau_m + I", "V >= 1", "V = 0", {"tau_m": 10.0}, ["I"])
    adaptation = {"equations": "dw/dt = -w/tau_w", "current": "-w", "reset": "w = w + b", "tau_w": 100.0, "b": 0.1}
    model = cell.with_part(**adaptation)
    assert [str(a) for a in model.reset] == ["V = 0", "w = w + b"] and model.parameters["b"] == 0.1
    with pytest.raises(ModelError, match="has no threshold, so a part has no spike"):
        Model("M", "dV/dt = -V", inputs=["I"]).with_part("dw/dt = -w", reset="w = 1")
    with pytest.raises(ModelError, match="what a part assigns there is its reset"):
        cell.with_part("dw/dt = -w", events={"spike": iz.Event("w > 1")})
    with pytest.raises(ModelError, match="no input that a current could add to"):
        Model("M", "dV/dt = -V").with_part("dw/dt = -w", current="w")
    with pytest.raises(ModelError, match="no input that a current could add to"):
        Model("M", "dV/dt = -V", on_event={"a": "V = a"}).with_part("dw/dt = -w", current="w")
    with pytest.raises(EquationError, match="'a b' is not a name"):
        cell.with_part("dw/dt = -w", prefix="a b")
    with pytest.raises(ModelError, match="no argument 'curent'; did you mean 'current'"):
        cell.with_part("dw/dt = -w", curent="w")
    with pytest.raises(ModelError, match="nothing reads parameter 'zork'"):
        cell.with_part("dw/dt = -w", zork=5.0)


@pytest.mark.parametrize("text", ["old", "new"])
def test_old_and_new_are_names_that_a_model_may_use(text):
    model = Model("M", f"dV/dt = -V*{text}", threshold=f"old(V) > {text}", reset="V = 0", parameters={text: 2.0})
    assert model.with_part(f"dw/dt = -w*{text}", prefix="p").derive().updates["V"]
    assert str(model.derive().events[0].condition) in (f"old(V) > {text}", f"{text} < old(V)")
