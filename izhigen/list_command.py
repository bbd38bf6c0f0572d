"""``izhigen list``: the library by family, a line for each model or part."""

from __future__ import annotations

from typing import Any

import click

from izhigen.model.equations import parse_equations
from izhigen.model.library import family_members, list_families


@click.command("list")
@click.argument("family", required=False)
def list_command(family: str | None) -> None:
    """List the library's models: name, family, states, operations a step, and what it is, with its source.

    FAMILY, such as lif, lists one; synapses and channels are parts, which iz.part(NAME) gives.
    """
    found = [
        (name, each, member, _states(member))
        for each in (list_families() if family is None else [family])
        for of_kind in (family_members(each) if family is not None else family_members(each)[:1])
        for name, member in of_kind.items()
    ]
    names, families, members, states = zip(*found)
    width, of_families, of_states = (max(map(len, column)) for column in (names, families, states))
    for name, each, member, own in zip(names, families, members, states):
        operations, text = _operations_and_text(member)
        click.echo(f"{name:<{width}}  {each:<{of_families}}  {own:<{of_states}}  {operations:>3}  {text}")


def _states(member: Any) -> str:
    """The states of a model or a part."""
    if not isinstance(member, dict):
        return ",".join(member.states)
    equations = parse_equations(member["equations"]) if "equations" in member else ()
    return ",".join(equation.name for equation in equations if equation.is_ode) or "-"


def _operations_and_text(member: Any) -> tuple[str, str]:
    """Of a model, the operations of a step of exponential Euler, and its description; of a part, its current."""
    if isinstance(member, dict):
        return "-", f"current {member['current']}" if "current" in member else "driven by pre"
    from izhigen.codegen.request import KernelRequest

    return str(KernelRequest(member).kernel().operations), member.description
