"""Fitting an exported network's outputs for the whole note anew; needs a part of the ``train`` extra."""

import shutil

import numpy as np
import pytest

from models import artifact
from models.encoder import TOKENIZER, WEIGHTS, Encoder
from models.windows import Tokens
from training_data.corpus import read_split
from training_data.train import texts

pytest.importorskip("onnx", reason="of the train extra")


def test_outputs_for_the_note_are_learned_and_those_of_segments_stay(tmp_path):
    from models.export import refit_note_head

    manifest, folder = artifact.load("encoder")
    for name in (WEIGHTS, TOKENIZER):
        shutil.copyfile(folder / name, tmp_path / name)
    notes = texts(read_split("validation")[:60])
    is_long = np.array([len(note) > np.median([len(other) for other in notes]) for note in notes])
    targets = np.tile(is_long[:, None], (1, len(manifest.note_outputs))).astype(np.float32)
    targets[::7] = np.nan
    refit_note_head(tmp_path / WEIGHTS, Tokens(tmp_path / TOKENIZER), notes, targets, strength=1.0)
    before, after = Encoder(manifest, folder).score(notes), Encoder(manifest, tmp_path).score(notes)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old.segments, new.segments)
    single = np.array([len(found.tokens) == len(note) for found, note in zip(after, notes, strict=True)])
    given = np.array([found.note[0] > 0 for found in after])
    assert (given == is_long)[single].mean() > 0.9
