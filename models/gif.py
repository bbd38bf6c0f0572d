"""The generalized integrate-and-fire neuron: Mihalas and Niebur (2009), Neural Comput. 21:704.

Two currents and the threshold follow the spikes. Names, parameters and defaults are those of BrainPy's classes, which
compare the new potential with the threshold of the step's start.
"""

from izhigen import Model
from izhigen.model.library import forms

Gif = Model(
    name="Gif",
    description="generalized integrate-and-fire neuron with a moving threshold (Mihalas and Niebur 2009)",
    equations="""
        dV/dt = (V_rest - V + R*(I + I1 + I2))/tau           : mV
        dI1/dt = -k1*I1                                      : nA
        dI2/dt = -k2*I2                                      : nA
        dV_th/dt = a*(V - V_rest) - b*(V_th - V_th_inf)      : mV
    """,
    threshold="V >= old(V_th)",
    reset="V = V_reset; I1 = R1*I1 + A1; I2 = R2*I2 + A2; V_th = max(V_th_reset, V_th)",
    parameters={
        "V_rest": -70.0,
        "V_reset": -70.0,
        "V_th_inf": -50.0,
        "V_th_reset": -60.0,
        "R": 20.0,
        "tau": 20.0,
        "a": 0.0,
        "b": 0.01,
        "k1": 0.2,
        "k2": 0.02,
        "R1": 0.0,
        "R2": 1.0,
        "A1": 0.0,
        "A2": 0.0,
    },
    inputs=["I"],
    initial={"V": -70.0, "V_th": -50.0},
    units={
        "V_rest": "mV",
        "V_reset": "mV",
        "V_th_inf": "mV",
        "V_th_reset": "mV",
        "R": "Mohm",
        "tau": "ms",
        "a": "1/ms",
        "b": "1/ms",
        "k1": "1/ms",
        "k2": "1/ms",
        "R1": "1",
        "R2": "1",
        "A1": "nA",
        "A2": "nA",
        "I": "nA",
    },
)

GifLTC, GifRef, GifRefLTC = forms(Gif, "generalized integrate-and-fire neuron", t_last_spike=-1e8)
