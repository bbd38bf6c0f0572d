"""The adaptive exponential integrate-and-fire neuron: Brette and Gerstner (2005), J. Neurophysiol. 94:3637.

Names, parameters and defaults are those of BrainPy's classes: the adaptation w is a current, and R multiplies it like
I. V starts at 0 there and here, which is above the threshold: give it a value.
"""

from izhigen import Model
from izhigen.model.library import forms

AdExIF = Model(
    name="AdExIF",
    description="adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005)",
    equations="""
        dV/dt = (V_rest - V + delta_T*exp((V - V_T)/delta_T) - R*w + R*I)/tau : mV
        dw/dt = (a*(V - V_rest) - w)/tau_w                                    : nA
    """,
    threshold="V >= V_th",
    reset="V = V_reset; w = w + b",
    parameters={
        "V_rest": -65.0,
        "V_reset": -68.0,
        "V_th": -55.0,
        "V_T": -59.9,
        "delta_T": 3.48,
        "a": 1.0,
        "b": 1.0,
        "tau": 10.0,
        "tau_w": 30.0,
        "R": 1.0,
    },
    inputs=["I"],
    units={
        "V_rest": "mV",
        "V_reset": "mV",
        "V_th": "mV",
        "V_T": "mV",
        "delta_T": "mV",
        "a": "nA/mV",
        "b": "nA",
        "tau": "ms",
        "tau_w": "ms",
        "R": "Mohm",
        "I": "nA",
    },
)

AdExIFLTC, AdExIFRef, AdExIFRefLTC = forms(AdExIF, t_last_spike=-1e8)
