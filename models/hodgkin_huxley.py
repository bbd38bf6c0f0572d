"""The squid axon: Hodgkin and Huxley (1952), J. Physiol. 117:500.

``HodgkinHuxley`` is the paper's model at its 6.3 degrees, with the potential turned and shifted to a rest of -65 mV.
``HH`` is BrainPy's class, whose leak of 0.03 mS/cm**2 is a tenth of the paper's; where BrainPy draws V0 from -70 to
-60 mV, it is -65 here. The channels are parts, in ``channels.py``.
"""

from izhigen import load, part

_Squid = load("Membrane").with_part(**part("INa_HH1952")).with_part(**part("IK_HH1952")).with_part(**part("ILeak"))

HodgkinHuxley = _Squid.variant("HodgkinHuxley", description="squid axon (Hodgkin and Huxley 1952)", V_th=0.0)

HH = _Squid.variant(
    "HH",
    description="squid axon as BrainPy's HH, whose leak is a tenth of the paper's (Hodgkin and Huxley 1952)",
    gL=0.03,
)

HHLTC = HH.variant(
    "HHLTC", description="BrainPy's HH with a liquid time constant (Hodgkin and Huxley 1952)"
).with_liquid_time_constant()
