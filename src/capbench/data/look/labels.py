"""Labels of a folder, found by looking at its tables and at the names of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capbench.data.look import texts
from capbench.data.look.names import Place, places
from capbench.data.look.tables import Table, tables
from capbench.data.sources.base import Sample
from capbench.errors import Mistake, printable
from capbench.images.folder import Files

STANDARD = "labels.csv"
LEAST = 10  # labelled images from which training, validation and test can be made
EXAMPLES = 3  # labels that are told


@dataclass(frozen=True)
class Labels:
    """Labelled images, what was found, and what was left out, one line each."""

    samples: list[Sample]
    told: list[str]
    left_out: list[str]


def find(files: Files) -> Labels:
    """Return the labels of a folder's images; raise Mistake where there are none or where they may be in two places."""
    if not files.images:
        raise Mistake(
            f"{files.key}: {files.root} holds no image; give a folder or a zip file of images and their labels"
        )
    found = tables(files)
    labels = _of_table(files, _chosen(files, found)) if found else _of_names(files)
    labels = _usual(labels)
    if len(labels.samples) < LEAST:
        many = f"{len(labels.samples)} labelled image" + "s" * (len(labels.samples) != 1)
        why = f" ({labels.left_out[0]})" if labels.left_out else ""
        raise Mistake(
            f"{files.key}: {files.root} holds {many}{why}; a reader needs at least {LEAST}, better some hundred"
        )
    return labels


def _chosen(files: Files, found: Sequence[Table]) -> Table:
    """Return the table to use: the only one, or labels.csv; raise Mistake where there are several others."""
    texts_in = [table for table in found if table.columns]
    if not texts_in:
        raise Mistake(
            f"{files.root}/{found[0].name}: names images, but no column of it holds their texts; add one, label"
        )
    standard = [table for table in texts_in if table.name.rpartition("/")[2] == STANDARD]
    if len(standard or texts_in) == 1:
        return (standard or texts_in)[0]
    first, second, *_ = (table.name for table in standard or texts_in)
    raise Mistake(
        f"{files.key}: both {first} and {second} in {files.root} hold labels; say which, as data=csv data.labels={first}, "
        f"or keep one"
    )


def _of_table(files: Files, table: Table) -> Labels:
    """Return the labels in a table; rows without an image, without a text or with two texts for one image are left out."""
    first: dict[str, Sample] = {}
    left_out, disputed = [], set()
    for row in table.rows:
        where = f"{files.root}/{table.name}:{row.line}"
        if row.name is None:
            left_out.append(f"{where}: {printable(row.written)!r} does not exist")
        elif not row.text:
            left_out.append(f"{where}: {row.written!r} has no text")
        else:
            known = first.setdefault(row.name, Sample(row.name, row.text, where, None))
            if known.text != row.text:
                left_out.append(f"{where}: {row.name!r} is {row.text!r} here and {known.text!r} at {known.where}")
                disputed.add(row.name)
    samples = [sample for name, sample in first.items() if name not in disputed]
    told = [f"{len(samples):,} labels are in {table.name}, column {', '.join(table.columns)}{_examples(samples)}"]
    unlabelled = len(set(files.images) - {sample.name for sample in samples})
    if unlabelled:
        told.append(f"{unlabelled:,} of {len(files.images):,} images have no label and are not used")
    return Labels(samples, told, left_out)


def _of_names(files: Files) -> Labels:
    """Return the labels in the names of the images."""
    found = places(files.images)
    if not found:
        raise Mistake(
            f"{files.key}: {files.root} has no labels: no table names its images, and their names, such as "
            f"{files.images[0]!r}, hold no texts; add a labels.csv with the columns filename,label"
        )
    if len(found) > 1:
        raise Mistake(_two_places(files, found))
    samples, left_out = [], []
    for name in files.images:
        text = found[0].of(name)
        where = f"{files.root}/{name}"
        if not text or "\\" in text:
            left_out.append(f"{where}: has no text at the place of the others")
        else:
            samples.append(Sample(name, text, where, None))
    return Labels(samples, [f"{len(samples):,} labels are in the names of the images{_examples(samples)}"], left_out)


def _two_places(files: Files, found: Sequence[Place]) -> str:
    """Return a line that names the texts that an image may have, and how to say which is meant."""
    name = files.images[0]
    choices = [f"{place.of(name)!r}: \"data.pattern='{place.pattern}'\"" for place in found]
    return f"{files.root}/{name}: has several pieces that may be its text; say which, with data=filenames and for {', for '.join(choices)}"


def _usual(labels: Labels) -> Labels:
    """Return the labels with lost zeros restored, and without texts of a length that is rare."""
    known = [sample.text for sample in labels.samples]
    if not known:
        return labels
    told, left_out = [*labels.told], [*labels.left_out]
    filled = texts.lost_zeros(known)
    samples = labels.samples
    if filled is not None:
        samples = [sample._replace(text=sample.text.zfill(filled)) for sample in samples]
        restored = sum(len(text) < filled for text in known)
        told.append(
            f"{restored:,} numbers have lost zeros at their beginning, as spreadsheets do; they are filled up to {filled} digits"
        )
    shortest, longest = texts.lengths([sample.text for sample in samples])
    fitting = [sample for sample in samples if shortest <= len(sample.text) <= longest]
    left_out += [
        f"{sample.where}: {printable(sample.text)!r} has {len(sample.text)} symbols, others {shortest}"
        for sample in samples
        if not shortest <= len(sample.text) <= longest
    ]
    return Labels(fitting, told, left_out)


def _examples(samples: Sequence[Sample]) -> str:
    return "".join(
        f"{',' if number else ':'} {sample.name} is {sample.text!r}" for number, sample in enumerate(samples[:EXAMPLES])
    )
