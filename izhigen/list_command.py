"""``izhigen list``: the library by family, a line for each model or part; and what ``izhigen show`` says of a part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from izhigen.model.latex import equations_latex
from izhigen.model.library import OUTPUTS, family_members, list_families, part
from izhigen.model.part import read_part
from izhigen.resources import resource_dir

OPERATIONS = "operations.json"
"""File of the library with the operations of each model, which a test holds against the derivation of all, since to
derive them takes seconds.
"""


@click.command("list")
@click.argument("family", required=False)
def list_command(family: str | None) -> None:
    """List the library's models: name, family, states, operations a step, and what it is, with its source.

    FAMILY, such as lif, lists one; synapses and channels are parts, which iz.part(NAME) gives.
    """
    found = [
        (name, each, member, ",".join(_states(member)) or "-")
        for each in (list_families() if family is None else [family])
        for of_kind in (family_members(each) if family is not None else family_members(each)[:1])
        for name, member in of_kind.items()
    ]
    counted = json.loads((resource_dir("models") / OPERATIONS).read_text(encoding="utf-8"))
    names, families, members, states = zip(*found)
    width, of_families, of_states = (max(map(len, column)) for column in (names, families, states))
    for name, each, member, own in zip(names, families, members, states):
        operations, text = _operations_and_text(member, counted)
        click.echo(f"{name:<{width}}  {each:<{of_families}}  {own:<{of_states}}  {operations:>3}  {text}")


def _states(member: Any) -> tuple[str, ...]:
    """The states of a model or a part."""
    return read_part(**member).states if isinstance(member, dict) else member.states


def _operations_and_text(member: Any, counted: dict[str, int]) -> tuple[str, str]:
    """Operations of a step of exponential Euler, which a part by itself has not, and the description."""
    if isinstance(member, dict):
        return "-", member["description"]
    return str(counted[member.name] if member.name in counted else count_operations(member)), member.description


def count_operations(model: Any) -> int:
    """Operations of a step of exponential Euler in float32, by deriving it."""
    from izhigen.codegen.request import KernelRequest

    return KernelRequest(model).kernel().operations


def part_lines(name: str) -> Iterator[str]:
    """All that a part of the library declares, and how a model gets it."""
    read = read_part(**part(name))
    yield f"{name}: {read.description}"
    yield from (f"    {line}" for line in read.describe())
    yield ""
    for what, names in (
        ("parameters", [f"{each} = {value:g}" for each, value in read.parameters.items()]),
        ("inputs", [*read.inputs, *read.on_event]),
        ("initial values", [f"{each} = {value.text}" for each, value in read.initial.items()]),
        ("read of the neuron", read.wants),
    ):
        units = (read.unit_of(each.split()[0]) for each in names)
        shown = [f"{each} {unit}" if unit not in ("", "1") else each for each, unit in zip(names, units)]
        if shown:
            yield f"{what}: {', '.join(shown)}"
    example = f'iz.part("{name}")'
    if name in OUTPUTS:
        example = f'iz.part("Expon", output="{name}"), prefix="syn"'
    elif read.current is None:
        example = f'iz.part("{name}", output="{OUTPUTS[0]}"), prefix="syn"'
    yield f"to add it: model.with_part(**{example})"


def part_latex(name: str) -> str:
    """A part's equations as LaTeX."""
    return equations_latex(read_part(**part(name)))
