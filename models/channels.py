"""Channels with Hodgkin-Huxley gates, as parts for ``model.with_part(**iz.part("INa_HH1952"))``.

A name says the ion and the source; the conductance, the reversal potential and the gates are called as in that source,
and gates start at the steady state of V where they do not say otherwise. Currents are part of the membrane's equation
(``held=False``) and per area: conductances in mS/cm**2 (uA/cm**2 per mV). Numbers in the rate functions are the printed
ones, in mV and per ms; x/(1 - exp(-x)) is written 1/exprel(-x), which has a value at 0.

References: Hodgkin and Huxley (1952), J. Physiol. 117:500 (ILeak, INa_HH1952, IK_HH1952); Traub and Miles (1991),
"Neuronal Networks of the Hippocampus", as in Brette et al. (2007), J. Comput. Neurosci. 23:349 (INa_TM1991,
IK_TM1991); Wang and Buzsáki (1996), J. Neurosci. 16:6402 (INa_WB1996, IK_WB1996, IK_WB_BrainPy); Morris and Lecar
(1981), Biophys. J. 35:193, as in Rinzel and Ermentrout (1989), "Analysis of neural excitability and oscillations"
(ICa_ML1981, IK_ML1981, ILeak_ML1981); Connor, Walter and McKown (1977), Biophys. J. 18:81, as in Dayan and Abbott
(2001), "Theoretical Neuroscience", section 6.2 (INa_CWM1977, IK_CWM1977, IA_CWM1977).
"""


def _gate(name, alpha, beta, factor=""):
    """Lines of a gate with an opening and a closing rate, functions of V, and its steady state."""
    lines = f"""
        alpha_{name} = {alpha} : 1/ms
        beta_{name} = {beta}   : 1/ms
        d{name}/dt = {factor}(alpha_{name}*(1 - {name}) - beta_{name}*{name}) : 1
    """
    return lines, {name: f"({alpha})/({alpha} + {beta})"}


def _channel(description, current, parameters, *gates, instant="", units=None):
    """A channel of an area of membrane; ``instant`` are lines of gates that follow V at once."""
    own = {name: "mS/cm**2" if name.startswith("g") else "mV" for name in parameters}
    return {
        "description": description,
        **({"equations": "\n".join([instant, *(lines for lines, _ in gates)])} if gates or instant else {}),
        "current": current,
        "held": False,
        "parameters": parameters,
        "initial": {name: start for _, initial in gates for name, start in initial.items()},
        "units": {**own, **(units or {})},
    }


ILeak = _channel("leak (Hodgkin and Huxley 1952)", "gL*(EL - V)", {"gL": 0.3, "EL": -54.387})

INa_HH1952 = _channel(
    "sodium channel of the squid axon (Hodgkin and Huxley 1952)",
    "gNa*m**3*h*(ENa - V)",
    {"gNa": 120.0, "ENa": 50.0},
    _gate("m", "1/exprel(-(V + 40)/10)", "4*exp(-(V + 65)/18)"),
    _gate("h", "0.07*exp(-(V + 65)/20)", "1/(1 + exp(-(V + 35)/10))"),
)

IK_HH1952 = _channel(
    "potassium channel of the squid axon (Hodgkin and Huxley 1952)",
    "gK*n**4*(EK - V)",
    {"gK": 36.0, "EK": -77.0},
    _gate("n", "0.1/exprel(-(V + 55)/10)", "0.125*exp(-(V + 65)/80)"),
)

INa_TM1991 = _channel(
    "sodium channel of a hippocampal neuron (Traub and Miles 1991)",
    "gNa*m**3*h*(ENa - V)",
    {"gNa": 100.0, "ENa": 50.0, "V_T": -63.0},
    _gate("m", "1.28/exprel((V_T + 13 - V)/4)", "1.4/exprel((V - V_T - 40)/5)"),
    _gate("h", "0.128*exp((V_T + 17 - V)/18)", "4/(1 + exp((V_T + 40 - V)/5))"),
)

IK_TM1991 = _channel(
    "potassium channel of a hippocampal neuron, with the V_T of INa_TM1991 (Traub and Miles 1991)",
    "gK*n**4*(EK - V)",
    {"gK": 30.0, "EK": -90.0},
    _gate("n", "0.16/exprel((V_T + 15 - V)/5)", "0.5*exp((V_T + 10 - V)/40)"),
)

INa_WB1996 = _channel(
    "sodium channel of an interneuron, which opens at once (Wang and Buzsaki 1996)",
    "gNa*m_inf**3*h*(ENa - V)",
    {"gNa": 35.0, "ENa": 55.0, "phi": 5.0},
    _gate("h", "0.07*exp(-(V + 58)/20)", "1/(1 + exp(-0.1*(V + 28)))", "phi*"),
    instant="""
        alpha_m = 1/exprel(-0.1*(V + 35))        : 1/ms
        m_inf = alpha_m/(alpha_m + 4*exp(-(V + 60)/18)) : 1
    """,
    units={"phi": "1"},
)

IK_WB1996 = _channel(
    "potassium channel of an interneuron, with the phi of INa_WB1996 (Wang and Buzsaki 1996)",
    "gK*n**4*(EK - V)",
    {"gK": 9.0, "EK": -90.0},
    _gate("n", "0.1/exprel(-0.1*(V + 34))", "0.125*exp(-(V + 44)/80)", "phi*"),
)

IK_WB_BrainPy = _channel(
    "IK_WB1996 as BrainPy's WangBuzsakiHH has it, which opens ten times as fast (Wang and Buzsaki 1996)",
    "gK*n**4*(EK - V)",
    {"gK": 9.0, "EK": -90.0},
    _gate("n", "1/exprel(-0.1*(V + 34))", "0.125*exp(-(V + 44)/80)", "phi*"),
)

ICa_ML1981 = _channel(
    "calcium channel of the barnacle muscle, which opens at once (Morris and Lecar 1981)",
    "g_Ca*m_inf*(V_Ca - V)",
    {"g_Ca": 4.4, "V_Ca": 130.0, "V1": -1.2, "V2": 18.0},
    instant="m_inf = (1 + tanh((V - V1)/V2))/2 : 1",
)
"""``V_Ca`` is BrainPy's; Rinzel and Ermentrout have 120 mV."""

IK_ML1981 = _channel(
    "potassium channel of the barnacle muscle (Morris and Lecar 1981)",
    "g_K*W*(V_K - V)",
    {"g_K": 8.0, "V_K": -84.0, "V3": 2.0, "V4": 30.0, "phi": 0.04},
    (
        """
        W_inf = (1 + tanh((V - V3)/V4))/2                   : 1
        dW/dt = phi*cosh((V - V3)/(2*V4))*(W_inf - W) : 1
    """,
        {"W": "(1 + tanh((V - V3)/V4))/2"},
    ),
    units={"phi": "1/ms"},
)

ILeak_ML1981 = _channel(
    "leak of the barnacle muscle (Morris and Lecar 1981)", "g_leak*(V_leak - V)", {"g_leak": 2.0, "V_leak": -60.0}
)

INa_CWM1977 = _channel(
    "sodium channel of a crab axon (Connor 1977)",
    "gNa*m**3*h*(ENa - V)",
    {"gNa": 120.0, "ENa": 55.0},
    _gate("m", "3.8/exprel(-0.1*(V + 29.7))", "15.2*exp(-0.0556*(V + 54.7))"),
    _gate("h", "0.266*exp(-0.05*(V + 48))", "3.8/(1 + exp(-0.1*(V + 18)))"),
)

IK_CWM1977 = _channel(
    "potassium channel of a crab axon (Connor 1977)",
    "gK*n**4*(EK - V)",
    {"gK": 20.0, "EK": -72.0},
    _gate("n", "0.2/exprel(-0.1*(V + 45.7))", "0.25*exp(-0.0125*(V + 55.7))"),
)

_A_INF = "(0.0761*exp(0.0314*(V + 94.22))/(1 + exp(0.0346*(V + 1.17))))**(1/3)"
_B_INF = "(1 + exp(0.0688*(V + 53.3)))**(-4)"

IA_CWM1977 = _channel(
    "potassium channel of A type of a crab axon, which closes while V stays up (Connor 1977)",
    "gA*a**3*b*(EA - V)",
    {"gA": 47.7, "EA": -75.0},
    (
        f"""
        a_inf = {_A_INF} : 1
        tau_a = 0.3632 + 1.158/(1 + exp(0.0497*(V + 55.96))) : ms
        da/dt = (a_inf - a)/tau_a : 1
        b_inf = {_B_INF} : 1
        tau_b = 1.24 + 2.678/(1 + exp(0.0624*(V + 50))) : ms
        db/dt = (b_inf - b)/tau_b : 1
    """,
        {"a": _A_INF, "b": _B_INF},
    ),
)
