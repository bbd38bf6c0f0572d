"""Spike times of the neurons that NESTML ships, by the code that NESTML itself makes of them and NEST runs.

``pip install nestml nest-simulator``, have NESTML make a module of the models (``generate_nest_target`` of
``pynestml.frontend.pynestml_frontend``), and run ``python -m tests.reference.nest_runs MODULE``; it writes
``tests/data/nest/spikes.json``. The tests read that file, so that they need neither.

Each neuron gets a step of current from 100 ms on, and in a second run the same and spikes at its excitatory port.
A current that starts at 100 ms reaches a continuous port a step later, and a spike takes effect at the end of the step in
which it arrives; ``begins`` and ``arrivals`` are those times. The code holds what it can solve exactly, such as
conductances, during a step in which it integrates the rest, an error of the order of the step; hence the short ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

STEP = 0.01
SHORT = {"iaf_chxk_2008": 0.001, "iaf_cond_alpha": 0.002, "iaf_cond_beta": 0.002}
"""Steps of neurons for which the error of that code is not small enough with ``STEP``, in ms."""
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


def run(module: str, name: str, current: float, with_spikes: bool) -> dict[str, object]:
    """One neuron for a second."""
    import nest

    step = SHORT.get(name, STEP)
    nest.ResetKernel()
    nest.Install(module)
    nest.SetKernelStatus({"resolution": step})
    model = f"{name}_neuron"
    neuron = nest.Create(model)
    device = nest.Create("step_current_generator", params={"amplitude_times": [100.0], "amplitude_values": [current]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(device, neuron, syn_spec={"delay": step})
    nest.Connect(neuron, recorder, syn_spec={"delay": step})
    found: dict[str, object] = {"current": current, "step": step, "begins": 100.0 + step}
    if with_spikes:
        kind = next((word for word in WEIGHTS if word in name), "delta" if name == "izhikevich" else "cond")
        source = nest.Create("spike_generator", params={"spike_times": list(ARRIVALS)})
        nest.Connect(
            source, neuron, syn_spec={"delay": step, "weight": WEIGHTS[kind], "receptor_type": int("multisyn" in name)}
        )
        found |= {"weight": WEIGHTS[kind], "arrivals": list(ARRIVALS)}
    nest.Simulate(DURATION)
    found["spikes"] = [round(time, 3) for time in recorder.get("events", "times").tolist()]
    return found


def main() -> None:
    """Run all and write them down."""
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    models = {
        name: {"step": run(sys.argv[1], name, current, False), "arrivals": run(sys.argv[1], name, current, True)}
        for name, current in CURRENTS.items()
    }
    about = f"NEST {nest.__version__}, code made by NESTML; made by tests/reference/nest_runs.py"
    path = Path(__file__).parents[1] / "data" / "nest" / "spikes.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"about": about, "duration": DURATION, "models": models}, indent=None) + "\n")
    for name, runs in models.items():
        print(name, *(f"{kind}: {len(found['spikes'])}" for kind, found in runs.items()))


if __name__ == "__main__":
    main()
