"""The declaration as a whole: validation, composition, equality."""

import contextlib
import copy
import pickle

import pytest
import sympy as sp

import izhigen as iz
from izhigen import Model
from izhigen.errors import EquationError, IzhigenError, ModelError
from izhigen.patterns import PATTERNS

PARTS = dict(
    name="M",
    equations="dV/dt = (E - V)/tau + I : mV\ndu/dt = -u : 1",
    threshold="V >= V_th",
    reset="V = E; u = u + 1",
    parameters={"E": -65.0, "tau": 10.0, "V_th": -50.0},
    inputs=["I"],
    initial={"V": "E"},
)


BARE = dict(threshold=None, reset=None, initial=None)


def declare(**changes):
    return Model(**{**PARTS, **changes})


def test_a_good_model_and_what_it_knows():
    model = declare()
    assert model.states == ("V", "u")
    assert model.spike_state == "V"
    assert model.delta_inputs == ("V_delta", "u_delta")
    assert model.unit_of("V") == "mV"
    assert "dV/dt" in str(model)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"equations": "dV/dt = (E - V)/tua + I"}, "undefined name 'tua'; did you mean 'tau'"),
        ({"equations": "dV/dt = -V\ndV/dt = -2*V"}, "defined twice"),
        ({**BARE, "equations": "dV/dt = -x\nx = y\ny = x"}, "cyclic: x -> y -> x"),
        ({**BARE, "equations": "x = 1"}, "no differential equation"),
        ({**BARE, "equations": "dexp/dt = -1"}, "clashes"),
        ({**BARE, "equations": "dt/dt = 1"}, "clashes"),
        ({"parameters": {**PARTS["parameters"], "dt": 0.1}}, "clashes"),
        ({"parameters": {**PARTS["parameters"], "I": 0.1}}, "both parameter and input"),
        ({"parameters": {**PARTS["parameters"], "V_delta": 0.1}}, "built-in input"),
        ({"parameters": {**PARTS["parameters"], "E": float("nan")}}, "not finite"),
        ({"parameters": {**PARTS["parameters"], "E": "x"}}, "not a real number"),
        ({"parameters": {**PARTS["parameters"], "E": 1j}}, "not a real number"),
        ({"reset": "W = E"}, "no state 'W'"),
        ({"reset": "V = E; V = 2"}, "assigned twice"),
        ({"reset": "V = q"}, "undefined name 'q'"),
        ({"threshold": "V"}, "comparison"),
        ({"threshold": "V = V_th"}, "comparison"),
        ({"threshold": None}, "reset but no threshold"),
        ({"inputs": "I"}, "list"),
        ({"initial": {"W": 1.0}}, "no state 'W'"),
        ({"initial": {"V": "I"}}, "undefined name 'I'"),
        ({"initial": {"V": "u", "u": "V"}}, "cyclic"),
        ({"units": {"E": "mVolt"}}, "unknown unit"),
        ({"units": {"EE": "mV"}}, "neither a parameter nor an input"),
        ({"name": "my model"}, "not a name"),
    ],
)
def test_bad_declarations(changes, words):
    with pytest.raises(IzhigenError, match=words):
        declare(**changes)


def test_text_and_sympy_declarations_are_equal():
    V, u, I, a, b, E = sp.symbols("V u I a b E")
    common = dict(name="S", threshold="V >= 0", parameters={"a": 0.02, "b": 0.2, "E": 1.0}, inputs=["I"])
    text = Model(
        equations="dV/dt = 0.04*V**2 + 5*V + 140 - u + I + exp(-V/3)\ndu/dt = where(V > E, a*(b*V - u), max(u, 2))",
        **common,
    )
    symbolic = Model(
        equations={
            V: 0.04 * V**2 + 5 * V + 140 - u + I + sp.exp(-V / 3),
            u: sp.Piecewise((a * (b * V - u), V > E), (sp.Max(2, u), True)),
        },
        **common,
    )
    assert text == symbolic
    assert hash(text) == hash(symbolic)
    assert text != text.variant(a=0.03)
    assert text != text.variant("T")


def test_the_order_of_assignments_means_nothing():
    """All are made at the same time."""
    one, two = (
        iz.Model("M", "dV/dt = 1/ms\ndu/dt = -u/ms", "V > 1", reset, {"ms": 1.0})
        for reset in ("V = 0; u = V", "u = V; V = 0")
    )
    assert one == two and one != one.variant(reset="V = 0; u = new(V)")


def test_a_current_in_the_equations_is_one_that_is_added_to_an_input():
    """Where it is not held during a step; also in a threshold, and with several."""
    parts = dict(reset="V = 0", parameters={"g": 2.0, "E": 1.0}, inputs=["I"])
    bare = Model("M", "dV/dt = x - V\nx = I", "V > 2*I", **parts)
    in_it = Model("M", "dV/dt = x - V\nx = I + V + g*(E - V)", "V > 2*(I + V + g*(E - V))", **parts)
    added = bare.with_current("g*(E - V)", held=False).with_current("V", held=False)
    assert added == in_it and hash(added) == hash(in_it)
    held = bare.with_current("g*(E - V)").with_current("V")
    assert held != in_it and held.with_liquid_time_constant() == in_it.with_liquid_time_constant()
    assert added != bare.with_current("V", held=False)


def test_the_order_of_initial_values_means_nothing():
    parts = dict(equations="dV/dt = -V\ndw/dt = V - w", parameters={})
    one = Model("M", **parts, initial={"V": 1.0, "w": "2*V"})
    assert one == Model("M", **parts, initial={"w": "2*V", "V": 1.0}) != Model("M", **parts, initial={"V": 1.0})


@pytest.mark.parametrize(
    "expression",
    [
        "V**0.5",
        "V**1.5",
        "exp(V)**0.5",
        "1.5**V",
        "V*(u + 1)**1.5",
        "0.1*V - 2.5*u/0.3",
        "(V + 0.5)*(-1.5)",
        "-(V - 1.25)**2/0.5",
    ],
)
def test_sympy_floats_keep_their_value(expression):
    V, u = sp.symbols("V u")
    given = sp.sympify(expression, locals={"V": V, "u": u})
    model = Model("S", {V: given, u: -u})
    parsed = model.equations[0].expression.evaluate({"V": 1.7, "u": 0.6})
    assert float(parsed) == pytest.approx(float(given.subs({V: 1.7, u: 0.6})), rel=1e-14)


def test_numbers_of_numpy_are_numbers():
    import numpy as np

    model = declare(
        initial={"V": np.float64(-60.0)},
        reset={"V": np.int64(3)},
        parameters={**PARTS["parameters"], "E": np.float32(1.5)},
    ).with_noise(V=np.float32(3))
    assert float(model.initial["V"].evaluate({})) == -60.0


@pytest.mark.parametrize(
    "name", ["progress", "check_finite", "size", "run", "state", "steps", "t_last_spike", "refractory", "lambda"]
)
def test_names_of_the_interface_are_refused(name):
    for changes in ({"inputs": ["I", name]}, {"parameters": {**PARTS["parameters"], name: 1.0}}):
        with pytest.raises(IzhigenError, match=f"'{name}'"):
            declare(**changes)


def test_interface_names_cover_what_populations_have():
    import inspect

    from izhigen.model.checking import INTERFACE_NAMES
    from izhigen.population import Population

    functions = [iz.Model.population, Population.__init__, Population.run, Population.step]
    kinds = [Population]
    with contextlib.suppress(ImportError):  # without Dask
        from izhigen.cluster import ClusterPopulation

        functions += [ClusterPopulation.run, ClusterPopulation.step]
        kinds.append(ClusterPopulation)
    options = {name for function in functions for name in inspect.signature(function).parameters}
    attributes = {name for kind in kinds for name in vars(kind) if not name.startswith("_")}
    assert (options | attributes) - {"values", "inputs"} <= INTERFACE_NAMES


def test_sympy_outside_the_language_is_refused_by_name():
    V = sp.Symbol("V")
    with pytest.raises(EquationError, match="besselj"):
        Model("S", {V: sp.besselj(0, V)})
    with pytest.raises(EquationError, match="real"):
        Model("S", {V: sp.I * V})


def test_models_are_immutable_and_variants_are_new():
    model = declare()
    with pytest.raises(AttributeError, match="immutable"):
        model.name = "X"
    with pytest.raises(TypeError):
        model.parameters["E"] = 1.0
    other = model.variant("N", tau=20.0)
    assert (model.parameters["tau"], other.parameters["tau"], other.name) == (10.0, 20.0, "N")
    assert copy.deepcopy(model) == model
    assert pickle.loads(pickle.dumps(model)) == model


def test_variant_replaces_parts_and_drops_parameters_that_nothing_reads():
    model = declare().variant("Q", equations="dV/dt = k*V**2 + I", reset="V = E", k=0.1)
    assert model.states == ("V",)
    assert set(model.parameters) == {"E", "V_th", "k"}
    with pytest.raises(ModelError, match="no parameter 'taau'; did you mean 'tau'"):
        declare().variant("Q", taau=1.0)


def test_composition_and_its_errors():
    model = declare().with_current("g*(E_e - V)", inputs=["g"], E_e=0.0)
    assert model.inputs == ("I", "g")
    assert not model.liquid and model.with_liquid_time_constant().liquid
    with pytest.raises(ModelError, match="exists already"):
        model.with_current("g2*(E_e - V)", inputs=["g2"], E_e=1.0)
    with pytest.raises(ModelError, match="undefined name 'h'"):
        declare().with_current("h*(E - V)")
    with pytest.raises(ModelError, match="no input that a current"):
        Model("N", "dV/dt = -V").with_current("1")
    with pytest.raises(ModelError, match="not an input"):
        model.with_current("1", to="J")
    refractory = declare().with_refractory(tau_ref=4.0)
    assert refractory.all_states == ("V", "u", "refractory", "t_last_spike")
    with pytest.raises(ModelError, match="no threshold"):
        Model("N", "dV/dt = -V").with_refractory(tau_ref=1.0)
    noisy = declare().with_noise(V=3.0, u="2*tau")
    assert noisy.parameters["sigma_V"] == 3.0
    with pytest.raises(ModelError, match="noise on V, column 1: undefined name 'W'"):
        declare().with_noise(V="W")
    with pytest.raises(ModelError, match="not a state"):
        declare().with_noise(W=1.0)


def test_composition_never_takes_over_a_parameter_or_loses_its_state():
    with pytest.raises(ModelError, match="'tau_ref' exists already"):
        declare(parameters={**PARTS["parameters"], "tau_ref": 1.0}).with_refractory(2.0)
    with pytest.raises(ModelError, match="'sigma_V' exists already"):
        declare(parameters={**PARTS["parameters"], "sigma_V": 1.0}).with_noise(V=2.0)
    assert declare().with_refractory(2.0).with_refractory(3.0).parameters["tau_ref"] == 3.0
    assert declare().with_noise(V=1.0).with_noise(V=2.0).parameters["sigma_V"] == 2.0
    with pytest.raises(ModelError, match="noise on 'u', which is no state"):
        declare().with_noise(u=1.0).variant("X", equations="dV/dt = -V + I", reset="V = 0")
    with pytest.raises(ModelError, match="refractory period on 'V', which is no state"):
        declare().with_refractory(2.0).variant("X", equations="dw/dt = -w + I", reset="w = 0", threshold="w > 1")
    with pytest.raises(ModelError, match="adds to 'I', which is no input"):
        declare().with_current("g*(E - V)", inputs=["g"]).variant(
            "Z", inputs=["J", "g"], equations="dV/dt = -V + J", reset="V = 0"
        )


def test_composition_order_does_not_matter_for_what_is_meant():
    first = declare().with_liquid_time_constant().with_current("g*(E - V)", inputs=["g"])
    second = declare().with_current("g*(E - V)", inputs=["g"]).with_liquid_time_constant()
    assert first == second


def test_library_lists_and_loads():
    names = iz.list_models()
    assert {
        "Izhikevich",
        "IzhikevichLTC",
        "IzhikevichRef",
        "IzhikevichRefLTC",
        "RS",
        "IB",
        "CH",
        "FS",
        "TC",
        "RZ",
        "LTS",
        "izhikevich2007",
        *PATTERNS,
    } <= set(names)
    assert len(names) == len(set(names))
    for name in names:
        assert iz.load(name).name == name
        assert iz.load(name).description


def test_load_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from izhigen import Model\nmine = Model('mine', 'dV/dt = -V')\nother = Model('other', 'dV/dt = V')\n"
    )
    assert iz.load(f"{path}:mine").name == "mine"
    with pytest.raises(IzhigenError, match="several models"):
        iz.load(str(path))
    with pytest.raises(IzhigenError, match="did you mean 'mine'"):
        iz.load(f"{path}:mime")
    with pytest.raises(IzhigenError, match="no file"):
        iz.load(f"{tmp_path}/absent.py:mine")
    with pytest.raises(IzhigenError, match="did you mean 'IzhikevichLTC'"):
        iz.load("IzhikevichLCT")
