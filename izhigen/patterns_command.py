"""``izhigen patterns``."""

from __future__ import annotations

import math
from pathlib import Path

import click

import izhigen as iz
from izhigen.errors import printable
from izhigen.model.events import SpikeTiming
from izhigen.options import check_picture


@click.command()
@click.option("--method", default="rk4", show_default=True, help="Integration method.")
@click.option("--dt", default=0.1, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Step in ms.")
@click.option(
    "--spike-timing",
    type=click.Choice([timing.value for timing in SpikeTiming]),
    default="located",
    show_default=True,
    help="Where in a step a spike happens.",
)
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float64", show_default=True, help="Number type."
)
@click.option("--backend", default="c", show_default=True, help="c, cuda or numpy.")
@click.option("--out", "picture", type=click.Path(path_type=Path), help="Draw them all to a picture.")
def patterns(method: str, dt: float, spike_timing: str, dtype: str, backend: str, picture: Path | None) -> None:
    """Run the twenty firing patterns of Izhikevich (2004) and compare their spikes with the exact solution's.

    It shows the comparison: a count that is wrong is no error, and the exit code is 0.
    """
    from izhigen.patterns import PATTERNS, draw

    check_picture(picture, "--out")
    recordings = {}
    for name, pattern in PATTERNS.items():
        options = {"method": method, "spike_timing": spike_timing, "dtype": dtype, "backend": backend}
        recording = recordings[name] = pattern.run(dt, **options).to_host()
        expected, difference = len(pattern.spike_times), pattern.difference(recording)
        number = f"{len(recording.spike_times)} spike{'s' if len(recording.spike_times) != 1 else ''}"
        off = f"at most {difference:.5f} ms off" if math.isfinite(difference) else f"{expected} in the exact solution"
        click.echo(f"({pattern.letter}) {name:<27} {number:>9}, {off}")
    if picture is not None:
        iz.plot.save(draw(recordings), picture)
        click.echo(f"picture: {printable(picture)}")
