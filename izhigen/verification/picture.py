"""Work and precision: error against cost, one line a method."""

from __future__ import annotations

import math
from typing import Any

from izhigen.picture import Picture

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#44AA99", "#999933", "#666666")
"""By method (Okabe and Ito 2008; Tol 2021)."""
STYLES = {"step": ":", "linear": "--", "located": "-"}
MARKS = {"step": "o", "linear": "s", "located": "D"}


def draw(result: Any) -> Picture:
    """The figure of a :class:`~izhigen.verification.result.Verification`."""
    import matplotlib.pyplot as plt

    figure: Any = plt.figure(FigureClass=Picture, figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    curves = [both.of(result.dtype) for both in result.curves]
    methods = list(dict.fromkeys(curve.choice.method for curve in curves))
    for curve in curves:
        points = [p for p in curve.points if not p.problem and not math.isnan(p.cost) and p.mean > 0]
        if not points:
            continue
        color, timing = COLORS[methods.index(curve.choice.method) % len(COLORS)], curve.choice.timing
        costs, errors = [p.cost for p in points], [p.mean for p in points]
        look: dict[str, Any] = {"marker": MARKS[timing], "ms": 4, "mew": 1.0}
        axes.plot(costs, errors, STYLES[timing], color=color, lw=1.2, label=str(curve.choice), **look)
        for cost, error, point in zip(costs, errors, points):
            if point.wrong:
                axes.plot(cost, error, mec=color, mfc="white", **look)
    axes.axhline(result.tolerance, color="0.6", lw=0.8, zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="cost (ns a neuron and simulated ms)")
    events = result.subject.events
    axes.set_ylabel("mean spike-time error (ms)" if events else "mean error (part of the state's range)")
    axes.set_title(f"{result.model.name}, {result.dtype}, {result.subject.duration:g} ms", fontsize=10, loc="left")
    axes.grid(True, which="major", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    note = f"line: tolerance {result.tolerance:g}" + ("; open: wrong number of spikes" if events else "")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            fontsize=7,
            frameon=False,
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            title=note.replace("; ", "\n"),
            title_fontsize=7,
            handlelength=3,
            alignment="left",
        )
    plt.close(figure)
    return figure  # type: ignore[no-any-return]
