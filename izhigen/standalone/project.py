"""A project: the files that the templates of a target give for a kernel, and how they are written to a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from izhigen._version import __version__
from izhigen.codegen.formats import FORMATS
from izhigen.codegen.interface import c_text
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.render import environment
from izhigen.codegen.request import KernelRequest
from izhigen.codegen.targets import find_target, target_names
from izhigen.codegen.targets.target import Target
from izhigen.codegen.viewing import view_of
from izhigen.derive.adjoint import Training
from izhigen.derive.step import derive_step
from izhigen.errors import BackendError, IzhigenError, ValueShapeError, shown
from izhigen.files import Folder, InTheWay, check_file, is_draft, read_path, sha256, write_file
from izhigen.model.model import Declaration
from izhigen.resources import resource_dir
from izhigen.scalars import read_flag
from izhigen.standalone.golden import Golden, choose_current, compute_golden
from izhigen.standalone.golden_back import compute_golden_back
from izhigen.standalone.oracle import Drawn
from izhigen.standalone.view import Example, view_of_project
from izhigen.standalone.view_back import GoldenBackView, view_of_golden_back

MANIFEST, GENERATOR = "manifest.json", "izhigen"
GOLDEN_BACK = "standalone/shared/golden_back.j2"
"""What the self test of a project that goes back includes."""
FORMAT = 1
"""Of the manifest."""


HEADERS = frozenset(
    "assert complex ctype errno fenv float inttypes iso646 limits locale math memory setjmp signal stdarg stdbool "
    "stddef stdint stdio stdlib string tgmath time wchar wctype "
    "alloca byteswap cdefs corecrt crtdefs endian features libgen malloc memory newlib poll pthread reent sal sched "
    "semaphore strings types unistd vcruntime xlocale "
    "builtin_types cuda cuda_runtime cuda_runtime_api device_types driver_types host_config host_defines "
    "vector_types".split()
)
"""Headers of C and C++, and those that they include in common libraries; a file of the same name would hide one."""


@dataclass(frozen=True)
class Project:
    """Files of a project: path in its folder to text, the manifest last."""

    name: str
    target: str
    files: Mapping[str, str]

    def write(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write the files; the folder.

        A folder that holds a project of this library is brought up to date: files of the old one that the new one does
        not have go. Nothing else is touched, and nothing outside the folder: a link in the way of a file is an error,
        also with ``force``. The folder itself may be named by a link.

        Raises
        ------
        ValueShapeError
            When a file would be overwritten that the folder's manifest does not list, or that was changed since it was
            written, and ``force`` is not set; or when a link stands in the way of one.
        IzhigenError
            When the disk refuses. As all files are written beside their places first, a full disk changes none of them.
        """
        root, force = read_path(folder, "neurons/"), read_flag(force, "force")
        try:
            if root.exists() and not root.is_dir():
                raise ValueShapeError(
                    f"{root} is a file; name a folder for the project (or leave -o out to print the one-file source)"
                )
            if root.is_symlink() and not root.exists():
                raise ValueShapeError(f"{root} is a link that leads nowhere; remove it or name another folder")
            root.mkdir(parents=True, exist_ok=True)
            with Folder(root) as place:
                self._write_into(place, root, force)
        except InTheWay as problem:
            raise ValueShapeError(
                f"{problem.filename}: {problem.strerror}; nothing outside {root} is written: "
                "remove it or name another folder"
            ) from problem
        except OSError as problem:
            raise IzhigenError(f"the project {root} cannot be written: {problem}") from problem
        return root

    def _write_into(self, folder: Folder, root: Path, force: bool) -> None:
        old = _read_manifest(folder, root)
        for path in sorted({*old, *self.files}):
            folder.check(path)
        if not force:
            self._check_unharmed(folder, root, old)
        with folder.writing({path: text.encode() for path, text in self.files.items()}):
            # So that the folder is known as ours should not all files be moved into their places.
            folder.write(MANIFEST, self._interim_manifest(old).encode())
            for path in sorted(old.keys() - self.files.keys()):
                folder.remove(path)

    def _interim_manifest(self, old: Mapping[str, tuple[str, ...]]) -> str:
        """A manifest of the files before and after; a file that stands in both may have either text."""
        content = json.loads(self.files[MANIFEST])
        content["before"] = {path: list(digests) for path, digests in sorted(old.items())}
        return json.dumps(content, indent=1) + "\n"

    def _check_unharmed(self, folder: Folder, root: Path, old: Mapping[str, tuple[str, ...]]) -> None:
        files = (p for p in root.rglob("*") if p.is_file() and not is_draft(p.name))
        foreign = [] if (root / MANIFEST).exists() else [str(p.relative_to(root)) for p in islice(files, 4)]
        if foreign:
            some = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
            raise ValueShapeError(
                f"{root} is not empty and holds no izhigen project ({some}); "
                "name another folder, or use --force (force=True) to write into it"
            )
        for path in sorted({*old, *self.files} - {MANIFEST}):
            content = folder.read(path)
            if content is not None and sha256(content) not in old.get(path, ()):
                raise ValueShapeError(
                    f"{root / path} is not as izhigen wrote it; "
                    "move it away, name another folder, or use --force (force=True) to replace it"
                )


def write_source(content: str | bytes, path: Path, *, force: bool = False) -> Path:
    """Write a one-file source, or another program's file; the path.

    Raises
    ------
    ValueShapeError
        When a file is there that izhigen did not write, and ``force`` is not set.
    IzhigenError
        When the disk refuses; a file that was there is then as it was.
    """
    check_file(path)
    if path.is_file() and not force and not _is_own(path, isinstance(content, bytes)):
        raise ValueShapeError(f"{path} was not written by {GENERATOR}; name another file, or use --force to replace it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content if isinstance(content, bytes) else content.encode())
    except OSError as problem:
        raise IzhigenError(f"{path} cannot be written: {problem}") from problem
    return path


def _is_own(path: Path, is_binary: bool) -> bool:
    """Whether izhigen wrote a file: its head says so, or anything in one that is no text."""
    return f"Generated by {GENERATOR} ".encode() in path.read_bytes()[: None if is_binary else 2000]


def build_project(request: KernelRequest, target: str = "c") -> Project:
    """Render a project.

    Parameters
    ----------
    request : KernelRequest
        Model, method and number type; the kernel takes noise on every input, where the target has that.
    target : str
        One of :func:`project_targets`.

    Raises
    ------
    BackendError
        For a target without project templates, a number type that it lacks, or per-neuron parameters.
    ValueShapeError
        For a model whose name would be that of another file of the project, or a parameter beyond the number type.
    """
    found = find_target(target)
    root = _templates(found)
    if root is None:
        raise BackendError(
            f"target {shown(target)} has no project templates (targets with them: {', '.join(project_targets())})"
        )
    _check_request(request, found, root)
    inputs = (*request.model.inputs, *(f"{state}_delta" for state in request.deltas))
    kernel = replace(request, noisy_inputs=inputs if found.input_noise else ()).kernel()
    drawn = Drawn(kernel.deltas, kernel.counted_inputs, kernel.delivered_inputs)
    printer = found.printer(request.dtype)
    printer.elementary.update(found.functions)
    view = view_of(kernel, found.name, printer, found.words, with_initial=True)
    project = view_of_project(kernel, found, *_golden(_forth(request), drawn), _way_back(request, drawn))
    sources = sorted(root.rglob("*.j2"))
    templates = resource_dir("templates")
    files = {
        _placed(path.relative_to(root), view.name, found.suffix): environment()
        .get_template(path.relative_to(templates).as_posix())
        .render(view=view, project=project, interface=c_text(found.interface(view)))
        for path in sources
    }
    _check_names(view.name, files, len(sources))
    files[MANIFEST] = _manifest(request, kernel, found, files)
    return Project(view.name, found.name, files)


@lru_cache(maxsize=8)
def _golden(request: KernelRequest, drawn: Drawn) -> tuple[Golden, Example]:
    """The self test and the example of a request's projects, which are the same for all targets."""
    step, example = derive_step(request.model, request.method, request.spike_timing), Example()
    golden = compute_golden(step, request.dtype, drawn)
    current = choose_current(
        step, request.dtype, golden, example.current, (example.end - example.begin) * example.duration
    )
    return golden, replace(example, current=current)


def _forth(request: KernelRequest) -> KernelRequest:
    """The same without a way back, on which nothing of the way forth depends."""
    return replace(request, training=None, wanted=())


@lru_cache(maxsize=8)
def _way_back(request: KernelRequest, drawn: Drawn) -> GoldenBackView | None:
    """What a request's projects say of the way back, where they have one: the same for all targets."""
    if request.training is None:
        return None
    golden, _ = _golden(_forth(request), drawn)
    step = derive_step(request.model, request.method)
    found = compute_golden_back(step, request.dtype, drawn, golden, request.training, request.wanted)
    return view_of_golden_back(found, golden, request.training, FORMATS[request.dtype].suffix)


def _check_request(request: KernelRequest, target: Target, root: Path) -> None:
    """Refuse what a project of the target cannot have."""
    if request.per_neuron or request.timed_inputs:
        raise BackendError(
            "a project has one value for each parameter, and inputs that it is given; "
            "per-neuron parameters and inputs computed from time are for model.source(...)"
        )
    target.check_drawn(request.counted_inputs, request.delivered_inputs)
    target.check_dtype(request.dtype)
    target.check_training(request.training)
    if request.training is not None and not any(GOLDEN_BACK in path.read_text() for path in root.rglob("*.j2")):
        raise BackendError(
            f"projects for target {target.name!r} do not go back through steps yet; take target 'c', or the one file "
            f"of model.source({shown(target.name)}, gradients=..., surrogate=...)"
        )
    _check_range(request.model, request.dtype)


def project_targets() -> list[str]:
    """Names of the targets that have project templates."""
    return [name for name in target_names() if _templates(find_target(name)) is not None]


def _templates(target: Target) -> Path | None:
    folder = resource_dir("templates") / "standalone" / (target.project or target.name)
    return folder if folder.is_dir() else None


def _placed(path: Path, name: str, suffix: str) -> str:
    """A template's path in a project: without ``.j2``, the model's name for ``NAME``, the target's for ``.SUFFIX``."""
    return path.as_posix().removesuffix(".j2").replace("NAME", name).replace(".SUFFIX", suffix)


def _check_names(name: str, files: Mapping[str, str], count: int) -> None:
    distinct = {path.casefold() for path in files}
    if len(files) < count or len(distinct) < count or name.casefold() in HEADERS:
        raise ValueShapeError(
            f"a project of a model named {shown(name)} would have two files of one name, or hide a header of C; "
            "emit model.variant('another_name')"
        )


def _check_range(model: Declaration, dtype: str) -> None:
    for name, value in model.parameters.items():
        if abs(value) > float(np.finfo(dtype).max):
            raise ValueShapeError(f"model {model.name!r}: parameter {name} = {value:g} does not fit {dtype}")


def _manifest(request: KernelRequest, kernel: Kernel, target: Target, files: Mapping[str, str]) -> str:
    """What the project is and what it consists of, as JSON."""
    model, training = request.model, request.training
    content = {
        "format": FORMAT,
        "generator": GENERATOR,
        "version": __version__,
        "model": model.name,
        "model_sha256": sha256(model.content.encode()),
        "target": target.name,
        "dtype": kernel.dtype,
        "method": kernel.step.method,
        "spike_timing": kernel.step.timing.value,
        "flags": list(target.flags),
        **({} if training is None else _gradients(request, training)),
        "files": {path: sha256(text.encode()) for path, text in sorted(files.items())},
    }
    return json.dumps(content, indent=1) + "\n"


def _gradients(request: KernelRequest, training: Training) -> dict[str, object]:
    """What a manifest says of the way back."""
    return {
        "gradients": [*request.model.gradient_states, *request.wanted],
        "surrogate": None if training.surrogate is None else repr(training.surrogate),
        "spike_scale": training.scale,
        "detach_spike": training.detach.value,
    }


def project_files(folder: str | Path) -> list[str]:
    """Paths of the project that a folder holds, the manifest among them."""
    with Folder(Path(folder)) as place:
        return sorted([*_read_manifest(place, Path(folder)), MANIFEST])


def _read_manifest(folder: Folder, root: Path) -> dict[str, tuple[str, ...]]:
    """Files of the project that a folder holds, each with the hashes that it may have; empty where it holds none."""
    text = folder.read(MANIFEST)
    if text is None:
        return {}
    try:
        content = json.loads(text)
        files = {str(name): tuple(map(str, digests)) for name, digests in content.get("before", {}).items()}
        for name, digest in content["files"].items():
            files[str(name)] = (*files.get(str(name), ()), str(digest))
        ours = content["generator"] == GENERATOR and all(_is_inside(name) for name in files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        ours = False
    if not ours:
        raise ValueShapeError(f"{root / MANIFEST} is not a manifest of izhigen; name another folder")
    return files


def _is_inside(name: str) -> bool:
    """Whether a path of a manifest stays in its folder."""
    path = Path(name)
    return (
        bool(path.parts)
        and not path.is_absolute()
        and ".." not in path.parts
        and "\0" not in name
        and path != Path(MANIFEST)
    )


__all__ = ["Example", "Project", "build_project", "project_targets"]
