"""The page for those who come from other simulators: what its right columns say is run."""

import re

import numpy as np
import pytest

import izhigen as iz
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "coming.md").read_text()
CODE = [
    code
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| ---")
    for code in re.findall(r"`([^`]+)`", line.rstrip("| ").rpartition(" | ")[2])
]


def test_the_tables_are_there():
    assert len(CODE) > 45 and "pop(10.0)" in CODE and "iz.sweep" in CODE


@pytest.mark.parametrize("code", CODE)
def test_what_stands_here_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = iz.load("RS")
    names = {"iz": iz, "np": np, "model": model, "pop": model.population(100, seed=1), "array": np.full(100, 5.0)}
    names["population"] = model.variant("T", initial={"V": -60.0}).population
    if code.startswith("method="):
        code = f"model.population(100, {code})"
    elif code.startswith("population("):
        code = code.replace("tau=", "size=100, a=")
    exec(compile(code, "<page>", "exec"), names)  # what this project's own page says
