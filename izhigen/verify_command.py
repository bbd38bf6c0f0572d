"""``izhigen verify``, and how ``izhigen run --tolerance`` finds its step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

import izhigen as iz
from izhigen.errors import printable
from izhigen.files import check_writable, write_file
from izhigen.model.events import SpikeTiming
from izhigen.options import check_picture, read_inputs, read_items, read_settings

ROW = 0.1
"""Length in ms of a row of a file, where --dt says no other."""


@click.command()
@click.argument("model")
@click.option(
    "-T",
    "--duration",
    default=200.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Duration in ms.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    help="A method to look at, auto, or all; repeatable. Default: a handful that tells most.",
)
@click.option(
    "--spike-timing",
    "timings",
    multiple=True,
    type=click.Choice([timing.value for timing in SpikeTiming]),
    help="A spike timing to look at; repeatable. Default: those that suit the methods.",
)
@click.option(
    "--dt", "steps", metavar="STEPS", help="The steps in ms, separated by commas; the default goes from 1 to 0.01."
)
@click.option(
    "--tolerance",
    type=float,
    help="Mean error of spike times in ms [default: 0.1]; without events, of states as a part of their range [0.001].",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Number type of what is timed.",
)
@click.option("--backend", type=click.Choice(["c", "numpy"]), help="Default: c where there is a compiler.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter or an initial state.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]SPEC",
    help="An input, as for run; default: amplitudes that give no, a few and many spikes.",
)
@click.option(
    "--row",
    default=ROW,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Length in ms of a row of input files.",
)
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(0), help="For the kernels, at most.")
@click.option("--json", "data", type=click.Path(path_type=Path), help="Write the figures to a file.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Draw error against cost to a picture.")
def verify(model: str, data: Path | None, picture: Path | None, **options: Any) -> None:
    """Check a model's kernels against a reference solution of its equations, and its derivation in many digits.

    Prints the error of spike times over a ladder of steps, the order that it shows, and what a neuron costs, for each
    method and spike timing. Ends with exit code 1 where a check of the derivation fails.
    """
    loaded: Any = iz.load(model)
    if data is not None:
        check_writable(data)
    check_picture(picture, "--plot")
    duration = options["duration"]
    feeds = read_inputs(options["inputs"], loaded, duration, options["row"], 0)
    values = read_settings(options["settings"], (*loaded.parameters, *loaded.all_states), loaded)
    result = iz.verify(
        loaded,
        duration,
        inputs=feeds or None,
        method=options["methods"],
        spike_timing=options["timings"],
        dt=_steps(options["steps"]),
        tolerance=options["tolerance"],
        dtype=options["dtype"],
        backend=options["backend"],
        seconds=options["seconds"],
        echo=click.echo,
        **values,
    )
    if data is not None:
        write_file(data, (json.dumps(result.data, indent=1) + "\n").encode())
        click.echo(f"figures: {printable(data)}")
    if picture is not None:
        iz.plot.save(result.plot(), picture)
        click.echo(f"picture: {printable(picture)}")
    if not result.passed:
        raise click.exceptions.Exit(1)


def _steps(text: str | None) -> tuple[float, ...]:
    """The steps of ``--dt``."""
    if text is None:
        return ()
    try:
        found = tuple(float(item) for item in read_items(text, "--dt"))
    except ValueError:
        found = (0.0,)
    if not all(0 < dt < float("inf") for dt in found):
        raise click.UsageError(f"--dt {text}: expected steps in ms separated by commas, such as 1,0.5,0.1")
    return found


def pick_step(
    model: Any, tolerance: float, inputs: tuple[str, ...], dt: float, values: Mapping[str, Any], **options: Any
) -> tuple[float, str, str]:
    """Step, method and spike timing of ``izhigen run --tolerance``; says why."""
    from izhigen.verification import pick

    context = click.get_current_context()
    given = {name for name in ("dt", "method", "spike_timing") if _is_given(context, name)}
    for name in ("dt", "method"):
        if name in given:
            raise click.UsageError(f"--tolerance picks method and step; leave out --{name}, or --tolerance")
    timing = context.params["spike_timing"] if "spike_timing" in given else ()
    feeds = read_inputs(inputs, model, options["duration"], dt, 0)
    options["backend"] = "numpy" if options["backend"] == "numpy" else "c"
    found = pick(model, tolerance=tolerance, inputs=feeds, spike_timing=timing, **options, **values)
    noise = "; noise is left out of that comparison, not of the run" if model.noise else ""
    click.echo(f"picked:    {found.reason}{noise}")
    method, timing, step = found.choice.method, found.choice.timing, found.point.dt
    click.echo(f"to repeat: --method {method} --spike-timing {timing} --dt {step:g}")
    return step, method, timing


def _is_given(context: click.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
