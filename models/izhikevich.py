"""Izhikevich's simple model of spiking neurons, and its family.

``Izhikevich`` (Izhikevich 2003, IEEE Trans. Neural Networks 14:1569) is the one declaration; the variants with a
refractory period and with a liquid time constant, the seven named classes of that paper, and the form with physical
units of Izhikevich (2007), "Dynamical Systems in Neuroscience", chapter 8, are composed from it or stand beside it.
"""

from izhigen import Model

Izhikevich = Model(
    name="Izhikevich",
    description="Izhikevich's quadratic neuron (2003); added currents are held during a step",
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

IzhikevichLTC = Izhikevich.variant(
    "IzhikevichLTC",
    description="Izhikevich's neuron with a liquid time constant: added currents shape the linear part",
).with_liquid_time_constant()

IzhikevichRef = Izhikevich.variant(
    "IzhikevichRef",
    description="Izhikevich's neuron with a refractory period",
).with_refractory(tau_ref=0.0)

IzhikevichRefLTC = IzhikevichRef.variant(
    "IzhikevichRefLTC",
    description="Izhikevich's neuron with a refractory period and a liquid time constant",
).with_liquid_time_constant()

RS = Izhikevich.variant("RS", description="regular spiking (Izhikevich 2003)", a=0.02, b=0.2, c=-65.0, d=8.0)
IB = Izhikevich.variant("IB", description="intrinsically bursting (Izhikevich 2003)", c=-55.0, d=4.0)
CH = Izhikevich.variant("CH", description="chattering (Izhikevich 2003)", c=-50.0, d=2.0)
FS = Izhikevich.variant("FS", description="fast spiking (Izhikevich 2003)", a=0.1, d=2.0)
TC = Izhikevich.variant("TC", description="thalamo-cortical (Izhikevich 2003)", b=0.25, d=0.05)
RZ = Izhikevich.variant("RZ", description="resonator (Izhikevich 2003)", a=0.1, b=0.26, d=2.0)
LTS = Izhikevich.variant("LTS", description="low-threshold spiking (Izhikevich 2003)", b=0.25, d=2.0)

izhikevich2007 = Model(
    name="izhikevich2007",
    description="Izhikevich's neuron in physical units (2007, chapter 8), a regular spiking pyramidal cell of layer 5",
    equations="""
        dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/C : mV     # membrane potential
        du/dt = a*(b*(v - v_r) - u)               : pA     # recovery current
    """,
    threshold="v >= v_peak",
    reset="v = c; u = u + d",
    parameters={
        "C": 100.0,
        "k": 0.7,
        "v_r": -60.0,
        "v_t": -40.0,
        "v_peak": 35.0,
        "a": 0.03,
        "b": -2.0,
        "c": -50.0,
        "d": 100.0,
    },
    inputs=["I"],
    initial={"v": "v_r", "u": 0.0},
    units={
        "C": "pF",
        "k": "pA/mV**2",
        "v_r": "mV",
        "v_t": "mV",
        "v_peak": "mV",
        "a": "1/ms",
        "b": "pA/mV",
        "c": "mV",
        "d": "pA",
        "I": "pA",
    },
    strict_units=True,
)
