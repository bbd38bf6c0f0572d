"""The twenty firing patterns of figure 1 in Izhikevich (2004), IEEE Trans. Neural Networks 15:1063.

Each is ``Izhikevich`` with its own parameters and initial state, except that ``Accommodation`` has another equation of
u. Values are those of the author's figure1.m. Two of them were artefacts of its Euler steps, and are set right here:
``d`` of ``DepolarizingAfterPotential`` was -21, with which the exact solution fires eight times, and ``d`` of
``InhibitionInducedBursting`` was -2, with which it runs away. ``izhigen.patterns`` has the current that each is given.
"""

from izhigen import load

_Izhikevich = load("Izhikevich")


def _pattern(name, description, V, **values):
    return _Izhikevich.variant(name, description=f"{description} (Izhikevich 2004)", initial={"V": V}, **values)


TonicSpiking = _pattern("TonicSpiking", "tonic spiking", -70.0, a=0.02, b=0.2, c=-65.0, d=6.0)
PhasicSpiking = _pattern("PhasicSpiking", "phasic spiking", -64.0, a=0.02, b=0.25, c=-65.0, d=6.0)
TonicBursting = _pattern("TonicBursting", "tonic bursting", -70.0, a=0.02, b=0.2, c=-50.0, d=2.0)
PhasicBursting = _pattern("PhasicBursting", "phasic bursting", -64.0, a=0.02, b=0.25, c=-55.0, d=0.05)
MixedMode = _pattern("MixedMode", "mixed mode", -70.0, a=0.02, b=0.2, c=-55.0, d=4.0)
SpikeFrequencyAdaptation = _pattern(
    "SpikeFrequencyAdaptation", "spike frequency adaptation", -70.0, a=0.01, b=0.2, c=-65.0, d=8.0
)
Class1Excitable = _pattern(
    "Class1Excitable", "class 1 excitable", -60.0, a=0.02, b=-0.1, c=-55.0, d=6.0, p2=4.1, p3=108.0
)
Class2Excitable = _pattern("Class2Excitable", "class 2 excitable", -64.0, a=0.2, b=0.26, c=-65.0, d=0.0)
SpikeLatency = _pattern("SpikeLatency", "spike latency", -70.0, a=0.02, b=0.2, c=-65.0, d=6.0)
SubthresholdOscillations = _pattern(
    "SubthresholdOscillations", "subthreshold oscillations", -62.0, a=0.05, b=0.26, c=-60.0, d=0.0
)
Resonator = _pattern("Resonator", "resonator", -62.0, a=0.1, b=0.26, c=-60.0, d=-1.0)
Integrator = _pattern("Integrator", "integrator", -60.0, a=0.02, b=-0.1, c=-55.0, d=6.0, p2=4.1, p3=108.0)
ReboundSpike = _pattern("ReboundSpike", "rebound spike", -64.0, a=0.03, b=0.25, c=-60.0, d=4.0)
ReboundBurst = _pattern("ReboundBurst", "rebound burst", -64.0, a=0.03, b=0.25, c=-52.0, d=0.0)
ThresholdVariability = _pattern("ThresholdVariability", "threshold variability", -64.0, a=0.03, b=0.25, c=-60.0, d=4.0)
Bistability = _pattern("Bistability", "bistability", -61.0, a=0.1, b=0.26, c=-60.0, d=0.0)
DepolarizingAfterPotential = _pattern(
    "DepolarizingAfterPotential", "depolarizing after-potential", -70.0, a=1.0, b=0.2, c=-60.0, d=-18.0
)
Accommodation = _Izhikevich.variant(
    "Accommodation",
    description="accommodation (Izhikevich 2004)",
    equations="""
        dV/dt = p1*V**2 + p2*V + p3 - u + I : mV     # membrane potential
        du/dt = a*b*(V - E)                 : mV/ms  # recovery
    """,
    initial={"V": -65.0, "u": -16.0},
    units={"E": "mV"},
    a=0.02,
    b=1.0,
    c=-55.0,
    d=4.0,
    E=-65.0,
)
InhibitionInducedSpiking = _pattern(
    "InhibitionInducedSpiking", "inhibition-induced spiking", -63.8, a=-0.02, b=-1.0, c=-60.0, d=8.0
)
InhibitionInducedBursting = _pattern(
    "InhibitionInducedBursting", "inhibition-induced bursting", -63.8, a=-0.026, b=-1.0, c=-45.0, d=0.0
)
