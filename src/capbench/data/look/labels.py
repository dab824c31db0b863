"""Labels of a folder, found by looking at its tables, at text files beside its images, and at the names of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from capbench.data.look import texts
from capbench.data.look.beside import beside, texts_of
from capbench.data.look.names import Place, places
from capbench.data.look.tables import Table, tables
from capbench.data.sources.base import Sample
from capbench.errors import Mistake, printable
from capbench.images import SUFFIXES
from capbench.images.folder import Files

STANDARD = "labels.csv"
LEAST = 10  # labelled images from which training, validation and test can be made
NEEDED = f"a reader needs at least {LEAST}, better some hundred"
EXAMPLES = 3  # labels that are told


@dataclass(frozen=True)
class Labels:
    """Labelled images, what was found, and what was left out, one line each."""

    samples: list[Sample]
    told: list[str]
    left_out: list[str]


def find(files: Files) -> Labels:
    """Return the labels of a folder's images; raise Mistake where there are none or where they may be in two places."""
    pairs = beside(files)
    names = [name for name in files.images if name not in {*pairs.values()}]
    if len(names) < LEAST:
        raise Mistake(_few_images(files, len(names)))
    found = tables(files, names)
    written = {} if found else texts_of(files, pairs, len(names))
    if found:
        labels = _of_tables(files, _chosen(files, found), names)
    else:
        labels = _of_files(files, pairs, written) if written else _of_names(files, names)
    labels = _usual(labels)
    if len(labels.samples) < LEAST:
        many = f"{len(labels.samples)} labelled image" + "s" * (len(labels.samples) != 1)
        why = f" ({labels.left_out[0]})" if labels.left_out else ""
        raise Mistake(f"{files.key}: {files.root} holds {many}{why}; {NEEDED}")
    return labels


def _few_images(files: Files, count: int) -> str:
    """Return a line about a folder with too few images; of a folder with none, it tells what is there."""
    if count:
        return f"{files.key}: {files.root} holds {count} image{'s' * (count > 1)}; {NEEDED}"
    kinds = Counter(PurePosixPath(name).suffix.lower() for name in files.names)
    others = ", ".join(f"{many:,} {suffix}" for suffix, many in kinds.most_common(EXAMPLES) if suffix)
    return (
        f"{files.key}: {files.root} holds no image{' but ' if others else ''}{others}; images are "
        f"{', '.join(sorted(SUFFIXES))}, in the folder or the zip file itself"
    )


def _chosen(files: Files, found: Sequence[Table]) -> Sequence[Table]:
    """Return the tables to use: labels.csv where there is one, else all."""
    texts_in = [table for table in found if table.columns]
    if not texts_in:
        raise Mistake(
            f"{files.root}/{found[0].name}: names images, but no column of it holds their texts; add one, label"
        )
    return [table for table in texts_in if table.name.rpartition("/")[2] == STANDARD] or texts_in


def _of_tables(files: Files, tables: Sequence[Table], names: Sequence[str]) -> Labels:
    """Return the labels in tables; raise Mistake where two of them differ.

    Rows without an image, without a text or with two texts for one image are left out.
    """
    labels = [_of_table(files, table) for table in tables]
    first: dict[str, tuple[Sample, Table]] = {}
    for table, of_one in zip(tables, labels, strict=True):
        for sample in of_one.samples:
            known, other = first.setdefault(sample.name, (sample, table))
            if known.text != sample.text:
                raise Mistake(
                    f"{files.key}: both {other.name} and {table.name} in {files.root} hold labels, and {sample.name!r} is "
                    f"{known.text!r} and {sample.text!r}; say which, as data=csv data.labels={other.name}, or keep one"
                )
    told = [line for of_one in labels for line in of_one.told]
    unlabelled = len({*names} - first.keys())
    if unlabelled:
        told.append(f"{unlabelled:,} of {len(names):,} images have no label and are not used")
    samples = [sample for sample, _ in first.values()]
    return Labels(samples, told, [line for of_one in labels for line in of_one.left_out])


def _of_table(files: Files, table: Table) -> Labels:
    """Return the labels in one table."""
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
    told = f"{len(samples):,} labels are in {table.name}, column {', '.join(table.columns)}{_examples(samples)}"
    return Labels(samples, [told], left_out)


def _of_files(files: Files, pairs: Mapping[str, str], texts: Mapping[str, str]) -> Labels:
    """Return the labels in text files, one beside each image."""
    samples = [Sample(name, text, f"{files.root}/{pairs[name]}", None) for name, text in texts.items() if text]
    left_out = [f"{files.root}/{pairs[name]}: is not one word of text" for name, text in texts.items() if not text]
    return Labels(
        samples, [f"{len(samples):,} labels are in text files beside the images{_examples(samples)}"], left_out
    )


def _of_names(files: Files, names: Sequence[str]) -> Labels:
    """Return the labels in the names of the images."""
    found = places(names)
    unused = [name for name in files.names if PurePosixPath(name).suffix.lower() in (".csv", ".tsv")]
    told = [f"{name} names less than half of the images and is not used" for name in unused]
    if not found:
        table = told[0] if told else "no table names its images"
        raise Mistake(
            f"{files.key}: {files.root} has no labels: {table}, and their names, such as {names[0]!r}, hold no texts; "
            f"add a labels.csv with the columns filename,label"
        )
    if len(found) > 1:
        raise Mistake(_two_places(files, found, names[0]))
    samples, left_out = [], []
    for name in names:
        text = found[0].of(name)
        where = f"{files.root}/{name}"
        if not text or "\\" in text:
            left_out.append(f"{where}: has no text at the place of the others")
        else:
            samples.append(Sample(name, text, where, None))
    told = [f"{len(samples):,} labels are in the names of the images{_examples(samples)}", *told]
    return Labels(samples, told, left_out)


def _two_places(files: Files, found: Sequence[Place], name: str) -> str:
    """Return a line that names the texts that an image may have, and how to say which is meant."""
    choices = [f"{place.of(name)!r}: \"data.pattern='{place.pattern}'\"" for place in found]
    return f"{files.root}/{name}: has several pieces that may be its text; say which, with data=filenames and for {', for '.join(choices)}"


def _usual(labels: Labels) -> Labels:
    """Return the labels as the images show them, without texts that are not like the others.

    Fractions of whole numbers are removed and lost zeros restored; texts of a rare length, or with a symbol that has no
    picture, are left out.
    """
    shown = [sample for sample in labels.samples if sample.text.isprintable()]
    told, left_out = [*labels.told], [*labels.left_out]
    left_out += [
        f"{sample.where}: {sample.text!r} has a symbol that cannot be drawn"
        for sample in labels.samples
        if not sample.text.isprintable()
    ]
    if not shown:
        return Labels([], told, left_out)
    known = [sample.text for sample in shown]
    whole = texts.without_fraction(known)
    if whole is not None:
        told.append("all texts end in .0, as programs write numbers of a column with gaps; it is removed")
        known = whole
    filled = texts.lost_zeros(known)
    if filled is not None:
        restored = sum(len(text) < filled for text in known)
        told.append(
            f"{restored:,} numbers have lost zeros at their beginning, as spreadsheets do; they are filled up to {filled} digits"
        )
        known = [text.zfill(filled) for text in known]
    samples = [sample._replace(text=text) for sample, text in zip(shown, known, strict=True)]
    shortest, longest = texts.lengths(known)
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
