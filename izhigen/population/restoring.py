"""Populations made again from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from izhigen.errors import RecordingError, ValueShapeError, shown, suggest
from izhigen.memory.layout import Layout
from izhigen.model.model import Declaration
from izhigen.population.checkpoint import FREE, read_checkpoint
from izhigen.population.checks import read_options
from izhigen.population.distributions import Distribution
from izhigen.population.population import Population
from izhigen.population.saved import Saved, as_given


def restore_population(path: Any, kind: type[Declaration], options: Mapping[str, Any]) -> Population:
    """The population of a checkpoint; see :func:`izhigen.restore`."""
    found = read_checkpoint(path, kind)
    while True:
        try:
            numbers = found.numbers(0, found.count)
            break
        except RecordingError:
            before, found = found, read_checkpoint(path, kind)
            if found.pieces == before.pieces:  # else it was replaced meanwhile
                raise
    saved = with_options(numbers, options)
    layout = Layout(saved.options["size"], saved.options["batch"], saved.options["dtype"])
    given = {n: v if isinstance(v, Distribution) else as_given(v, layout) for n, v in saved.given.items()}
    return Population.from_saved(replace(saved, given=given))


def with_options(saved: Saved, options: Mapping[str, Any]) -> Saved:
    """The same with other options, of those that its numbers do not depend on."""
    for name in options:
        if name not in FREE:
            raise ValueShapeError(
                f"restore: {shown(name)} is nothing that a population can be restored with another of"
                f"{suggest(name, FREE)} (known: {', '.join(FREE)})"
            )
    return replace(saved, options=read_options(**{**saved.options, **options}))
