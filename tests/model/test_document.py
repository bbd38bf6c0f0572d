"""Models as data fit for JSON, and back."""

import json

import pytest

import izhigen as iz
from izhigen.errors import IzhigenError, ModelError
from izhigen.model.document import model_document, read_model
from izhigen.population.training import with_spike_reset
from tests.end_to_end.random_events import make_case
from tests.helpers import distinct_models

HH = iz.Model(
    "Gated",
    "dV/dt = I - 0.1*(V + 65) - 36*n**4*(V + 77) : mV\ndn/dt = (0.3 - n)/5",
    threshold="V >= 0",
    inputs=["I"],
    initial={"V": -65.0},
)
RS = iz.load("RS")
COMPOSED = {
    "current": RS.with_current("g*(E - V)", g=0.1, E=-80.0),
    "membrane": RS.with_current("g*(E - V)", held=False, g=0.1, E=-80.0),
    "liquid": iz.load("Izhikevich").with_liquid_time_constant(),
    "refractory": RS.with_refractory(2.0),
    "refractory until": HH.with_refractory(until="V < -40"),
    "noise": RS.with_noise(V="0.1*abs(u) + 1"),
    "soft": with_spike_reset(RS, "soft"),
    "scaled": RS.scaled((-65.0, 30.0), (0.0, 1.0)),
    "events": RS.variant("Two", events={"low": iz.Event("V < -75", "u += 1", trigger="rising")}),
    "arrives": RS.variant("Syn", on_event={"ampa": "V = V + ampa"}),
    "text": RS.variant("Text", description='a "quoted" */ text \\ with ünïcode'),
}


def again(model):
    return read_model(json.loads(json.dumps(model_document(model))), iz.Model)


@pytest.mark.parametrize("name", [*distinct_models(), *COMPOSED])
def test_the_same_model_comes_back(name):
    model = {**distinct_models(), **COMPOSED}[name]
    found = again(model)
    assert found.fields == model.fields and type(found) is iz.Model
    assert list(found.parameters) == list(model.parameters) and found == model
    assert found.source() == model.source()


def test_random_models_come_back():
    for seed in range(200):
        model = make_case(seed).model()
        assert again(model).fields == model.fields


def places(value, here=()):
    yield here
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*here, key))


ODD = (
    None,
    True,
    -1,
    1e308,
    float("nan"),
    "",
    "x",
    "__import__('os')",
    "a\nb",
    [],
    [[]],
    {},
    {"a": 1},
    "9" * 10_000,
    "*/",
)


def test_a_document_is_not_believed():
    """Every part replaced by something odd: an error of ours, or a model that is checked as any other."""
    whole = model_document(
        COMPOSED["refractory until"].with_noise(V="1.5").variant("Low", events={"low": iz.Event("V < -60", "n = 0.1")})
    )
    refused = 0
    for place in places(whole):
        for odd in ODD:
            document = json.loads(json.dumps(whole))
            if place:
                part = document
                for key in place[:-1]:
                    part = part[key]
                part[place[-1]] = odd
            try:
                read_model(document if place else odd, iz.Model)
            except IzhigenError:
                refused += 1
    assert refused > 600


def test_what_lacks_is_named():
    document = model_document(RS)
    del document["equations"]
    with pytest.raises(ModelError, match="equations"):
        read_model(document, iz.Model)
