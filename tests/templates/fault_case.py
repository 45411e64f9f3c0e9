"""Rows with a template and the settings of a run, to be searched for faults."""

from __future__ import annotations

from dataclasses import dataclass

from tests.templates.sound_rows import Turn, Turns
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import Fault
from twinkle_jupyter.templates.checks.row_faults import find_eval_in_train
from twinkle_jupyter.templates.encode_pairs import PairEncoder
from twinkle_jupyter.templates.encode_rows import RowEncoder
from twinkle_jupyter.templates.loss_mask import LossMask

_ROOM = 8192


@dataclass(frozen=True)
class Case:
    """Rows, and how they are trained on."""

    template: ChatTemplate
    rows: list[Turns]
    loss_mask: LossMask = "all-assistant"
    max_length: int = _ROOM
    evaluation: tuple[int, ...] = ()
    #: Two answers to the prompt that `rows` has; None where conversations are learned.
    answers: tuple[Turns, Turns] | None = None
    #: Functions that each row has.
    tools: tuple[Turn, ...] = ()

    def find(self) -> list[Fault]:
        if self.answers is not None:
            pairs = PairEncoder(self.template, self.max_length)
            chosen, rejected = self.answers
            record = {"prompt": self.rows[0], "chosen": chosen, "rejected": rejected}
            return pairs.encode_all([record]).faults
        encoder = RowEncoder(self.template, self.loss_mask, self.max_length)
        rows = encoder.encode_all([{"messages": row, "tools": self.tools} for row in self.rows])
        train = [i for i in range(len(self.rows)) if i not in self.evaluation]
        return [*rows.faults, *find_eval_in_train(rows.digests, train, self.evaluation)]
