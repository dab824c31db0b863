"""HTML page of the images on which the engines disagree, for a person to label."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from capbench import images
from capbench.data.views import pick, resize
from capbench.errors import BadImage
from capbench.images.folder import Files
from capbench.label.agreement import Decision
from capbench.label.journal import digest_of
from capbench.report.embedded import data_uri
from capbench.text import Reading
from capbench.utils.atomic import replacing

MOST = 500  # images on a page
LARGEST = 800  # pixels, of an image's longer side on the page

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Disputed images</title>
<style>
  body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; color: #1f2328 }}
  td {{ padding: .4rem .8rem; border-bottom: 1px solid #d1d9e0; vertical-align: middle }}
  img {{ min-height: 48px; image-rendering: pixelated; display: block }}
  input {{ font: 18px ui-monospace, monospace; width: 8rem }}
  small {{ color: #59636e; display: block }}
  header {{ position: sticky; top: 0; background: #fff; padding: .6rem 0; z-index: 1 }}
</style>
<header>
  <b>{shown} of {count} disputed images.</b> Type what stands in each; Enter goes on, - leaves an image out.
  <button onclick="save()">save corrections.csv</button>
  <small>Label again with corrections=FILE: what is in it is kept for good.</small>
</header>
<table>{rows}</table>
<script>
  const inputs = [...document.querySelectorAll("input")];
  inputs.forEach((input, place) => input.addEventListener("keydown", event => {{
    if (event.key === "Enter" && inputs[place + 1]) inputs[place + 1].focus();
  }}));
  function save() {{
    const quoted = text => '"' + text.replaceAll('"', '""') + '"';
    const rows = inputs.filter(i => i.value.trim())
      .map(i => [i.name, i.value.trim() === "-" ? "" : i.value.trim(), i.dataset.image].map(quoted).join(","));
    const file = new Blob(["filename,label,image\\n" + rows.join("\\n") + "\\n"], {{type: "text/csv"}});
    const link = Object.assign(document.createElement("a"),
      {{href: URL.createObjectURL(file), download: "corrections.csv"}});
    link.click();
  }}
</script>
"""


def page(
    path: Path, files: Files, decisions: Mapping[str, Decision], readings: Mapping[str, Mapping[str, Reading]]
) -> None:
    """Write the page of the images without a label, at most MOST.

    Images that some engine read with high confidence come first: there the engines contradict each other most.
    """
    disputed = [name for name, decision in decisions.items() if not decision.label]
    disputed.sort(key=lambda name: (-max(r.confidence for r in readings[name].values()), name))
    rows = [_row(files, name, decisions[name], readings[name]) for name in disputed[:MOST]]
    with replacing(path) as file:
        file.write(PAGE.format(shown=len(rows), count=len(disputed), rows="".join(rows)))


def _row(files: Files, name: str, decision: Decision, readings: Mapping[str, Reading]) -> str:
    known = html.escape(name, quote=True)
    try:
        content = files.read(name)
        picture = data_uri(_fitted(pick(images.decode(content), "colour")))
    except BadImage as error:  # removed or changed since the engines read it
        return f"<tr><td>{known}</td><td></td><td>{html.escape(str(error))}</td></tr>\n"
    answers = ", ".join(
        f"{engine} {reading.text or '∅'} ({reading.confidence:.2f})" for engine, reading in readings.items()
    )
    return (
        f'<tr><td><img src="{picture}" alt="{known}"></td>'
        f'<td><input name="{known}" data-image="{digest_of(content)}" aria-label="text of {known}" autocomplete="off" spellcheck="false"></td>'
        f"<td>{html.escape(answers)}<small>{known}: {html.escape(decision.reason)}</small></td></tr>\n"
    )


def _fitted(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = LARGEST / max(height, width)
    return (
        picture if scale >= 1 else resize(picture, max(1, int(height * scale)), max(1, int(width * scale)), "stretch")
    )
