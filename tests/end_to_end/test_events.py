"""What events do, step by step, on every backend."""

import copy

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from tests.helpers import host

BACKENDS = ("numpy", "c", "cuda")
RAMP = Model("Ramp", "dV/dt = I\ndu/dt = 0", threshold="V >= 1.75", reset="V = 0", inputs=["I"])


def follow(model, steps, backend="c", names=("V", "u"), dt=0.5, **inputs):
    """(spiked, states) after each step of one neuron."""
    pop = model.population(1, dt=dt, backend=backend, dtype="float64")
    found = []
    for k in range(steps):
        spiked = bool(host(pop.step(**{name: values[k] for name, values in inputs.items()}))[0])
        found.append((spiked, *(float(host(pop.state[name])[0]) for name in names)))
    return found


@pytest.fixture(params=BACKENDS)
def everywhere(request, device):
    return request.param


# -- triggers ---------------------------------------------------------------------------------------------------------


def test_a_condition_that_is_true_at_first_does_not_rise(everywhere):
    model = RAMP.variant(reset=None, initial={"V": 2.0})
    currents = [1.0, -3.0, 4.0, 1.0, -4.0, 5.0]
    assert [s for s, *_ in follow(model, 6, everywhere, I=currents)] == [False, False, True, False, False, True]


def test_a_crossing_that_falls_into_a_muted_time_is_lost(everywhere):
    model = RAMP.variant(reset=None).with_refractory(1.0, hold=())
    currents = [4.0, -4.0, 4.0, 0.0, 0.0, -4.0, 4.0]  # above after steps 1, 3, 4, 5, 7; refractory in steps 2 and 3
    assert [s for s, *_ in follow(model, 7, everywhere, I=currents)] == [True, False, False, False, False, False, True]


def test_old_is_the_value_at_the_start_in_later_events_too(everywhere):
    late = iz.Event("V < old(V)", "u = old(V)")
    model = RAMP.variant(events={"late": late})
    found = follow(model, 5, everywhere, I=[1.0, 1.0, 1.0, 1.0, 1.0])
    assert found == [(False, 0.5, 0.0), (False, 1.0, 0.0), (False, 1.5, 0.0), (True, 0.0, 1.5), (False, 0.5, 1.5)]


def test_new_reads_what_a_line_above_has_assigned(everywhere):
    model = RAMP.variant(reset="V = 0.25; u = u + V + 10*new(V)")
    assert follow(model, 4, everywhere, I=[1.0] * 4)[-1] == (True, 0.25, 2.0 + 2.5)


def test_names_of_events_and_what_is_made_for_a_step_do_not_meet(everywhere):
    """The sum of a held current, and the variate of a state, have names that an event may have."""
    model = Model("Names", "dV/dt = (I - V)/10\ndw/dt = -w/5", inputs=["I"]).with_current("0.1*(10 - V)")
    counts = []
    for name in ("I_total", "other"):
        events = {name: iz.Event("V > 5", "w = 1"), "z": iz.Event("I > 5", trigger="level")}
        pop = model.variant(events=events).population(1, dt=0.5, backend=everywhere, dtype="float64")
        counts.append(len(pop.run(20.0, I=20.0, record=["z"]).events["z"][0]))
    assert counts == [40, 40]
    noisy = Model("Noisy", "dV/dt = -V", events={"xi_V": iz.Event("V > 5", "V = 0")}).with_noise(V=0.1)
    assert noisy.population(2, dt=0.5, backend=everywhere).run(5.0) is not None


def test_the_last_of_seven_events_without_a_threshold(everywhere):
    events = {f"e{k}": iz.Event(f"V > {k}", trigger="level") for k in range(7)}
    pop = Model("Seven", "dV/dt = 1", events=events).population(1, dt=0.5, backend=everywhere)
    assert len(pop.run(10.0, record=["e6"]).events["e6"][0]) == 8


def test_no_number_is_no_end_and_not_the_absence_of_one(everywhere):
    """NaN at the start counts as a condition that did not hold, and never as the end of a refractory time."""
    rising = Model("Root", "dV/dt = 1", threshold="sqrt(V) > 0", initial={"V": -1.25}, trigger="rising")
    assert len(rising.population(1, dt=0.5, backend=everywhere).run(5.0).spikes[0]) == 1
    model = Model("Log", "dV/dt = 4\ndw/dt = 1", "V >= 1", "V = 0", initial={"w": -100.0})
    for until in ("w > 1", "log(w) > 0"):
        pop = model.with_refractory(until=until, hold=()).population(1, dt=0.5, backend=everywhere)
        assert len(pop.run(20.0).spikes[0]) == 1, until


def test_old_is_the_time_of_the_spike_before_in_later_events(everywhere):
    events = {"e": iz.Event("t - t_last_spike < 0.1", "u = old(t - t_last_spike)", trigger="level")}
    found = follow(RAMP.variant(events=events, initial={"t_last_spike": 0.0}), 4, everywhere, I=[1.0] * 4)
    assert found[3] == (True, 0.0, 1.5)


def test_a_subtractive_reset_does_not_spike_while_it_is_held(everywhere):
    model = Model("Less", "dV/dt = 0", threshold="V >= 10", reset="V = V - 10", initial={"V": 35.0}).with_refractory(
        5.0
    )
    times = model.population(1, dt=0.5, backend=everywhere).run(20.0).to_host().spikes[0]
    assert len(times) == 3 and np.diff(times).min() > 5


# -- refractory in full -------------------------------------------------------------------------------------------------


def test_what_is_held_and_what_goes_on(everywhere):
    both = Model("Both", "dV/dt = 1\ndw/dt = 2\ndu/dt = 4", threshold="V >= 1", reset="V = 0; w = w + 100; u = 0")
    found = follow(both.with_refractory(1.0, hold=["V", "w"]), 6, everywhere, ("V", "w", "u"))
    # a spike in step 1 (which starts at 0.5); the steps that start at 1.0 and 1.5 are held
    assert found[1] == (True, 0.0, 102.0, 0.0)
    assert found[2:5] == [(False, 0.0, 102.0, 2.0), (False, 0.0, 102.0, 4.0), (False, 0.5, 103.0, 6.0)]
    muted = follow(both.with_refractory(1.0, hold=()), 6, everywhere, ("V", "w", "u"))
    assert [s for s, *_ in muted] == [False, True, False, False, True, False] and muted[3][1] == 1.0


@pytest.mark.parametrize(
    ("threshold", "events"),
    [
        ("V + I >= 10", {}),
        ("V >= 10 - 0*t", {}),
        ("V + 0.01*t >= 10", {}),
        ("V >= 0", {"up": iz.Event("V < 1", "V = 12")}),
    ],
)
def test_a_held_neuron_is_mute_where_its_threshold_goes_on_all_the_same(everywhere, threshold, events):
    """Where the condition reads an input or time, or another event lifts what is held."""
    model = Model("Goes", "dV/dt = (I - V)/10", threshold, "V = 0", inputs=["I"], events=events, trigger="level")
    pop = model.with_refractory(5.0).population(1, dt=0.5, backend=everywhere, dtype="float64")
    times = pop.run(60.0, I=30.0).to_host().spikes[0]
    assert len(times) > 3 and np.diff(times).min() > 5.0


def test_by_default_nothing_is_held_on_its_upstroke():
    """A state that no reset takes back would stay above the threshold."""
    rising = Model("Rising", "dV/dt = I\ndu/dt = 0", threshold="V >= 1", inputs=["I"])
    assert rising.with_refractory(2.0).refractory.states == ()
    assert RAMP.with_refractory(2.0).refractory.states == ("V",)
    assert RAMP.with_refractory(until="V < 0.5").refractory.states == ()
    assert RAMP.with_refractory(until="u < 0.5").refractory.states == ("V",)
    with pytest.raises(iz.IzhigenError, match="reads V, which is held, and nothing else that varies"):
        RAMP.with_refractory(until="V < 0.5", hold="V")


def test_until_a_condition_holds_at_a_steps_start(everywhere):
    model = Model("Until", "dV/dt = 1\ndu/dt = 1", threshold="V >= 1", reset="V = 0; u = 0").with_refractory(
        until="u >= 1", hold="V"
    )
    found = follow(model, 7, everywhere, ("V", "u", "refractory"))
    assert found[:3] == [(False, 0.5, 0.5, 0.0), (True, 0.0, 0.0, 1.0), (False, 0.0, 0.5, 1.0)]
    assert found[3:6] == [(False, 0.0, 1.0, 1.0), (False, 0.5, 1.5, 0.0), (True, 0.0, 0.0, 1.0)]


def test_a_jump_and_an_arrival_at_a_held_state_are_dropped(everywhere):
    model = RAMP.variant(on_event={"a": "V = V + a; u = u + a"}).with_refractory(0.5)
    currents = [3.5, 0.0, 0.0, 0.0]
    jumps = [0.0, 1.0, 0.0, 0.25]
    found = follow(model, 4, everywhere, I=currents, V_delta=jumps, a=[0.0, 8.0, 0.0, 0.5])
    assert found == [(True, 0.0, 0.0), (False, 0.0, 8.0), (False, 0.0, 8.0), (False, 0.75, 8.5)]


# -- the time since the last spike --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_time_since_the_last_spike_is_a_difference_in_double_precision(everywhere, dtype):
    """After 20,000,000 steps t itself is a multiple of 0.125 in float32."""
    model = Model(
        "Since",
        "ds/dt = (t - t_last_spike - s)/dt",
        threshold="s >= 7 and s < 8",
        initial={"t_last_spike": "-p"},
        parameters={"p": 3.0},
    ).variant(trigger="level")
    dt, start = 0.1, 20_000_000
    pop = model.population(2, dt=dt, backend=everywhere, dtype=dtype, method="euler")
    assert host(pop.state["t_last_spike"]).tolist() == [-3.0, -3.0]
    pop._neurons.steps_done = start  # as after that many steps
    last = start * dt - 6.3
    pop.state["t_last_spike"] = np.array([last, last + 0.05])
    expected_last, number = [last, last + 0.05], np.dtype(dtype).type
    for k in range(start, start + 30):
        pop.step()
        found = host(pop.state["s"])
        for n in range(2):
            elapsed = number(k * dt - expected_last[n])
            assert found[n] == pytest.approx(float(elapsed), abs=4e-6 if dtype == "float32" else 1e-12)
            if 7 <= found[n] < 8:
                expected_last[n] = k * dt
        assert host(pop.state["t_last_spike"]).tolist() == expected_last


@pytest.mark.parametrize("method", ["exp_euler", "rk4", "midpoint"])
def test_stages_see_a_later_time_since_the_spike(everywhere, method):
    """u' = t - t_last_spike from 2 on: u grows by 2 h + h^2/2, exactly by methods of order 2."""
    model = Model("Stage", "du/dt = t - t_last_spike\ndV/dt = 0", threshold="V > 1", initial={"t_last_spike": -2.0})
    pop = model.population(1, dt=0.5, backend=everywhere, dtype="float64", method=method)
    pop.step()
    assert float(host(pop.u)[0]) == pytest.approx(1.0 if method == "exp_euler" else 1.125, abs=1e-15)


def test_a_reset_reads_the_interval_and_later_events_the_new_time(everywhere):
    model = RAMP.variant(
        reset="V = 0; u = t - t_last_spike",
        equations="dV/dt = I\ndu/dt = 0\ndw/dt = 0",
        events={"late": iz.Event("t - t_last_spike > 1.25", "w = w + 1", trigger="level")},
        initial={"t_last_spike": 0.0},
    )
    found = follow(model, 6, everywhere, ("V", "u", "w"), I=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert [s for s, *_ in found] == [False, False, False, True, False, False]
    assert found[3] == (True, 0.0, 1.5, 0.0) and found[5][3] == 0.0


# -- arrivals -----------------------------------------------------------------------------------------------------------

SYNAPSE = Model(
    "Synapse",
    "dg/dt = -g/4\ndh/dt = 0",
    on_event={"a": "g = g + a*(1 - g); h = h + 1", "b": "g = 2*g"},
)


def synapse(a, b, steps, shape):
    g, h = np.zeros(shape), np.zeros(shape)
    for k in range(steps):
        g = g * np.exp(-0.5 / 4)
        x, y = (np.broadcast_to(value[k] if value.ndim == len(shape) + 1 else value, shape) for value in (a, b))
        g = np.where(x != 0, g + x * (1 - g), g)
        h = h + (x != 0)
        g = np.where(y != 0, 2 * g, g)
    return g, h


@pytest.mark.parametrize("form", ["number", "per neuron", "in time", "for all in time", "batch", "delivered"])
def test_arrivals_come_in_the_shapes_of_inputs(everywhere, form):
    rng, n, steps = np.random.default_rng(3), 5, 12
    sparse = np.where(rng.random((steps, n)) < 0.3, 0.5, 0.0)
    given = {
        "number": (0.25, np.zeros(n)),
        "per neuron": (np.array([0.5, 0, 0.25, 0, 1.0]), np.array([0, 1, 0, 1, 0.0])),
        "in time": (sparse, sparse[::-1]),
        "for all in time": (sparse[:, :1], sparse[:, 1:2]),
        "batch": (np.where(rng.random((steps, 2, n)) < 0.3, 0.5, 0.0), np.zeros((steps, 2, n))),
        "delivered": (sparse, np.zeros((steps, n))),
    }
    a, b = given[form]
    pop = SYNAPSE.population(n, dt=0.5, backend=everywhere, dtype="float64", batch=2 if form == "batch" else None)
    arriving = a
    if form == "delivered":
        k, neurons = np.nonzero(sparse)
        arriving = iz.inputs.spikes((k + 0.5) * 0.5, neurons, weight=0.5)
    pop.run(steps=steps, a=arriving, b=b)
    shape = (2, n) if form == "batch" else (n,)
    g, h = synapse(np.asarray(a, float), np.asarray(b, float), steps, shape)
    np.testing.assert_allclose(host(pop.g), g, rtol=1e-12)
    np.testing.assert_array_equal(host(pop.h), h)


def test_poisson_arrivals_are_the_same_everywhere(everywhere):
    runs = {}
    for backend in ("numpy", everywhere):
        pop = SYNAPSE.population(257, dt=0.5, backend=backend, dtype="float64", seed=4)
        pop.run(steps=40, a=iz.inputs.poisson(200.0, weight=0.25))
        runs[backend] = host(pop.h)
    np.testing.assert_array_equal(runs["numpy"], runs[everywhere])
    assert 0 < runs["numpy"].mean() < 40 * 0.2


def test_an_input_that_is_not_given_lets_nothing_arrive(everywhere):
    pop = SYNAPSE.population(3, dt=0.5, backend=everywhere)
    pop.run(steps=5)
    assert not host(pop.h).any()
    with pytest.raises(iz.IzhigenError, match="input .a. of neuron 0 is infinite or undefined"):
        pop.run(steps=2, a=np.nan)


# -- noise that reads states ----------------------------------------------------------------------------------------------


def test_noise_may_read_states():
    """dX = s X dW (Ito): the mean stays, the mean of squares grows as exp(s^2 t), here up to the step's error of 1 %."""
    model = Model("Geometric", "dX/dt = 0", initial={"X": 1.0}).with_noise(X="0.2*X")
    assert "Ito: its amplitude is that at the step's start" in model.derive().report()
    pop = model.population(200_000, dt=0.1, backend="c", dtype="float64", seed=3)
    pop.run(10.0)
    assert pop.X.mean() == pytest.approx(1.0, abs=5 * 0.7 / np.sqrt(200_000))
    assert (pop.X**2).mean() == pytest.approx(np.exp(0.04 * 10), rel=0.02)


@pytest.mark.parametrize("method", ["exp_euler", "euler", "rk4"])
def test_noise_of_states_lines_and_inputs_is_alike(everywhere, method):
    equations = "dV/dt = -V/5 + I + w\ndw/dt = (V - w)/20\nx = abs(V) + 0.1"
    model = Model("Noisy", equations, inputs=["I"]).with_noise(V="0.3*sqrt(x)", w="0.05*I*V")
    runs = {}
    for backend in ("numpy", everywhere):
        pop = model.population(40, dt=0.1, backend=backend, dtype="float64", method=method, seed=8)
        pop.run(steps=60, I=np.linspace(0.5, 2, 40))
        runs[backend] = np.stack([host(pop.V), host(pop.w)])
    np.testing.assert_allclose(runs[everywhere], runs["numpy"], rtol=1e-11, atol=1e-12)


# -- populations ----------------------------------------------------------------------------------------------------------

MANY = Model(
    "Many",
    "dV/dt = (1.5*I - V)/6 + 0.2*s\nds/dt = -s/4 + 0.01*exp(-(t - t_last_spike)/5)\nx = V + s",
    threshold="x >= 0.9 + 0.1*old(s)",
    reset="V = 0.1; s = s + new(V)",
    trigger="level",
    inputs=["I"],
    on_event={"a": "s = s + a*(1 - s)"},
    events={"low": iz.Event("V < 0.3", "s = s*0.9"), "cross": iz.Event("s > 0.5", trigger="rising")},
).with_refractory(1.2, hold=["V"])


def drive(size, steps=80):
    rng = np.random.default_rng(size)
    arrivals = np.where(rng.random((steps, size)) < 0.1, 0.4, 0.0)
    return {"I": rng.normal(1.0, 1.0, (steps, size)), "a": arrivals}


@pytest.mark.parametrize("size", [1, 255, 256, 257])
def test_sizes_and_cuts(everywhere, size):
    states, spikes = {}, {}
    for backend, cuts in (("numpy", (80,)), (everywhere, (80,)), (everywhere, (1, 2, 30, 47))):
        pop, done, found = MANY.population(size, dt=0.25, backend=backend, dtype="float64"), 0, []
        for steps in cuts:
            inputs = {name: values[done : done + steps] for name, values in drive(size).items()}
            recording = pop.run(steps=steps, **inputs).to_host()
            found += list(zip(recording.spikes[0].tolist(), recording.spikes[1].tolist()))
            done += steps
        states[backend, cuts], spikes[backend, cuts] = np.stack([host(pop.V), host(pop.s)]), found
    reference = ("numpy", (80,))
    for key, values in states.items():
        np.testing.assert_allclose(values, states[reference], rtol=1e-11, atol=1e-12)
        assert spikes[key] == spikes[reference]
    assert spikes[reference]


def test_parameters_per_neuron_threads_and_copies():
    inputs = drive(600)
    runs = []
    for threads in (1, 2):
        pop = MANY.population(600, dt=0.25, threads=threads, dtype="float64", tau_ref=np.linspace(0.0, 3.0, 600))
        pop.run(steps=30, **{k: v[:30] for k, v in inputs.items()})
        twin = copy.deepcopy(pop)
        for one in (pop, twin):
            one.run(steps=50, **{k: v[30:] for k, v in inputs.items()})
            runs.append(np.stack([one.V, one.s, one.t_last_spike]))
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])


def test_several_devices_and_short_launches(device):
    inputs, expected = drive(300), None
    for options in ({}, {"steps_per_launch": 7}, {"sharding": [0, 0]}):
        pop = MANY.population(300, dt=0.25, backend="cuda", dtype="float32", **options)
        recording = pop.run(steps=80, **inputs).to_host()
        found = (recording.spikes[0].tolist(), recording.spikes[1].tolist(), host(pop.state["s"]).tolist())
        expected = found if expected is None else expected
        assert found == expected and found[0]


def test_scaled_units_leave_the_events_where_they_are(everywhere):
    model = Model(
        "Scaled",
        "dV/dt = (-65 - V + 10*I)/10 - w\ndw/dt = (0.1*(V + 65) - w)/30",
        threshold="V >= -50 + 0.1*old(w)",
        reset="V = -65; w = w + 0.01*(old(V) + 65) + 0.02*(new(V) + 65)",
        inputs=["I"],
        initial={"V": -65.0},
        events={"low": iz.Event("V < -64", "w = w + 0.05")},
        on_event={"a": "V = V + a*(0 - V)"},
    ).with_refractory(until="w < 3", hold="V")
    scaled = model.scaled((-65.0, -50.0), (0.0, 1.0))
    arrivals = {"a": np.where(np.random.default_rng(1).random((400, 3)) < 0.02, 0.05, 0.0)}
    plain = model.population(3, dt=0.1, backend=everywhere, dtype="float64")
    other = scaled.population(3, dt=0.1, backend=everywhere, dtype="float64")
    current = np.array([1.6, 2.5, 4.0])
    one = plain.run(steps=400, I=current, **arrivals).to_host()
    factor = 1 / 15 if "I" not in scaled.units else 1.0
    two = other.run(steps=400, I=current * factor, **arrivals).to_host()
    assert len(one.spikes[0]) > 5 and one.spikes[0].tolist() == two.spikes[0].tolist()
    np.testing.assert_allclose(host(other.V), (host(plain.V) + 65) / 15, rtol=1e-9, atol=1e-9)


def test_two_parts_are_as_one_written_model(everywhere):
    part = {
        "equations": "ds/dt = -s/tau",
        "current": "g*s*(E - V)",
        "on_event": {"arrival": "s = s + arrival*(1 - s)"},
        "parameters": {"tau": 5.0, "g": 0.4, "E": 2.0},
    }
    cell = Model("Cell", "dV/dt = (I - V)/10", threshold="V >= 1", reset="V = 0", inputs=["I"])
    composed = cell.with_part(**part, prefix="e").with_part(**part, prefix="i").variant(i_E=-1.0, i_tau=9.0)
    written = Model(
        "Cell",
        "dV/dt = (I + 0.4*p*(2 - V) + 0.4*q*(-1 - V) - V)/10\ndp/dt = -p/5\ndq/dt = -q/9",
        threshold="V >= 1",
        reset="V = 0",
        inputs=["I"],
        on_event={"a": "p = p + a*(1 - p)", "b": "q = q + b*(1 - q)"},
    )
    rng, runs = np.random.default_rng(2), []
    a, b = (np.where(rng.random((300, 20)) < 0.05, 0.5, 0.0) for _ in range(2))
    liquid = composed.with_liquid_time_constant()
    for model, names in ((liquid, ("e_arrival", "i_arrival")), (written, ("a", "b"))):
        pop = model.population(20, dt=0.1, backend=everywhere, dtype="float64")
        recording = pop.run(steps=300, I=1.6, **dict(zip(names, (a, b)))).to_host()
        runs.append((recording.spikes, host(pop.V)))
    assert runs[0][0][0].tolist() == runs[1][0][0].tolist() and len(runs[0][0][0]) > 10
    np.testing.assert_allclose(runs[0][1], runs[1][1], rtol=1e-10)
