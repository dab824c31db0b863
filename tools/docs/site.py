"""Files of the site: the pages below docs/, and all that they link to, in the same places as in the repository.

The pages link to files outside of docs/, such as a study or SECURITY.md. A copy of the tree with only these files lets
every link work in the site as it does in the repository, without a change of any page.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "pages"
FENCED = re.compile(r"^```.*?^```|`[^`\n]*`", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def gather(folder: Path = FOLDER) -> None:
    """Copy the README, the files below docs/ and all that they link to into a folder, by default build/pages/."""
    shutil.rmtree(folder, ignore_errors=True)
    docs = [path for path in (ROOT / "docs").rglob("*") if path.is_file()]
    for path in linked([ROOT / "README.md", *docs]):
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def linked(files: list[Path]) -> set[Path]:
    """Return the files and all that they link to, directly or by another page; end the program at a broken link."""
    found, waiting = set[Path](), [*files]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        links = LINK.findall(FENCED.sub("", path.read_text(encoding="utf-8"))) if path.suffix == ".md" else []
        for link in links:
            if re.match(r"\w+:", link):  # another site
                continue
            target = (path.parent / link).resolve()
            if not target.is_file():
                sys.exit(f"{path.relative_to(ROOT)}: {link} is not a file; a page links to files only")
            waiting.append(target)
    return found


if __name__ == "__main__":
    gather()
