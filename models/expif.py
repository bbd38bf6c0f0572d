"""The exponential integrate-and-fire neuron: Fourcaud-Trocmé, Hansel, van Vreeswijk and Brunel (2003), J. Neurosci.
23:11628.

Names, parameters and defaults are those of BrainPy's classes. V starts at 0 there and here, which is above the
threshold: give it a value.
"""

from izhigen import Model
from izhigen.model.library import forms

ExpIF = Model(
    name="ExpIF",
    description="exponential integrate-and-fire neuron (Fourcaud-Trocme 2003)",
    equations="dV/dt = (V_rest - V + delta_T*exp((V - V_T)/delta_T) + R*I)/tau : mV",
    threshold="V >= V_th",
    reset="V = V_reset",
    parameters={
        "V_rest": -65.0,
        "V_reset": -68.0,
        "V_th": -55.0,
        "V_T": -59.9,
        "delta_T": 3.48,
        "R": 1.0,
        "tau": 10.0,
    },
    inputs=["I"],
    units={
        "V_rest": "mV",
        "V_reset": "mV",
        "V_th": "mV",
        "V_T": "mV",
        "delta_T": "mV",
        "R": "Mohm",
        "tau": "ms",
        "I": "nA",
    },
)

ExpIFLTC, ExpIFRef, ExpIFRefLTC = forms(ExpIF)
