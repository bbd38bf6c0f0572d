"""A network, which a user holds: populations, and the connections between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from izhigen.backends.engine import LONGEST_BLOCK
from izhigen.errors import NetworkError, RecordingError, ValueShapeError, shown, suggest
from izhigen.inputs.drawing import stream_of
from izhigen.inputs.feeds import held_values
from izhigen.inputs.stimuli import poisson
from izhigen.loading import load
from izhigen.model.model import Declaration
from izhigen.model.synapse import ARRIVALS
from izhigen.network.connect import Ends, Rule, all_to_all, read_rule
from izhigen.network.connection import Connection, in_type
from izhigen.network.delivery import CDelivery, Channel, Delivery, NumpyDelivery
from izhigen.network.driver import Driver
from izhigen.network.members import NetworkPopulation
from izhigen.network.recording import NetworkRecording
from izhigen.network.rows import Waiting, check_room, make_rows
from izhigen.network.running import NetworkRunner, Part
from izhigen.network.sources import SENT, check_rate, given_spikes, source_model
from izhigen.network.values import Drawing, Given, Space, by_name, generator, read_positions
from izhigen.population.checks import check_dtype, check_seed, read_options
from izhigen.population.exclusive import Use, exclusive
from izhigen.population.progress import Progress, progress_bar, read_progress
from izhigen.population.run import find_engine_and_feeds, run_subject
from izhigen.population.values import plain_values
from izhigen.recording.plan import RecordingPlan
from izhigen.scalars import check_count, read_flag
from izhigen.signals import Interruptible
from izhigen.timegrid import check_dt, count_steps

Array = Any

BACKENDS = ("c", "numpy")
"""Backends that networks run on."""


class Network:
    """Populations that send each other spikes.

    All populations make steps together: as many as the shortest delay allows, and then what they sent is delivered.

    >>> import izhigen as iz
    >>> net = iz.Network(dt=0.1, seed=1)
    >>> exc = net.population("exc", "RS", 80)
    >>> inh = net.population("inh", "FS", 20)
    >>> made = net.connect(exc, [exc, inh], to="V", rule=iz.connect.fixed_probability(0.1), weight=0.5, delay=1.5)
    >>> rec = net.run(100.0, inputs={"exc": {"I": 10.0}})
    >>> len(rec["exc"].spike_times) > 80
    True

    Parameters
    ----------
    dt : float
        Step in ms.
    seed : int
        Keys all that is drawn: synapses by their connection, noise and values by the name of their population.
    threads : int
        Results are the same bits for any number.
    backend : {"c", "numpy"}
    dtype : {"float32", "float64"}
    method : str
        Integration method of the populations that are given none of their own.
    """

    def __init__(
        self,
        *,
        dt: float = 0.1,
        seed: int = 0,
        threads: int = 1,
        backend: str = "c",
        dtype: DTypeLike = "float32",
        method: str = "exp_euler",
    ) -> None:
        if backend not in BACKENDS:
            raise NetworkError(f"backend={shown(backend)}: networks run on {' and '.join(BACKENDS)}")
        self._dt, self._seed, self._threads = check_dt(dt), check_seed(seed), check_count("threads", threads)
        self._backend, self._dtype, self._method = backend, check_dtype(dtype), method
        self._uses: dict[str, Use] = {}
        self._populations: dict[str, NetworkPopulation] = {}
        self._connections: list[Connection] = []
        self._waiting: dict[tuple[str, str], Waiting] = {}
        self._sent: dict[str, Any] = {}
        self._delivery: Delivery | None = None
        self._steps_done = 0

    # -- building ---------------------------------------------------------------------------------------------------

    @exclusive
    def population(
        self,
        name: str,
        model: Declaration | str,
        size: int | tuple[int, ...] = 1,
        *,
        positions: Any = None,
        method: str | None = None,
        **values: Any,
    ) -> NetworkPopulation:
        """Add a population.

        Parameters
        ----------
        name : str
            What recordings and messages call it; its noise and what is drawn for it depend on the seed and this name.
        model : Model or str
            A model, or what :func:`izhigen.load` takes.
        size : int or tuple of int
        positions : array, shape (n, 1 to 3), optional
            Where its neurons are, for rules and weights that read distances.
        method : str, optional
            Another integration method than the network's.
        **values
            Parameters and initial states, as :meth:`izhigen.Model.population` takes them.

        Returns
        -------
        NetworkPopulation
            Its states and parameters are live; the network makes its steps.

        Raises
        ------
        NetworkError
            For a name that is there already, and positions that do not fit.
        ValueShapeError
            For values that do not fit.
        """
        is_text = isinstance(name, str) and name.isprintable() and name == name.strip() != ""
        if not is_text or set(name) & set("/\\"):
            raise NetworkError(f"name={shown(name)}: a population's name is printable text without '/' and backslashes")
        if name in self._populations:
            raise NetworkError(f"a population is called {shown(name)} already; give this one another name")
        model = load(model) if isinstance(model, str) else model
        if not isinstance(model, Declaration):
            raise NetworkError(f"population {shown(name)}: {shown(model)} is no model; give one, or its library name")
        options = read_options(
            size,
            dt=self._dt,
            method=self._method if method is None else method,
            spike_timing="step",
            backend=self._backend,
            dtype=self._dtype,
            threads=self._threads,
            seed=(self._seed ^ stream_of(f"population {name}")) & (2**64 - 1),
            batch=None,
            device=None,
            sharding=None,
            steps_per_launch=None,
            training=None,
        )
        made = NetworkPopulation.from_options(model, options, values)
        made.join(name, read_positions(positions, made.neurons.layout.count, name), self._uses, self._steps_done)
        self._populations[name] = made
        return made

    def spikes(self, name: str, times: Any, indices: Any = None, *, size: int | None = None) -> NetworkPopulation:
        """Add a population that sends given spikes.

        Parameters
        ----------
        name : str
        times : array, shape (m,), or Recording
            ms since the last reset, above 0; a spike is of the step that ends then, or in which its time lies. A
            recording sends its spikes again.
        indices : array of int, shape (m,)
            The source of each.
        size : int, optional
            Number of sources; by default as many as the indices need.

        Raises
        ------
        NetworkError
            For two spikes of a source in one step, a time that is not above 0, and an index beyond the size.
        ValueShapeError
            For arrays that do not fit each other.
        """
        count, sent = given_spikes(times, indices, size, self._dt, f"spikes {shown(name)}")
        made = self.population(name, source_model(), count)
        self._sent[name] = sent
        return made

    def poisson(self, name: str, n: int, rate: Any) -> NetworkPopulation:
        """Add a population of Poisson processes, each of which sends at most one spike a step.

        Processes that each drive a neuron of their own need no population: ``inputs={"exc": {"g_e_delta":
        iz.inputs.poisson(1000.0, weight=0.1)}}`` draws any number of events a step.

        Parameters
        ----------
        name : str
        n : int
            Number of sources.
        rate : float, array of shape (n,), or text in t
            Hz.

        Raises
        ------
        NetworkError
            For what is no rate.
        ValueShapeError
            For a rate that is negative or of another shape; text is looked at when it runs.
        """
        check_rate(rate, f"poisson {shown(name)}")
        sent = poisson(rate)
        made = self.population(name, source_model(), n)
        self._sent[name] = sent
        return made

    @overload
    def connect(
        self,
        source: NetworkPopulation | str,
        target: NetworkPopulation | str,
        *,
        to: str,
        rule: Rule | str | None = None,
        weight: Given = None,
        delay: Given = None,
    ) -> Connection: ...

    @overload
    def connect(
        self,
        source: NetworkPopulation | str,
        target: Sequence[NetworkPopulation] | list[str] | tuple[str, ...],
        *,
        to: str,
        rule: Rule | str | None = None,
        weight: Given = None,
        delay: Given = None,
    ) -> list[Connection]: ...

    @exclusive
    def connect(
        self,
        source: NetworkPopulation | str,
        target: NetworkPopulation | str | Iterable[NetworkPopulation | str],
        *,
        to: str,
        rule: Rule | str | None = None,
        weight: Given = None,
        delay: Given = None,
    ) -> Connection | list[Connection]:
        """Connect a population with another one, or with several.

        A spike of step k with a delay d is added, times the synapse's weight, at the end of the step that ends d ms
        later. What is added to an input is read in the step that begins there.

        Parameters
        ----------
        source : population or its name
        target : population or its name, or several of them
        to : str
            A state of the target, which jumps; an event input; or an input, which is held during one step. A synapse
            of :meth:`izhigen.Model.with_synapse` is called by its name.
        rule : rule or str
            One of ``izhigen.connect``, or a probability as text; by default all to all.
        weight : optional
            A number, an array (one a synapse by source and then target, or a matrix of sources by targets), text of
            ``i``, ``j`` and positions, a distribution of ``izhigen.distributions``, or a callable ``f(n, rng)`` of the
            number of synapses of one pair of populations and a generator keyed by the seed and the connection. In the
            unit of what it is added to; by default 1, or the values of a matrix.
        delay : optional
            In ms, in the same forms; at least dt, and a multiple of it (what is drawn or computed is rounded to one).
            By default dt.

        Returns
        -------
        Connection, or a list of them where several targets are given

        Raises
        ------
        NetworkError
            For populations of another network, a target that has nothing called so, a delay below dt or no multiple of
            it, values of another shape, and synapses that memory has no room for; no connection is then made.
        EquationError
            For text that is not in the equation language.
        """
        names = [self._name_of(source, "source")]
        several = not isinstance(target, (str, NetworkPopulation))
        targets = list(target) if several else [target]  # type: ignore[arg-type]
        if not targets:
            raise NetworkError("connect: no target is given")
        names += [self._name_of(each, "target") for each in targets]
        found = read_rule(all_to_all() if rule is None else rule)
        made: list[Connection] = []
        for name in names[1:]:
            made.append(self._made(names[0], name, to, found, weight, delay, made))
        self._connections += made
        self._delivery = None
        return made if several else made[0]

    def _name_of(self, population: Any, what: str) -> str:
        if isinstance(population, str):
            by_name({population: None}, self._populations, what)
            return population
        if isinstance(population, NetworkPopulation):
            for name, own in self._populations.items():
                if own is population:
                    return name
            raise NetworkError(f"{what}: {population!r} belongs to another network, or to none")
        raise NetworkError(f"{what}: {shown(population)} is no population of the network, nor the name of one")

    def _made(
        self, source: str, target: str, to: str, rule: Rule, weight: Any, delay: Any, others: Sequence[Connection]
    ) -> Connection:
        """One connection, between two populations."""
        one, other = (self._populations[name] for name in (source, target))
        where = f"connection {source} to {target}.{to}"
        if one.model.threshold is None:
            raise NetworkError(f"{where}: model {one.model.name!r} has no threshold, so it sends no spikes")
        receiver, late = self._receiver(other, to, where)
        same = [c for c in (*self._connections, *others) if (c.source, c.target, c.to) == (source, target, to)]
        names = ("connection", source, target, to, str(len(same)))
        shape = one.neurons.layout.count, other.neurons.layout.count
        space = Space(one.positions, other.positions)
        ends = Ends(
            *shape,
            source == target,
            generator(self._seed, *names, "rule"),
            partial(_probability, space, f"{where}: rule"),
        )
        check_room(rule.expected(ends), where)
        try:
            pairs = rule.draw(ends)
            drawing = Drawing(pairs, where, self._seed, names, space, shape)
            given = 1.0 if weight is None and pairs.weights is None else weight
            unit = other.model.unit_of(receiver.removesuffix("_delta") if late == 0 else receiver)
            numbers = pairs.weights if given is None else drawing.read(given, "weight", unit)
            weights = in_type(np.asarray(numbers), self._dtype, where)
            delays = drawing.delays(self._dt if delay is None else delay, self._dt)
            rows = make_rows(*shape, pairs.source, pairs.target, weights, delays + late, self._parts)
        except MemoryError as problem:
            raise NetworkError(f"{where}: memory has no room for its synapses; take fewer") from problem
        return Connection(source, target, to, receiver, rows, late, self._dt, self._forget_delivery)

    @property
    def _parts(self) -> int:
        return self._threads if self._backend == "c" else 1

    def _forget_delivery(self) -> None:
        self._delivery = None

    @staticmethod
    def _receiver(target: NetworkPopulation, to: Any, where: str) -> tuple[str, int]:
        """The kernel's input that takes what arrives, and by how many steps it is read later than a jump."""
        model = target.model
        known = (*model.states, *model.inputs)
        if not isinstance(to, str):
            raise NetworkError(f"{where}: to={shown(to)} is no name of a state or an input of model {model.name!r}")
        if f"{to}{ARRIVALS}" in model.on_event:
            return f"{to}{ARRIVALS}", 0
        if to in model.on_event:
            return to, 0
        if to in model.inputs:
            return to, 1
        if to in model.states:
            return f"{to}_delta", 0
        raise NetworkError(
            f"{where}: model {model.name!r} has no state or input {shown(to)}{suggest(to, known)} "
            f"(states: {', '.join(model.states)}; inputs: {', '.join(model.inputs) or 'none'})"
        )

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def populations(self) -> Mapping[str, NetworkPopulation]:
        """The populations by name, in the order in which they were added."""
        return dict(self._populations)

    @property
    def connections(self) -> list[Connection]:
        """The connections, in the order in which they were made."""
        return list(self._connections)

    @property
    def dt(self) -> float:
        """Step in ms."""
        return self._dt

    @property
    def t(self) -> float:
        """Time in ms: the number of steps since the last reset times dt."""
        return self._steps_done * self._dt

    def __reduce__(self) -> Any:
        raise NetworkError("a network cannot be copied or pickled; make it again from the same seed")

    def __repr__(self) -> str:
        neurons = sum(p.neurons.layout.count for p in self._populations.values())
        synapses = sum(map(len, self._connections))
        return (
            f"<Network of {len(self._populations)} populations ({neurons:,} neurons), {synapses:,} synapses, "
            f"dt={self._dt:g} ms, {self._backend}, {self._dtype.name}, t={self.t:g} ms>"
        )

    # -- running ----------------------------------------------------------------------------------------------------

    @exclusive
    def reset(self) -> None:
        """Set all states to their initial values and time to 0; nothing is on its way any more."""
        for population in self._populations.values():
            population.neurons.begin(population.neurons.layout)
        for waiting in self._waiting.values():
            waiting.rows[...] = 0
        self._steps_done = 0

    @property
    def _least(self) -> int:
        """Steps that populations may make before spikes are exchanged."""
        delays = [c.rows.least_delay for c in self._connections if len(c)]
        return min([*delays, LONGEST_BLOCK])

    def _prepare(self) -> Delivery:
        """Room for what is on its way, and what delivers."""
        if self._delivery is None:
            least = self._least
            most: dict[tuple[str, str], int] = {}
            for c in self._connections:
                key = (c.target, c.receiver)
                most[key] = max(most.get(key, 1), c.rows.most_delay if len(c) else 1)
            for key, longest in most.items():
                length = -(-(longest + 1) // least) * least
                if key not in self._waiting:
                    count = self._populations[key[0]].neurons.layout.count
                    self._waiting[key] = Waiting(count, self._dtype, length)
                elif len(self._waiting[key].rows) != length:
                    length = max(length, -(-len(self._waiting[key].rows) // least) * least)
                    self._waiting[key] = self._waiting[key].resized(length, self._steps_done)
            channels = [
                Channel(
                    waiting,
                    [(c.source, c.rows) for c in self._connections if (c.target, c.receiver) == key and len(c)],
                )
                for key, waiting in self._waiting.items()
            ]
            if self._backend == "c":
                self._delivery = CDelivery(channels, self._dtype, self._parts)
            else:
                self._delivery = NumpyDelivery(channels)
        return self._delivery

    @exclusive
    def run(
        self,
        duration: float | None = None,
        *,
        steps: int | None = None,
        record: Mapping[str, Any] | str | Iterable[str] | None = None,
        every: int = 1,
        neurons: Mapping[str, Any] | None = None,
        progress: Progress = None,
        check_finite: bool = True,
        out: str | Path | None = None,
        inputs: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> NetworkRecording:
        """Advance all populations by a duration and write down what is asked for.

        Parameters
        ----------
        duration : float
            ms; a whole number of steps.
        steps : int
            Number of steps, in place of ``duration``.
        record : mapping, str or iterable of str, optional
            By population, as :meth:`izhigen.Population.run` takes it, as in ``{"exc": ["spike"], "inh": ["V"]}``;
            populations that are not named record nothing. Without a mapping, the same of all; by default the spikes.
        every : int
            Trace every that many steps; events are all kept.
        neurons : mapping, optional
            By population, flat indices of the neurons to record.
        progress : bool or bar, optional
        check_finite : bool
            Look for infinite or undefined states after every exchange of spikes.
        out : str or Path, optional
            A new folder, with a Zarr store for each recorded population, ``<out>/<name>.zarr``.
        inputs : mapping, optional
            By population, its inputs by name in all forms of :meth:`izhigen.Population.run`.

        Returns
        -------
        NetworkRecording
            A mapping of recordings by population. Ctrl-C ends the run early and returns what was recorded until then.

        Raises
        ------
        NetworkError
            For a population that is not there.
        ValueShapeError
            For an unknown input or a wrong shape.
        NonFiniteError
            Naming the population, neuron and step; all populations are then left just before that step.
        """
        if not self._populations:
            raise NetworkError("the network has no population; add one with net.population(name, model, size)")
        check_finite, progress = read_flag(check_finite, "check_finite"), read_progress(progress)
        count = count_steps(duration, steps, self._dt)
        given = by_name(inputs, self._populations, "inputs")
        chosen = by_name(neurons, self._populations, "neurons")
        wanted = dict(by_name(record, self._populations, "record")) if isinstance(record, Mapping) else None
        delivery = self._prepare()
        ready = {
            name: self._ready(name, count, given.get(name)) for name in self._populations
        }  # kernels are built here
        asked = {name: record if wanted is None else wanted.get(name, []) for name in ready}
        driver = Driver(delivery, list(ready), self._threads) if isinstance(delivery, CDelivery) else None
        parts: list[Part] = []
        done, folder = 0, None if out is None else _new_folder(out)
        with Interruptible() as signals:
            try:
                for name, part in ready.items():
                    parts.append(self._with_plan(part, count, asked[name], every, chosen.get(name), folder))
                runner = NetworkRunner(parts, delivery, self._steps_done, self._least, check_finite, driver)
                try:
                    with progress_bar(progress, count, f"{count * self._dt:g} ms") as bar:
                        runner.run(count, signals.look, bar.update)
                finally:
                    done, self._steps_done = runner.done, self._steps_done + runner.done
                found = {part.name: part.plan.recording(done, signals.look()) for part in parts}
            except BaseException as problem:
                for part in parts:
                    part.plan.abandon(done, problem)
                if folder is not None and not done:
                    shutil.rmtree(folder, ignore_errors=True)  # it is of this call, and nothing is recorded in it
                raise
        return NetworkRecording(found if wanted is None else {name: found[name] for name in found if name in wanted})

    def _ready(self, name: str, count: int, inputs: Any) -> Part:
        """A population with the kernel and the inputs of a run."""
        population = self._populations[name]
        model = population.model
        if inputs is not None and not isinstance(inputs, Mapping):
            raise NetworkError(f"inputs of {name}: give them by name, as in {{'I': 5.0}}, not {shown(inputs)}")
        own = {SENT: self._sent[name]} if name in self._sent else {}
        given = plain_values(model, {**own, **({} if inputs is None else inputs)})
        waiting = {receiver: w for (target, receiver), w in self._waiting.items() if target == name}
        names, deltas = population.input_names((*given, *(n for n in waiting if n not in given)))
        find_engine = partial(population.find_engine, deltas)
        engine, feeds = find_engine_and_feeds(population.neurons, names, given, count, find_engine, tuple(waiting))
        return Part(name, population, engine, feeds, waiting, frozenset(given) & frozenset(waiting))

    def _with_plan(self, part: Part, count: int, record: Any, every: int, chosen: Any, out: Path | None) -> Part:
        """The same with what it writes down."""
        model = part.population.model
        held = {n: None if n in part.waiting else held_values(feed, count) for n, feed in part.feeds.items()}
        subject = run_subject(part.population.neurons, held, part.engine, self._backend, ())
        record = [] if record is None and model.threshold is None else record
        place = None if out is None or record == [] else out / f"{part.name}.zarr"
        part.plan = RecordingPlan(subject, count, record, every, chosen, place)
        return part


def _new_folder(out: Any) -> Path:
    """The folder that recordings go to, made now."""
    if not isinstance(out, (str, Path)) or not str(out):
        raise ValueShapeError(f"out={shown(out)} is not a path of a folder such as 'run'")
    folder = Path(out)
    try:
        folder.mkdir()
    except FileExistsError:
        raise RecordingError(f"{folder} exists already; remove it or take another name") from None
    except OSError as problem:
        raise RecordingError(f"{folder} cannot be made: {problem.strerror or problem}") from None
    return folder


def _probability(space: Space, what: str, text: str, i: Array, j: Array) -> Array:
    return space.evaluate(text, i, j, what)


__all__ = ["Network"]
