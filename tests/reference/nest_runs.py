"""Spike times of the neurons that NESTML ships, by the code that NESTML itself makes of them and NEST runs.

``pip install nestml nest-simulator``, have NESTML make a module of the models (``generate_nest_target`` of
``pynestml.frontend.pynestml_frontend``), and run ``python -m tests.reference.nest_runs MODULE``; it writes
``tests/data/nest/spikes.json``. The tests read that file, so that they need neither.

Each neuron gets a step of current from 100 ms on, and in a second run the same and spikes at one of its ports. A device
of NEST that starts at 100 ms reaches a continuous port two steps later, and a spike takes effect at the end of the step
in which it arrives; ``begins`` and ``arrivals`` are those times.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

STEP = 0.01
DURATION = 1000.0
CURRENTS = {
    "aeif_cond_alpha": 700.0,
    "aeif_cond_alpha_alt": 700.0,
    "aeif_cond_exp": 700.0,
    "aeif_psc_alpha": 700.0,
    "aeif_psc_exp": 700.0,
    "hh_cond_exp_traub": 400.0,
    "hh_moto_5ht": 6000.0,
    "hh_psc_alpha": 900.0,
    "iaf_chxk_2008": 2500.0,
    "iaf_cond_alpha": 500.0,
    "iaf_cond_beta": 500.0,
    "iaf_cond_exp": 500.0,
    "iaf_cond_exp_sfa_rr": 800.0,
    "iaf_psc_alpha": 500.0,
    "iaf_psc_delta": 500.0,
    "iaf_psc_exp": 500.0,
    "izhikevich": 10.0,
    "izhikevich_psc_alpha": 1500.0,
    "mat2_psc_exp": 600.0,
    "terub_gpe": 10.0,
    "terub_stn": 25.0,
    "traub_cond_multisyn": 300.0,
    "traub_psc_alpha": 300.0,
    "wb_cond_exp": 150.0,
    "wb_cond_multisyn": 150.0,
}
"""pA."""
WEIGHTS = {"psc": 300.0, "cond": 20.0, "delta": 3.0}
"""Of spikes that arrive, by what they do; by a word of the model's name."""
ARRIVALS = tuple(150.0 + 37.0 * number for number in range(20))
"""ms; when spikes are sent."""


def port_of(receptors: dict[str, int]) -> tuple[str, int]:
    """The excitatory port of a neuron, or the only one, and NEST's number of it."""
    for name in ("EXC_SPIKES", "AMPA"):
        if name in receptors:
            return name, receptors[name]
    return "SPIKES", 0


def run(name: str, current: float, with_spikes: bool) -> dict[str, object]:
    """One neuron for a second."""
    import nest

    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": STEP})
    model = f"{name}_neuron"
    neuron = nest.Create(model)
    device = nest.Create("step_current_generator", params={"amplitude_times": [100.0], "amplitude_values": [current]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(device, neuron, syn_spec={"delay": STEP})
    nest.Connect(neuron, recorder, syn_spec={"delay": STEP})
    found: dict[str, object] = {"current": current, "begins": 100.0 + 2 * STEP}
    if with_spikes:
        port, receptor = port_of(nest.GetDefaults(model).get("receptor_types", {}))
        kind = next(
            (word for word in ("delta", "psc", "cond") if word in name), "delta" if port == "SPIKES" else "cond"
        )
        source = nest.Create("spike_generator", params={"spike_times": list(ARRIVALS)})
        syn_spec = {"delay": STEP, "weight": WEIGHTS[kind], "receptor_type": receptor}
        nest.Connect(source, neuron, syn_spec=syn_spec)
        found |= {"port": port, "weight": WEIGHTS[kind], "arrivals": list(ARRIVALS)}
    nest.Simulate(DURATION)
    found["spikes"] = [round(time, 2) for time in recorder.get("events", "times").tolist()]
    return found


def main() -> None:
    """Run all and write them down."""
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.Install(sys.argv[1])
    models = {
        name: {"step": run(name, current, False), "arrivals": run(name, current, True)}
        for name, current in CURRENTS.items()
    }
    about = f"NEST {nest.__version__}, code made by NESTML, steps of {STEP} ms; made by tests/reference/nest_runs.py"
    path = Path(__file__).parents[1] / "data" / "nest" / "spikes.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({"about": about, "step": STEP, "duration": DURATION, "models": models}, indent=None) + "\n"
    )
    for name, runs in models.items():
        print(name, *(f"{kind}: {len(found['spikes'])}" for kind, found in runs.items()))


if __name__ == "__main__":
    main()
