"""The encoder with its heads, in torch; imported only where models are trained or exported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import parametrize
from transformers import AutoModel

BLOCK = 16  # weights of one row that share a scale


class Network(torch.nn.Module):
    """Labels of every token's segment, and rubric, verdict and kind of the note, in one pass.

    A segment's logit is the mean of its tokens' logits, so that each token's part in a label is known exactly.

    Parameters
    ----------
    encoder : Path or str
        Folder or public name of the base encoder.
    n_labels, n_note : int
        Outputs for each token and for each window.
    vocabulary : sequence of int, optional
        Rows of the base encoder's vocabulary that are kept, in order; all of them when not given.
    """

    def __init__(
        self,
        encoder: Path | str,
        n_labels: int,
        n_note: int,
        *,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        vocabulary: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.encoder: Any = AutoModel.from_pretrained(
            encoder,
            dtype=torch.float32,
            add_pooling_layer=False,
            attn_implementation="eager",  # on a processor the faster one to learn with
            attention_probs_dropout_prob=attention_dropout,
        )
        # Half of the parameters of a small encoder, and little to learn for them from a few thousand notes. What never
        # changes may as well be learned with as it is shipped.
        embeddings = self.encoder.embeddings
        embeddings.requires_grad_(False)
        words = embeddings.word_embeddings.weight
        embeddings.word_embeddings = ByteEmbedding(words if vocabulary is None else words[list(vocabulary)])
        embeddings.position_embeddings = ByteEmbedding(embeddings.position_embeddings.weight)
        size = self.encoder.config.hidden_size
        self.dropout = torch.nn.Dropout(dropout)
        self.segment_head = torch.nn.Linear(size, n_labels)
        self.note_head = torch.nn.Linear(2 * size, n_note)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Score windows.

        Parameters
        ----------
        ids : Tensor of shape (n_windows, n_tokens)
        mask : Tensor of shape (n_windows, n_tokens), optional
            0 where a window has ended; not needed where none is shorter than another.

        Returns
        -------
        tokens : Tensor of shape (n_windows, n_tokens, n_labels)
        note : Tensor of shape (n_windows, n_note)
        """
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        seen = hidden if mask is None else hidden.masked_fill(mask[:, :, None] == 0, -1e4)
        note = self.note_head(self.dropout(torch.cat([hidden[:, 0], seen.amax(dim=1)], dim=1)))
        return self.segment_head(self.dropout(hidden)), note

    def freeze(self, layers: int) -> None:
        """Learn nothing more in the lowest layers."""
        for layer in self.encoder.encoder.layer[:layers]:
            layer.requires_grad_(False)

    def round_weights(self) -> None:
        """Let the encoder work with weights as they will be shipped, while it goes on learning beneath."""
        for module in self.encoder.encoder.modules():
            if isinstance(module, torch.nn.Linear):
                parametrize.register_parametrization(module, "weight", _Rounded())

    def keep_rounded_weights(self) -> None:
        """Make the rounded weights the weights."""
        for module in self.encoder.encoder.modules():
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight")


class ByteEmbedding(torch.nn.Module):
    """A frozen table of 8-bit vectors, each with a scale of its own."""

    rows: torch.Tensor
    scales: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        scales = (weight.detach().abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-8)
        self.register_buffer("rows", (weight.detach() / scales).round().to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Look vectors up."""
        look_up = torch.nn.functional.embedding
        return look_up(ids, self.rows).float() * look_up(ids, self.scales)


class _Rounded(torch.nn.Module):
    """Round weights to 8 bits in blocks, the way that :mod:`models.export` does; gradients pass as if it did not."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        blocks = weight.reshape(-1, BLOCK)
        most = blocks.gather(1, blocks.detach().abs().argmax(dim=1, keepdim=True))
        scales = (most / -128).detach()
        scales = torch.where(scales == 0, torch.ones_like(scales), scales)
        rounded = ((blocks / scales).round().clamp(-128, 127) * scales).reshape(weight.shape)
        return weight + (rounded - weight).detach()
