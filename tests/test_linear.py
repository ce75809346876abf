"""A linear model over named features."""

import json
import math

import numpy as np
import pytest

from models import artifact
from models.artifact import ArtifactError, Manifest
from models.linear import FEATURES, WEIGHTS, Linear, write_weights

NAMES = ["said/stroke", "word/stroke", "word/lost"]


@pytest.fixture
def written(tmp_path):
    """Three features, two labels; the largest weight of a label is kept exactly, the others to 1/127 of it."""
    folder = tmp_path / "codes"
    folder.mkdir()
    weights = np.array([[1.27, 0.0], [0.5, -2.54], [-0.25, 2.0]])
    write_weights(folder, NAMES, weights, np.array([-1.0, 0.5]), np.array([0.0, 2.0, 3.0]))
    manifest = Manifest("codes", "1", artifact.hashes(folder, (WEIGHTS, FEATURES)), ("a", "b"), (), {}, {})
    artifact.write(manifest, tmp_path)
    return tmp_path


def test_score_is_the_intercept_and_the_weighed_features(written):
    model = Linear.load("codes", written)
    found = model.weigh({"said/stroke": 1.0, "word/stroke": 2.0})
    assert found.log_odds == pytest.approx([-1 + 1.27 + 1.0, 0.5 - 5.08])


def test_unknown_features_count_nothing(written):
    assert Linear.load("codes", written).weigh({"word/other": 5.0}).log_odds == pytest.approx([-1.0, 0.5])


def test_parts_and_intercept_make_the_score(written):
    model = Linear.load("codes", written)
    features = {"said/stroke": 1.0, "word/stroke": 0.5, "word/lost": 1.5, "word/other": 1.0}
    weighing = model.weigh(features)
    parts = weighing.parts("b")
    assert set(parts) == set(NAMES)
    assert math.fsum(parts.values()) + 0.5 == pytest.approx(float(weighing.log_odds[1]), abs=1e-5)


def test_words_have_a_rarity_and_other_features_none(written):
    assert Linear.load("codes", written).rarity == {"word/stroke": 2.0, "word/lost": 3.0}


def test_weights_that_do_not_fit_the_features_are_refused(written):
    folder = written / "codes"
    (folder / FEATURES).write_text("only/one\n", encoding="utf-8")
    path = folder / artifact.MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"] = artifact.hashes(folder, (WEIGHTS, FEATURES))
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match="does not fit"):
        Linear.load("codes", written)
