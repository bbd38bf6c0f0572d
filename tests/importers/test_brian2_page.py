"""docs/brian2.md: every row of its tables is what happens."""

from __future__ import annotations

import ast
import re

import pytest

from izhigen import Model
from izhigen.errors import IzhigenError
from izhigen.importers import brian2
from tests.conftest import ROOT

CELL = r"`((?:[^`])*)`"
PAGE = (ROOT / "docs" / "brian2.md").read_text()
EXPRESSIONS = re.findall(rf"^\| {CELL} \| {CELL} \| {CELL} \|$", PAGE, re.MULTILINE)
PAIRS = re.findall(rf"^\| {CELL} \| {CELL} \|$", PAGE, re.MULTILINE)
ARGUMENTS = [pair for pair in PAIRS if "=" in pair[0] and pair[0].partition("=")[2][0] in "'\""]
REFUSED = [pair for pair in PAIRS if pair not in ARGUMENTS]
BASE = "dv/dt = (v_r - v)/tau : volt\ndw/dt = -w/tau : volt"
NAMESPACE = {"tau": "10*ms", "v_t": "-50*mV", "v_r": "-65*mV"}


def read(equations="", threshold="v > v_t", reset="v = v_r", **more):
    return brian2.read(f"{BASE}\n{equations}", threshold, reset, namespace=NAMESPACE, kind=Model, **more)


def test_the_tables_are_found():
    assert (len(EXPRESSIONS), len(ARGUMENTS), len(REFUSED)) == (13, 9, 8)


@pytest.mark.parametrize(("text", "unit", "here"), EXPRESSIONS)
def test_expressions(text, unit, here):
    model = read(f"x = {text} : {unit}").model
    assert next(e.expression.text for e in model.equations if e.name == "x") == here


@pytest.mark.parametrize(("text", "here"), ARGUMENTS)
def test_arguments(text, here):
    call = ast.parse(f"f({text})", mode="eval").body
    assert isinstance(call, ast.Call)
    found = read(**{str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords})
    assert here in (*found.model.describe(), *found.report)


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_refusals(text, why):
    with pytest.raises(IzhigenError, match=re.escape(why)):
        read(text.replace("\\n", "\n"))
