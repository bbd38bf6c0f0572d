"""The cards of the documentation, as its build writes them."""

import importlib.util
import re

import pytest
from matplotlib import image

import izhigen as iz
from izhigen.model.library import family_members, list_families
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def cards():
    """The module that the build of the documentation calls."""
    spec = importlib.util.spec_from_file_location("cards", ROOT / "docs" / "cards.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cards_are_written(cards, tmp_path, monkeypatch):
    """Of a model that fires, one that does not, and a part: equations, units of all parameters, reference, picture, speed."""
    monkeypatch.setattr(cards, "SECONDS", 0.001)
    folder = tmp_path / "cards"
    cards.write(["LifRef", "IF", "IK_TM1991"], folder)
    assert {path.name for path in folder.iterdir()} == {
        *("index.md", "lif.md", "channels.md"),
        *("LifRef.png", "IF.png", "IK_TM1991.png"),
    }
    assert (folder / "index.md").read_text().endswith("channels\nlif\n```\n")
    found = {}
    for family in ("lif", "channels"):
        head, *sections = (folder / f"{family}.md").read_text().split("\n## ")
        assert head.startswith(f"# {family.capitalize()}\n\n{cards.head(family)}\n\nMeasured on ")
        found |= {text.split("\n", 1)[0]: text for text in sections}
    assert list(found) == ["IF", "LifRef", "IK_TM1991"]
    for name, text in found.items():
        pixels = image.imread(folder / f"{name}.png")[..., :3]
        assert f"![{name}]({name}.png)" in text
        assert all((half != 1).any(axis=-1).mean() > 0.01 for half in (pixels[:, :360], pixels[:, 360:]))
    for name in ("IF", "LifRef"):
        model, text = iz.load(name), found[name]
        assert f"\n\n{model.description}\n\nReference: " in text
        assert "Lapicque (1907), J. Physiol. Pathol. Gen. 9:620" in text
        assert r"\frac{dV}{dt} &= \frac{V_{\mathrm{rest}} - V + R \, I}{\tau} && \text{mV}" in text
        rows = [f"| `{each}` | {value:g} | {model.unit_of(each)} |" for each, value in model.parameters.items()]
        assert "\n".join([*rows, "| `I` | input | nA |\n"]) in text
        operations, ns = re.search(r"(\d+) operations a step, ([\d.e+-]+) ns \(exponential Euler", text).groups()
        assert int(operations) == model.population(1).kernel.operations and 0 < float(ns) < 1e4
    assert (
        r"V &\leftarrow V_{\mathrm{reset}} && \text{at a spike}" in found["LifRef"]
        and "| `tau_ref` |" in found["LifRef"]
    )
    channel = found["IK_TM1991"]
    assert 'Reference: Traub and Miles (1991), "Neuronal Networks of the Hippocampus"' in channel
    assert r"\text{current} &= \mathit{gK} \, {n}^{4}" in channel and r"\frac{dn}{dt}" in channel
    assert (
        "| `gK` | 30 | mS/cm**2 |\n| `EK` | -90 | mV |\n| `V` | of the neuron |  |\n| `V_T` | of the neuron |  |\n"
        in channel
    )


FAMILIES = {family: [name for of_kind in family_members(family) for name in of_kind] for family in list_families()}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_of_a_file_has_the_reference_of_all_that_is_in_it(family, cards):
    """A year, and where it was printed: a journal's volume and page, or a book's title."""
    for name in FAMILIES[family]:
        assert re.search(r"\((?:19|20)\d\d\).*(?:\d+:\d+|\".+\")", cards.reference(name, family)), name
    assert "``" not in cards.head(family)


def test_a_part_beside_a_neuron_has_what_its_neighbours_bring(cards):
    assert cards.wanted("IK_TM1991", "channels") == {"V_T": -63.0}
    assert cards.wanted("IK_WB1996", "channels") == {"phi": 5.0}
    assert cards.wanted("COBA", "synapses") == {"g": 1.0} and cards.wanted("Expon", "synapses") == {}
    for family in ("channels", "synapses"):
        for name in FAMILIES[family]:
            model = cards.alone(name, family)
            assert set(iz.part(name)["parameters"]) <= set(model.parameters) and model.states[0] == "V"
