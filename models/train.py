"""Labelled segments to a trained encoder, and to the artifact that is run. Needs the ``train`` extra."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.windows import Tokens, Window, batch

if TYPE_CHECKING:
    from torch import Tensor

    from models.network import Network

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """A note, or a piece of one, to learn from.

    Parameters
    ----------
    texts : tuple of str
        Its segments.
    labels : ndarray of shape (n_segments, n_labels)
        Targets, 0 to 1.
    note : ndarray of shape (n_note_outputs,)
        Targets, 0 to 1; NaN where nothing is known.
    """

    texts: tuple[str, ...]
    labels: Array
    note: Array


@dataclass(frozen=True, slots=True)
class Settings:
    """How an encoder is trained; the card tells what was tried on validation notes.

    In the last ``rounded_epochs`` the weights are used as they will be shipped, rounded to 8 bits. The lowest
    ``frozen_layers`` of the encoder stay as they were. Dropout of attention takes a quarter of the time of a step.
    """

    epochs: int = 7
    rounded_epochs: int = 1
    frozen_layers: int = 0
    batch_tokens: int = 400
    rate: float = 7e-5
    head_rate: float = 1.4e-3
    weight_decay: float = 0.01
    warm_up: float = 0.1
    note_weight: float = 0.3
    dropout: float = 0.1
    attention_dropout: float = 0.0
    seed: int = 17


@dataclass(frozen=True, slots=True)
class _Row:
    window: Window
    labels: Array  # of the segments scored in the window
    note: Array


def fit(
    epoch: Callable[[int], Sequence[Example]],
    tokens: Tokens,
    encoder: Path | str,
    settings: Settings,
    *,
    device: str = "cpu",
    vocabulary: Sequence[int] | None = None,
    report: Callable[[str], None] = print,
) -> "Network":
    """Fine-tune a base encoder.

    Parameters
    ----------
    epoch : callable
        The examples of each epoch, numbered from 0; they may be varied, their number should not.
    tokens : Tokens
        The base encoder's tokenizer.
    encoder : Path or str
        Folder or public name of the base encoder.
    settings : Settings
    device : str
        ``cpu`` or ``cuda``.
    vocabulary : sequence of int, optional
        Rows of the base encoder's vocabulary that ``tokens`` kept.
    report : callable
        Is told the mean loss of each epoch.

    Returns
    -------
    Network
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    from models.network import Network

    torch.manual_seed(settings.seed)
    rng = random.Random(settings.seed)  # noqa: S311 - the order of training, no secret
    examples = epoch(0)
    network = Network(
        encoder,
        examples[0].labels.shape[1],
        len(examples[0].note),
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
        vocabulary=vocabulary,
    ).to(device)
    network.freeze(settings.frozen_layers)
    heads = [*network.segment_head.parameters(), *network.note_head.parameters()]
    body = [parameter for parameter in network.encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body}, {"params": heads, "lr": settings.head_rate}],
        lr=settings.rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    groups = _groups(_rows(examples, tokens), settings.batch_tokens, rng)
    planned = round(len(groups) * settings.epochs * 1.03) + 1  # variants differ a little in length
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=[settings.rate, settings.head_rate], total_steps=planned, pct_start=settings.warm_up
    )
    network.train()
    for number in range(settings.epochs):
        if number == settings.epochs - settings.rounded_epochs:
            network.round_weights()
        if number:
            groups = _groups(_rows(epoch(number), tokens), settings.batch_tokens, rng)
        losses = []
        for rows in groups:
            ids, mask = (
                torch.from_numpy(array).to(device) for array in batch([r.window for r in rows], tokens.padding)
            )
            with torch.autocast(device, dtype=torch.bfloat16):
                by_token, by_window = network(ids, mask)
            segments = _pool(by_token.float(), [row.window for row in rows])
            wanted = torch.from_numpy(np.concatenate([row.labels for row in rows])).to(device)
            note = torch.from_numpy(np.stack([row.note for row in rows])).to(device)
            known = ~note.isnan()
            loss = cross_entropy(segments, wanted)
            if known.any():
                whole = cross_entropy(by_window.float()[known], note[known])
                loss = loss + settings.note_weight * whole * known.float().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            if schedule.last_epoch < planned - 1:
                schedule.step()
            losses.append(loss.item())
        report(f"epoch {number + 1} of {settings.epochs}: loss {np.mean(losses):.4f}, {len(groups)} batches")
    network.keep_rounded_weights()
    return network.eval()


def _pool(by_token: "Tensor", windows: Sequence[Window]) -> "Tensor":
    """Mean of each segment's tokens."""
    import torch

    longest = by_token.shape[1]
    pool = torch.zeros(sum(len(window.spans) for window in windows), len(windows) * longest, device=by_token.device)
    row = 0
    for number, window in enumerate(windows):
        for _, first, end in window.spans:
            pool[row, number * longest + first : number * longest + end] = 1 / (end - first)
            row += 1
    return pool @ by_token.reshape(-1, by_token.shape[-1])


def _rows(examples: Sequence[Example], tokens: Tokens) -> Iterator[_Row]:
    for example in examples:
        windows = tokens.windows(tokens.pieces(example.texts))
        for window in windows:
            scored = [segment for segment, _, _ in window.spans]
            # A window of many does not show the whole note.
            note = example.note if len(windows) == 1 else np.full_like(example.note, np.nan)
            yield _Row(window, example.labels[scored], note)


def _groups(rows: Iterator[_Row], batch_tokens: int, rng: random.Random) -> list[list[_Row]]:
    """Windows of like length together, the groups in random order."""
    groups: list[list[_Row]] = []
    for row in sorted(rows, key=lambda row: (len(row.window.ids) // 16, rng.random())):
        if groups and (len(groups[-1]) + 1) * len(row.window.ids) <= batch_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    rng.shuffle(groups)
    return groups
