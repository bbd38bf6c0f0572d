"""Programs are kept by what they depend on, and a kernel built before starts without the symbolic stages."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import izhigen as iz
from izhigen.backends.build import load_program
from izhigen.backends.c import CEngine
from izhigen.backends.cache import clear_cache
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError

REQUEST = KernelRequest(iz.load("RS"))
FIRST_STEP = """
import sys
import izhigen as iz
pop = iz.load("RS").population(10, dt=0.1)
pop(10.0), pop.run(1.0, I=10.0)
print(pop.method, sorted({"sympy", "jinja2", "filelock"} & set(sys.modules)))
"""


def test_a_known_kernel_starts_without_sympy(folder):
    outputs = [
        subprocess.run([sys.executable, "-c", FIRST_STEP], capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert outputs == ["exp_euler ['filelock', 'jinja2', 'sympy']", "exp_euler []"]


def test_import_loads_nothing_heavy():
    code = "import sys, izhigen; print(sorted({'sympy', 'jinja2', 'cffi', 'matplotlib', 'tqdm', 'click', 'xarray', 'zarr'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_kept_once_and_read_again(folder, monkeypatch):
    program = load_program(REQUEST)
    monkeypatch.setattr(KernelRequest, "program", lambda self: pytest.fail("derived again"))
    assert load_program(REQUEST) == program == load_program(KernelRequest(iz.load("RS")))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "RS"}', "null"])
def test_a_file_that_is_not_whole_is_derived_again(folder, text):
    program = load_program(REQUEST)
    (path,) = folder.glob("*.program.json")
    path.write_text(text)
    assert load_program(REQUEST) == program
    assert json.loads(path.read_text())["name"] == "RS"


def test_the_key_follows_everything_that_shapes_the_program(monkeypatch):
    model = REQUEST.model
    others = [
        replace(REQUEST, model=model.variant(a=0.03)),
        replace(REQUEST, model=model.variant(threshold="V > V_th")),
        replace(REQUEST, method="rk4"),
        replace(REQUEST, dtype="float64"),
        replace(REQUEST, per_neuron=("a",)),
        replace(REQUEST, deltas=("V",)),
        replace(REQUEST, noisy_inputs=("I",)),
        replace(REQUEST, timed_inputs=(("I", "c0*t"),)),
        replace(REQUEST, model=model.with_noise(V=1.0)),
    ]
    keys = {other.key() for other in others} | {REQUEST.key()}
    assert len(keys) == len(others) + 1
    monkeypatch.setattr("izhigen.codegen.request._code", lambda: ("another version",))
    assert REQUEST.key() not in keys


def test_clearing_the_cache_removes_programs_too(folder):
    load_program(REQUEST)
    clear_cache()
    assert not list(folder.glob("*"))


def test_a_list_of_spikes_that_is_too_small_says_what_to_do(monkeypatch):
    """It never is, as its size follows from the tile; should it be, nothing of the call is lost or half done."""
    pop, same = (iz.load("RS").population(700, dt=0.1) for _ in range(2))
    for each in (pop, same):
        each.run(10.0, I=20.0)
    lists = CEngine._spike_lists

    def shorter(self, count, block):
        return [replace(whole, step=whole.step[:9], neuron=whole.neuron[:9]) for whole in lists(self, count, block)]

    with monkeypatch.context() as patch:
        patch.setattr(CEngine, "_spike_lists", shorter)
        with pytest.raises(BackendError) as problem:
            pop.run(5.0, I=20.0)
    text = str(problem.value)
    assert re.match(
        r"a list of 9 spikes is too small for 50 steps of the tile of \d+ neurons from 0 on; run fewer", text
    )
    assert "record=['count']" in text and "\n" not in text and pop.t == same.t
    np.testing.assert_array_equal(pop.V, same.V)
    ours, theirs = (each.run(5.0, I=20.0, record=["V", "spike"]) for each in (pop, same))
    np.testing.assert_array_equal(ours["V"], theirs["V"])
    np.testing.assert_array_equal(ours.spikes, theirs.spikes)
