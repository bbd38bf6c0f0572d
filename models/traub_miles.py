"""The hippocampal neuron with fast channels alone: Traub and Miles (1991), "Neuronal Networks of the Hippocampus".

Values are those of the benchmark in Brette et al. (2007), J. Comput. Neurosci. 23:349, per area. The channels are
parts, in ``channels.py``.
"""

from izhigen import load, part

TraubMiles = (
    load("Membrane")
    .with_part(**part("INa_TM1991"))
    .with_part(**part("IK_TM1991"))
    .with_part(**part("ILeak"))
    .variant(
        "TraubMiles",
        description="hippocampal neuron without its slow currents (Traub and Miles 1991)",
        V_th=0.0,
        gL=0.05,
        EL=-60.0,
    )
)
