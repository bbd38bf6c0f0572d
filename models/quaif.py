"""The quadratic integrate-and-fire neuron: Latham, Richmond, Nelson and Nirenberg (2000), J. Neurophysiol. 83:808.

Names, parameters and defaults are those of BrainPy's classes. V starts at 0 there and here, which is above the
threshold: give it a value.
"""

from izhigen import Model
from izhigen.model.library import forms

QuaIF = Model(
    name="QuaIF",
    description="quadratic integrate-and-fire neuron (Latham 2000)",
    equations="dV/dt = (c*(V - V_rest)*(V - V_c) + R*I)/tau : mV",
    threshold="V >= V_th",
    reset="V = V_reset",
    parameters={"V_rest": -65.0, "V_reset": -68.0, "V_th": -30.0, "V_c": -50.0, "c": 0.07, "R": 1.0, "tau": 10.0},
    inputs=["I"],
    units={
        "V_rest": "mV",
        "V_reset": "mV",
        "V_th": "mV",
        "V_c": "mV",
        "c": "1/mV",
        "R": "Mohm",
        "tau": "ms",
        "I": "nA",
    },
)

QuaIFLTC, QuaIFRef, QuaIFRefLTC = forms(QuaIF)
