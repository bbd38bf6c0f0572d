"""Models that are not in the library, from an adaptive exponential neuron to one of five equations, each beside its own scalar loop.

    python benchmarks/zoo.py [--save]

The scalar loop is generated from the kernel's statements with the C library's functions (``izhigen.bench.scalar``); both are checked to compute
the same thing before anything is timed. float32, one core, spikes counted where the model has a threshold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from common import options, row, save, show

from izhigen import Model
from izhigen.bench.limits import Limits, PeakCandidate
from izhigen.bench.model import Run, Subject, check_same
from izhigen.bench.native import PLAIN_FLAGS
from izhigen.bench.scalar import ScalarLoop
from izhigen.bench.timing import in_turn, machine

SIZES = (1_000, 100_000, 1_000_000)
WITHOUT_VECTORS = (*PLAIN_FLAGS, "-fno-tree-vectorize")

EXPONENTIAL = Model(
    name="ExpIF",
    description="exponential integrate-and-fire (Fourcaud-Trocme et al. 2003)",
    equations="dV/dt = (E - V + Delta_T*exp((V - V_T)/Delta_T) + R*I)/tau : mV",
    threshold="V >= V_th",
    reset="V = V_r",
    parameters={"E": -65.0, "Delta_T": 3.5, "V_T": -59.9, "V_th": -30.0, "V_r": -68.0, "R": 1.0, "tau": 10.0},
    inputs=["I"],
    initial={"V": "E"},
)

ADAPTIVE = Model(
    name="AdEx",
    description="adaptive exponential integrate-and-fire (Brette and Gerstner 2005)",
    equations="""
        dV/dt = (g_L*(E_L - V) + g_L*Delta_T*exp((V - V_T)/Delta_T) - w + I)/C : mV
        dw/dt = (a*(V - E_L) - w)/tau_w                                       : pA
    """,
    threshold="V >= V_peak",
    reset="V = V_r; w = w + b",
    parameters={
        "C": 281.0,
        "g_L": 30.0,
        "E_L": -70.6,
        "V_T": -50.4,
        "Delta_T": 2.0,
        "tau_w": 144.0,
        "a": 4.0,
        "b": 80.5,
        "V_r": -70.6,
        "V_peak": -30.0,
    },
    inputs=["I"],
    initial={"V": "E_L"},
)

RATES = """
        alpha_m = 0.1*(V + 40)/(1 - exp(-(V + 40)/10))
        beta_m = 4*exp(-(V + 65)/18)
        alpha_h = 0.07*exp(-(V + 65)/20)
        beta_h = 1/(1 + exp(-(V + 35)/10))
        alpha_n = 0.01*(V + 55)/(1 - exp(-(V + 55)/10))
        beta_n = 0.125*exp(-(V + 65)/80)
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
"""
SQUID = {"C": 1.0, "g_Na": 120.0, "E_Na": 50.0, "g_K": 36.0, "E_K": -77.0, "g_L": 0.3, "E_L": -54.387}
RESTING = {"V": -65.0, "m": 0.0529, "h": 0.5961, "n": 0.3177}

HODGKIN_HUXLEY = Model(
    name="HodgkinHuxley",
    description="squid axon (Hodgkin and Huxley 1952), no threshold: its spikes are its own",
    equations="dV/dt = (I - g_Na*m**3*h*(V - E_Na) - g_K*n**4*(V - E_K) - g_L*(V - E_L))/C : mV" + RATES,
    parameters=SQUID,
    inputs=["I"],
    initial=RESTING,
)

MUSCARINIC = Model(
    name="HodgkinHuxleyM",
    description="the same with a slow potassium current of the kind of Pospischil et al. (2008): five equations",
    equations="dV/dt = (I - g_Na*m**3*h*(V - E_Na) - g_K*n**4*(V - E_K) - g_M*p*(V - E_K) - g_L*(V - E_L))/C : mV"
    + RATES
    + """
        p_inf = 1/(1 + exp(-(V + 35)/10))
        tau_p = tau_max/(3.3*exp((V + 35)/20) + exp(-(V + 35)/20))
        dp/dt = (p_inf - p)/tau_p : 1
    """,
    parameters={**SQUID, "g_M": 0.5, "tau_max": 600.0},
    inputs=["I"],
    initial={**RESTING, "p": 0.05},
)

SYNAPTIC = Model(
    name="ConductanceLIF",
    description="leaky neuron with adaptation, excitatory and inhibitory conductances and a threshold that moves: five equations",
    equations="""
        dV/dt = (E_L - V - w + g_e*(E_e - V) + g_i*(E_i - V) + I)/tau : mV
        dw/dt = (a*(V - E_L) - w)/tau_w                               : mV
        dg_e/dt = (g_e0 - g_e)/tau_e                                  : 1
        dg_i/dt = (g_i0 - g_i)/tau_i                                  : 1
        dtheta/dt = (theta_0 - theta)/tau_theta                       : mV
    """,
    threshold="V >= theta",
    reset="V = V_r; w = w + b; theta = theta + jump",
    parameters={
        "E_L": -65.0,
        "E_e": 0.0,
        "E_i": -80.0,
        "tau": 20.0,
        "tau_w": 100.0,
        "tau_e": 5.0,
        "tau_i": 10.0,
        "tau_theta": 50.0,
        "a": 0.1,
        "b": 1.0,
        "g_e0": 0.2,
        "g_i0": 0.3,
        "theta_0": -50.0,
        "V_r": -65.0,
        "jump": 2.0,
    },
    inputs=["I"],
    initial={"V": "E_L", "theta": "theta_0"},
)

ZOO = (
    (SYNAPTIC, 0.1, 40.0),
    (EXPONENTIAL, 0.1, 20.0),
    (ADAPTIVE, 0.1, 2000.0),
    (HODGKIN_HUXLEY, 0.02, 20.0),
    (MUSCARINIC, 0.02, 20.0),
)
"""Models, their step in ms, and the highest of the evenly spread currents."""


def measure(given: Any, model: Model, dt: float, highest: float, limits: Limits) -> list[dict[str, Any]]:
    """One model at every size."""

    def subject(n: int) -> Subject:
        return Subject(model, {"I": np.linspace(0.0, highest, n, dtype=np.float32)}, {}, dt=dt)

    # spread currents are per neuron, so the comparison takes one that all neurons share
    same = check_same(replace(subject(1), inputs={"I": highest / 2}), "float32")
    operations = subject(1).population(1, "float32").kernel.operations
    print(
        f"{model.name}: {len(model.states)} equations, {operations} operations; same step as the scalar loop: {same.scalar_spikes} and {same.spikes} "
        f"spikes, states {same.state_difference:.1g} apart"
    )
    rows = []
    for n in given.sizes:
        case = subject(n)
        candidates: dict[str, Any] = {
            "scalar loop": ScalarLoop(case.population(n, "float32"), case.inputs),
            "scalar loop, -fno-tree-vectorize": ScalarLoop(case.population(n, "float32"), case.inputs, WITHOUT_VECTORS),
            "izhigen, float32, 1 core": Run(
                case.population(n, "float32"), case.inputs, ("count",) if model.threshold is not None else ()
            ),
            "peak / operations": PeakCandidate(limits, n, operations),
        }
        rates = in_turn(candidates, given.seconds, given.repeats)
        show(n, rates, "scalar loop")
        rows += [
            row(name, rate, model=model.name, neurons=n, dt=dt, equations=len(model.states), operations=operations)
            for name, rate in rates.items()
        ]
    return rows


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "zoo.json").parse_args()
    given.sizes = SIZES
    if given.quick:
        given.seconds, given.repeats, given.sizes = 0.01, 2, (1_000,)
    limits = Limits("float32")
    data: dict[str, Any] = {"machine": machine(), "flags": {"scalar loop": list(PLAIN_FLAGS)}, "rows": []}
    for model, dt, highest in ZOO:
        data["rows"] += measure(given, model, dt, highest, limits)
    save(given.save, data)


if __name__ == "__main__":
    main()
