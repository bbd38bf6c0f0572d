"""Tables of the documents, written from the saved figures between markers ``<!-- name:begin -->`` and ``<!-- name:end -->``.

python benchmarks/report.py
"""

from __future__ import annotations

import json
import re
import statistics
import textwrap
from collections.abc import Iterable
from typing import Any

from common import HERE, RESULTS

PAGES = tuple(HERE.parent / page for page in ("README.md", "docs/performance.md", "docs/cluster.md"))
Row = dict[str, Any]
TEN_BILLION = 1e10


def load(name: str) -> dict[str, Any]:
    """A results file."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def pick(rows: Iterable[Row], **wanted: Any) -> Row | None:
    """The first row with those values."""
    return next((r for r in rows if all(r.get(key) == value for key, value in wanted.items())), None)


def ratio(a: Row | None, b: Row | None) -> float | None:
    """Median over the rounds of how many times faster a is than b."""
    if a is None or b is None:
        return None
    return statistics.median(x / y for x, y in zip(a["values"], b["values"]))


def table(head: list[str], lines: Iterable[list[str]]) -> str:
    """Markdown."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines])


def rate(row: Row | None) -> str:
    """Millions of neuron-steps a second."""
    return "" if row is None else f"{row['rate'] / 1e6:,.0f}"


def times(value: float | None) -> str:
    """A ratio."""
    return "" if value is None else f"{value:.1f} x" if value < 99.5 else f"{value:.0f} x"


def on_machine(data: dict[str, Any]) -> str:
    """What figures were measured on, in a line."""
    machine = data["machine"]
    peers = "".join(f", {name} {machine[name]}" for name in ("brainpy", "jax", "brian2") if name in machine)
    load = f", load {machine['load']} before" if machine.get("load") is not None else ""
    return textwrap.fill(
        f"{machine['processor']}, {machine['cores']} core{'s' if machine['cores'] != 1 else ''}{load}, {machine['compiler']}, izhigen {machine['izhigen']}, "
        f"Python {machine['python']}, NumPy {machine['numpy']}{peers}; {machine['date']}.",
        118,
        break_on_hyphens=False,
    )


def sizes_table(rows: list[Row], sizes: Iterable[int], names: Iterable[str]) -> str:
    """Rates and ratios to the scalar loop, a column a size."""
    sizes = list(sizes)

    def cell(name: str, n: int) -> str:
        found, scalar = pick(rows, what=name, neurons=n), pick(rows, what="scalar loop", neurons=n)
        return (
            ""
            if found is None
            else rate(found)
            if name == "scalar loop"
            else f"{rate(found)} ({times(ratio(found, scalar))})"
        )

    lines = []
    for name in names:
        method = (pick(rows, what=name) or {}).get("method", "")
        lines.append(
            [
                name.replace("peak / 20", "one core's peak of multiply-adds / 20")
                + (f", {method}" if "Euler" in method and method != "exponential Euler" else ""),
                *(cell(name, n) for n in sizes),
            ]
        )
    return table(["", *(f"{n:,}" for n in sizes)], lines)


def same_work(peers: dict[str, Any]) -> str:
    """Spikes of every candidate over the same run."""
    return table(
        ["", "method", "spikes", "with noise"],
        [
            [entry["what"], entry["method"], f"{entry['spikes']:,}", _noisy(peers, entry["what"])]
            for entry in peers["same_work"]
            if not entry["noise"]
        ],
    )


def _noisy(peers: dict[str, Any], what: str) -> str:
    found = pick(peers["same_work"], what=what, noise=True)
    return "" if found is None else f"{found['spikes']:,}"


def noise(peers: dict[str, Any]) -> str:
    """Rates with additive noise."""
    rows = [r for r in peers["rows"] if r["section"] == "noise"]
    sizes = sorted({r["neurons"] for r in rows})
    return table(
        ["", *(f"{n:,}" for n in sizes)],
        [
            [
                name
                + (f", {method}" if (method := (pick(rows, what=name) or {})["method"]) != "exponential Euler" else ""),
                *(rate(pick(rows, what=name, neurons=n)) for n in sizes),
            ]
            for name in dict.fromkeys(r["what"] for r in rows)
        ],
    )


def costs(peers: dict[str, Any], section: str, base: str) -> str:
    """What a setting costs over another, in per cent of its time."""
    rows = [r for r in peers["rows"] if r["section"] == section]
    sizes = sorted({r["neurons"] for r in rows})

    def cell(name: str, n: int) -> str:
        found = ratio(pick(rows, what=base, neurons=n), pick(rows, what=name, neurons=n))
        return (
            ""
            if found is None
            else rate(pick(rows, what=name, neurons=n)) + ("" if name == base else f" ({found - 1:+.0%} time)")
        )

    return table(
        ["", *(f"{n:,}" for n in sizes)],
        [[name, *(cell(name, n) for n in sizes)] for name in dict.fromkeys(r["what"] for r in rows)],
    )


def startup(peers: dict[str, Any]) -> str:
    """Start-up and memory."""
    seconds, memory = peers["startup"], peers["memory"][0]
    return table(
        ["", ""],
        [
            ["`import izhigen`", f"{seconds['import']:.2f} s"],
            ["first step of a new model, after import", f"{seconds['first_step_cold']:.2f} s"],
            ["first step of a model built before, after import", f"{seconds['first_step_cached']:.2f} s"],
            [f"memory a neuron in float32, of {memory['neurons']:,}", f"{memory['after_run']:.1f} bytes"],
            ["the most at any time, while they are made", f"{memory['highest']:.1f} bytes"],
        ],
    )


def models(limits: dict[str, Any]) -> str:
    """Rate of each library model and share of the peak."""
    rows = [r for r in limits["rows"] if r["section"] == "many steps a call"]

    def cells(name: str, dtype: str) -> list[str]:
        found = pick(rows, what=name, dtype=dtype)
        return ["", ""] if found is None else [rate(found), f"{found['share_of_peak']:.0%}"]

    return table(
        ["model", "operations", "float32", "of peak / operations", "float64", "of peak / operations"],
        [
            [name, str((pick(rows, what=name) or {})["operations"]), *cells(name, "float32"), *cells(name, "float64")]
            for name in dict.fromkeys(r["what"] for r in rows)
        ],
    )


def machine_limits(limits: dict[str, Any]) -> str:
    """Peaks, copies, and one step a call beside a copy."""
    lines = [
        [f"multiply-adds of one core, {p['dtype']}", f"{p['multiply_adds_per_second'] / 1e9:.1f} G/s"]
        for p in limits["peaks"]
    ]
    lines += [
        [
            f"copy, {c['level']}, {c['threads']} thread{'s' if c['threads'] > 1 else ''}",
            f"{c['bytes_per_second'] / 1e9:.0f} GB/s",
        ]
        for c in limits["copies"]
    ]
    lines += [
        [
            f"Izhikevich, one step a call, {r['neurons']:,} neurons ({r['level']})",
            f"{rate(r)} M/s, {r['share_of_copy']:.0%} of a copy of {r['bytes_per_step']} bytes",
        ]
        for r in limits["rows"]
        if r["section"] == "one step a call"
    ]
    return table(["", ""], lines)


def steps(data: dict[str, Any]) -> str:
    """Rates over the length of a step."""
    rows, dtypes = data["rows"], ("float32", "float64")

    def cells(dt: float) -> list[str]:
        found = [pick(rows, dt=dt, dtype=dtype) for dtype in dtypes]
        return [cell for r in found if r for cell in (rate(r), f"{r['share_of_first']:.2f}")]

    lengths = sorted({r["dt"] for r in rows})
    head = [cell for dtype in dtypes for cell in (dtype, f"of dt = {lengths[0]:g}")]
    return table(["dt, ms", "form of phi1", *head], [[f"{dt:g}", _form(dt), *cells(dt)] for dt in lengths])


def _form(dt: float) -> str:
    """The form of phi1 that the threshold of Izhikevich's model allows at its default parameters."""
    return "short" if dt <= 0.135 else "wide" if dt <= 0.27 else "full"


def events(data: dict[str, Any]) -> str:
    """What each construct costs."""
    lines = [[row["what"], rate(row), f"{row['share_of_first']:.2f}"] for row in data["rows"]]
    return table(["with", "M neuron-steps/s", "of the first"], lines)


def training(data: dict[str, Any]) -> str:
    """Loss and gradient, beside others."""
    lines = [[r["what"], rate(r), f"{1 / r['share_of_first']:.2f}"] for r in data["rows"]]
    return table(["", "M neuron-steps/s", "izhigen on 1 core, times"], lines)


def sweeps(data: dict[str, Any]) -> str:
    """How long all sets take."""
    lines = [[r["what"], f"{r['seconds']:.3g}", f"{r['times']:.1f} x"] for r in data["rows"]]
    return table(["", "s", "izhigen on 1 core, times"], lines)


def fits(data: dict[str, Any]) -> str:
    """Candidates of fits a second, beside others."""
    lines = [
        [r["problem"], f"{r['generation']}", r["what"], f"{r['rate']:,.0f}", f"{r['times']:.1f} x"]
        for r in data["rows"]
    ]
    return table(["", "a generation", "", "candidates/s", "izhigen on 1 core, times"], lines)


def imports(data: dict[str, Any]) -> str:
    """Imported neurons beside where they come from."""
    lines = [[r["what"], f"{r['neurons']:,}", rate(r), f"{r['times']:.1f} x"] for r in data["rows"]]
    return table(["", "neurons", "M neuron-steps/s", "the origin, times"], lines)


def networks(data: dict[str, Any]) -> str:
    """Seconds of a second of networks, beside Brian2."""
    lines = [
        [
            r["network"],
            r["what"],
            f"{r['spikes_a_neuron']:.1f}",
            f"{r['build_s']:.1f}",
            f"{r['seconds']:.3g}",
            f"{r['times']:.1f} x",
        ]
        for r in data["rows"]
    ]
    return table(["", "", "spikes a neuron", "made in s", "s for a second", "Brian2, times"], lines)


def cluster(data: dict[str, Any]) -> str:
    """What a cluster costs, and what it would take for ten thousand million neurons."""
    rows, more = data["rows"], data["overheads"]
    spread = pick(rows, what="in-process cluster")
    lines = [[r["what"], f"{r['neurons']:,}", rate(r), share(r)] for r in rows]
    per_process = rows[-1]["rate"] / rows[-1]["threads"]
    overhead = more["run_of_one_step_s"]
    assert spread is not None
    reckoned = []
    for machines, threads in ((1, 16), (10, 16), (100, 16), (100, 64)):
        neurons = TEN_BILLION / machines
        seconds = TEN_BILLION / (per_process * threads * machines) * 10_000
        memory = neurons * more["worker_bytes_a_neuron"] / 1e9
        reckoned.append([f"{machines} of {threads} cores", f"{memory:,.0f}", f"{seconds / 60:,.2g}"])
    return "\n\n".join(
        [
            table(["", "neurons", "M neuron-steps/s", "share"], lines),
            "The share of the in-process cluster is that of the same threads without it; the share of processes is that "
            "of as many times one process, with as many neurons for each.",
            f"A run of one step of {more['shards']} shards takes {overhead * 1e3:.0f} ms, {overhead / more['shards'] * 1e3:.0f} ms a "
            f"shard: what every stretch of a run costs beside the neurons. A neuron's states are {more['state_bytes']:g} "
            f"bytes, and workers that advance them hold {more['worker_bytes_a_neuron']:.0f} bytes a neuron at most, as a shard "
            f"is copied before it changes. Checkpoints are written at {more['checkpoint_written_bytes_s'] / 1e6:,.0f} MB/s and "
            f"read at {more['checkpoint_read_bytes_s'] / 1e6:,.0f} MB/s, {more['checkpoint_bytes_a_neuron']:.0f} bytes a neuron.",
            "What 10^10 neurons would take by these figures, reckoned and not measured: every core at the rate of a process "
            "here, and 1 s of simulated time at 0.1 ms.",
            table(["machines", "GB on each", "minutes for 1 s"], reckoned),
        ]
    )


def share(row: Row) -> str:
    """Of what it is measured against."""
    found = row.get("efficiency", row.get("times"))
    return "" if found is None else f"{found:.2f}"


def poisson(data: dict[str, Any]) -> str:
    """Rates with counts drawn, by mean and form of rate."""
    rows = data["rows"]
    names = list(dict.fromkeys(r["what"] for r in rows))

    def cell(name: str, mean: float) -> str:
        found = pick(rows, what=name, mean=mean) or {}
        return rate(found) + ("" if name == names[0] else f" ({found['share_of_constant']:.2f})")

    means = sorted({r["mean"] for r in rows})
    return table(["events a step", *names], [[f"{mean:g}", *(cell(name, mean) for name in names)] for mean in means])


def zoo(data: dict[str, Any]) -> str:
    """Models of one's own beside their scalar loops."""
    rows = data["rows"]
    sizes = sorted({r["neurons"] for r in rows})

    def cell(model: str, n: int) -> str:
        own, scalar = (
            pick(rows, model=model, neurons=n, what="izhigen, float32, 1 core"),
            pick(rows, model=model, neurons=n, what="scalar loop"),
        )
        return f"{rate(own)} ({times(ratio(own, scalar))})"

    return table(
        ["", "equations", *(f"{n:,}" for n in sizes)],
        [
            [model, str((pick(rows, model=model) or {})["equations"]), *(cell(model, n) for n in sizes)]
            for model in dict.fromkeys(r["model"] for r in rows)
        ],
    )


def precision(data: dict[str, Any]) -> str:
    """What a neuron and ms costs at an error of the spike times."""
    errors = sorted({r["error"] for r in data["at"]}, reverse=True)
    best = min(r["cost"] for r in data["at"] if r["error"] == errors[0])

    def cells(name: str) -> list[str]:
        found = [pick(data["at"], what=name, error=error) for error in errors]
        return [cell for r in found for cell in ((f"{r['dt']:.2g}", f"{r['cost']:.2f}") if r else ("", ""))]

    def times_best(name: str) -> str:
        found = pick(data["at"], what=name, error=errors[0])
        return times(found["cost"] / best) if found else ""

    head = [cell for error in errors for cell in (f"dt for {error:g} ms", "ns a neuron and ms")]
    names = dict.fromkeys(r["what"] for r in data["at"])
    return table(["", *head, f"of the best at {errors[0]:g} ms"], [[n, *cells(n), times_best(n)] for n in names])


def steps_at_10_hz(data: dict[str, Any]) -> str:
    """What a step costs, spikes at its end and located."""
    lines = [[r["what"], f"{1e9 / r['rate']:.2f}", f"{r['times_exp_euler']:.2f}"] for r in data["steps"]]
    return table(["", "ns a neuron-step", "of exp_euler, step"], lines)


def over_peers(data: dict[str, Any], error: float = 0.1) -> str:
    """How many times cheaper the best of izhigen is than the best peer where spike times are that far off."""
    found = [r for r in data["at"] if r["error"] == error]
    own = min((r for r in found if r["what"].startswith("izhigen")), key=lambda r: r["cost"])
    peers = [r for r in found if not r["what"].startswith("izhigen")]
    return f"{ratio(min(peers, key=lambda r: r['cost']), own):.1f}" if peers else "not measured"


def targets(peers: dict[str, Any], zoo_data: dict[str, Any], precise: dict[str, Any]) -> str:
    """What is aimed at, and what was measured."""
    rows, noisy, large = ([r for r in peers["rows"] if r["section"] == name] for name in ("sizes", "noise", "large"))
    record, parameters = ([r for r in peers["rows"] if r["section"] == name] for name in ("recording", "parameters"))
    cores = next(
        (r["what"] for r in rows if r["what"].startswith("izhigen, float32") and "cores" in r["what"]),
        "izhigen, float32, 1 core",
    )
    middle, most = 100_000, 1_000_000

    def against(a: str, b: str, *sizes: int, of: list[Row] = rows) -> str:
        found = [(n, ratio(pick(of, what=a, neurons=n), pick(of, what=b, neurons=n))) for n in sizes]
        return (
            ", ".join(f"{value:.2f}" if value < 10 else f"{value:.1f}" for _, value in found if value is not None)
            or "not measured"
        )

    one, calls = "izhigen, float32, 1 core", "izhigen, float32, one step a call from C"
    sizes = (1_000, 10_000, middle, most)
    in_turn = [ratio(pick(large, what=one, neurons=100_000_000), pick(large, what=one, neurons=middle))]
    seconds, memory = peers.get("startup", {}), peers.get("memory", [{}])[0]
    lines = [
        ["many steps a call, 1 core, of peak / 20", ">= 0.7", against(one, "peak / 20", *sizes)],
        ["over the scalar loop", ">= 12", against(one, "scalar loop", *sizes)],
        ["one step a call, 1 core, over the scalar loop", ">= 10", against(calls, "scalar loop", *sizes)],
        ["over Brian2 C++ (forward Euler)", ">= 1.5", against(calls, "Brian2 C++, 1 core", *sizes)],
        ["all cores over one, from 10,000 neurons", ">= 1.8 (2 cores)", against(cores, one, 10_000, middle, most)],
        [
            "all cores over BrainPy, 1,000 and 1,000,000 neurons",
            ">= 10, >= 5",
            against(cores, "BrainPy, all cores", 1_000, most),
        ],
        ["100,000,000 neurons over 100,000", ">= 0.85", ", ".join(f"{r:.2f}" for r in in_turn if r) or "not measured"],
        ["float64 over float32", ">= 0.45", against("izhigen, float64, 1 core", one, *sizes)],
        [
            "spikes recorded at 10 Hz, time over counts only",
            "<= 1.15",
            against("counts only", "spikes", 10_000, middle, most, of=record),
        ],
        [
            "traces of 100 neurons, time over counts only",
            "<= 1.10",
            against("counts only", "traces of 100 neurons", 10_000, middle, most, of=record),
        ],
        [
            "noise on V, 1 core, M/s",
            ">= 250",
            ", ".join(rate(pick(noisy, what=one, neurons=n)) for n in (10_000, most)) or "not measured",
        ],
        ["noise on V, over Brian2", ">= 6", against(one, "Brian2 C++, 1 core", 10_000, most, of=noisy)],
        [
            "a, b, c, d for each neuron, time over one value each",
            "<= 1.5",
            against("a, b, c, d for all", "a, b, c, d for each neuron", 10_000, middle, most, of=parameters),
        ],
        ["other models over their scalar loops", ">= 8", _zoo_range(zoo_data)],
        ["spike times to 0.1 ms on average, 1 core, over the best peer", ">= 10", over_peers(precise)],
        [
            "a step with located spikes (`rk4`) at 10 Hz, time over `exp_euler`",
            "<= 2.5",
            f"{(pick(precise['steps'], what='rk4, located') or {})['times_exp_euler']:.2f}",
        ],
        ["memory a neuron, bytes", "<= 16", f"{memory['after_run']:.1f}" if memory else "not measured"],
        [
            "first step: new model, known model; import, s",
            "<= 1.0, <= 0.15; <= 0.15",
            f"{seconds['first_step_cold']:.2f}, {seconds['first_step_cached']:.2f}; {seconds['import']:.2f}"
            if seconds
            else "not measured",
        ],
    ]
    return table(["", "aim", "measured (sizes from small to large)"], lines)


def _zoo_range(data: dict[str, Any]) -> str:
    rows = data["rows"]
    found = [
        ratio(r, pick(rows, model=r["model"], neurons=r["neurons"], what="scalar loop"))
        for r in rows
        if r["what"].startswith("izhigen")
    ]
    return f"{min(found):.1f} to {max(found):.1f}"  # type: ignore[type-var]


def tables() -> dict[str, str]:
    """Every table by the name of its marker."""
    peers, limits, zoo_data = load("peers"), load("limits"), load("zoo")
    rows = [r for r in peers["rows"] if r["section"] == "sizes"]
    names = list(dict.fromkeys(r["what"] for r in rows))
    short = [name for name in names if "one step" not in name and not name.startswith("peak")]
    return {
        "machine": on_machine(peers),
        "short": sizes_table(rows, (1_000, 100_000, 1_000_000), short) + f"\n\n({on_machine(peers)})",
        "sizes": sizes_table(rows, sorted({r["neurons"] for r in rows}), names),
        "same": same_work(peers),
        "noise": noise(peers),
        "recording": f"At {peers['recording_rate_hz']:.1f} Hz on average:\n\n"
        + costs(peers, "recording", "counts only"),
        "parameters": costs(peers, "parameters", "a, b, c, d for all"),
        "startup": startup(peers),
        "models": models(limits),
        "limits": machine_limits(limits),
        "steps": f"{on_machine(load('steps'))}\n\n{steps(load('steps'))}",
        "events": f"{on_machine(load('events'))}\n\n{events(load('events'))}",
        "training": f"{on_machine(load('training'))}\n\n{training(load('training'))}",
        "poisson": f"{on_machine(load('poisson'))}\n\n{poisson(load('poisson'))}",
        "sweeps": f"{on_machine(load('sweeps'))}\n\n{sweeps(load('sweeps'))}",
        "fits": f"{on_machine(load('fits'))}\n\n{fits(load('fits'))}",
        "imports": f"{on_machine(load('imports'))}\n\n{imports(load('imports'))}",
        "networks": f"{on_machine(load('networks'))}\n\n{networks(load('networks'))}",
        "cluster": f"{on_machine(load('cluster'))}\n\n{cluster(load('cluster'))}",
        "precision": f"{on_machine(load('precision'))}\n\n{precision(load('precision'))}",
        "located": steps_at_10_hz(load("precision")),
        "zoo": zoo(zoo_data),
        "targets": targets(peers, zoo_data, load("precision")),
    }


def main() -> None:
    """Write every table into the pages that have its markers."""
    found = tables()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name, content in found.items():
            text = re.sub(
                rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)",
                lambda m, new=content: f"{m[1]}{new}\n{m[2]}",
                text,
                flags=re.DOTALL,
            )
        page.write_text(text, encoding="utf-8")
        print(f"wrote the tables of {page.name}")


if __name__ == "__main__":
    main()
