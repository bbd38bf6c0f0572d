"""The adaptive quadratic integrate-and-fire neuron: Touboul (2008), SIAM J. Appl. Math. 68:1045.

Names, parameters and defaults are those of BrainPy's classes, in which the adaptation w and the input I are potentials:
nothing multiplies them. V starts at 0 there and here, which is above the threshold: give it a value.
"""

from izhigen import Model
from izhigen.model.library import forms

AdQuaIF = Model(
    name="AdQuaIF",
    description="adaptive quadratic integrate-and-fire neuron (Touboul 2008)",
    equations="""
        dV/dt = (c*(V - V_rest)*(V - V_c) - w + I)/tau : mV
        dw/dt = (a*(V - V_rest) - w)/tau_w             : mV
    """,
    threshold="V >= V_th",
    reset="V = V_reset; w = w + b",
    parameters={
        "V_rest": -65.0,
        "V_reset": -68.0,
        "V_th": -30.0,
        "V_c": -50.0,
        "a": 1.0,
        "b": 0.1,
        "c": 0.07,
        "tau": 10.0,
        "tau_w": 10.0,
    },
    inputs=["I"],
    units={
        "V_rest": "mV",
        "V_reset": "mV",
        "V_th": "mV",
        "V_c": "mV",
        "a": "1",
        "b": "mV",
        "c": "1/mV",
        "tau": "ms",
        "tau_w": "ms",
        "I": "mV",
    },
)

AdQuaIFLTC, AdQuaIFRef, AdQuaIFRefLTC = forms(AdQuaIF, t_last_spike=-1e8)
