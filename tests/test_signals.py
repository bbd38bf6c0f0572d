"""Interrupts at every instruction, two users at once, copies and pickles: state and time stay those of one step."""

import contextlib
import copy
import functools
import pickle
import signal
import sys
import threading

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import ConcurrentUseError, ValueShapeError
from izhigen.signals import SignalsDeferred
from tests.conftest import ROOT
from tests.helpers import host

RS = iz.load("RS")
PACKAGE = str(ROOT / "izhigen")


class Interrupter:
    """Calls a function before the k-th instruction of izhigen's code."""

    def __init__(self, k, act):
        self.left, self.act = k, act

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE) or "exclusive" in frame.f_code.co_filename:
            return self if "exclusive" in frame.f_code.co_filename else None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                self.act()
        return self

    def during(self, work):
        sys.settrace(self)
        try:
            work()
        finally:
            sys.settrace(None)


def interrupt():
    raise KeyboardInterrupt


def sound(pop, reference):
    """Whether the states are those of a population stepped as often as the time says."""
    steps = round(pop.t / pop.dt)
    return np.array_equal(host(pop.V), reference[steps])


def reference_of(**options):
    pop, found = RS.population(3, dt=0.1, **options), []
    for _ in range(4):
        found.append(host(pop.V).copy())
        pop.step(I=10.0)
    return found


@pytest.mark.parametrize("raised", [interrupt, lambda: signal.raise_signal(signal.SIGINT)], ids=["raise", "signal"])
def test_an_interrupt_at_any_instruction_of_a_step(raised, backend):
    if raised is interrupt and backend != "c":
        pytest.skip("the step is not one call of C code there: signals are held back instead")
    reference = reference_of(backend=backend)
    pop = RS.population(3, dt=0.1, backend=backend)
    pop.step(I=10.0)
    seen, k = set(), 0
    while True:
        k += 1 if backend == "c" else 37
        pop.reset()
        pop.step(I=10.0)
        tracer = Interrupter(k, raised)
        try:
            tracer.during(lambda: pop.step(I=10.0))
        except KeyboardInterrupt:
            seen.add(round(pop.t / pop.dt))
        assert sound(pop, reference), k
        if tracer.left > 0:
            break
    assert seen == {1, 2}


def test_a_signal_at_any_instruction_of_a_reset():
    pop = RS.population(3, dt=0.1)
    fresh, k = pop.V.copy(), 0
    while True:
        k += 3
        pop.reset()
        pop.step(I=10.0)
        stepped = pop.V.copy()
        tracer = Interrupter(k, lambda: signal.raise_signal(signal.SIGINT))
        with contextlib.suppress(KeyboardInterrupt):
            tracer.during(pop.reset)
        np.testing.assert_array_equal(pop.V, fresh if pop.t == 0 else stepped)
        if tracer.left > 0:
            break


def test_handlers_come_back_and_signals_are_raised_after():
    came = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        with SignalsDeferred():
            signal.raise_signal(signal.SIGINT)
            assert came == []
        assert came == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, previous)
    with pytest.raises(KeyboardInterrupt), SignalsDeferred():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is previous


def test_a_handler_that_a_library_puts_before_pythons_ends_a_run_too():
    """As Brian2 does where it is imported: its handler calls the one before it while no network of its own runs."""

    def outcomes():
        for k in range(1, 40_000, 397):
            pop, found = RS.population(100, dt=0.1), []
            tracer = Interrupter(k, lambda: signal.raise_signal(signal.SIGINT))
            try:
                tracer.during(lambda pop=pop, found=found: found.append(pop.run(20.0, I=10.0, record="V")))
            except KeyboardInterrupt:
                yield "raised"
            else:
                yield found[0].interrupted, len(found[0].t) == round(pop.t / 0.1)
            if tracer.left > 0:
                break

    RS.population(100, dt=0.1).run(20.0, I=10.0, record="V")
    expected, previous = list(outcomes()), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, functools.partial(previous))
    try:
        found = list(outcomes())
    finally:
        signal.signal(signal.SIGINT, previous)
    assert found == expected and {"raised", (True, True), (False, True)} == set(found)


def test_a_handler_of_the_users_own_decides_on_a_run():
    pop, came = RS.population(100, dt=0.1), []
    previous = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        tracer = Interrupter(2000, lambda: signal.raise_signal(signal.SIGINT))
        found = []
        tracer.during(lambda: found.append(pop.run(100.0, I=10.0)))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert not found[0].interrupted and came == [signal.SIGINT] and pop.t == pytest.approx(100.0)


def test_two_threads_at_once_are_refused():
    pop = RS.population(200_000, dt=0.1)
    reference = copy.copy(pop)
    thread = threading.Thread(target=lambda: pop.run(steps=2000, I=10.0))
    thread.start()
    refused = 0
    while thread.is_alive():
        for use in (pop.reset, pop.step, lambda: setattr(pop, "V", 0.0), lambda: copy.copy(pop)):
            try:
                use() if pop.t < 150 and pop._uses else None
            except ConcurrentUseError as problem:
                refused += 1
                assert "another thread" in str(problem)
    thread.join()
    reference.run(steps=2000, I=10.0)
    assert refused > 0 and pop.t == reference.t
    np.testing.assert_array_equal(pop.V, reference.V)


def test_use_from_within_is_refused_and_the_population_free_after_errors():
    pop = RS.population(2, dt=0.1)
    with pytest.raises(ValueShapeError, match="same thread"):
        pop.V = lambda n, rng: pop.step() * 1.0
    with pytest.raises(ValueShapeError):
        pop.run(-1.0)
    pop.step()


DUPLICATES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


def population(backend):
    return RS.with_noise(V=1.0).population(
        40, dt=0.1, backend=backend, a=lambda n, rng: rng.uniform(0.01, 0.03, n), V=np.full(40, -60.0), seed=3, batch=2
    )


@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_a_copy_goes_on_bit_for_bit_and_is_its_own(duplicate, backend):
    pop = population(backend)
    pop.run(10.0, I=10.0)
    pop.d = 7.0
    other = duplicate(pop)
    assert other.t == pop.t and other.shape == pop.shape and other.backend == backend
    before = host(pop.V).copy()
    theirs = other.run(20.0, I=12.0, record=["V", "spike"]).to_host()
    np.testing.assert_array_equal(host(pop.V), before)
    ours = pop.run(20.0, I=12.0, record=["V", "spike"]).to_host()
    np.testing.assert_array_equal(ours["V"], theirs["V"])
    np.testing.assert_array_equal(ours.spikes, theirs.spikes)
    other.reset(batch=3)
    pop.reset(batch=3)
    np.testing.assert_array_equal(host(other.a), host(pop.a))


@pytest.mark.parametrize(("how", "dtype"), [("copy", "float32"), ("deepcopy", "float32"), ("pickle", "float64")])
@pytest.mark.sample(4)
def test_a_copy_goes_on_with_the_same_counts_and_spikes(how, backend, dtype):
    """Amid a block of four steps, of which random words are kept; with stimuli that are copied too."""
    duplicate = DUPLICATES[how]
    rng = np.random.default_rng(1)
    drive = iz.inputs.poisson(rng.uniform(0.0, 9e3, 40), weight=2.0, n=2)
    spikes = iz.inputs.spikes(rng.uniform(0.0, 40.0, 500), rng.integers(0, 40, 500), weight=rng.normal(0.0, 3.0, 500))
    feeds = {"I": drive + 4.0, "V_delta": iz.inputs.poisson("2e3*(1 + sin(t))", weight=0.5) + spikes}

    def begun():
        pop = RS.with_refractory(1.0).with_noise(V=1.0).population(40, dt=0.1, backend=backend, dtype=dtype, seed=2**63)
        pop.run(steps=101, **feeds)
        for _ in range(5):
            pop.step(**feeds)
        return pop

    def finished(pop, feeds):
        rows = [host(pop.step(**feeds)).copy()]
        recording = pop.run(steps=150, record="all", **feeds).to_host()
        pop.step(**feeds)
        return [*rows, *(recording[name] for name in recording.names), *(host(pop.state[s]) for s in pop.model.states)]

    pop = begun()
    other, theirs = duplicate(pop), {name: duplicate(stimulus) for name, stimulus in feeds.items()}
    wanted = finished(begun(), feeds)
    assert any(np.any(spiked) for spiked in wanted if spiked.dtype == bool)
    for found in (finished(other, theirs), finished(pop, feeds), finished(duplicate(begun()), theirs)):
        for ours, expected in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(
    "value",
    [
        np.ma.masked_equal([1.0, 2.0, 3.0], 2.0),
        [np.ma.masked_equal([1.0], 1.0), 2.0, 3.0],
        np.ma.masked,
        lambda n, rng: np.ma.masked_less(rng.normal(size=n), 9.0),
    ],
    ids=["array", "in a list", "constant", "from a callable"],
)
def test_masked_numbers_are_refused(value):
    pop = RS.population(3, dt=0.1)
    for use in (
        lambda: RS.population(3, a=value),
        lambda: RS.population(3, V=value),
        lambda: setattr(pop, "V", value),
        lambda: setattr(pop, "a", value),
    ):
        with pytest.raises(ValueShapeError, match="masked"):
            use()


def test_models_recordings_and_stimuli_are_pickled():
    recording = RS.population(2, dt=0.1).run(5.0, record=["V", "spike"])
    again = pickle.loads(pickle.dumps(recording))
    np.testing.assert_array_equal(again["V"], recording["V"])
    assert pickle.loads(pickle.dumps(RS)) == RS
    stimulus = iz.inputs.ramp(0, 1, 10.0) + iz.inputs.wiener(10.0, seed=1)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stimulus)).sample(0.1), stimulus.sample(0.1))


def test_inputs_lists_inputs_only():
    assert set(dir(iz.inputs)) == set(iz.inputs.__all__)
