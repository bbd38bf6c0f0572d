"""The library as a whole: names, descriptions, units, kernels, the parts, and ``izhigen list``."""

import json
import re

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model, list_command
from izhigen.errors import EquationError, ModelError, ModelNotFoundError
from izhigen.list_command import OPERATIONS, count_operations
from izhigen.model import library
from izhigen.model.library import family_members, library_families, list_families
from izhigen.model.unit_checks import check_units
from tests.command_line import fails, ok
from tests.conftest import ROOT
from tests.helpers import host

FAMILIES = library_families()
MODELS = {name: model for models in FAMILIES.values() for name, model in models.items()}
SYNAPSES = ("Expon", "Alpha", "DualExpon", "DualExponV2", "NMDA", "AMPA", "GABAa", "BioNMDA", "STD", "STP")
PRINTED_RATES = [
    *("ConnorStevens", "HH", "HHLTC", "HodgkinHuxley", "TraubMiles"),
    *("WangBuzsaki", "WangBuzsakiHH", "WangBuzsakiHHLTC"),
]
"""Models whose rate functions hold the numbers that the papers print, in mV and per ms."""


# -- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_model_says_what_it_is(name):
    model = MODELS[name]
    assert model.name == name
    assert re.search(r"\((?:[A-Z][A-Za-z-]+ (?:and [A-Z][a-z]+ )?(?:19|20)\d\d)\)\Z", model.description), name
    assert "\n" not in model.description and len(model.description) < 130


@pytest.mark.parametrize("name", MODELS)
def test_every_name_has_a_unit_and_units_agree(name):
    """As strictly as can be, but for numbers in printed rates, which are in mV and ms."""
    model = MODELS[name]
    assert all(model.unit_of(each) for each in (*model.states, *model.parameters, *model.inputs))
    if name in PRINTED_RATES:
        with pytest.raises(ModelError, match=r"equation alpha_m, column \d+: the terms beside . have different units"):
            check_units(model, strict=True)
    else:
        check_units(model, strict=True)


def test_units_are_looked_at():
    """A wrong power of ten in a parameter's unit is refused, so the check above means something."""
    with pytest.raises(ModelError, match="different units"):
        iz.load("Lif").variant(units={"R": "kohm"})
    with pytest.raises(ModelError, match="is due"):
        iz.load("GLIF1").variant(units={"C": "nF"})
    with pytest.raises(ModelError, match="is due"):
        iz.load("HodgkinHuxley").variant(units={"gK": "S/cm**2"})


def test_currents_without_units_are_taken_as_they_are():
    """Library models are not strict, or nobody could add a current to them in a hurry."""
    model = iz.load("Lif").with_current("g*(E - V)", g=0.1, E=5.0)
    assert "g" not in model.units


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.sample(10)
def test_kernels_of_every_family_are_the_oracles(family):
    """The last of each file, which is composed of most, with a drive at which it spikes."""
    model = list(FAMILIES[family].values())[-1] if family != "wang_buzsaki" else MODELS["WangBuzsaki"]
    of_unit = {"pA": 300.0, "1": 2.0, "uA/cm**2": 20.0, "nA": 20.0, "mV": 20.0, "mV/ms": 75.0}
    drive = {"morris_lecar": 120.0}.get(family, of_unit[model.unit_of("I")])
    inputs = {"I": drive * np.array([0.7, 1.0, 2.0])}
    inputs |= {name: np.array([0.0, 1.0, 0.0]) for name in model.on_event}
    start = {"V": -66.0} if family in ("expif", "adexif", "quaif", "adquaif") else {}
    found = {}
    for backend in ("c", "numpy"):
        pop = model.population(3, dt=0.05, backend=backend, dtype="float64", **start)
        found[backend] = pop.run(steps=1000, record=[*model.states, "spike"], **inputs).to_host()
    np.testing.assert_array_equal(host(found["c"]["spike"]), found["numpy"]["spike"])
    assert found["numpy"]["spike"].any()
    for state in model.states:
        np.testing.assert_allclose(found["c"][state], found["numpy"][state], rtol=1e-9, atol=1e-9, err_msg=state)


def test_a_refractory_and_a_liquid_form_are_the_first_composed():
    """No form has equations or parameters of its own."""
    for name in ("Lif", "ExpIF", "AdExIF", "QuaIF", "AdQuaIF", "Gif", "Izhikevich"):
        plain = iz.load(name)
        expected = plain.with_refractory(0.0)
        late = iz.load(f"{name}Ref").initial.get("t_last_spike")
        expected = expected if late is None else expected.variant(initial={"t_last_spike": float(late.text)})
        assert iz.load(f"{name}Ref") == expected.variant(f"{name}Ref")
        assert iz.load(f"{name}LTC") == plain.variant(f"{name}LTC").with_liquid_time_constant()
        assert iz.load(f"{name}RefLTC") == expected.variant(f"{name}RefLTC").with_liquid_time_constant()


# -- parts ------------------------------------------------------------------------------------------------------------


def test_parts_by_name():
    names = iz.list_parts()
    assert {*SYNAPSES, "COBA", "CUBA", "MgBlock", "INa_HH1952", "IA_CWM1977"} <= set(names)
    assert not set(names) & set(iz.list_models())
    first = iz.part("Expon")
    first["parameters"]["tau"] = 3.0
    assert iz.part("Expon")["parameters"] == {"tau": 8.0}


@pytest.mark.parametrize("output", ["COBA", "CUBA", "MgBlock"])
@pytest.mark.parametrize("name", SYNAPSES)
def test_an_output_makes_a_current_of_any_synapse(name, output):
    """On a neuron that adds up its current, by forward Euler: as the formula, of g and V at the step's start."""
    part = iz.part(name, output=output)
    model = Model("Adds", "dV/dt = I", inputs=["I"], initial={"V": -40.0}).with_part(**part).variant(weight=0.3)
    pop = model.population(1, dt=0.1, method="euler", backend="numpy", dtype="float64")
    pre = np.zeros((60, 1))
    pre[[3, 7, 30]] = 1.0
    recording = pop.run(steps=60, pre=pre, record=["V", "g"])
    g, V = (np.concatenate([[start], recording[key][:-1, 0]]) for key, start in (("g", start_g(name)), ("V", -40.0)))
    pull = {"CUBA": 1.0, "COBA": -V, "MgBlock": -V / (1 + 1.2 / 3.57 * np.exp(0.062 * -V))}[output]
    np.testing.assert_allclose(np.diff(recording["V"][:, 0], prepend=-40.0), 0.1 * 0.3 * g * pull, atol=1e-12)
    assert np.abs(g).max() > 0.01


def start_g(name):
    return {"STD": 1.0, "STP": 0.15}.get(name, 0.0)


def test_names_that_clash_are_renamed():
    part = iz.part("AMPA", output="MgBlock")
    assert part["parameters"]["alpha"] == 0.98 and part["parameters"]["MgBlock_alpha"] == 0.062
    assert part["units"]["MgBlock_beta"] == "mM" and "exp(MgBlock_alpha*(V_offset - V))" in part["current"]
    model = iz.load("Lif").with_part(**part, prefix="fast").with_part(**part, prefix="slow")
    assert {"fast_g", "slow_g"} < set(model.states) and {"fast_pre", "slow_pre"} < set(model.inputs)


def test_what_is_no_part_is_told():
    for name, told in (("Expn", "did you mean 'Expon'"), ("RS", "is a model, not a part"), ("", "no part"), (3, "int")):
        with pytest.raises(ModelNotFoundError, match=told):
            iz.part(name)
    with pytest.raises(ModelNotFoundError, match=r"is a part, not a model; iz.part\('Expon'\)"):
        iz.load("Expon")
    with pytest.raises(ModelError, match="no output 'COBAA'; did you mean 'COBA'"):
        iz.part("Expon", output="COBAA")
    for name in ("ILeak", "CUBA"):
        with pytest.raises(ModelError, match="has a current of its own"):
            iz.part(name, output="COBA")
    with pytest.raises(ModelError, match="no output"):
        iz.part("Expon", output=["COBA"])


def test_a_synapse_in_a_neuron_with_a_liquid_time_constant():
    """As one that is written out: the conductance is in the linear part."""
    model = iz.load("LifLTC").with_part(**iz.part("Expon", output="COBA"), prefix="e")
    model = model.variant(e_E=60.0, e_weight=0.5)
    written = Model(
        "Written",
        "dV/dt = (V_rest - V + R*(I + 0.5*e_g*(60 - V)))/tau\nde_g/dt = -e_g/8",
        "V >= 20",
        "V = -5",
        {"V_rest": 0.0, "R": 1.0, "tau": 10.0},
        ["I"],
        on_event={"e_pre": "e_g = e_g + e_pre"},
    )
    traces = []
    for each in (model, written):
        pop = each.population(2, dt=0.5, backend="c", dtype="float64", seed=1)
        pre = np.zeros((400, 2))
        pre[::20, 0] = pre[::7, 1] = 1.0
        traces.append(pop.run(steps=400, I=0.0, e_pre=pre, record=["V", "spike"]))
    np.testing.assert_allclose(traces[0]["V"], traces[1]["V"], rtol=1e-12, atol=1e-12)
    assert traces[0].counts.sum() > 3


# -- izhigen list -----------------------------------------------------------------------------------------------------


def test_the_list_has_a_line_for_each_model():
    lines = ok("list").splitlines()
    assert [line.split()[0] for line in lines] == iz.list_models()
    families = [line.split()[1] for line in lines]
    assert list(dict.fromkeys(families)) == list(FAMILIES)
    (row,) = (line for line in lines if line.startswith("GLIF4 "))
    states, operations, text = row.split(maxsplit=4)[2:]
    assert states == "V,theta_s,I_1,I_2" and text.endswith("(Teeter 2018)")
    assert int(operations) == iz.load("GLIF4").population(1, dt=0.1).kernel.operations


def test_the_library_knows_how_many_operations_its_models_take(request):
    """``pytest --update-goldens`` writes ``models/operations.json``, so that the list need not derive them all."""
    path = ROOT / "models" / OPERATIONS
    found = {name: count_operations(model) for name, model in MODELS.items()}
    if request.config.getoption("--update-goldens"):
        path.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(path.read_text()) == found, "run pytest --update-goldens, and look at the difference"


def test_a_model_that_the_table_lacks_is_derived(tmp_path, monkeypatch):
    """As one that somebody adds."""
    (tmp_path / "leak.py").write_text((ROOT / "models" / "theta.py").read_text())
    (tmp_path / OPERATIONS).write_text("{}")
    monkeypatch.setattr(library, "resource_dir", lambda name: tmp_path)
    monkeypatch.setattr(list_command, "resource_dir", lambda name: tmp_path)
    assert ok("list").split()[:4] == ["Theta", "leak", "theta", "13"]


def test_the_list_of_a_family(capsys, monkeypatch):
    lines = ok("list", "lif").splitlines()
    assert [line.split()[0] for line in lines] == ["IF", "IFLTC", "Lif", "LifLTC", "LifRef", "LifRefLTC"]
    synapses = ok("list", "synapses").splitlines()
    assert [line.split()[0] for line in synapses][:3] == ["Expon", "Alpha", "DualExpon"]
    assert set(list_families()) - set(FAMILIES) == {"synapses", "channels"}
    code, told = fails(capsys, monkeypatch, "list", "glf")
    assert code == 1 and "did you mean 'glif'" in told


def test_a_part_is_shown(capsys, monkeypatch):
    """All that it declares, what it reads of a neuron, and how a neuron gets it."""
    lines = ok("show", "Expon").splitlines()
    assert lines[0].startswith("Expon: ") and lines[0].endswith("(Dayan and Abbott 2001)")
    assert lines[1:3] == ["    dg/dt = -g/tau : 1", "    when pre arrives: g = g + pre"]
    assert lines[4:6] == ["parameters: tau = 8 ms", "inputs: pre"]
    assert lines[-1] == 'to add it: model.with_part(**iz.part("Expon", output="COBA"), prefix="syn")'
    channel = ok("show", "IK_TM1991")
    assert "current: gK*n**4*(EK - V)    (part of the equation)" in channel
    assert "read of the neuron: V, V_T" in channel and "initial values: n = (0.16/" in channel
    assert "at arrival: spike_arrival_time = t" in ok("show", "AMPA")
    assert 'iz.part("Expon", output="MgBlock")' in ok("show", "MgBlock")
    assert r"\text{current} &= g_{\mathrm{leak}}" in ok("show", "ILeak_ML1981", "--latex")
    for option in (("--source", "c"), ("--method", "rk4"), ("--spike-timing", "located"), ("--dtype", "float64")):
        code, told = fails(capsys, monkeypatch, "show", "Expon", *option)
        assert code == 2 and f"{option[0]}: Expon is a part" in told


@pytest.mark.parametrize("name", iz.list_parts())
def test_every_part_is_described_and_shows_what_it_declares(name):
    part = iz.part(name)
    assert re.search(r"\((?:[A-Z][A-Za-z-]+ (?:and [A-Z][a-z]+ )?(?:19|20)\d\d)\)\Z", part["description"]), name
    assert "\n" not in part["description"] and len(part["description"]) < 130
    shown = ok("show", name)
    assert all(each in shown for each in (*part["parameters"], *part.get("on_event", ()), *part.get("initial", ())))
    assert "iz.part(" in shown and part["description"] in shown


def test_a_part_says_what_it_is_and_a_model_keeps_its_own_description():
    model = iz.load("Lif")
    assert model.with_part(**iz.part("Expon"), prefix="syn").description == model.description
    with pytest.raises(EquationError, match="description: text is expected"):
        model.with_part("dw/dt = -w", description=3)


def test_the_page_shows_the_library():
    """docs/models.md has what ``list`` and ``show`` print, and names all families and what is in them."""
    page = (ROOT / "docs" / "models.md").read_text()
    shown = re.findall(r"^```console\n\$ izhigen (list|show) (\w+)\n(.*?)^```", page, re.M | re.S)
    assert [each[:2] for each in shown] == [("list", "lif"), ("show", "MgBlock")]
    for command, name, output in shown:
        assert ok(command, name) == output
    rows = dict(re.findall(r"^\| \[(\w+)\]\(cards/\1\.md\) \|.*\| (.*) \|$", page, re.M))
    assert list(rows) == list_families()
    for family, row in rows.items():
        models, parts = family_members(family)
        named = re.findall(r"`(\w+)`( and its forms)?", row)
        said = {name + form for name, forms in named for form in ("", "LTC", "Ref", "RefLTC")[: 4 if forms else 1]}
        said |= {name for name in models if family == "patterns"} if "[the twenty](" in row else set()
        assert said == {*models, *parts}, family


@pytest.mark.parametrize("method", ["etdrk2", "exp_rosenbrock", "strang"])
def test_methods_with_stages_see_a_threshold_that_moves(method, backend):
    """Other equations see V no higher than the threshold of the step's start, which is a state."""
    options = {"dt": 0.05, "dtype": "float64"}
    exact = iz.load("Gif").population(1, method="rk4", backend="c", **options).run(200.0, I=1.5, record=["spike"])
    found = iz.load("Gif").population(1, method=method, backend=backend, **options).run(200.0, I=1.5, record=["spike"])
    assert exact.counts[0] > 3
    np.testing.assert_allclose(np.asarray(found.to_host().spikes[0]), exact.spikes[0], atol=0.051)
