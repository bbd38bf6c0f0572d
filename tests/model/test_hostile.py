"""Hostile text in every place that takes text: refused with an error of ours, or harmless."""

from __future__ import annotations

import random

import pytest
from click.testing import CliRunner

import izhigen as iz
from izhigen import Model
from izhigen.cli import cli
from izhigen.errors import IzhigenError
from tests.helpers import ALL

HOSTILE = [
    "__import__('os').system('touch HACKED')",
    "eval('1')",
    "exec('import os')",
    "open('HACKED', 'w')",
    "().__class__.__bases__[0].__subclasses__()",
    "V.__class__",
    "(lambda: 1)()",
    "[x for x in (1,)]",
    "{**{}}",
    "f'{V}'",
    "V if V else V",
    "(V := 1)",
    "V; import os",
    "V\nimport os",
    "V) + (1",
    "1) or (1",
    "(V",
    "V))",
    "V # */ int evil; /*",
    'V */ system("touch HACKED"); /*',
    '*\\\n/ system("touch HACKED"); /*',
    '*??/\n/ system("touch HACKED"); /*',
    "{{ self.__init__.__globals__ }}",
    "{% for x in () %}{% endfor %}",
    "$(touch HACKED)",
    "`touch HACKED`",
    "'; touch HACKED; '",
    "%s%n%x",
    "../../HACKED",
    "V\0",
    "V\x1b[2J",
    "V\u202e",
    "V\u200b",
    "\uff36",
    "\u0435",
    "\ud800",
    "9" * 5000,
    "1e999999999",
    "1e-999999999",
    "9**9**9**9",
    "(" * 300 + "V" + ")" * 300,
    "-" * 5000 + "V",
    "not " * 300 + "V > 1",
    "+".join(["V"] * 3000),
    "V**64**64",
    "m*" * 24 + "m*",
]
PARAMETERS = {"tau": 10.0}


def build(**parts):
    given = {
        "name": "A",
        "equations": "dV/dt = (I - V)/tau",
        "threshold": "V > 1",
        "reset": "V = 0",
        "parameters": PARAMETERS,
        "inputs": ["I"],
        **parts,
    }
    return Model(**given)


def whole(model):
    """What a model goes through before it is compiled."""
    source = model.source("c")
    source.encode("utf-8")
    assert "HACKED" not in source.replace("\n", " ").split("*/", 1)[1]
    model.population(1, backend="numpy").run(0.2)
    model.derive().report()


PLACES = {
    "name": lambda t: whole(build(name=t)),
    "equation": lambda t: whole(build(equations=f"dV/dt = {t}")),
    "left side": lambda t: whole(build(equations=f"{t} = V")),
    "mapping": lambda t: whole(build(equations={"V": t})),
    "key": lambda t: whole(build(equations={t: "-V"}, threshold=None, reset=None, parameters={}, inputs=[])),
    "threshold": lambda t: whole(build(threshold=t)),
    "reset": lambda t: whole(build(reset=f"V = {t}")),
    "augmented reset": lambda t: whole(build(reset=f"V -= {t}")),
    "reset mapping": lambda t: whole(build(reset={"V": t})),
    "unit": lambda t: whole(build(equations=f"dV/dt = (I - V)/tau : {t}")),
    "units": lambda t: whole(build(units={"tau": t})),
    "description": lambda t: whole(build(description=t)),
    "parameter": lambda t: whole(build(parameters={**PARAMETERS, t: 1.0})),
    "value": lambda t: whole(build(parameters={"tau": t})),
    "input": lambda t: whole(build(inputs=["I", t])),
    "initial": lambda t: whole(build(initial={"V": t})),
    "current": lambda t: whole(build().with_current(t)),
    "liquid current": lambda t: whole(build().with_current(t).with_liquid_time_constant()),
    "noise": lambda t: whole(build().with_noise(V=t)),
    "stimulus": lambda t: build().population(1, backend="numpy").run(0.2, I=t),
    "method": lambda t: build().derive(t),
    "target": lambda t: build().source(t),
    "record": lambda t: build().population(1, backend="numpy").run(0.2, record=[t]),
    "load": iz.load,
}
COMMANDS = {
    "show": lambda t: ["show", t],
    "--set": lambda t: ["run", "Izhikevich", "--backend", "numpy", "-T", "0.2", "--set", f"a={t}"],
    "--set name": lambda t: ["run", "Izhikevich", "--backend", "numpy", "-T", "0.2", "--set", f"{t}=1"],
    "--input": lambda t: ["run", "Izhikevich", "--backend", "numpy", "-T", "0.2", "--input", f"I={t}"],
    "stimulus": lambda t: ["run", "Izhikevich", "--backend", "numpy", "-T", "0.2", "--input", f"section:values={t}"],
    "--method": lambda t: ["show", "Izhikevich", "--method", t],
    "--record": lambda t: ["run", "Izhikevich", "--backend", "numpy", "-T", "0.2", "--record", t],
}


def attempt(call, text):
    try:
        call(text)
    except IzhigenError as problem:
        str(problem).encode("utf-8")


@pytest.mark.parametrize("place", PLACES)
def test_hostile_text_is_refused_or_harmless(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in HOSTILE:
        attempt(PLACES[place], text)
    assert not list(tmp_path.iterdir())


def random_texts(count):
    """Pieces of the language, of Python and of C, joined at random."""
    draw = random.Random(20030101)
    pieces = [
        *"VuIt+-*/()<>=!;:,.#%&|^~@[]{}'\"\\\n 0123456789",
        *(
            "**",
            "==",
            "<=",
            "and",
            "or",
            "not",
            "exp(",
            "where(",
            "max(",
            "e5",
            "1e",
            "0x",
            "/*",
            "*/",
            "??/",
            "__",
            "mV",
        ),
        *("lambda", "import", "if", "else", "\t", "\r", "\0", "\u202e", "é", "\ud800", "1" * 30, "$(", "{{", "}}"),
    ]
    return ["".join(draw.choices(pieces, k=draw.randint(1, 14))) for _ in range(count)]


@pytest.mark.parametrize("place", PLACES)
def test_random_text_is_refused_or_harmless(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in random_texts(
        150 if ALL else 40 if place == "description" else 60
    ):  # where none is refused, each is a model
        attempt(PLACES[place], text)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
def test_hostile_arguments_of_the_command_line(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in [*HOSTILE, *random_texts(40 if ALL else 12)]:
        result = CliRunner().invoke(cli, COMMANDS[command](text))
        problem = result.exception
        assert problem is None or isinstance(problem, (IzhigenError, SystemExit)), (text, problem)
    assert not list(tmp_path.iterdir())


LONG = 10_000
REPEATED = [
    " " * LONG + "b",
    "a" + " " * LONG + "b",
    "a" + " " * LONG + "b = 1",
    "dV/dt = V" + "\t" * LONG + "q",
    "dV/dt = V +" + " " * LONG + "q",
    "dV/dt = V : " + "m*" * (LONG // 2),
    "dV/dt = V : " + " " * LONG + "?",
    "(\n" * (LONG // 2),
    "+\n" * (LONG // 2),
    *(
        piece * (LONG // len(piece))
        for piece in ("/", "/ ", "+ ", "and ", "=", "= ", "(", ": ", ";", "_", "d", "1", "1e", "#")
    ),
]


@pytest.mark.parametrize(
    "place", ["name", "key", "threshold", "reset", "unit", "description", "initial", "stimulus", "load"]
)
def test_repetition_is_read_in_proportion_to_its_length(place, tmp_path, monkeypatch):
    """An expression that backtracks takes minutes here, and the suite's limit of time ends it."""
    monkeypatch.chdir(tmp_path)
    for text in REPEATED:
        attempt(PLACES[place], text)


def test_repeated_blocks_of_equations():
    for text in REPEATED:
        with pytest.raises(IzhigenError):
            Model("A", text)
