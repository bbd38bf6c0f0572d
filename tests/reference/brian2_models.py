"""Neurons of Brian2's own examples, as the papers give them, each with four drives. What spikes by noise in the example
is driven here by a constant, and where an example has no current, ``I`` or a parameter of its own is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """A neuron as text, and how it is run: ``drive`` names a parameter and its value in each of four neurons."""

    equations: str
    threshold: str
    drive: tuple[str, tuple[str, ...]]
    reset: str = ""
    refractory: str = ""
    namespace: dict[str, str] = field(default_factory=dict)
    initial: dict[str, str] = field(default_factory=dict)
    dt: float = 0.1
    steps: int = 3000


_HODGKIN_HUXLEY = {
    "area": "20000*um2",
    "Cm": "1*ufarad/cm**2*area",
    "gl": "5e-5*siemens/cm**2*area",
    "EK": "-90*mV",
    "ENa": "50*mV",
    "g_na": "100*mS/cm**2*area",
    "g_kd": "30*mS/cm**2*area",
    "VT": "-63*mV",
}
_ADEX = {
    "C": "281*pF",
    "gL": "30*nS",
    "EL": "-70.6*mV",
    "VT": "-50.4*mV",
    "DeltaT": "2*mV",
    "Vcut": "VT + 5*DeltaT",
}
_ADEX_EQUATIONS = """
dvm/dt = (gL*(EL - vm) + gL*DeltaT*exp((vm - VT)/DeltaT) + I - w)/C : volt
dw/dt = (a*(vm - EL) - w)/tauw : amp
I : amp
"""

CASES = {
    "CUBA": Case(
        """
        dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        dgi/dt = -gi/taui : volt
        El : volt  # drives it above the threshold
        """,
        "v > Vt",
        ("El", ("-49*mV", "-47.3*mV", "-40*mV", "-20*mV")),
        "v = Vr",
        "5*ms",
        {"taum": "20*ms", "taue": "5*ms", "taui": "10*ms", "Vt": "-50*mV", "Vr": "-60*mV"},
        {"v": "Vr", "ge": "4*mV", "gi": "-2*mV"},
    ),
    "COBAHH": Case(
        """
        dv/dt = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v)
                 - g_na*(m*m*m)*h*(v - ENa)
                 - g_kd*(n*n*n*n)*(v - EK) + I)/Cm : volt
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dge/dt = -ge*(1./taue) : siemens
        dgi/dt = -gi*(1./taui) : siemens
        alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV - v + VT)/(4*mV))/ms : Hz
        beta_m = 0.28*(mV**-1)*5*mV/exprel((v - VT - 40*mV)/(5*mV))/ms : Hz
        alpha_h = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
        beta_h = 4./(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
        alpha_n = 0.032*(mV**-1)*5*mV/exprel((15*mV - v + VT)/(5*mV))/ms : Hz
        beta_n = .5*exp((10*mV - v + VT)/(40*mV))/ms : Hz
        I : amp
        """,
        "v > -20*mV",
        ("I", ("0.1*nA", "0.3*nA", "0.6*nA", "1.2*nA")),
        refractory="3*ms",
        namespace={
            **_HODGKIN_HUXLEY,
            "El": "-60*mV",
            "Ee": "0*mV",
            "Ei": "-80*mV",
            "taue": "5*ms",
            "taui": "10*ms",
        },
        initial={"v": "El", "ge": "30*nS", "gi": "20*nS"},
        dt=0.02,
        steps=4000,
    ),
    "Izhikevich_2003": Case(
        """
        dv/dt = (0.04*v**2 + 5*v + 140 - u + I + I_noise)/ms : 1
        du/dt = (a*(b*v - u))/ms : 1
        I : 1
        I_noise : 1
        a : 1
        b : 1
        c : 1
        d : 1
        """,
        "v>=30",
        ("I", ("4", "7.5", "10", "20")),
        "v=c; u+=d",
        initial={"v": "-65", "u": "b*v", "a": "0.02", "b": "0.2", "c": "-65", "d": "8"},
    ),
    "adaptive_threshold": Case(
        """
        dv/dt = (I - v)/(10*ms) : volt
        dvt/dt = (10*mV - vt)/(15*ms) : volt
        I : volt
        """,
        "v>vt",
        ("I", ("9*mV", "10.5*mV", "14*mV", "30*mV")),
        """
        v = 0*mV
        vt += 3*mV
        """,
        initial={"vt": "10*mV"},
    ),
    "Brette_Gerstner_2005": Case(
        _ADEX_EQUATIONS,
        "vm>Vcut",
        ("I", ("0.5*nA", "0.7*nA", "1*nA", "2*nA")),
        "vm=Vr; w+=b",
        namespace={**_ADEX, "tauw": "144*ms", "a": "4*nS", "b": "0.0805*nA", "Vr": "-70.6*mV"},
        initial={"vm": "EL"},
        dt=0.05,
        steps=6000,
    ),
    "Touboul_Brette_2008": Case(
        _ADEX_EQUATIONS + "Vr:volt",
        "vm > Vcut",
        ("Vr", ("-48.3*mV", "-48.1*mV", "-47.9*mV", "-47.7*mV")),
        "vm = Vr; w += b",
        namespace={**_ADEX, "tauw": "40*ms", "a": "4*nS", "b": "0.08*nA"},
        initial={"vm": "EL", "w": "a*(vm - EL)", "I": ".8*nA"},
        dt=0.05,
        steps=6000,
    ),
    "Wang_Buszaki_1996": Case(
        """
        dv/dt = (-gNa*m**3*h*(v-ENa)-gK*n**4*(v-EK)-gL*(v-EL)+Iapp)/Cm : volt
        m = alpha_m/(alpha_m+beta_m) : 1
        alpha_m = 0.1/mV*10*mV/exprel(-(v+35*mV)/(10*mV))/ms : Hz
        beta_m = 4*exp(-(v+60*mV)/(18*mV))/ms : Hz
        dh/dt = 5*(alpha_h*(1-h)-beta_h*h) : 1
        alpha_h = 0.07*exp(-(v+58*mV)/(20*mV))/ms : Hz
        beta_h = 1./(exp(-0.1/mV*(v+28*mV))+1)/ms : Hz
        dn/dt = 5*(alpha_n*(1-n)-beta_n*n) : 1
        alpha_n = 0.01/mV*10*mV/exprel(-(v+34*mV)/(10*mV))/ms : Hz
        beta_n = 0.125*exp(-(v+44*mV)/(80*mV))/ms : Hz
        Iapp : amp
        """,
        "v > 0*mV",
        ("Iapp", ("0.5*uA", "1*uA", "2*uA", "5*uA")),
        refractory="v > 0*mV",
        namespace={
            "Cm": "1*uF",
            "gL": "0.1*msiemens",
            "EL": "-65*mV",
            "ENa": "55*mV",
            "EK": "-90*mV",
            "gNa": "35*msiemens",
            "gK": "9*msiemens",
        },
        initial={"v": "-70*mV", "h": "1"},
        dt=0.02,
        steps=4000,
    ),
    "IF_curve_LIF": Case(
        """
        dv/dt = (v0 - v) / tau : volt (unless refractory)
        v0 : volt
        """,
        "v > 10*mV",
        ("v0", ("9*mV", "10.5*mV", "15*mV", "20*mV")),
        "v = 0*mV",
        "5.03*ms",
        {"tau": "10*ms"},
    ),
    "IF_curve_Hodgkin_Huxley": Case(
        """
        dv/dt = (gl*(El-v) - g_na*(m*m*m)*h*(v-ENa) - g_kd*(n*n*n*n)*(v-EK) + I)/Cm : volt
        dm/dt = 0.32*(mV**-1)*4*mV/exprel((13.*mV-v+VT)/(4*mV))/ms*(1-m)
              - 0.28*(mV**-1)*5*mV/exprel((v-VT-40.*mV)/(5*mV))/ms*m : 1
        dn/dt = 0.032*(mV**-1)*5*mV/exprel((15.*mV-v+VT)/(5*mV))/ms*(1.-n) - .5*exp((10.*mV-v+VT)/(40.*mV))/ms*n : 1
        dh/dt = 0.128*exp((17.*mV-v+VT)/(18.*mV))/ms*(1.-h) - 4./(1+exp((40.*mV-v+VT)/(5.*mV)))/ms*h : 1
        I : amp
        """,
        "v > -40*mV",
        ("I", ("0.1*nA", "0.2*nA", "0.4*nA", "0.7*nA")),
        refractory="v > -40*mV",
        namespace={**_HODGKIN_HUXLEY, "El": "-65*mV"},
        initial={"v": "El"},
        dt=0.02,
        steps=5000,
    ),
    "Platkiewicz_Brette_2011": Case(
        """
        dv/dt=(EL-v+mu+sigma*I)/tau : volt
        dtheta/dt=(vT+a*clip(v-Vi, 0*mV, inf*mV)-theta)/tauh : volt
        dI/dt=-I/tauI : 1  # decays from its initial value, without the example's noise
        mu : volt
        """,
        "v>theta",
        ("mu", ("22*mV", "30*mV", "45*mV", "80*mV")),
        "v=EL",
        "5*ms",
        {
            "EL": "-70*mV",
            "vT": "-55*mV",
            "Vi": "-63*mV",
            "tauh": "5*ms",
            "tau": "5*ms",
            "a": "5/6.",
            "tauI": "5*ms",
            "sigma": "8.4*mV",
        },
        {"v": "EL", "theta": "vT", "I": "2"},
    ),
    "Diesmann_et_al_1999": Case(
        """
        dV/dt = (-(V-Vr)+x)*(1./taum) : volt
        dx/dt = (-x+y)*(1./taupsp) : volt
        dy/dt = -y*(1./taupsp)+k*mV/ms : volt
        k : 1
        """,
        "V>Vt",
        ("k", ("40", "46.5", "60", "200")),
        "V=Vr",
        "1*ms",
        {"Vr": "-70*mV", "Vt": "-55*mV", "taum": "10*ms", "taupsp": "0.325*ms"},
        {"V": "Vr"},
    ),
    "Vogels_et_al_2011": Case(
        """
        dv/dt=(-gl*(v-el)-(g_ampa*v+g_gaba*(v-er))+bgcurrent)/memc : volt (unless refractory)
        dg_ampa/dt = -g_ampa/tau_ampa : siemens
        dg_gaba/dt = -g_gaba/tau_gaba : siemens
        bgcurrent : amp
        """,
        "v > vt",
        ("bgcurrent", ("100*pA", "110*pA", "200*pA", "600*pA")),
        "v=el",
        "5*ms",
        {
            "gl": "10.0*nsiemens",
            "el": "-60*mV",
            "er": "-80*mV",
            "vt": "-50.*mV",
            "memc": "200.0*pfarad",
            "tau_ampa": "5.0*ms",
            "tau_gaba": "10.0*ms",
        },
        {"v": "el", "g_ampa": "5*nS", "g_gaba": "3*nS"},
    ),
    "Hindmarsh_Rose_1984": Case(
        """
        dx/dt = (y - a*x**3 + b*x**2 + I - z)/time_unit : 1
        dy/dt = (c - d*x**2 - y)/time_unit : 1
        dz/dt = r*(s*(x - x_1) - z)/time_unit : 1
        I : 1 (constant)
        """,
        "x > 1",
        ("I", ("0.4", "2", "3", "4")),
        refractory="x > 1",
        namespace={
            "time_unit": "1*ms",
            "x_1": "-1.6",
            "a": "1",
            "b": "3",
            "c": "1",
            "d": "5",
            "r": "0.001",
            "s": "4",
        },
        initial={"x": "x_1", "y": "c - d*x**2", "z": "r*(s*(x - x_1))"},
    ),
    "Morris_Lecar_1981": Case(
        """
        dV/dt = (-g_L*(V - V_L) - g_Ca*m_inf*(V - V_Ca) - g_K*n*(V - V_K) + I)/C : volt
        dn/dt = lambda_n*(n_inf - n) : 1
        m_inf = 0.5*(1 + tanh((V - V_1)/V_2)) : 1
        n_inf = 0.5*(1 + tanh((V - V_3)/V_4)) : 1
        lambda_n = lambda_n__max*cosh((V - V_3)/(2*V_4)) : Hz
        I : amp
        """,
        "V > 0*mV",
        ("I", ("100*uA", "200*uA", "300*uA", "400*uA")),
        refractory="V > 0*mV",
        namespace={
            "g_L": "2*mS",
            "g_Ca": "4*mS",
            "g_K": "8*mS",
            "V_L": "-50*mV",
            "V_Ca": "100*mV",
            "V_K": "-70*mV",
            "lambda_n__max": "1.0/(15*ms)",
            "V_1": "10*mV",
            "V_2": "15*mV",
            "V_3": "-1*mV",
            "V_4": "14.5*mV",
            "C": "20*uF",
        },
        initial={"V": "V_L", "n": "n_inf"},
    ),
    "phase_locking": Case(
        """
        dv/dt = (-v + a * sin(2 * pi * freq * t) + b) / tau : 1
        a : 1
        """,
        "v > 1",
        ("a", ("0.05", "0.2", "0.5", "0.75")),
        "v = 0",
        namespace={"tau": "20*ms", "b": "1.2", "freq": "10*Hz"},
    ),
    "Brunel_Wang_2001": Case(
        """
        dv / dt = (- g_m_E * (v - V_L) - I_syn) / C_m_E : volt (unless refractory)
        I_syn = I_AMPA_ext + I_NMDA_rec : amp
        I_AMPA_ext = g_AMPA_ext_E * (v - V_E) * s_AMPA_ext : amp
        ds_AMPA_ext / dt = (r - s_AMPA_ext) / tau_AMPA : 1
        I_NMDA_rec = g_NMDA_E * (v - V_E) / (1 + Mg2 * exp(-0.062 * v / mV) / 3.57) * s_NMDA_tot : amp
        s_NMDA_tot : 1
        r : 1  # what arrives, as a constant
        """,
        "v > V_thr",
        ("r", ("4", "6", "9", "20")),
        "v = V_reset",
        "tau_rp_E",
        {
            "V_L": "-70. * mV",
            "V_thr": "-50. * mV",
            "V_reset": "-55. * mV",
            "V_E": "0. * mV",
            "C_m_E": "0.5 * nF",
            "g_m_E": "25. * nS",
            "tau_rp_E": "2. * ms",
            "g_AMPA_ext_E": "2.08 * nS",
            "tau_AMPA": "2. * ms",
            "g_NMDA_E": "0.327 * nS",
            "Mg2": "1.",
        },
        {"v": "V_L", "s_NMDA_tot": "10"},
    ),
    "Rothman_Manis_2003": Case(
        """
        dv/dt = (ileak + ina + ikht + I)/C : volt
        vu = v/mV : 1  # unitless v
        ileak = gl*(El-v) : amp
        ina = gnabar*m**3*h*(ENa-v) : amp
        dm/dt=q10*(minf-m)/mtau : 1
        dh/dt=q10*(hinf-h)/htau : 1
        minf = 1./(1+exp(-(vu + 38.) / 7.)) : 1
        hinf = 1./(1+exp((vu + 65.) / 6.)) : 1
        mtau =  ((10. / (5*exp((vu+60.) / 18.) + 36.*exp(-(vu+60.) / 25.))) + 0.04)*ms : second
        htau =  ((100. / (7*exp((vu+60.) / 11.) + 10.*exp(-(vu+60.) / 25.))) + 0.6)*ms : second
        ikht = gkhtbar*(nf*n**2 + (1-nf)*p)*(EK-v) : amp
        dn/dt=q10*(ninf-n)/ntau : 1
        dp/dt=q10*(pinf-p)/ptau : 1
        ninf =   (1 + exp(-(vu + 15) / 5.))**-0.5 : 1
        pinf =  1. / (1 + exp(-(vu + 23) / 6.)) : 1
        ntau =  ((100. / (11*exp((vu+60) / 24.) + 21*exp(-(vu+60) / 23.))) + 0.7)*ms : second
        ptau = ((100. / (4*exp((vu+60) / 32.) + 5*exp(-(vu+60) / 22.))) + 5)*ms : second
        I : amp
        """,
        "v > -20*mV",
        ("I", ("50*pA", "100*pA", "250*pA", "400*pA")),
        refractory="v > -20*mV",
        namespace={
            "C": "12*pF",
            "EK": "-70*mV",
            "El": "-65*mV",
            "ENa": "50*mV",
            "nf": "0.85",
            "q10": "3.**((22 - 22)/10.)",
            "gnabar": "1000*nS",
            "gkhtbar": "150*nS",
            "gl": "2*nS",
        },
        initial={"v": "El"},
        dt=0.01,
        steps=6000,
    ),
    "held_and_read": Case(  # no example: a state that goes on reads one that is held, and the reset reads itself
        """
        dv/dt = (E - v)/tau : volt (unless refractory)
        dw/dt = (v - w)/tau_w*int(not_refractory) + (2*v - w)/tau_w*int(not not_refractory and t > 20*ms) : volt
        E : volt
        """,
        "v > 10*mV + w",
        ("E", ("11*mV", "19*mV", "30*mV", "70*mV")),
        "v = 4*mV; w += 0.5*v; v -= 1*mV",
        "tau_r + 1.234*ms",
        {"tau": "10*ms", "tau_w": "30*ms", "tau_r": "2*ms"},
    ),
}
