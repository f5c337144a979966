"""The built artefact as Lambda has it: through a ZIP whose file times are all 1980, which is what SAM uploads.

Python takes a `.pyc` that is checked by time only where the source's time fits the one noted inside, and after SAM's
ZIP it never does (PEP 552; `samcli.lib.package` sets the times so that equal code gives equal archives).
"""

import os
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from local.deployment import build

SAM_TIME = (1980, 1, 1, 0, 0, 0)
SAM_SECONDS = time.mktime((*SAM_TIME, 0, 0, -1))


@dataclass(frozen=True, slots=True)
class Artefact:
    """Folders as `/var/task` and `/opt/python` would be."""

    task: Path
    layer: Path


def unpacked(source: Path, target: Path, *, bytecode: bool = True) -> Path:
    """Zip a folder as SAM does and unzip it as Lambda does; without `bytecode`, `__pycache__` is left out."""
    archive = target.with_suffix(".zip")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(source.rglob("*")):
            if path.is_file() and (bytecode or "__pycache__" not in path.parts):
                entry = zipfile.ZipInfo(str(path.relative_to(source)), SAM_TIME)
                packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 1)
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)
        for each in packed.infolist():
            os.utime(target / each.filename, (SAM_SECONDS, SAM_SECONDS))
    archive.unlink()
    return target


def ours(folder: Path) -> Artefact:
    """Build and unpack. All functions have one code, so one of them stands for all.

    Raises:
        DeployFailed: SAM did not build.
    """
    build(folder)
    built = folder / "build"
    unpacked(built / "ApiFunction", folder / "unpacked" / "task")
    unpacked(built / "DependenciesLayer", folder / "unpacked" / "layer")
    return Artefact(folder / "unpacked" / "task", folder / "unpacked" / "layer" / "python")


def naive(folder: Path) -> Artefact:
    """The naive handler over the same packages, built the plain way: bytecode that Python would reject is none."""
    source = Path(__file__).parent / "naive"
    unpacked(source, folder / "unpacked" / "naive-task", bytecode=False)
    unpacked(folder / "build" / "DependenciesLayer", folder / "unpacked" / "naive-layer", bytecode=False)
    return Artefact(folder / "unpacked" / "naive-task", folder / "unpacked" / "naive-layer" / "python")
