"""Hostile and broken files: each a clear error with file and line, never a hang or an exception of another kind."""

from __future__ import annotations

import random
import re
import time

import pytest

import izhigen as iz
from izhigen import importers
from izhigen.errors import IzhigenError, ModelError
from izhigen.importers.lems.elements import MOST_DEPTH, MOST_ELEMENTS
from tests.helpers import ALL

GOOD = """<?xml version="1.0"?>
<Lems>
<ComponentType name="neuron" description="a neuron">
    <Parameter name="tau" dimension="time"/>
    <Constant name="one" dimension="voltage" value="1mV"/>
    <Children name="parts" type="part"/>
    <Dynamics>
        <StateVariable name="v" dimension="voltage" exposure="v"/>
        <StateVariable name="last" dimension="time"/>
        <DerivedVariable name="sum" dimension="per_time" select="parts[*]/y" reduce="add"/>
        <ConditionalDerivedVariable name="c" dimension="none">
            <Case condition="v .gt. 5 * one" value="v / one"/><Case value="0.5"/>
        </ConditionalDerivedVariable>
        <OnStart><StateAssignment variable="v" value="-(one^2) / one"/></OnStart>
        <Regime name="rise" initial="true">
            <TimeDerivative variable="v" value="(one * 20 * c - v) / tau + one * sum"/>
            <OnCondition test="v .gt. 10 * one"><EventOut port="spike"/><Transition regime="after"/></OnCondition>
        </Regime>
        <Regime name="after">
            <OnEntry><StateAssignment variable="last" value="t"/></OnEntry>
            <OnCondition test="t .gt. last + 3 * tau"><Transition regime="rise"/></OnCondition>
        </Regime>
    </Dynamics>
</ComponentType>
<ComponentType name="part"><Dynamics><DerivedVariable name="y" dimension="per_time" value="1 / tau"/></Dynamics>
<Requirement name="tau" dimension="time"/></ComponentType>
<neuron id="cell" tau="20ms"><part id="p"/></neuron>
<pulseGenerator id="pulse" delay="1ms" duration="5ms" amplitude="1nA"/>
<network id="net"><population id="pop" component="cell" size="1"/></network>
<Simulation id="sim" length="100ms" step="0.1ms" target="net"/><Target component="sim"/>
</Lems>
"""


def read(text, tmp_path, name=""):
    path = tmp_path / "given.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return importers.read(path, name, iz.Model)


def test_the_good_one_is_good(tmp_path):
    assert read(GOOD, tmp_path).model.states == ("v", "refractory")


LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no well-formed XML"),
        ("   ", "no well-formed XML"),
        ("no xml", "line 1: this is no well-formed XML"),
        ("<Lems>", "no well-formed XML"),
        ("<Lems></Lems><Lems/>", "no well-formed XML"),
        ("<Lems>\n\n<a></b></Lems>", "line 3: this is no well-formed XML"),
        ("<html/>", "line 1: <html> is no <Lems> or <neuroml>"),
        (f'{LAUGHS}<Lems a="&b;"/>', "line 1: a DOCTYPE or an entity stands here"),
        ('<!DOCTYPE l SYSTEM "file:///etc/passwd"><Lems/>', "line 1: a DOCTYPE or an entity stands here"),
        ("<Lems>&unknown;</Lems>", "no well-formed XML"),
        ("<Lems>\0</Lems>", "no well-formed XML"),
        ("<a>" * (MOST_DEPTH + 1), f"nested deeper than {MOST_DEPTH}"),
        ("<Lems>" * 1_000_000, f"nested deeper than {MOST_DEPTH}"),
        ("<Lems>" + "<a/>" * MOST_ELEMENTS + "</Lems>", "more than 100,000 elements"),
        (f'<Lems a="{"x" * 1_000_000}"/>', "attribute 'a' has 1,000,000 characters"),
        ("<Lems>" + "x" * 10_000_000 + "</Lems>", "longer than 10,000,000 bytes"),
        (b"<Lems>\xe9</Lems>", "no text in UTF-8"),
        (b"\x00\x01\x02\xff", "no text in UTF-8"),
        (b"<Lems>\xed\xa0\x80</Lems>", "no text in UTF-8"),
    ],
    ids=range(19),
)
def test_broken_files_are_refused_at_once(text, match, tmp_path):
    started = time.perf_counter()
    with pytest.raises(ModelError, match=match):
        read(text, tmp_path)
    assert time.perf_counter() - started < 20


PIECES = [
    "__import__('os').system('touch HACKED')",
    "'",
    "",
    "-",
    "1e999",
    "1" * 5000,
    "(" * 3000,
    "a + " * 3000 + "a",
    "v / v" * 500,
    "x^-x^x",
    "v .gt.",
    "v .and. v",
    "é",
    "&#x202e;",
    "&#10;",
    "{v}",
    "../../etc/passwd",
    "v / 0",
    "0 / 0 * v",
    "t",
    "last",
    "tau",
    "true",
    "-0.5e-3 mV",
    "parts[*]/parts[*]/y",
    "parts[*]/",
    "spike",
    "lambda",
    "1ms",
    "9" * 30 + "mV",
    "neuron",
    "part",
    "exp(exp(exp(exp(1))))",
    "1e300 * 1e300",
]


@pytest.mark.parametrize("seed", range(40 if ALL else 6))
def test_any_attribute_may_hold_anything(seed, tmp_path, monkeypatch):
    """A model, or an error of ours that names the file."""
    monkeypatch.chdir(tmp_path)
    draw = random.Random(seed)
    values = GOOD.split('"')
    for _ in range(60):
        changed = list(values)
        for place in draw.sample(range(3, len(values), 2), draw.choice((1, 1, 1, 2, 5))):
            changed[place] = draw.choice((draw.choice(PIECES), changed[draw.randrange(3, len(values), 2)]))
        started = time.perf_counter()
        try:
            read('"'.join(changed), tmp_path)
        except IzhigenError as problem:
            assert "given.xml" in str(problem)
            assert len(str(problem)) < 2000
        assert time.perf_counter() - started < 20
    assert not list(tmp_path.glob("HACKED*"))


@pytest.mark.parametrize("seed", range(40 if ALL else 6))
def test_elements_may_be_moved_lost_and_cut(seed, tmp_path):
    draw = random.Random(seed)
    lines = GOOD.splitlines()
    for _ in range(60):
        changed = list(lines)
        for _ in range(draw.choice((1, 1, 2, 4))):
            one, other = draw.randrange(1, len(changed)), draw.randrange(1, len(changed))
            how = draw.randrange(4)
            if how == 0:
                del changed[one]
            elif how == 1:
                changed.insert(other, changed[one])
            elif how == 2:
                changed[one] = changed[one].replace(draw.choice(("name", "value", "variable", "test", "port")), "nome")
            else:
                tags = (
                    "StateVariable",
                    "Parameter",
                    "Case",
                    "Regime",
                    "OnEntry",
                    "EventOut",
                    "Constant",
                    "part",
                    "Dynamics",
                )
                changed[one] = changed[one].replace(draw.choice(tags), draw.choice(tags))
        try:
            read("\n".join(changed), tmp_path)
        except IzhigenError as problem:
            assert "given.xml" in str(problem)


def test_a_circle_of_components_ends(tmp_path):
    parts = '<ComponentType name="a"><Children name="c" type="a"/><Dynamics><StateVariable name="x"/></Dynamics></ComponentType>'
    inner = "".join(f'<a id="i{n}">' for n in range(50)) + "</a>" * 50
    found = read(f"<Lems>{parts}{inner}</Lems>", tmp_path, "i0")
    assert len(found.model.states) == 50
    for text in ('<a id="x" extends="y"/><a id="y" extends="x"/>', '<a id="x" extends="x"/>'):
        with pytest.raises(ModelError, match="components extend one another in a circle"):
            read(f"<Lems>{parts}{text}</Lems>", tmp_path, "x")


def test_what_izhigen_writes_may_be_changed(tmp_path):
    """The texts that only izhigen's files have: whatever stands in them, an error of ours or a model."""
    model = iz.Model(
        "M", "dV/dt = where(V < E, -1, 1 + sign(V/E - 2))*V/tau : mV", "V > E and old(V) < max(E, V)",
        parameters={"E": -60.0, "tau": 3.0}, initial={"V": -70.0}, units={"E": "mV", "tau": "ms"}, trigger="rising",
    )  # fmt: skip
    text = model.source("neuroml")
    assert read(text, tmp_path).model == model
    words = ["", "V", "V: mV", "spike", "V: mA", "V: parsec", ":::", "V: mV; " * 300, "V: mV; E: mV; tau: ms; mV: mV"]
    for value in words:
        before, middle, after = text.rpartition('izhigen_units="')
        try:
            read(before + middle + value + after[after.index('"') :], tmp_path)
        except IzhigenError as problem:
            assert "given.xml" in str(problem)
    pieces = re.split(r"(\w+)", text)
    draw = random.Random(1)
    for _ in range(400 if ALL else 60):
        changed = list(pieces)
        changed[draw.randrange(len(pieces))] = draw.choice((*PIECES, *words, draw.choice(pieces)))
        try:
            read("".join(changed), tmp_path)
        except IzhigenError as problem:
            assert "given.xml" in str(problem)


def test_what_serves_no_name_of_izhigens_is_refused(tmp_path):
    text = '<Lems><ComponentType name="a"><Text name="izhigen_units"/><Dynamics><StateVariable name="v"/>{}</Dynamics>'
    text += '</ComponentType><a id="it" izhigen_units="v: 1"/></Lems>'
    assert read(text.format('<DerivedVariable name="half" value="v / 2"/>'), tmp_path).model.equations[0].name == "v"
    for part in (
        '<StateVariable name="w"/>',
        '<StateVariable name="old_v"/>',
        '<StateVariable name="old_w"/>',
        '<StateVariable name="was_spike"/><OnCondition test="v .gt. 1"><EventOut port="spike"/></OnCondition>',
        '<DerivedVariable name="start_v" value="1"/>',
        '<DerivedVariable name="start_w" value="1"/><OnStart><StateAssignment variable="v" value="start_w"/></OnStart>',
    ):
        with pytest.raises(ModelError, match="line 1: .* is not among the names of izhigen_units"):
            read(text.format(part), tmp_path)


def test_lines_that_double_one_another_are_refused(tmp_path):
    lines = "".join(f'<DerivedVariable name="x{n + 1}" value="x{n} + x{n}"/>' for n in range(60))
    text = (
        '<Lems><ComponentType name="a"><Text name="izhigen_units"/><Dynamics><StateVariable name="v"/>'
        f'<DerivedVariable name="x0" value="v"/>{lines}<TimeDerivative variable="v" value="x60"/></Dynamics></ComponentType>'
        '<a id="it" izhigen_units="v: 1"/></Lems>'
    )
    with pytest.raises(ModelError, match="line 1: lines that are put into others make them too large"):
        read(text, tmp_path)
    text = text.replace(' izhigen_units="v: 1"', "").replace(
        '<TimeDerivative variable="v" value="x60"/>', '<OnStart><StateAssignment variable="v" value="x60"/></OnStart>'
    )
    with pytest.raises(ModelError, match="too large|more than"):
        read(text, tmp_path)
    deep = "".join(f'<DerivedVariable name="x{n + 1}" value="{"1 + " * 250}x{n}"/>' for n in range(40))
    text = text.replace(lines, deep)
    with pytest.raises(ModelError):
        read(text, tmp_path)
