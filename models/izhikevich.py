"""The simple model of spiking neurons: Izhikevich (2003), IEEE Trans. Neural Networks 14:1569.

``Izhikevich`` is the one declaration; the variants with a refractory period and with a liquid time constant, and the
seven named classes of that paper, are composed from it.
"""

from izhigen import Model
from izhigen.model.library import forms

Izhikevich = Model(
    name="Izhikevich",
    description="quadratic neuron with a recovery variable; added currents are held during a step (Izhikevich 2003)",
    equations="""
        dV/dt = p1*V**2 + p2*V + p3 - u + I : mV     # membrane potential
        du/dt = a*(b*V - u)                 : mV/ms  # recovery
    """,
    threshold="V >= V_th",
    reset="V = c; u = u + d",
    parameters={"p1": 0.04, "p2": 5.0, "p3": 140.0, "a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "V_th": 30.0},
    inputs=["I"],
    initial={"V": -70.0, "u": "b*V"},
    units={
        "p1": "1/(mV*ms)",
        "p2": "1/ms",
        "p3": "mV/ms",
        "a": "1/ms",
        "b": "1/ms",
        "c": "mV",
        "d": "mV/ms",
        "V_th": "mV",
        "I": "mV/ms",
    },
    strict_units=True,
)

IzhikevichLTC, IzhikevichRef, IzhikevichRefLTC = forms(Izhikevich, "Izhikevich")
IzhikevichLTC = IzhikevichLTC.variant(
    description="Izhikevich with a liquid time constant: added currents shape the linear part (Izhikevich 2003)"
)

RS = Izhikevich.variant("RS", description="regular spiking (Izhikevich 2003)", a=0.02, b=0.2, c=-65.0, d=8.0)
IB = Izhikevich.variant("IB", description="intrinsically bursting (Izhikevich 2003)", c=-55.0, d=4.0)
CH = Izhikevich.variant("CH", description="chattering (Izhikevich 2003)", c=-50.0, d=2.0)
FS = Izhikevich.variant("FS", description="fast spiking (Izhikevich 2003)", a=0.1, d=2.0)
TC = Izhikevich.variant("TC", description="thalamo-cortical (Izhikevich 2003)", b=0.25, d=0.05)
RZ = Izhikevich.variant("RZ", description="resonator (Izhikevich 2003)", a=0.1, b=0.26, d=2.0)
LTS = Izhikevich.variant("LTS", description="low-threshold spiking (Izhikevich 2003)", b=0.25, d=2.0)
