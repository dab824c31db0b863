"""Installation of the listed fonts from their npm packages: `python -m capbench.render.install_fonts`.

Files that are there are kept. Nothing of a package is run; of each face its Latin part is taken.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from fontTools.ttLib import TTFont

from capbench.errors import Mistake
from capbench.render.installed import Family, families, folder
from capbench.utils.atomic import replacing

AT_ONCE = 4  # packages that are fetched; npm mostly waits for the network


def main() -> int:
    """Install what is missing and return the exit status."""
    try:
        missing = [family for family in families() if not all(family.file(face).is_file() for face in family.faces)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for family, _ in zip(missing, pool.map(install, missing), strict=True):
                print(f"{family.kind:12} {family.name} {family.version} ({family.licence})", flush=True)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    print(f"fonts: {folder()}")
    return 0


def install(family: Family) -> None:
    """Fetch the package of a family and write its faces as TrueType files."""
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="capbench-") as temporary, _package(family, Path(temporary)) as package:
        licence = json.loads(_file(family, package, "package.json"))["license"]
        if licence != family.licence:
            raise Mistake(f"{family.package}: its licence is {licence}; {family.licence} was expected")
        for face in family.faces:
            style = "italic" if face.endswith("i") else "normal"
            compressed = _file(family, package, f"files/{family.name}-latin-{face.removesuffix('i')}-{style}.woff")
            font = TTFont(BytesIO(compressed), recalcTimestamp=False)
            font.flavor = None
            with replacing(family.file(face), "wb") as file:
                font.save(file)


def _package(family: Family, where: Path) -> tarfile.TarFile:
    """Fetch the package of a family into a folder, and return it opened."""
    npm = shutil.which("npm")
    if npm is None:
        raise Mistake("npm: is not installed; install Node.js, whose npm fetches the packages of fonts")
    command = [npm, "pack", "--silent", f"{family.package}@{family.version}"]
    fetched = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    if fetched.returncode:
        reason = (fetched.stderr.strip().splitlines() or [f"npm exited with {fetched.returncode}"])[-1]
        raise Mistake(f"{family.package}: cannot be fetched ({reason})")
    return tarfile.open(where / fetched.stdout.split()[-1])


def _file(family: Family, package: tarfile.TarFile, name: str) -> bytes:
    """Return the content of a file of a family's package."""
    try:
        file = package.extractfile(f"package/{name}")
    except KeyError:
        file = None
    if file is None:
        raise Mistake(f"{family.package}: holds no file {name}; give families.csv a version that does")
    return file.read()


if __name__ == "__main__":
    sys.exit(main())
