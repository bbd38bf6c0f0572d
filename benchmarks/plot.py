"""Rate against size, and cost against error, for every candidate, from the saved figures.

python benchmarks/plot.py [--out docs/images]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib
from common import HERE, RESULTS

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

STYLES = {
    "izhigen, float32": ("#0b5fa5", "o"),
    "izhigen, float64": ("#d1495b", "s"),
    "scalar loop": ("#555555", "v"),
    "BrainPy": ("#2a9d8f", "D"),
    "Brian2": ("#e9a23b", "^"),
}
"""Colour and marker by the beginning of a candidate's name."""


def style(name: str) -> dict:
    """Line of one candidate: full for one core and many steps a call, dashed for all cores, dotted for one step a call."""
    colour, marker = next(look for start, look in STYLES.items() if name.startswith(start))
    dashes = ":" if "one step a call from C" in name else "-." if "Python" in name else "--" if "cores" in name else "-"
    return {
        "color": colour,
        "marker": marker,
        "linestyle": dashes,
        "markersize": 4.5,
        "linewidth": 1.5,
        "markerfacecolor": "white" if dashes != "-" else colour,
    }


def draw(out: Path) -> None:
    """The picture of the section on sizes."""
    data = json.loads((RESULTS / "peers.json").read_text(encoding="utf-8"))
    rows = [r for r in data["rows"] if r["section"] in ("sizes", "large")]
    figure, axes = plt.subplots(figsize=(9.5, 5.4), layout="constrained")
    for name in dict.fromkeys(r["what"] for r in rows):
        sizes, rates = zip(*sorted({r["neurons"]: r["rate"] for r in rows if r["what"] == name}.items()))
        if name.startswith("peak"):
            axes.plot(sizes, rates, color="black", linewidth=1, label="one core's peak of multiply-adds / 20")
        else:
            method = next(r["method"] for r in rows if r["what"] == name)
            axes.plot(
                sizes, rates, label=name + (" (forward Euler)" if method == "forward Euler" else ""), **style(name)
            )
    axes.set(xscale="log", yscale="log", xlabel="neurons", ylabel="neuron-steps per second")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.set_title(
        f"Izhikevich's neuron, exponential Euler, dt = 0.1 ms\n{data['machine']['processor']}, {data['machine']['cores']} cores, "
        f"{data['machine']['date']}",
        fontsize=10,
    )
    axes.grid(True, which="major", linewidth=0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)
    print(f"wrote {out}")


METHOD_COLORS = ("#0b5fa5", "#7a4fa3", "#d1495b", "#2f7d32", "#444444", "#8d6e63")
"""Of izhigen's methods, in the order of the figures."""


def draw_precision(out: Path) -> None:
    """The picture of the section on precision."""
    data = json.loads((RESULTS / "precision.json").read_text(encoding="utf-8"))
    methods = list(dict.fromkeys(r["what"].split(", ")[1] for r in data["rows"] if r["what"].startswith("izhigen")))
    figure, axes = plt.subplots(figsize=(9.5, 5.4), layout="constrained")
    for name in dict.fromkeys(r["what"] for r in data["rows"]):
        rows = [r for r in data["rows"] if r["what"] == name]
        if name.startswith("izhigen"):
            look = {
                "color": METHOD_COLORS[methods.index(name.split(", ")[1]) % len(METHOD_COLORS)],
                "marker": "o",
                "linewidth": 1.5,
            }
            look["linestyle"] = "-" if name.endswith("located") else ":"
        else:
            look = {**style(name), "linestyle": "-." if name.endswith("euler") else "--"}
        axes.plot([r["error"] for r in rows], [r["cost"] for r in rows], label=name, **{**look, "markersize": 4})
    axes.axvline(0.1, color="0.6", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="mean error of spike times (ms)", ylabel="ns a neuron and ms, one core")
    axes.invert_xaxis()
    machine = data["machine"]
    axes.set_title(
        f"Seven classes of Izhikevich (2003), 500 ms, a mark a step\n{machine['processor']}, {machine['date']}",
        fontsize=10,
    )
    axes.grid(True, which="major", linewidth=0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    figure.savefig(out, dpi=130)
    print(f"wrote {out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "images")
    folder = parser.parse_args().out
    draw(folder / "performance.png")
    draw_precision(folder / "precision.png")
