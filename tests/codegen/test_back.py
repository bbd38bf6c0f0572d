"""The way back in C: its procedure, and sources that compilers take without a warning."""

import os
import shutil
import subprocess

import pytest

import izhigen as iz
from izhigen.codegen.kernel import build_kernel
from izhigen.codegen.procedure import Placement
from izhigen.derive.adjoint import Training
from izhigen.errors import BackendError, ValueShapeError
from tests.end_to_end.random_events import make_case
from tests.end_to_end.test_gradients import CONSTRUCTS
from tests.helpers import ALL, distinct_models

MODELS = {**distinct_models(), **{f"construct {name}": model for name, (model, _) in CONSTRUCTS.items()}}
MODELS |= {f"random {seed}": make_case(seed).model() for seed in range(0, 40, 5 if ALL else 13)}
STRICT = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only", "-xc", "-"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.sample(9)
def test_no_warnings(name):
    compilers = [c for c in (os.environ.get("CC", "gcc"), "clang") if shutil.which(c)]
    if not compilers:
        pytest.skip("neither gcc nor clang is installed")
    model = MODELS[name]
    for dtype, gradients in (("float32", True), ("float64", ())):
        surrogate = "squarewave_fourier_series" if dtype == "float64" else "sigmoid"
        text = model.source("c", dtype=dtype, gradients=gradients, surrogate=surrogate, deltas=(model.states[0],))
        for compiler in compilers:
            done = subprocess.run([compiler, *STRICT], input=text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_a_procedure_like_the_others():
    """What depends on parameters alone is computed once a call, of a parameter a neuron once for each; nothing twice."""
    model = iz.load("IzhikevichLTC")
    training = Training(iz.surrogates.sigmoid())
    kernel = build_kernel(model.derive(), per_neuron=["a"], training=training, wanted=("I", "a", "d"))
    placed = {a.symbol.name: a.placement for a in kernel["back"].arguments}
    assert placed["dt_p1_2"] is Placement.UNIFORM and placed["V"] is placed["V_bar"] is Placement.BOTH
    stores = {store.symbol.name: store.how for store in kernel["back"].stores}
    assert stores == {"V_bar": "set", "u_bar": "set", "I_bar": "set", "a_bar": "add", "d_bar": "add"}
    assert any("phi1" in str(s.expression) for s in kernel["prepare"].statements)
    assert not any("phi1" in str(s.expression) for s in kernel["back"].statements)  # but phi2, computed beforehand
    assert [str(store.symbol) for store in kernel["back_guard"].stores] == ["iz_phi2_z_V"]


def test_the_forward_part_is_that_without_a_way_back():
    """Statement for statement, so that a run with a tape has the bits of one without."""
    model = iz.load("IzhikevichRefLTC")
    plain = build_kernel(model.derive())
    taped = build_kernel(model.derive(), training=Training(iz.surrogates.sigmoid()), wanted=("I", "a"))
    for name in ("clock", "guard", "step", "rest", "on_spike"):
        assert plain[name] == taped[name]
    assert set(plain["constants"].statements) <= set(taped["constants"].statements)


def test_sources_are_the_same_every_time():
    model, options = iz.load("IzhikevichLTC"), {"gradients": ("a", "I"), "surrogate": "erf"}
    assert model.source("c", **options) == model.source("c", **options)
    assert "IzhikevichLTC_pull_back(" in model.source("c", **options)
    assert "pull_back" not in model.source("c")


def test_refused():
    model = iz.load("IzhikevichLTC")
    with pytest.raises(BackendError, match="'c-embedded' does not go back through steps; take 'c', 'cuda' or 'hip'"):
        model.source("c-embedded", gradients=True, surrogate="sigmoid")
    with pytest.raises(ValueShapeError, match="has no derivative"):
        model.source("c", gradients=True)
    with pytest.raises(ValueShapeError, match="gradients: 'aa' is no input"):
        model.source("c", gradients=("aa",), surrogate="sigmoid")
