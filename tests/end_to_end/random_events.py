"""Random models with events, and an oracle that makes their steps neuron by neuron from the text, with Python's own ``eval``.

The oracle shares no code with izhigen. It follows the order that the documentation gives: integrate; jumps; arrivals in order of
declaration; hold; events, the spike first; commit.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, field

import numpy as np

DT = 0.25
STATES = ("V", "w", "g")
PARAMETERS = {"p": 0.7, "q": -0.4, "tau": 6.0}
FUNCTIONS = {
    "abs": abs,
    "exp": math.exp,
    "sin": math.sin,
    "tanh": math.tanh,
    "min": min,
    "max": max,
    "exprel": lambda z: math.expm1(z) / z if z else 1.0,
}


@dataclass
class Case:
    """A random model in words: what ``Model(...)`` and ``with_refractory`` are given, and what a run is."""

    odes: dict[str, str]
    line: str
    threshold: str | None
    reset: list[tuple[str, str]]
    trigger: str
    events: dict[str, tuple[str, list[tuple[str, str]], str]]
    on_event: dict[str, list[tuple[str, str]]]
    hold: tuple[str, ...] | None = None
    tau_ref: float | None = None
    until: str | None = None
    last_spike: float | None = None
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    initial: dict[str, np.ndarray] = field(default_factory=dict)

    def model(self, name="Random"):
        """The case as a model."""
        import izhigen as iz

        def text(assignments):
            return "; ".join(f"{state} = {value}" for state, value in assignments)

        equations = "\n".join([*(f"d{state}/dt = {side}" for state, side in self.odes.items()), f"x = {self.line}"])
        model = iz.Model(
            name,
            equations,
            threshold=self.threshold,
            reset=text(self.reset),
            trigger=self.trigger if self.threshold else "auto",
            events={key: iz.Event(condition, text(a), trigger) for key, (condition, a, trigger) in self.events.items()},
            on_event={key: text(assignments) for key, assignments in self.on_event.items()},
            parameters=PARAMETERS,
            inputs=["I"],
        )
        if self.tau_ref is not None:
            model = model.with_refractory(self.tau_ref, hold=self.hold)
        if self.until is not None:
            model = model.with_refractory(until=self.until, hold=self.hold)
        if self.last_spike is not None:
            model = model.variant(initial={"t_last_spike": self.last_spike})
        return model


def make_case(seed: int, neurons: int = 4, steps: int = 60) -> Case:
    """The random case of a seed."""
    rng = random.Random(seed)
    since = rng.random() < 0.3
    spikes = rng.random() < 0.9

    def number(low=-1.5, high=1.5):
        return f"{rng.uniform(low, high):.3f}"

    def factor(names):
        return rng.choice(
            [
                *names,
                *names,
                number(),
                "p",
                "q",
                f"tanh({rng.choice(names)})",
                f"sin({rng.choice(names)})",
            ]
        )

    def value(names):
        a, b = factor(names), factor(names)
        return rng.choice([a, f"{a} + {b}", f"{a} - 0.5*{b}", f"max({a}, {b})", f"min({a}, {b})", f"({a} + {b})/2"])

    def condition(moments=True):
        names = [*STATES, "x", *(f"old({s})" for s in STATES if moments), *(["old(x)"] if moments else [])]
        left = rng.choice(
            ["V", "V", "w", "g", "x", f"V - {rng.choice([name for name in names if name not in ('V', 'old(V)')])}"]
        )
        sign, right = (
            rng.choice([">=", ">", "<", "<="]),
            rng.choice([number(-0.6, 1.0), f"{number(0.2, 0.8)} + 0.2*{rng.choice(names)}"]),
        )
        first = f"{left} {sign} {right}"
        return (
            first
            if rng.random() < 0.7
            else f"({first}) {rng.choice(['and', 'or'])} not ({rng.choice(names)} > {number()})"
        )

    def assignments(extra=(), most=3):
        found, done = [], []
        for state in rng.sample(STATES, rng.randint(1, most)):
            names = [*STATES, "x", *extra, *(f"old({s})" for s in STATES), *(f"new({s})" for s in done)]
            if since and spikes and rng.random() < 0.2:
                names.append("exp(-abs(t - t_last_spike)/9)")
            found.append((state, f"tanh({value(names)})*1.5"))
            done.append(state)
        return found

    slow = "*exp(-abs(t - t_last_spike)/11)" if since and spikes else ""
    odes = {
        "V": f"(1.6*I - V)/tau + 0.3*tanh(w){slow}",
        "w": f"({factor(['V', 'g'])} - w)/4",
        "g": f"-g/{number(2, 9)} + 0.1*sin(V)",
    }
    events = {}
    for name in rng.sample(["end", "cross", "burst_end"], rng.randint(0 if spikes else 1, 3)):
        events[name] = (
            condition(),
            assignments(most=2) if rng.random() < 0.8 else [],
            rng.choice(["auto", "level", "rising"]),
        )
    case = Case(
        odes,
        value(["V", "w", "I", "g"]) + " + 0.1*g",
        condition() if spikes else None,
        assignments() if spikes and rng.random() < 0.85 else [],
        rng.choice(["auto", "level", "rising"]),
        events,
        {name: assignments((name,), 2) for name in rng.sample(["a", "b"], rng.randint(0, 2))},
    )
    watched = case.threshold is not None and re.search(r"\b[Vwg]\b", case.threshold)
    if watched and rng.random() < 0.7:
        case.hold = tuple(rng.sample(STATES, rng.randint(0, 3)))
        if rng.random() < 0.6:
            case.tau_ref = rng.choice([0.0, 0.25, 1.0, 2.6])
        else:
            case.until = condition(moments=False)
            if words_of(case, case.until) & {*STATES, "I"} <= set(case.hold):
                case.hold = ()  # else it would never end
    if since and spikes and rng.random() < 0.5:
        case.last_spike = rng.choice([-3.0, -0.25, -100.0])
    numbers = np.random.default_rng(seed)
    case.inputs["I"] = np.round(numbers.normal(0.8, 1.2, (steps, neurons)), 3)
    for name in case.on_event:
        case.inputs[name] = np.where(
            numbers.random((steps, neurons)) < 0.15, np.round(numbers.normal(0.3, 0.5, (steps, neurons)), 3), 0.0
        )
    for state in rng.sample(STATES, rng.randint(0, 2)):
        case.inputs[f"{state}_delta"] = np.where(
            numbers.random((steps, neurons)) < 0.1, np.round(numbers.normal(0, 0.4, (steps, neurons)), 3), 0.0
        )
    for state in STATES:
        case.initial[state] = np.round(numbers.normal(0, 0.7, neurons), 3)
    return case


def words_of(case: Case, text: str | None) -> set[str]:
    """The names that text reads, through the line too."""
    read = set(re.findall(r"\b[A-Za-z_]\w*\b", text or ""))
    return read | set(re.findall(r"\b[A-Za-z_]\w*\b", case.line)) if "x" in read else read


def is_affected(case: Case, condition: str, assignments: list[tuple[str, str]]) -> bool:
    """Whether assignments write a state that the condition reads, through the line too."""
    read = words_of(case, condition)
    now = words_of(case, re.sub(r"\bold\(\w+\)", "0", condition))
    return bool(read & {state for state, _ in assignments}), bool(now & set(STATES))


class Oracle:
    """The steps of a case, a neuron at a time."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.compiled: dict[str, object] = {}
        self.line = compile(case.line, "x", "eval")

    def evaluate(self, text, now, given, start=None, assigned=None):
        """Text with the states ``now``; at ``old(...)`` those at the ``start``, at ``new(...)`` those ``assigned``."""
        if text not in self.compiled:
            python = re.sub(r"\b(old|new)\((\w+)\)", r"\1_['\2']", text)
            self.compiled[text] = compile(python, text, "eval")

        def names(states):
            found = {**FUNCTIONS, **PARAMETERS, **given, **states}
            found["x"] = eval(self.line, dict(found))
            return found

        found = names(now)
        found["old_"] = names(start) if start is not None else {}
        found["new_"] = names({**now, **assigned}) if assigned is not None else {}
        return eval(self.compiled[text], found)

    def assign(self, assignments, now, given, start):
        """The states after assignments that all read ``now``, but for what they read by ``new(...)``."""
        assigned = {}
        for state, text in assignments:
            assigned[state] = self.evaluate(text, now, given, start, assigned)
        return {**now, **assigned}

    def happens(self, condition, assignments, trigger, now, given, start):
        writes, reads = is_affected(self.case, condition, assignments)
        rising = trigger == "rising" or (trigger == "auto" and reads and not writes)
        holds = self.evaluate(condition, now, given, start)
        return holds and not (rising and self.evaluate(condition, start, given, start))

    def run(self, method):
        """(step, neuron) of every event by its name, and the last states."""
        case = self.case
        found = {name: [] for name in (["spike"] if case.threshold else []) + list(case.events)}
        ends = {state: [] for state in STATES}
        steps, neurons = case.inputs["I"].shape
        written = {state for _, assignments, _ in case.events.values() for state, _ in assignments}
        reset = {state for state, text in case.reset if not words_of(case, text) - {*PARAMETERS, *FUNCTIONS}}
        quiet = (
            reset.intersection(case.hold or ()) - written
        )  # what a reset has made a value of parameters, and nothing changes
        muted = case.hold is not None and bool(words_of(case, case.threshold) & {*STATES, "I", "t"} - quiet)
        for k in range(neurons):
            now = {state: float(case.initial[state][k]) for state in STATES}
            last, flag = case.last_spike if case.last_spike is not None else -1e7, False
            for s in range(steps):
                t = s * DT
                given = {name: float(values[s, k]) for name, values in case.inputs.items()}
                given |= {"t": t, "dt": DT, "t_last_spike": last}
                start = dict(now)
                now = self.integrate(start, given, method)
                for state in STATES:
                    now[state] += given.get(f"{state}_delta", 0.0)
                for name, assignments in case.on_event.items():
                    if given[name] != 0:
                        now = self.assign(assignments, now, given, start)
                held = t - last <= case.tau_ref if case.tau_ref is not None else False
                if case.until is not None:
                    held = flag = flag and not self.evaluate(case.until, start, given)
                if held:
                    now |= {state: start[state] for state in case.hold}
                may = bool(case.threshold) and not (held and muted)
                if may and self.happens(case.threshold, case.reset, case.trigger, now, given, start):
                    found["spike"].append((s, k))
                    now, last, flag = self.assign(case.reset, now, given, start), t, True
                for name, (condition, assignments, trigger) in case.events.items():
                    given["t_last_spike"] = last  # this step, where the neuron has just spiked
                    if self.happens(condition, assignments, trigger, now, given, start):
                        found[name].append((s, k))
                        now = self.assign(assignments, now, given, start)
            for state in STATES:
                ends[state].append(now[state])
        return found, ends

    def integrate(self, start, given, method, length=DT):
        rates = {
            "V": -1 / PARAMETERS["tau"],
            "w": -1 / 4,
            "g": -1 / float(re.search(r"-g/([\d.]+)", self.case.odes["g"])[1]),
        }
        new = {}
        for state, side in self.case.odes.items():
            z = length * rates[state]
            gain = 1.0 if method == "euler" or z == 0 else math.expm1(z) / z
            new[state] = start[state] + length * gain * self.evaluate(side, start, given)
        return new
