"""Classes of BrainPy whose spikes need more than a level threshold: upward crossings, and a threshold that moves.

The traces are BrainPy 2.8.2's in float64, see ``tests/data``.
"""

import json

import numpy as np
import pytest

from izhigen import Model
from tests.conftest import DATA
from tests.helpers import host

HODGKIN_HUXLEY = Model(
    "HH",
    """
    dV/dt = (I - gNa*m**3*h*(V - ENa) - gK*n**4*(V - EK) - gL*(V - EL))/C : mV
    dm/dt = 0.1*(V + 40)/(1 - exp(-(V + 40)/10))*(1 - m) - 4*exp(-(V + 65)/18)*m
    dh/dt = 0.07*exp(-(V + 65)/20)*(1 - h) - h/(1 + exp(-(V + 35)/10))
    dn/dt = 0.01*(V + 55)/(1 - exp(-(V + 55)/10))*(1 - n) - 0.125*exp(-(V + 65)/80)*n
    """,
    threshold="V >= V_th",
    parameters={"ENa": 50.0, "gNa": 120.0, "EK": -77.0, "gK": 36.0, "EL": -54.387, "gL": 0.03, "V_th": 20.0, "C": 1.0},
    inputs=["I"],
)
WANG_BUZSAKI = Model(
    "WangBuzsaki",
    """
    alpha = 0.1*(V + 35)/(1 - exp(-(V + 35)/10))
    m = alpha/(alpha + 4*exp(-(V + 60)/18))
    dV/dt = (I - gNa*m**3*h*(V - ENa) - gK*n**4*(V - EK) - gL*(V - EL))/C : mV
    dh/dt = phi*(0.07*exp(-(V + 58)/20)*(1 - h) - h/(exp(-0.1*(V + 28)) + 1))
    dn/dt = phi*(0.1*(V + 34)/(1 - exp(-0.1*(V + 34)))*(1 - n) - 0.125*exp(-(V + 44)/80)*n)
    """,
    threshold="V >= V_th",
    parameters={
        "ENa": 55.0,
        "gNa": 35.0,
        "EK": -90.0,
        "gK": 9.0,
        "EL": -65.0,
        "gL": 0.1,
        "V_th": 20.0,
        "phi": 5.0,
        "C": 1.0,
    },
    inputs=["I"],
)
GIF_REFRACTORY = Model(
    "GifRef",
    """
    dV/dt = (V_rest - V + R*(I + I1 + I2))/tau : mV
    dI1/dt = -k1*I1
    dI2/dt = -k2*I2
    dV_th/dt = a*(V - V_rest) - b*(V_th - V_th_inf) : mV
    """,
    threshold="V >= old(V_th)",
    reset="V = V_reset; I1 = R1*I1 + A1; I2 = R2*I2 + A2; V_th = max(V_th_reset, V_th)",
    parameters={
        **{"V_rest": -70.0, "V_reset": -70.0, "V_th_inf": -50.0, "V_th_reset": -60.0, "R": 20.0, "tau": 20.0, "a": 0.0},
        **{"b": 0.01, "k1": 0.2, "k2": 0.02, "R1": 0.0, "R2": 1.0, "A1": 0.0, "A2": 0.0},
    },
    inputs=["I"],
).with_refractory(2.0)
CASES = {
    "HH": (HODGKIN_HUXLEY, ("V", "m", "h", "n")),
    "WangBuzsakiHH_spiking": (WANG_BUZSAKI, ("V", "h", "n")),
    "GifRef_moving": (GIF_REFRACTORY, ("V", "I1", "I2", "V_th", "t_last_spike")),
}


@pytest.mark.parametrize("backend", ["numpy", "c", "cuda"])
@pytest.mark.parametrize("name", CASES)
def test_the_spikes_are_brainpys(name, backend, device):
    model, states = CASES[name]
    with np.load(DATA / "zoo" / f"{name}.npz") as found:
        data = {key: found[key] for key in found.files}
    config = json.loads(str(data["config"]))
    given = {key: value for key, value in config["all_parameters"].items() if key in model.parameters}
    start = {state: data[f"{state}0"] for state in states}
    pop = model.population(4, dt=config["dt"], backend=backend, dtype="float64", **given, **start)
    recording = pop.run(steps=config["steps"], I=data["I"], record=[*states, "spike"]).to_host()
    np.testing.assert_array_equal(host(recording["spike"]), data["spike"].astype(bool))
    assert data["spike"].sum() > 3
    for state in states:
        np.testing.assert_allclose(recording[state][:500], data[state][:500], rtol=0, atol=4e-9, err_msg=state)


def test_a_level_threshold_counts_every_step_of_an_upstroke():
    """What the trigger is for: the same neuron by ``level`` spikes in each step above its threshold."""
    counts = {}
    for trigger in ("auto", "rising", "level"):
        model = HODGKIN_HUXLEY.variant(trigger=trigger, gL=0.3)
        pop = model.population(1, dt=0.01, backend="c", dtype="float64", V=-65.0)
        recording = pop.run(100.0, I=10.0, record=["V", "count"])
        counts[trigger] = int(recording["count"][0])
    above = recording["V"][:, 0] >= 20.0
    upstrokes = int((above[1:] & ~above[:-1]).sum())
    assert counts == {"auto": upstrokes, "rising": upstrokes, "level": int(above.sum())}
    assert upstrokes >= 6 and counts["level"] > 30 * upstrokes
