"""Runs NeuroML's examples in PyLEMS and keeps the steps at which potentials cross 0 mV or another level.

``python -m tests.reference.lems_runs`` writes tests/data/lems.json; it needs PyLEMS and the folder
``../shared/reference/neuroml``, whose README says where its files come from. Each step is that of the first sample above
the level, counted from the initial state as 0.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent.parent
FILES = ROOT.parent / "shared" / "reference" / "neuroml"
RUNS = {
    "examples/LEMS_NML2_Ex0_IaF.xml": {
        name: (f"{name}[0]/v", -0.0551) for name in ("iafTauPop", "iafTauRefPop", "iafRefPop", "iafPop")
    },
    "examples/LEMS_NML2_Ex2_Izh.xml": {
        f"izpop{name}": (f"izpop{name}[0]/v", 0.0) for name in ("Burst", "Tonic", "Mixed", "Class1")
    },
    "examples/LEMS_NML2_Ex8_AdEx.xml": {f"adExPop{n}": (f"adExPop{n}[0]/v", -0.045) for n in (1, 2, 3, 4)},
    "examples/LEMS_NML2_Ex9_FN.xml": {"fnPop1": ("fnPop1[0]/V", 0.5)},
    "izhikevich2007/LEMS_2007Cells.xml": {
        "RS_pop": ("RS_pop/0/RS/v", 0.0),
        "weakpop": ("weakpop/0/weaklyAdapting/v", 0.0),
        "strongpop": ("strongpop/0/stronglyAdapting/v", 0.0),
        "LSpop": ("LSpop/0/LS/v", 0.0),
    },
}
"""Of each file the populations, each with the path of what is written, and the level in SI units."""


def crossings(values: np.ndarray, level: float) -> list[int]:
    """Steps at which values have come above a level, the first value being that of step 0."""
    return [int(step) for step in np.flatnonzero((values[:-1] < level) & (values[1:] >= level)) + 1]


def run(path: Path, wanted: dict[str, tuple[str, float]]) -> dict[str, list[int]]:
    """The crossings of a file's populations."""
    from lems.run import run as run_lems

    with tempfile.TemporaryDirectory() as folder:
        for other in (*(FILES / "core").glob("*.xml"), *path.parent.glob("*.nml")):
            shutil.copy(other, folder)
        columns = "".join(f'<OutputColumn id="{name}" quantity="{q}"/>' for name, (q, _) in wanted.items())
        text = path.read_text()
        text = text[: text.rindex("</Simulation>")]
        text += f'<OutputFile id="kept" fileName="kept.dat">{columns}</OutputFile></Simulation></Lems>'
        copy = Path(folder) / path.name
        copy.write_text(text)
        (Path(folder) / "results").mkdir()
        with contextlib.chdir(folder), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            run_lems(str(copy), nogui=True)
            table = np.loadtxt("kept.dat")
    return {name: crossings(table[:, column], level) for column, (name, (_, level)) in enumerate(wanted.items(), 1)}


def main() -> None:
    """Write the file."""
    found = {name: run(FILES / name, wanted) for name, wanted in RUNS.items()}
    (ROOT / "tests" / "data" / "lems.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
