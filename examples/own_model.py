"""A model of one's own: an adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005).

python examples/own_model.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

import izhigen as iz

matplotlib.use("Agg")

adex = iz.Model(
    name="AdEx",
    description="adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005)",
    equations="""
        dV/dt = (g_L*(E_L - V) + g_L*Delta_T*exp((V - V_T)/Delta_T) - w + I)/C : mV
        dw/dt = (a*(V - E_L) - w)/tau_w                                        : pA
    """,
    threshold="V >= V_peak",
    reset="V = V_r; w = w + b",
    parameters={
        "C": 281.0,
        "g_L": 30.0,
        "E_L": -70.6,
        "V_T": -50.4,
        "Delta_T": 2.0,
        "a": 4.0,
        "tau_w": 144.0,
        "b": 80.5,
        "V_r": -70.6,
        "V_peak": 0.0,
    },
    inputs=["I"],
    initial={"V": "E_L", "w": 0.0},
    units={
        "C": "pF",
        "g_L": "nS",
        "E_L": "mV",
        "V_T": "mV",
        "Delta_T": "mV",
        "a": "nS",
        "tau_w": "ms",
        "b": "pA",
        "V_r": "mV",
        "V_peak": "mV",
        "I": "pA",
    },
)


def main() -> None:
    """Two parameter sets in one population, then the state plane of the bursting one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    print(adex.derive().report())
    pop = adex.population(
        2,
        dt=0.05,
        dtype="float64",
        V_r=np.array([-70.6, -45.4]),
        tau_w=np.array([144.0, 20.0]),
        b=np.array([80.5, 500.0]),
    )
    recording = pop.run(300.0, I=800.0, record=["V", "w", "spike"])
    print(f"spikes: tonic {recording.counts[0]}, bursting {recording.counts[1]}")
    iz.plot.save(recording.plot(), options.out / "own_model.png")
    print(f"done: wrote {options.out / 'own_model.png'}")


if __name__ == "__main__":
    main()
