"""Draws the stages from text to spikes, each with the value that it hands on; the docs build makes the picture."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

STAGES = [
    ("Declaration", "equations as a tree of our own;\nunits, currents, noise: nothing derived", "izhigen/model"),
    ("System", "right-hand sides inlined, Jacobian,\nthe class of every equation", "izhigen/derive/system.py"),
    ("Step", "a sequence of actions with events:\nintegrate, jump, hold, decide, apply, commit", "izhigen/derive"),
    ("Kernel", "named procedures: placed arguments,\nstatements, stores", "izhigen/codegen"),
    ("Program", "source text, interface,\nflags, content key", "izhigen/codegen, templates"),
    ("Engine", "compiled and loaded: advances\na block of steps", "izhigen/backends"),
]
HELD = [
    ("Population", "states, time, parameters: the one thing\nthat changes", "what a user holds"),
    ("Recording", "traces, spikes, figures;\nin memory or in a store", "what a run gives"),
]
PICTURE = Path(__file__).with_name("images") / "stages.png"
WIDTH, HEIGHT, GAP = 3.4, 0.86, 0.42


def box(axes: pyplot.Axes, x: float, y: float, title: str, text: str, where: str, colour: str) -> None:
    """A stage: its value, what that is, and where it is made."""
    axes.add_patch(FancyBboxPatch((x, y), WIDTH, HEIGHT, "round,pad=0.02", fc=colour, ec="0.35", lw=0.8))
    axes.text(x + 0.1, y + HEIGHT - 0.12, title, weight="bold", va="top", size=10)
    axes.text(
        x + WIDTH - 0.08, y + HEIGHT - 0.13, where, va="top", ha="right", size=6.5, color="0.35", family="monospace"
    )
    axes.text(x + 0.1, y + 0.1, text, va="bottom", size=7.5, linespacing=1.25)


def arrow(axes: pyplot.Axes, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """From one stage to the next."""
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color="0.3", lw=1))
    if text:
        axes.text((start[0] + end[0]) / 2 + 0.08, (start[1] + end[1]) / 2, text, size=6.5, va="center", color="0.3")


def draw(path: Path) -> None:
    """Write the picture."""
    figure, axes = pyplot.subplots(figsize=(8.2, 6.6))
    top = len(STAGES) * (HEIGHT + GAP)
    for place, stage in enumerate(STAGES):
        y = top - (place + 1) * (HEIGHT + GAP)
        box(axes, 0, y, *stage, colour="#e8f0f7")
        if place:
            arrow(axes, (WIDTH / 2, y + HEIGHT + GAP), (WIDTH / 2, y + HEIGHT + 0.04))
    x = WIDTH + 1.5
    for place, held in enumerate(HELD):
        y = (HEIGHT + GAP) * (2 * place)
        box(axes, x, y, *held, colour="#f7efe3")
    arrow(axes, (WIDTH + 0.05, HEIGHT * 0.5), (x - 0.05, HEIGHT * 0.5))
    axes.text(WIDTH + 0.15, HEIGHT * 0.5 + 0.08, "states in place", size=6.5, color="0.3")
    arrow(
        axes,
        (x + WIDTH * 0.35, HEIGHT + 0.05),
        (x + WIDTH * 0.35, 2 * (HEIGHT + GAP) - 0.04),
        "plan, sink: rows and spikes",
    )
    arrow(axes, (x - 0.05, HEIGHT * 0.8), (WIDTH + 0.05, HEIGHT + GAP + HEIGHT * 0.5))
    axes.text(WIDTH + 0.85, HEIGHT * 1.45, "asks for a kernel\nby its request", size=6.5, color="0.3")
    axes.text(
        x, top - 0.35, "Every value is immutable, but for the population.\nA stage imports from those above it only.\n"
        "No stage before the engine knows the machine.", va="top", size=8, color="0.25", linespacing=1.4,
    )  # fmt: skip
    axes.set_xlim(-0.1, x + WIDTH + 0.1)
    axes.set_ylim(-0.1, top - GAP + 0.1)
    axes.axis("off")
    figure.savefig(path, dpi=130, bbox_inches="tight")
    pyplot.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
