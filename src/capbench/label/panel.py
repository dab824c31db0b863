"""Settings of a labelling: engines, agreement rule, and rounds of self-training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from capbench.data.splits import Rule as Parting
from capbench.errors import Mistake
from capbench.label.agreement import Rule
from capbench.label.engines.base import Engine

PERSON = "person"  # stands in labels.csv where a correction gave the label
RUN = "run"  # the engine that reads with the previous round's run


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Engines, by names of the user's choice, and the rule that turns their readings into labels."""

    engines: dict[str, Engine]
    agree: Rule

    def __post_init__(self) -> None:
        if not self.engines:
            raise Mistake("label.engines: is empty; add one, such as +label/engine@label.engines.rapid=rapid")
        if PERSON in self.engines:
            raise Mistake(f"label.engines: {PERSON} is reserved for corrections; give the engine another name")
        if self.agree.engines > len(self.engines):
            raise Mistake(
                f"label.agree.engines: {self.agree.engines} engines cannot agree, as there are only "
                f"{len(self.engines)} ({', '.join(self.engines)}); lower it or add engines"
            )


@dataclass(frozen=True, kw_only=True)
class SelfTraining:
    """Rounds of labelling and training.

    The first round trains on the labels by `label`; each later one on the labels by the rule `agree`, with the previous
    round's run as the first engine. `split` divides the labelled images of all rounds but the last, whose training is
    split as any other.
    """

    rounds: Annotated[int, Ge(1), Le(20)]
    split: Parting
    label: Panel
    agree: Rule

    def __post_init__(self) -> None:
        if RUN in self.label.engines:
            raise Mistake(
                f"self_train.label.engines: {RUN} is reserved for the previous round's run; give the engine another name"
            )
