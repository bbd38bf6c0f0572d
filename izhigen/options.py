"""Options of the command line as values: settings, indices, sizes, and inputs; and whether a picture can be written."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import izhigen as iz
from izhigen.errors import RecordingError, ValueShapeError, shown, suggest
from izhigen.files import check_writable
from izhigen.model.events import SpikeTiming
from izhigen.units.quantities import plain

STIMULI = (
    "section",
    "constant",
    "ramp",
    "sinusoid",
    "square",
    "spike_train",
    "spikes",
    "poisson",
    "wiener",
    "ornstein_uhlenbeck",
)
"""Stimuli that ``--input`` can name."""
LISTS = {
    "section": ("values", "durations"),
    "spike_train": ("times", "lengths", "sizes"),
    "spikes": ("times", "indices", "weight"),
}
"""Their options that take lists."""
ALWAYS_LISTS = {("section", "values"), ("section", "durations"), ("spike_train", "times")} | {
    ("spikes", "times"),
    ("spikes", "indices"),
}
"""Options for which one number is a list of one."""


def check_picture(picture: Path | None, option: str) -> None:
    """Refuse a picture that could not be written before anything is simulated."""
    if picture is None:
        return
    import matplotlib

    matplotlib.use("Agg")
    try:
        iz.plot.picture_format(picture)
    except RecordingError as problem:
        raise click.UsageError(f"{option}: {problem}") from None
    check_writable(picture)


def read_settings(settings: tuple[str, ...], known: tuple[str, ...], model: Any) -> dict[str, float]:
    """Numbers that ``--set NAME=VALUE`` gives to parameters and states of a model, in their units."""
    values: dict[str, float] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        name = name.strip()
        if equals and name not in known:
            raise ValueShapeError(
                f"--set {setting}: model {model.name!r} has no {shown(name)}{suggest(name, known)} "
                f"(known: {', '.join(known)})"
            )
        with contextlib.suppress(ValueError):
            values[name] = float(value)
            continue
        if not equals or not set(value) & set("*/"):
            raise click.UsageError(f"--set {shown(setting)}: expected NAME=NUMBER, such as --set a=0.1 or C=0.2*nF")
        values[name] = plain(value, model.unit_of(name), f"--set {name}", ValueShapeError)
    return values


def read_items(text: str, option: str) -> list[str]:
    """What stands between commas: at least one thing."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise click.UsageError(f"{option} is empty; leave it out, or give what it takes, separated by commas")
    return items


def read_indices(text: str | None, option: str) -> list[int] | None:
    """Indices separated by commas; None where the option is not given."""
    if text is None:
        return None
    try:
        return [int(item) for item in read_items(text, option)]
    except ValueError:
        raise click.UsageError(f"{option} {shown(text)}: expected indices separated by commas") from None


def read_sizes(text: str) -> list[int]:
    """Numbers of neurons separated by commas."""
    try:
        sizes = [int(float(item)) for item in text.split(",") if item.strip()]
    except (ValueError, OverflowError):
        sizes = []
    if not sizes or min(sizes) < 1:
        raise click.UsageError(
            f"--sizes {shown(text)}: expected numbers of neurons separated by commas, such as 1000,100000"
        )
    return sizes


def read_inputs(specifications: tuple[str, ...], model: Any, duration: float, dt: float, seed: int) -> dict[str, Any]:
    """What ``--input [NAME=]SPEC`` gives to inputs by name; several for one add up."""
    names = (*model.inputs, *model.delta_inputs)
    feeds: dict[str, list[Any]] = {}
    for position, specification in enumerate(specifications):
        head, equals, tail = specification.partition("=")
        named = equals and head.strip().isidentifier() and ":" not in head and head.strip() not in ("t",)
        if named and head.strip() not in names:
            raise ValueShapeError(
                f"--input {shown(specification)}: model {model.name!r} has no input {shown(head.strip())}"
                f"{suggest(head.strip(), names)}"
            )
        if not named and not model.inputs:
            raise ValueShapeError(f"--input {shown(specification)}: model {model.name!r} has no inputs")
        name, text = (head.strip(), tail) if named else (model.inputs[0], specification)
        if not text.strip():
            raise click.UsageError(
                f"--input {shown(specification)} is empty; give a number, a stimulus, a file, or text in t"
                if specification.strip()
                else "--input is empty; give a number, a stimulus, a file, or text in t"
            )
        feeds.setdefault(name, []).append(read_drive(text.strip(), duration, dt, seed + position))
    return {name: _total(parts, duration) for name, parts in feeds.items()}


def read_drive(text: str, duration: float, dt: float, seed: int, option: str = "--input") -> Any:
    """What drives an input: a number, a stimulus, a file's rows, or text in t; errors name ``option``.

    Raises
    ------
    click.UsageError
        For a stimulus that is none, or lacks something.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind in STIMULI:
        return _stimulus(kind, rest, duration, seed, option)
    if colon and kind.isidentifier():
        raise click.UsageError(
            f"{option} {shown(text)}: no stimulus {shown(kind)}{suggest(kind, STIMULI)} (stimuli: {', '.join(STIMULI)})"
        )
    if text.endswith((".npy", ".csv")):
        return iz.inputs.from_array(text, dt)
    return _number_or_text(text)


def _stimulus(kind: str, text: str, duration: float, seed: int, option: str) -> Any:
    function: Callable[..., Any] = getattr(iz.inputs, kind)
    accepted = [name for name in inspect.signature(function).parameters if name != "dt"]
    options: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or key not in accepted:
            raise click.UsageError(
                f"{option} {kind}: {shown(part)} is not one of "
                f"{', '.join(f'{name}=...' for name in accepted)}{suggest(key, accepted)}"
            )
        options[key] = _option(kind, key, value.strip(), option)
    if "duration" in accepted:
        options.setdefault("duration", duration)
    if "seed" in accepted:
        options.setdefault("seed", seed)
    missing = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty and name not in options
    ]
    if missing:
        raise click.UsageError(f"{option} {kind}: {', '.join(missing)} missing, as in '{kind}:{missing[0]}=...'")
    lists = LISTS.get(kind, ())
    for key, value in options.items():
        if isinstance(value, list) and key not in lists:
            raise click.UsageError(f"{option} {kind}: {key} takes one number, not a list")
    return function(**options)


def _option(kind: str, key: str, value: str, option: str) -> Any:
    if key == "bias":
        if value.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise click.UsageError(f"{option} {kind}: bias={shown(value)} is neither true nor false")
        return value.lower() in ("1", "true", "yes")
    if (kind, key) == ("poisson", "rate"):  # text in t, where it is no number
        return _number_or_text(value)
    read = int if key in ("n", "seed", "indices") else float
    try:
        if "," in value or (kind, key) in ALWAYS_LISTS:
            return [read(item) for item in value.split(",") if item.strip()]
        return read(value)
    except ValueError:
        raise click.UsageError(f"{option} {kind}: {key}={shown(value)} is not a number or a list of numbers") from None


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _total(parts: list[Any], duration: float) -> Any:
    """One input, or the sum of several."""
    from izhigen.inputs.stimuli import text_stimulus

    if len(parts) == 1:
        return parts[0]
    numbers_only = [part for part in parts if isinstance(part, float)]
    others = [part for part in parts if not isinstance(part, float)]
    stimuli = [
        part if isinstance(part, iz.inputs.Stimulus) else text_stimulus("input", part, duration) for part in others
    ]
    if not stimuli:
        return sum(numbers_only)
    total = stimuli[0]
    for stimulus in stimuli[1:]:
        total = total + stimulus
    return total + sum(numbers_only) if numbers_only else total


class StepType(click.FloatRange):
    """A step in ms: a finite number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a step in ms.", param, ctx)
        return number


METHOD = click.option("--method", default="exp_euler", show_default=True, help="Integration method, or auto.")
TIMING = click.option(
    "--spike-timing",
    type=click.Choice([timing.value for timing in SpikeTiming]),
    default=SpikeTiming.STEP.value,
    show_default=True,
    help="Where in a step a spike happens: at its end, on a straight line, or on the method's own solution.",
)
DTYPE = click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True, help="Number type."
)
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter (for run and sweep also an initial state), also with a unit, C=0.2*nF; repeatable.",
)
_INPUT_HELP = (
    "An input: 'NUMBER', 'KIND:key=value;...' (KIND of "
    + ", ".join(STIMULI)
    + "; lists with commas), a .npy or .csv file (one row a step), or text in t. "
    "'NAME=...' names the model's input (default: the first). Several for one input add up."
)
INPUTS = click.option("--input", "inputs", multiple=True, metavar="[NAME=]SPEC", help=_INPUT_HELP)
DURATION = click.option(
    "-T",
    "--duration",
    default=500.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Duration in ms.",
)
STEP = click.option("--dt", default=0.1, show_default=True, type=StepType(), help="Step in ms.")
BACKEND = click.option("--backend", default="c", show_default=True, help="c, cuda or numpy.")
DEVICE = click.option("--device", type=click.IntRange(0), help="With cuda: the device.")
THREADS = click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Threads.")
EVERY = click.option(
    "--every", default=1, show_default=True, type=click.IntRange(1), help="Trace every that many steps."
)
PROGRESS = click.option(
    "--progress/--no-progress", default=None, help="Show a progress bar (default: on a terminal, when long)."
)
