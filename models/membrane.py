"""The membrane alone, per area, to which channels are added as parts: Hodgkin and Huxley (1952), J. Physiol. 117:500.

Where V crosses ``V_th`` upwards it is a spike; nothing is reset, as the channels bring V back.
"""

from izhigen import Model

Membrane = Model(
    name="Membrane",
    description="membrane without channels, which are added as parts (Hodgkin and Huxley 1952)",
    equations="dV/dt = I/C : mV",
    threshold="V >= V_th",
    parameters={"C": 1.0, "V_th": 20.0},
    inputs=["I"],
    initial={"V": -65.0},
    units={"C": "uF/cm**2", "V_th": "mV", "I": "uA/cm**2"},
)
