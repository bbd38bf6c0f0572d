"""The order of a step, and its events."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

import izhigen as iz
from izhigen import Model
from izhigen.derive.event import LAST_SPIKE, Assignment, Event, Hold, untrue
from izhigen.derive.lowering import T, symbol
from izhigen.derive.sequence import Apply, Commit, Decide, HoldBack, Integrate, Jump
from izhigen.derive.step import derive_step
from izhigen.errors import DerivationError
from izhigen.model.events import Trigger

V, u, V_th = symbol("V"), symbol("u"), symbol("V_th")


def kinds(model):
    return [type(action) for action in derive_step(model).sequence]


def test_the_order_of_a_step():
    assert kinds(iz.load("IzhikevichRefLTC")) == [Integrate, Jump, HoldBack, Decide, Apply, Commit]
    assert kinds(iz.load("Izhikevich")) == [Integrate, Jump, Decide, Apply, Commit]
    assert kinds(Model("M", "dV/dt = -V")) == [Integrate, Jump, Commit]


def test_the_spike_of_a_model():
    event = derive_step(iz.load("IzhikevichRef")).spike
    assert (event.name, event.trigger, event.margin) == ("spike", Trigger.LEVEL, V - V_th)
    assert [a.symbol for a in event.resets] == [V, u] and event.assignments[-1] == Assignment(LAST_SPIKE, T)
    assert event.hold == Hold((V,))
    assert str(event.hold.condition) == "t - t_last_spike <= tau_ref"
    assert derive_step(Model("M", "dV/dt = -V")).spike is None


@pytest.mark.parametrize(
    ("condition", "margin"),
    [(sp.Ge(V, V_th), V - V_th), (sp.Lt(V, V_th), V_th - V), (sp.Or(V > 1, V < -1), None), (sp.Eq(V, 1), None)],
)
def test_the_margin_is_at_least_0_where_the_condition_holds(condition, margin):
    assert Event("spike", condition).margin == margin


def test_a_rising_event_asks_for_the_start_of_the_step_too():
    now = symbol("V_new")
    level, rising = (
        Event("spike", sp.Ge(V, V_th), trigger).happens({V: now}) for trigger in (Trigger.LEVEL, Trigger.RISING)
    )
    assert level == sp.Ge(now, V_th) and rising == sp.And(level, untrue(sp.Ge(V, V_th)))


@pytest.fixture
def with_events(monkeypatch, tmp_path):
    """Gives the steps of all models other events: ``with_events(lambda step: events)``."""
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path))  # programs are kept by what the model says

    def change(events):
        def derive(model, method="exp_euler", spike_timing="step"):
            step = derive_step(model, method, spike_timing)
            return replace(step, events=tuple(events(step)))

        monkeypatch.setattr("izhigen.derive.step.derive_step", derive)

    return change


@pytest.mark.parametrize("backend", ["numpy", "c", "cuda"])
@pytest.mark.parametrize("trigger", ["level", "rising", "auto"])
def test_the_triggers_on_every_backend(backend, trigger, device):
    """V goes up and down as the cosine of t; a level event happens as long as it is above 1, a rising one once."""
    equations = "dV/dt = -0.2*sin(0.1*t)\ndu/dt = 0"
    model = Model("Wave", equations, threshold="V >= 1", reset="u = u + 1", initial={"V": 2.0}, trigger=trigger)
    pop = model.population(3, dt=0.5, backend=backend, dtype="float64")
    counts = np.array([int(pop.step()[0]) for _ in range(400)])
    above = np.cos(0.1 * 0.5 * np.arange(1, 401)) * 2 >= 1
    rises = int((above[1:] & ~above[:-1]).sum())
    found = int(counts.sum())
    assert abs(found - int(above.sum())) <= 8 if trigger == "level" else found == rises == 3
    assert float(pop.u[0]) == found


@pytest.mark.parametrize("backend", ["numpy", "c", "cuda"])
def test_a_later_event_reads_what_an_earlier_one_left(backend, device):
    low = iz.Event("V < 1", "u = u + 1; V = V + 0.5")
    model = Model("Two", "dV/dt = 1\ndu/dt = 0", threshold="V >= 3", reset="V = 0", events={"low": low})
    pop = model.population(2, dt=1.0, backend=backend, dtype="float64")
    seen = []
    for _ in range(5):
        spiked = bool(pop.step()[0])
        seen.append((spiked, float(pop.V[0]), float(pop.u[0])))
    assert seen == [(False, 1.0, 0.0), (False, 2.0, 0.0), (True, 0.5, 1.0), (False, 1.5, 1.0), (False, 2.5, 1.0)]


def test_only_the_spike_can_hold(with_events):
    model = Model("Other", "dV/dt = 1", threshold="V >= 3", reset="V = 0").with_refractory(1.0)
    with_events(lambda step: (step.events[0], replace(step.events[0], name="low")))
    with pytest.raises(DerivationError, match="event 'low' holds something, which only 'spike' can"):
        model.program()
