"""The hippocampal interneuron: Wang and Buzsáki (1996), J. Neurosci. 16:6402.

``WangBuzsaki`` is the paper's. ``WangBuzsakiHH`` is BrainPy's class: its potassium gate opens ten times as fast as the
paper's, also as that class's own documentation has it, so that at its defaults it does not fire repetitively. The
channels are parts, in ``channels.py``.
"""

from izhigen import load, part

_Sodium = load("Membrane").with_part(**part("INa_WB1996")).with_part(**part("ILeak")).variant(gL=0.1, EL=-65.0)

WangBuzsaki = _Sodium.with_part(**part("IK_WB1996")).variant(
    "WangBuzsaki", description="hippocampal interneuron (Wang and Buzsaki 1996)", V_th=0.0
)

WangBuzsakiHH = _Sodium.with_part(**part("IK_WB_BrainPy")).variant(
    "WangBuzsakiHH",
    description="interneuron as BrainPy's WangBuzsakiHH, whose n opens ten times as fast as the paper's "
    "(Wang and Buzsaki 1996)",
    initial={"h": 0.6, "n": 0.32},
)

WangBuzsakiHHLTC = WangBuzsakiHH.variant(
    "WangBuzsakiHHLTC",
    description="BrainPy's WangBuzsakiHH with a liquid time constant (Wang and Buzsaki 1996)",
).with_liquid_time_constant()
