"""Types as a user's editor sees them: strict basedpyright on the Python blocks of README and docs, and on the whole interface."""

import importlib.util
import inspect
import json
import re
import subprocess
import sys

import pytest

import izhigen as iz
import izhigen.errors
from tests.conftest import ROOT

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
UNTYPED = ("xarray", "cupy", "sympy", "nir")
"""Libraries without types of their own: everything in them is Any here, so that what remains unknown is izhigen's."""
USE = """
import numpy as np
import izhigen as iz

model = iz.load("IzhikevichLTC")
composed = model.with_noise(V=1.0).with_current("g*(E - V)", ["g"], E=0.0).with_refractory(2.0)
scaled: iz.Model = composed.with_liquid_time_constant().variant("X", a=0.1).scaled((-65.0, 30.0), (0.0, 1.0))
print(scaled.derive().report(), scaled.source())
pop = model.population(10, dt=0.1, V=lambda n, rng: rng.uniform(-70.0, -60.0, n), a=0.02)
print(pop(22.0).any(), pop.step(I=1.0).sum(), pop.V, pop.parameters["a"], pop.spike.sum())
pop.state["V"] = -60.0
print(pop.state["V"].mean())
current = iz.inputs.section([0.0, 22.0], [10.0, 40.0]) + 2.0 * iz.inputs.wiener(50.0)
rec: iz.Recording = pop.run(50.0, I=current, record=["V", "spike"])
times, indices = rec.spikes
print(rec["V"].shape, times.max(), indices[0], rec.t[0], rec.counts, rec.rates, rec.population_rate().rates, rec.f_i().rates)
for name, trace in rec.traces.items():
    print(name, trace.mean())
print(iz.inputs.spikes(np.array([1.0]), np.array([0])).sample(0.1), iz.inputs.poisson("10 + t"), iz.inputs.ou(0.0, 1.0, 10.0, 50.0))
print(iz.plot.traces(rec), iz.plot.raster(rec), iz.plot.state_plane(model, recording=rec), rec.plot(), rec.to_xarray())
print(iz.Recording.load("x.npz").to_host().info, iz.list_models())
"""
MISTAKES = """
import izhigen as iz

pop = iz.load("IzhikevichLTC").population(10, dt="0.1")
pop.run(steps="many")
pop.run(500.0, every=None)
iz.load("IzhikevichLTC").variant(3)
iz.inputs.section([1.0])
"""


def checked(folder, **files):
    """What basedpyright says of the files in strict mode: (file, line, rule)."""
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed; the extra 'lint' has it")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    for library in UNTYPED:
        stub = folder / "stubs" / library
        stub.mkdir(parents=True)
        (stub / "__init__.pyi").write_text("from typing import Any\ndef __getattr__(name: str) -> Any: ...\n")
    settings = {"typeCheckingMode": "strict", "include": ["*.py"], "stubPath": "stubs", "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] == len(files), done.stdout + done.stderr
    return [
        (re.split(r"[/\\]", found["file"])[-1], found["range"]["start"]["line"], found["message"])
        for found in answer["generalDiagnostics"]
        if found["severity"] == "error"
    ]


def test_strict_types_of_the_snippets_and_of_all_that_users_call(tmp_path):
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    snippets = {page.stem.replace("-", "_"): "\n".join(BLOCK.findall(page.read_text())) for page in pages}
    files = {f"page_{name}": code for name, code in snippets.items() if code}
    if importlib.util.find_spec("distributed") is None:
        del files["page_cluster"]
    assert "page_README" in files and len(files) > 3
    assert checked(tmp_path, use=USE, **files) == []


def test_mistakes_are_seen_by_an_editor(tmp_path):
    found = checked(tmp_path, mistakes=MISTAKES)
    assert {line for _, line, _ in found} == set(range(3, 8)), found


def public_calls():
    """Every function that users call and every method of the classes that they hold: name, the function, and its class or module."""
    found = {}
    for module in (iz, iz.inputs, iz.plot, iz.sweeps, iz.fits, iz.synapses, iz.connect):
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                members = {f"{name}.{key}": (inspect.getattr_static(thing, key), thing) for key in dir(thing)}
            else:
                members = {f"{module.__name__}.{name}": (thing, module)}
            for label, (member, home) in members.items():
                call, own = getattr(member, "__func__", member), label.split(".")[-1]
                shown = not own.startswith("_") or own in ("__init__", "__call__")
                if shown and inspect.isfunction(call) and call.__module__.startswith("izhigen"):
                    found.setdefault(call, (label, home))
    return [pytest.param(call, home, id=label) for call, (label, home) in found.items()]


def described(call, home):
    """Names that the docstring of a call describes: a list of parameters, or what it and its class or module say in code."""
    text, around = inspect.getdoc(call) or "", inspect.getdoc(home) or ""
    if "Parameters\n" in text:
        listed = re.split(r"\n(?:Returns|Raises)\n", text.split("Parameters\n")[1])[0]
        heads = re.findall(r"^((?:\*{0,2}\w+(?:, )?)+)(?: : .*)?$", listed, re.MULTILINE)
    else:
        heads = re.findall(r"``(.+?)``", text + around, re.DOTALL)
        heads += re.findall(r"^((?:\w+(?:, )?)+) : .*$", around, re.MULTILINE)
    names = set(re.findall(r"\w+", " ".join(heads)))
    other = re.search(r":meth:`izhigen\.(\w+)\.(\w+)`,?(?: which)? describes the arguments", f"{text} {around}")
    if other is not None and "Parameters\n" not in text:
        names |= {other[1].lower()} | described(getattr(getattr(iz, other[1]), other[2]), getattr(iz, other[1]))
    return names


@pytest.mark.parametrize(("call", "home"), public_calls())
def test_docstrings_name_every_argument_and_the_errors(call, home):
    names = [name for name in inspect.signature(call).parameters if name not in ("self", "cls")]
    if len(names) > 1:  # a single one is what the first sentence is about
        assert set(names) <= described(call, home), sorted(set(names) - described(call, home))
    if "Parameters\n" in (call.__doc__ or ""):
        assert "Raises\n" in call.__doc__


def test_the_list_of_public_calls_is_whole():
    calls = {parameter.id for parameter in public_calls()}
    assert calls >= {"Model.__init__", "Model.variant", "Model.with_current", "Model.with_noise", "Model.scaled"}
    assert calls >= {"Model.population", "Population.run", "Population.step", "Recording.load", "Recording.f_i"}
    assert calls >= {"izhigen.load", "izhigen.inputs.poisson", "izhigen.plot.state_plane"} and len(calls) > 50


def test_a_population_is_made_as_the_model_describes_it():
    described, made = (
        [(p.name, p.kind, p.default, p.annotation) for p in list(inspect.signature(call).parameters.values())[1:]]
        for call in (iz.Model.population, iz.Population)
    )
    assert made == [argument for argument in described if argument[0] != "cluster"]  # which makes another class
    assert ":meth:`izhigen.Model.population`, which describes the arguments" in iz.Population.__doc__


@pytest.mark.parametrize("module", [iz, iz.inputs, iz.plot, izhigen.errors], ids=lambda m: m.__name__)
def test_dir_shows_what_is_public(module):
    assert dir(module) == sorted(module.__all__) and all(hasattr(module, name) for name in module.__all__)
    assert not {"np", "Any", "annotations"} & set(dir(module))
