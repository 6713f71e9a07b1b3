"""Build the wheel and the sdist twice, compare them byte for byte, and try the wheel alone.

Trying (``runs.try_wheel``): each Python that is found, each extra, and the lowest versions that
pyproject.toml allows. Needs a package index for the dependencies.

    python -m runs.release --output dist [--no-install]
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from runs import try_wheel

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
WANTED = (
    "tonearm/py.typed",
    "tonearm/model/prediction.schema.json",
    "tonearm/weights/gtzan.tonearm",
    "tonearm/weights/MODEL_CARD.md",
    "tonearm/serve/static/index.html",
    "share/man/man1/tonearm.1",
    "share/man/man1/tonearm-predict.1",
    "share/bash-completion/completions/tonearm",
    "share/zsh/site-functions/_tonearm",
    "share/fish/vendor_completions.d/tonearm.fish",
    "licenses/LICENSE",
    "licenses/NOTICE",
)
UNWANTED = re.compile(
    r"(^|/)(tests|runs|benchmarks|docs|examples)/|__pycache__|\.pyc$|node_modules"
)


def build(folder: Path, *, epoch: int) -> list[Path]:
    """Wheel and sdist of the committed tree, unpacked into ``folder`` first."""
    source = folder / "source"
    source.mkdir(parents=True)
    archive = run("git", "archive", "HEAD", cwd=ROOT, binary=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(source, filter="data")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONPATH", None)
    code = (
        "from setuptools import build_meta as b; b.build_sdist('../made'); b.build_wheel('../made')"
    )
    (folder / "made").mkdir()
    subprocess.run(
        [sys.executable, "-c", code], cwd=source, env=environment, check=True, capture_output=True
    )
    made = sorted((folder / "made").iterdir())
    for path in made:
        normalise(path, epoch=epoch)
    return made


def normalise(path: Path, *, epoch: int) -> None:
    """Rewrite an archive in the order of names, with one date and no owner."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as file:
            members = {info.filename: file.read(info) for info in file.infolist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name in sorted(members):
                info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(info, members[name])
        return
    with tarfile.open(path) as tar:
        kept = [(member, tar.extractfile(member)) for member in tar.getmembers() if member.isfile()]
        contents = {member.name: file.read() for member, file in kept if file}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(contents):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(contents[name]), epoch, 0o644
            tar.addfile(member, io.BytesIO(contents[name]))
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=epoch))


def check_contents(wheel: Path, sdist: Path) -> list[str]:
    """What is missing, and what should not be there."""
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    wrong = [
        f"the wheel lacks {name}" for name in WANTED if not any(n.endswith(name) for n in names)
    ]
    wrong += [f"the wheel holds {name}" for name in names if UNWANTED.search(name)]
    with tarfile.open(sdist) as tar:
        held = {name.split("/", 1)[-1] for name in tar.getnames()}
    needed = ("pyproject.toml", "setup.py", "LICENSE", "NOTICE", "README.md", "tonearm/__init__.py")
    return wrong + [f"the sdist lacks {name}" for name in needed if name not in held]


def run(*arguments: str, cwd: Path, binary: bool = False) -> str | bytes:
    """Run a command; what it said is in the error if it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run(arguments, cwd=cwd, capture_output=True, env=environment, check=False)
    if ended.returncode:
        said = (ended.stdout + ended.stderr).decode(errors="replace")
        raise SystemExit(f"{' '.join(arguments[:6])} ended with {ended.returncode}:\n{said}")
    return ended.stdout if binary else ended.stdout.decode()


def main() -> None:
    """Build, compare, try."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--no-install", action="store_true", help="only build and compare")
    options = parser.parse_args()
    epoch = int(run("git", "log", "-1", "--format=%ct", cwd=ROOT))
    with tempfile.TemporaryDirectory() as name:
        os.umask(0o022)
        first = build(Path(name) / "first", epoch=epoch)
        os.umask(0o027)
        second = build(Path(name) / "a longer way" / "second", epoch=epoch)
        os.umask(0o022)
        options.output.mkdir(parents=True, exist_ok=True)
        for one, other in zip(first, second, strict=True):
            same = one.read_bytes() == other.read_bytes()
            digest = hashlib.sha256(one.read_bytes()).hexdigest()
            print(
                f"{one.name}: {one.stat().st_size:,} bytes, sha256 {digest}, reproducible: {same}"
            )
            if not same:
                raise SystemExit(f"{one.name}: two builds differ")
            shutil.copy(one, options.output)
    wheel = next(options.output.glob(f"{first[0].name.split('-')[0]}*.whl"))
    sdist = next(options.output.glob("*.tar.gz"))
    if wrong := check_contents(wheel, sdist):
        raise SystemExit("\n".join(wrong))
    if options.no_install:
        return
    for version in PYTHONS:
        if python := try_wheel.find_python(version):
            try_wheel.try_wheel(wheel, python)
            print(f"Python {version}: the wheel works", flush=True)
        else:
            print(f"Python {version}: not installed, not tried", flush=True)
    if python := try_wheel.find_python(PYTHONS[0]):
        for extra in ("", *try_wheel.TRIALS):
            what = f"[{extra}]" if extra else "the wheel"
            # Of the wheel alone the newest were tried above.
            for lowest in (False, True) if extra else (True,):
                try_wheel.try_wheel(wheel, python, extra=extra, lowest=lowest)
                versions = "lowest" if lowest else "newest"
                print(f"Python {PYTHONS[0]}, {versions} versions: {what} works", flush=True)


if __name__ == "__main__":
    main()
