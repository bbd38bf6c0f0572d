"""The hippocampal neuron with fast channels alone: Traub and Miles (1991), "Neuronal Networks of the Hippocampus".

Values are those of the benchmark in Brette et al. (2007), J. Comput. Neurosci. 23:349, per area. The channels are
parts, in ``channels.py``.
"""

from izhigen import Model, part

TraubMiles = (
    Model(
        name="TraubMiles",
        description="hippocampal neuron without its slow currents (Traub and Miles 1991)",
        equations="dV/dt = I/C : mV",
        threshold="V >= V_th",
        parameters={"C": 1.0, "V_th": 0.0},
        inputs=["I"],
        initial={"V": -65.0},
        units={"C": "uF/cm**2", "V_th": "mV", "I": "uA/cm**2"},
    )
    .with_part(**part("INa_TM1991"))
    .with_part(**part("IK_TM1991"))
    .with_part(**part("ILeak"))
    .variant(gL=0.05, EL=-60.0)
)
