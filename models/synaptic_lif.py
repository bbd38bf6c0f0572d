"""Leaky integrate-and-fire neurons with exponential synapses: the two of Vogels and Abbott (2005), J. Neurosci.
25:10786, with the values of the benchmarks in Brette et al. (2007), J. Comput. Neurosci. 23:349.

``exc`` and ``inh`` are how many spikes arrive in a step; each adds ``w_e`` or ``w_i``.
"""

from izhigen import Model

_MEMBRANE = {"C": 200.0, "g_L": 10.0, "V_th": -50.0, "V_reset": -60.0, "tau_e": 5.0, "tau_i": 10.0}
_UNITS = {
    "C": "pF",
    "g_L": "nS",
    "E_L": "mV",
    "V_th": "mV",
    "V_reset": "mV",
    "tau_e": "ms",
    "tau_i": "ms",
    "I": "pA",
    "exc": "1",
    "inh": "1",
}

LifExpCurrent = Model(
    name="LifExpCurrent",
    description="leaky integrate-and-fire neuron with synapses of exponential current (Vogels and Abbott 2005)",
    equations="""
        dV/dt = (g_L*(E_L - V) + I_e + I_i + I)/C : mV
        dI_e/dt = -I_e/tau_e                      : pA
        dI_i/dt = -I_i/tau_i                      : pA
    """,
    threshold="V >= V_th",
    reset="V = V_reset",
    parameters={**_MEMBRANE, "E_L": -49.0, "w_e": 16.2, "w_i": -90.0},
    inputs=["I"],
    on_event={"exc": "I_e = I_e + w_e*exc", "inh": "I_i = I_i + w_i*inh"},
    initial={"V": "V_reset"},
    units={**_UNITS, "w_e": "pA", "w_i": "pA"},
).with_refractory(tau_ref=5.0)

LifExpConductance = Model(
    name="LifExpConductance",
    description="leaky integrate-and-fire neuron with synapses of exponential conductance (Vogels and Abbott 2005)",
    equations="""
        dV/dt = (g_L*(E_L - V) + g_e*(E_e - V) + g_i*(E_i - V) + I)/C : mV
        dg_e/dt = -g_e/tau_e                                          : nS
        dg_i/dt = -g_i/tau_i                                          : nS
    """,
    threshold="V >= V_th",
    reset="V = V_reset",
    parameters={**_MEMBRANE, "E_L": -60.0, "E_e": 0.0, "E_i": -80.0, "w_e": 6.0, "w_i": 67.0},
    inputs=["I"],
    on_event={"exc": "g_e = g_e + w_e*exc", "inh": "g_i = g_i + w_i*inh"},
    initial={"V": "E_L"},
    units={**_UNITS, "E_e": "mV", "E_i": "mV", "w_e": "nS", "w_i": "nS"},
).with_refractory(tau_ref=5.0)
