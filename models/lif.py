"""Leaky integrate-and-fire neurons: Lapicque (1907), J. Physiol. Pathol. Gen. 9:620.

``IF`` is the integrator without a threshold, ``Lif`` fires. Names, parameters and defaults are those of BrainPy's
classes; V starts at 0, as there.
"""

from izhigen import Model
from izhigen.model.library import forms

_EQUATION = "dV/dt = (V_rest - V + R*I)/tau : mV"
_UNITS = {"V_rest": "mV", "R": "Mohm", "tau": "ms", "I": "nA"}

IF = Model(
    name="IF",
    description="leaky integrator without a threshold (Lapicque 1907)",
    equations=_EQUATION,
    parameters={"V_rest": 0.0, "R": 1.0, "tau": 10.0},
    inputs=["I"],
    units=_UNITS,
)

IFLTC = IF.variant(
    "IFLTC", description="leaky integrator with a liquid time constant (Lapicque 1907)"
).with_liquid_time_constant()

Lif = Model(
    name="Lif",
    description="leaky integrate-and-fire neuron (Lapicque 1907)",
    equations=_EQUATION,
    threshold="V >= V_th",
    reset="V = V_reset",
    parameters={"V_rest": 0.0, "V_reset": -5.0, "V_th": 20.0, "R": 1.0, "tau": 10.0},
    inputs=["I"],
    units={**_UNITS, "V_reset": "mV", "V_th": "mV"},
)

LifLTC, LifRef, LifRefLTC = forms(Lif)
