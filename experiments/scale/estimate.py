"""Estimates of large work from measured figures: python experiments/scale/estimate.py [--write].

INPUTS holds every figure that is used, with its origin; everything else is arithmetic. With --write the tables go into
the README beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->"


class Input(NamedTuple):
    """Figure with its unit and origin."""

    value: float
    unit: str
    origin: str


BENCH = "measured: docs, bench on two shared cores"
HERE = "measured for this study, one shared core"
INPUTS = {
    "rendered": Input(19_100, "grey images/s of a core", BENCH),
    "written": Input(2_550, "PNG files/s of a core", BENCH + ", 5,100 on both"),
    "png": Input(4_096, "bytes of a PNG file on disk", HERE + ": 3,454 of content, `render count=400`"),
    "pixels": Input(9_600, "bytes of a grey image of 160×60", "counted"),
    "small": Input(797, "images/s, small network on two cores", "measured: docs, quickstart: 161,000 in 202 s"),
    "job": Input(11, "core-seconds of a job beside its steps", HERE + ": `debug=fast` from start to end"),
    "composed": Input(0.126, "core-seconds to compose a job's settings", HERE),
    "folder": Input(8.5, "MB of a run's folder, 292,354 parameters", HERE + ": two checkpoints of 3.6 MB, weights 1.2"),
    "page": Input(710, "bytes of the compare page for a run", HERE + ": 150 runs of one epoch"),
    "judged": Input(2.3, "core-seconds of metrics for a million texts read", HERE),
    "kept": Input(48, "bytes kept of a text until its epoch ends", "counted: number, four classes, four answers"),
    "spelt": Input(
        122, "bytes of a text and of what was read, as Python keeps them", "counted: two strings, two places"
    ),
    "macs": Input(1_370e6, "multiplications of ResNet-18 for an image", "counted: `+experiment=resnet_62_gpu`, 60×160"),
    "params": Input(11.26e6, "parameters of ResNet-18", "counted"),
    "peak": Input(989e12, "bf16 operations/s of a GPU at best", "the maker's figure for an H200, without sparsity"),
    "share": Input(0.25, "of that which a training reaches", "ASSUMED until a GPU was at hand"),
    "cores": Input(16, "cores beside each GPU", "ASSUMED"),
    "link": Input(50e9, "bytes/s of network of a node", "ASSUMED: 400 Gbit/s"),
    "node": Input(8, "GPUs of a node", "ASSUMED"),
    "start": Input(30, "seconds until the first step on a cluster", "ASSUMED"),
}


def known(name: str) -> float:
    """Return the value of an input."""
    return INPUTS[name].value


def told(seconds: float) -> str:
    """Return a duration with a suitable unit; `seconds` in seconds."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"


def size(count: float) -> str:
    """Return a number of bytes with a suitable unit."""
    for unit, power in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= power:
            return f"{count / power:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


def table(*rows: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a Markdown table; the first row is the head."""
    head, *others = rows
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in others)
    yield ""


def of_a_gpu() -> float:
    """Return the images per second that one GPU trains on.

    The backward pass costs twice the forward pass, and a multiplication counts as two operations.
    """
    return known("peak") * known("share") / (6 * known("macs"))


def gpus() -> Iterator[str]:
    """Yield the table of ResNet-18 on 62 symbols with a million new images, in batches of 128 per GPU."""
    images, batch = 1e6, 128
    yield "**ResNet-18, a million images seen once, drawn while it trains, 128 a step for each GPU**"
    yield ""
    rows = [("GPUs", "images/s", "steps", "time of the steps", "with the start", "cores that draw", "cores there", "into each GPU",
             "network of a node", "of its link")]  # fmt: skip
    for count in (1, 8, 64):
        speed = count * of_a_gpu()
        steps = images / (count * batch)
        seconds = images / speed
        nodes = -(-count // int(known("node")))
        # In a ring, each step sends all gradients, of four bytes each, about twice through every node's link.
        sent = 2 * 4 * known("params") * (nodes - 1) / nodes / (seconds / steps)
        rows.append((f"{count}", f"{speed:,.0f}", f"{steps:,.0f}", told(seconds), told(seconds + known("start")), f"{speed / known('rendered'):,.1f}",
                     f"{count * known('cores'):,.0f}", f"{size(of_a_gpu() * known('pixels'))}/s",
                     f"{size(sent)}/s" if sent else "none", f"{sent / known('link'):.0%}"))  # fmt: skip
    yield from table(*rows)


def sweep() -> Iterator[str]:
    """Yield the table of a sweep of ten thousand quickstart trainings."""
    jobs, images = 10_000, 161_000
    steps = images / known("small")
    each = steps + known("job") / 2
    yield "**A sweep of 10,000 jobs, each a quickstart of 161,000 images on two cores**"
    yield ""
    rows = [("what", "all of it", "on 64 × 16 cores, two for each job")]
    places = 64 * known("cores") / 2
    rows.append(("training", told(jobs * steps), told(jobs * steps / places)))
    rows.append(("starting, recording", told(jobs * known("job") / 2), told(jobs * known("job") / 2 / places)))
    rows.append(
        (
            "composing settings, twice, one job after another",
            told(2 * jobs * known("composed")),
            "the same: one process",
        )
    )
    rows.append(("together", told(jobs * each), told(jobs * each / places + 2 * jobs * known("composed"))))
    rows.append(("run folders", size(jobs * known("folder") * 1e6), "on one shared disk"))
    rows.append(("writes to it", "", f"{size(known('folder') * 1e6 * places / each)}/s"))
    rows.append(("compare's page", size(jobs * known("page")), "in one browser"))
    yield from table(*rows)


def billion() -> Iterator[str]:
    """Yield the tables of a billion images, written to disk or rendered during training."""
    count = 1e9
    yield "**A billion rendered images of 160×60, grey**"
    yield ""
    rows = [("what", "core-hours", "on 2 cores", "on 1,024 cores", "disk")]
    for what, speed, disk in (
        ("drawn while something trains, kept nowhere", known("rendered"), "none"),
        ("PNG files", known("written"), f"{size(count * known('png'))} in as many files"),
        ("arrays (`format=npy`)", known("rendered"), size(count * known("pixels"))),
    ):
        hours = count / speed / 3600
        rows.append((what, f"{hours:,.0f}", told(hours * 1800), told(hours * 3600 / 1024), disk))
    yield from table(*rows)
    yield "**… in one epoch of a training**"
    yield ""
    yield from table(
        ("what", "takes"),
        ("the small network, two cores", told(count / known("small"))),
        ("ResNet-18, one GPU", told(count / of_a_gpu())),
        ("ResNet-18, 64 GPUs", told(count / of_a_gpu() / 64)),
        ("the epoch's order, on each process", size(8 * count)),
        ("what is kept of each text for `train/` metrics, over all GPUs", size(known("kept") * count)),
        ("… and its texts at the end, in each process", size(known("spelt") * count)),
        ("metrics at its end, one core of each process", told(known("judged") * count / 1e6)),
    )


def inputs() -> Iterator[str]:
    """Yield the table of the inputs."""
    yield "**What goes in**"
    yield ""
    yield from table(("figure", "of what", "origin"), *((f"{i.value:,.6g}", i.unit, i.origin) for i in INPUTS.values()))


def text() -> str:
    """Return all tables."""
    return "\n".join(line for part in (gpus, sweep, billion, inputs) for line in part())


def main() -> None:
    """Print the tables, and write them with --write."""
    print(text())
    if "--write" in sys.argv[1:]:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(before + BEGIN + text() + rest[rest.index(END) :])


if __name__ == "__main__":
    main()
