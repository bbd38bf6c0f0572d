"""Populations made again from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.memory.layout import Layout
from izhigen.model.model import Declaration
from izhigen.population.checkpoint import FREE, read_checkpoint
from izhigen.population.distributions import Distribution
from izhigen.population.population import Population
from izhigen.population.saved import Saved, as_given
from izhigen.scalars import check_count


def restore_population(path: Any, kind: type[Declaration], options: Mapping[str, Any]) -> Population:
    """The population of a checkpoint; see :func:`izhigen.restore`."""
    found = read_checkpoint(path, kind)
    saved = with_options(found.numbers(0, found.count), options)
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
    changed = dict(options)
    if "threads" in changed:
        changed["threads"] = check_count("threads", changed["threads"])
    if "device" in changed:
        changed["device"] = getattr(changed["device"], "id", changed["device"])
    return replace(saved, options={**saved.options, **changed})
