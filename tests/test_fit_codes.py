"""The model behind the codes can be fitted from notes; that the shipped one was, its figures show (test_quality.py)."""

from analyzer.icd10.coder import Coder
from analyzer.lexicon import load_lexicons
from models import artifact
from models.linear import Linear
from training_data import fit_codes
from training_data.corpus import read_split


def test_what_is_fitted_can_be_loaded_and_tells_the_notes_apart(tmp_path):
    notes = read_split("train")[:150]
    artifact.write(fit_codes.fit(notes, tmp_path / fit_codes.MODEL), tmp_path)
    model = Linear.load(fit_codes.MODEL, tmp_path)
    scores = [reading.weighing.log_odds for reading in fit_codes.read(notes, Coder(load_lexicons(), model))]
    right = [fit_codes.targets(note) for note in notes]
    assert len(model.labels) > 5
    for column, label in enumerate(model.labels):
        supported = [row[column] for row, found in zip(scores, right, strict=True) if found.get(label) == 1]
        others = [row[column] for row, found in zip(scores, right, strict=True) if label not in found]
        assert sum(supported) / len(supported) > sum(others) / len(others)
