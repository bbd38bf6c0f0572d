"""The walking-leg axon of a crab: Connor, Walter and McKown (1977), Biophys. J. 18:81.

Values are those of Dayan and Abbott (2001), "Theoretical Neuroscience", section 6.2, per cm**2. The potassium current
of A type lets it fire at any low rate. The channels are parts, in ``channels.py``.
"""

from izhigen import Model, part

ConnorStevens = (
    Model(
        name="ConnorStevens",
        description="crab axon with a potassium current of A type, fires at any low rate (Connor 1977)",
        equations="dV/dt = I/C : mV",
        threshold="V >= V_th",
        parameters={"C": 1.0, "V_th": 0.0},
        inputs=["I"],
        initial={"V": -68.0},
        units={"C": "uF/cm**2", "V_th": "mV", "I": "uA/cm**2"},
    )
    .with_part(**part("INa_CWM1977"))
    .with_part(**part("IK_CWM1977"))
    .with_part(**part("IA_CWM1977"))
    .with_part(**part("ILeak"))
    .variant(EL=-17.0)
)
