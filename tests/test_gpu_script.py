"""benchmarks/gpu.sh without a device: which stages run, what they call, and what is kept of one that fails."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or shutil.which("timeout") is None, reason="no bash or timeout"
)
SCRIPT = ROOT / "benchmarks" / "gpu.sh"
STAGES = ["engine", "selftest", "bench", "ncu", "sanitize", "rest"]
PYTHON = f"""#!/bin/sh
case "$*" in
  *gpu_result.py*|*find_spec*|*izhigen.cli*) exec {sys.executable} "$@" ;;
  *) echo "python $*" >> "$CALLS" ;;
esac
"""


MAKE = """#!/bin/sh
echo "make $*" >> "$CALLS"
echo "#!/bin/sh" > "$3/main"
echo "echo 7 spikes" >> "$3/main"
chmod +x "$3/main"
"""


@pytest.fixture
def place(tmp_path):
    """Tools that only write down how they are called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("ncu", "compute-sanitizer", "make", "nvcc", "nvidia-smi", "python"):
        text = PYTHON if name == "python" else f'#!/bin/sh\necho "{name} $*" >> "$CALLS"\necho "{name}: 1.0"\n'
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (tools / "make").write_text(MAKE)
    return tmp_path


def run(place, *stages, **environment):
    calls = place / "calls"
    calls.write_text("")
    settings = {
        **os.environ,
        "PATH": f"{place / 'tools'}:{os.environ['PATH']}",
        "PYTHON": str(place / "tools" / "python"),
        "RESULTS": str(place / "results"),
        "CALLS": str(calls),
        "TMPDIR": str(place),
        **environment,
    }
    done = subprocess.run([str(SCRIPT), *stages], env=settings, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, calls.read_text()


def test_stages_are_run_alone_and_kept(place):
    status, said, calls = run(place, "ncu", "bench", "engine")
    assert status == 0, said
    assert [n for n in ("1000000 ", "100000000") if f"--quick --sizes {n}".strip() in calls] == [
        "1000000 ",
        "100000000",
    ]
    assert (
        "python benchmarks/device.py --save" in calls
        and "pytest -q -p no:cacheprovider tests/cuda/test_engine.py" in calls
    )
    assert calls.index("ncu ") < calls.index("device.py --save") < calls.index("test_engine.py")
    kept = json.loads((place / "results" / "gpu.json").read_text())
    assert sorted(kept) == ["bench", "engine", "ncu"] and all(stage["status"] == 0 for stage in kept.values())
    assert kept["bench"]["date"] and kept["bench"]["machine"]["nvcc"] == "nvcc: 1.0"


def test_a_stage_that_fails_stops_no_other_and_is_named(place):
    tool = place / "tools" / "compute-sanitizer"
    tool.write_text(tool.read_text() + 'case "$*" in *racecheck*) echo found a race; exit 3 ;; esac\n')
    status, said, calls = run(place, "sanitize", "rest")
    assert status == 1 and "failed: sanitize\n" in said and "found a race" in said
    assert all(f"--tool {tool}" in calls for tool in ("memcheck", "synccheck", "racecheck", "initcheck"))
    assert "--ignore tests/cuda/test_engine.py" in calls
    kept = json.loads((place / "results" / "gpu.json").read_text())
    assert (kept["sanitize"]["status"], kept["rest"]["status"]) == (1, 0)


def test_a_stage_that_takes_too_long_is_ended(place):
    (place / "tools" / "ncu").write_text("#!/bin/sh\nexec sleep 30\n")
    status, said, _ = run(place, "ncu", LIMIT="1")
    assert status == 1 and "failed: ncu" in said
    assert json.loads((place / "results" / "gpu.json").read_text())["ncu"]["status"] == 124


def test_all_stages_in_order_of_worth_and_no_other(place):
    status, said, _ = run(place)
    assert status == 0 and [line[3:] for line in said.splitlines() if line[3:] in STAGES] == STAGES, said
    status, said, _ = run(place, "engines")
    assert status == 2 and "no stage engines; there are: wheels engine selftest" in said
