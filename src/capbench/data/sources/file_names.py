"""Labelled folders with the labels in the names of the images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from capbench.data.naming import plain_labels
from capbench.data.sources.base import Sample
from capbench.data.sources.folder import Folder
from capbench.errors import Mistake


@dataclass(frozen=True, kw_only=True)
class FileNames(Folder):
    """Images with their text in the file name: the group `label` of a pattern that matches the whole name.

    Without a pattern, only names that can be read in one way are accepted.
    """

    pattern: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split is None:
            raise Mistake("data.split: is null; give the sizes of the parts")
        if self.pattern is None:
            return
        try:
            groups = re.compile(self.pattern).groupindex
        except re.error as error:
            raise Mistake(f"data.pattern: {self.pattern!r} is not a regular expression ({error})") from error
        if "label" not in groups:
            raise Mistake(f"data.pattern: {self.pattern!r} has no group (?P<label>…); mark the text with one")

    def _labelled(self) -> list[Sample]:
        names = self.files.images
        labels = plain_labels(self.root, names) if self.pattern is None else self._found(self.pattern, names)
        for name, label in zip(names, labels, strict=True):
            if "\\" in label:
                raise Mistake(f"{self.root}/{name}: its name is not UTF-8 text; rename it")
        return [Sample(name, label, f"{self.root}/{name}", None) for name, label in zip(names, labels, strict=True)]

    def _found(self, pattern: str, names: Sequence[str]) -> list[str]:
        labels = []
        for name in names:
            found = re.fullmatch(pattern, PurePosixPath(name).name)
            if found is None or not found["label"]:
                raise Mistake(
                    f"{self.root}/{name}: does not match data.pattern {pattern!r}; rename it or mend the pattern"
                )
            labels.append(found["label"])
        return labels
