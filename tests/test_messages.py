"""Whatever is given for a name, a path or an option: the error is one of izhigen's, and its text one short line that can be printed."""

from __future__ import annotations

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import IzhigenError, printable, shown

MODEL = Model("A", "dV/dt = (I - V)/tau", parameters={"tau": 10.0}, inputs=["I"], threshold="V > 1", reset="V = 0")


class Foreign:
    """An object whose own text fails."""

    def __repr__(self):
        raise RuntimeError("no text")

    __str__ = __repr__


VALUES = {
    "long text": "x" * 100_000,
    "terminal": "a\n\x1b[31mb\u202ec\u200f\x07",
    "half of a pair": "\ud800",
    "large": 10**400,
    "too large to print": 10**5000,
    "long list": [1] * 100_000,
    "bytes": b"\0" * 1000,
    "object": Foreign(),
    "float": np.nan,
    "array": np.array([1, None], object),
    "endless range": range(10**12),
}
PLACES = {
    "record": lambda v: run(record=v),
    "one of record": lambda v: run(record=[v]),
    "out": lambda v: run(out=v),
    "save": lambda v: run().save(v),
    "read": iz.Recording.load,
    "model": iz.load,
    "backend": lambda v: MODEL.population(2, backend=v),
    "dtype": lambda v: MODEL.population(2, dtype=v),
    "method": lambda v: MODEL.population(2, method=v),
    "device": lambda v: MODEL.population(2, device=v),
    "sharding": lambda v: MODEL.population(2, sharding=v),
    "threads": lambda v: MODEL.population(2, threads=v),
    "seed": lambda v: MODEL.population(2, seed=v),
    "batch": lambda v: MODEL.population(2, batch=v),
    "derive": MODEL.derive,
    "target": MODEL.source,
    "number type of a source": lambda v: MODEL.source("c", dtype=v),
    "deltas": lambda v: MODEL.source("c", deltas=v),
    "per neuron": lambda v: MODEL.source("c", per_neuron=v),
    "target of a project": lambda v: MODEL.emit("folder", target=v),
    "poisson of a project": lambda v: MODEL.emit("folder", poisson=v),
    "name": MODEL.variant,
    "refractory": MODEL.with_refractory,
    "current": MODEL.with_current,
    "input of a current": lambda v: MODEL.with_current("V", to=v),
    "range": lambda v: MODEL.scaled(v, (0, 1)),
    "states of a picture": lambda v: run(record=["V"]).plot(states=v),
    "trace of a picture": lambda v: iz.plot.traces(run(record=["V"]), v),
    "inputs": lambda v: Model("A", "dV/dt = -V", inputs=v),
    "one of inputs": lambda v: Model("A", "dV/dt = -V", inputs=[v]),
    "unit": lambda v: Model("A", "dV/dt = -V", units={"V": v}),
    "equations": lambda v: Model("A", v),
    "equation": lambda v: Model("A", {"V": v}),
    "threshold": lambda v: MODEL.variant(threshold=v),
    "reset": lambda v: MODEL.variant(reset=v),
    "initial": lambda v: MODEL.variant(initial=v),
    "parameters": lambda v: Model("A", "dV/dt = -V", parameters=v),
    "units": lambda v: MODEL.variant(units=v),
    "trace": lambda v: run()[v],
    "rates": lambda v: run(I=[1.0, 2.0]).f_i(v),
    "start of rates": lambda v: run(I=[1.0, 2.0]).f_i(start=v),
    "bin": lambda v: run().population_rate(v),
    "every": lambda v: run(every=v),
    "series": lambda v: iz.inputs.from_array(v, 0.1),
    "stimulus": iz.inputs.poisson,
    "picture": lambda v: iz.plot.save(None, v),
}
FITTING = {("save", "terminal"), ("series", "long list"), ("stimulus", "long list")}
"""What is a valid value there."""


def run(**options):
    return MODEL.population(2, backend="numpy").run(1.0, **options)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_the_message_is_one_short_line_that_can_be_printed(place, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if (place, kind) in FITTING:
        PLACES[place](VALUES[kind])
        return
    with pytest.raises(IzhigenError) as caught:
        PLACES[place](VALUES[kind])
    text = str(caught.value)
    assert text.isprintable() and len(text) < 700, text[:700]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", VALUES)
def test_unknown_names_of_states_and_parameters(kind):
    pop = MODEL.population(2, backend="numpy")
    for view in (pop.state, pop.parameters):
        with pytest.raises(KeyError) as caught:
            view[VALUES[kind]]
        assert len(str(caught.value)) < 700
    assert VALUES[kind] not in run()


def test_files_of_any_name_are_told_in_one_line(tmp_path):
    for name in ("a\nb.npz", "a\x1b[2Jb.npz", "a\u202eb.npz"):
        with pytest.raises(IzhigenError) as caught:
            iz.Recording.load(tmp_path / name)
        assert str(caught.value).isprintable() and "b.npz" in str(caught.value)


def test_text_of_other_alphabets_is_shown_as_it_is():
    assert shown("Größe µ 神経") == "'Größe µ 神経'" and printable("größe\t\u2066") == "größe\\t\\u2066"
