"""The walking-leg axon of a crab: Connor, Walter and McKown (1977), Biophys. J. 18:81.

Values are those of Dayan and Abbott (2001), "Theoretical Neuroscience", section 6.2, per cm**2. The potassium current
of A type lets it fire at any low rate. The channels are parts, in ``channels.py``.
"""

from izhigen import load, part

ConnorStevens = (
    load("Membrane")
    .with_part(**part("INa_CWM1977"))
    .with_part(**part("IK_CWM1977"))
    .with_part(**part("IA_CWM1977"))
    .with_part(**part("ILeak"))
    .variant(
        "ConnorStevens",
        description="crab axon with a potassium current of A type, fires at any low rate (Connor 1977)",
        initial={"V": -68.0},
        V_th=0.0,
        EL=-17.0,
    )
)
