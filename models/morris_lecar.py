"""The barnacle muscle fibre: Morris and Lecar (1981), Biophys. J. 35:193.

Names, parameters and defaults are those of BrainPy's classes: the values of Rinzel and Ermentrout (1989), "Analysis of
neural excitability and oscillations", at which an oscillation of finite frequency appears (a Hopf bifurcation), but for
``V_Ca``, which is 120 mV there. The channels are parts, in ``channels.py``. Where BrainPy draws V0 from -70 to -60 mV,
it is -65 here.
"""

from izhigen import load, part

MorrisLecar = (
    load("Membrane")
    .with_part(**part("ICa_ML1981"))
    .with_part(**part("IK_ML1981"))
    .with_part(**part("ILeak_ML1981"))
    .variant(
        "MorrisLecar",
        description="barnacle muscle fibre (Morris and Lecar 1981)",
        initial={"W": 0.02},
        C=20.0,
        V_th=10.0,
    )
)

MorrisLecarLTC = MorrisLecar.variant(
    "MorrisLecarLTC", description="barnacle muscle fibre with a liquid time constant (Morris and Lecar 1981)"
).with_liquid_time_constant()
