import re

import numpy as np
import pytest

from analyzer.assertion import context
from analyzer.decisions import Decisions, LabelDecision
from analyzer.labels import Labeler
from analyzer.lexicon import load_lexicons
from analyzer.match import Matcher
from analyzer.segment import Segmenter
from analyzer.types import CueLevel, Dimension, Label
from models.scores import NoteScores


@pytest.fixture(scope="module")
def label():
    lexicons = load_lexicons()
    segmenter, matcher = Segmenter(lexicons), Matcher(lexicons)

    def run(text, model=None):
        segmentation = segmenter(text)
        hits = matcher(segmentation)
        decisions = BY_ENCODER if model else lexicons.decisions
        scores = model.score([[text[s.start : s.end] for s in segmentation.segments]])[0] if model else None
        return Labeler(lexicons, decisions, model)(segmentation, hits, context(segmentation, hits.triggers), scores)

    return run


def names(evidence):
    return {str(item.label) for item in evidence}


# The plainest examples of the annotation guide, sections 1 and 2: whoever misses these is broken.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Named pictures with min verbal cues.", "cueing"),
        ("Self-corrected 3 of 5 errors.", "response"),
        ("Named 14/20 (70%).", "measure"),
        ("Sustained /a/ 11.2 s at 74 dB.", "measure"),
        ("Up from 60% on 3/2.", "progress"),
        ("STG 2 met.", "progress"),
        ("Errors were semantic paraphasias, pointing to a breakdown at lexical access.", "reasoning"),
        ("STG 1: named 12/20 pictures.", "goal"),
        ("Wife returned demonstration of chin tuck with 3/3 sips.", "training"),
        ("Next session move to 2-step commands with distractors.", "plan"),
        ("Did flashcards and naming worksheets.", "drill"),
        ("Tolerated tx well.", "generic"),
        ("Continue with POC.", "generic"),
        ("Making good progress.", "generic"),
        ("Watched pt eat lunch, no problems.", "passive"),
        ("Pt played iPad game while therapist supervised.", "passive"),
    ],
)
def test_label_of_the_guides_plainest_examples(label, text, expected):
    assert expected in names(label(text))


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("Will trial semantic cues next visit.", {"cueing", "intervention", "response"}),  # planned
        ("Pt will name 20 objects with 90% accuracy given min cues.", {"cueing", "measure", "response"}),  # a goal
        ("[ ] Verbal cues [ ] Tactile cues", {"cueing"}),  # unticked
        ("Continue with POC.", {"plan"}),
        ("Cues as needed.", {"cueing"}),
    ],
)
def test_label_leaves_out_what_is_no_evidence(label, text, absent):
    assert names(label(text)) & absent == set()


def test_segment_with_a_skilled_element_is_never_drill(label):
    text = "Practiced /r/ in initial position with tactile cue to the tongue base, faded to a visual cue."
    assert "drill" not in names(label(text))
    assert "cueing" in names(label(text))


def test_label_names_its_row_its_words_and_its_attributes(label):
    text = "Named 12/20 pictures with mod phonemic cues."
    cueing = next(item for item in label(text) if item.label is Label.CUEING)
    assert text[cueing.start : cueing.end] == "mod phonemic cues"
    assert cueing.source.startswith("lexicon:")
    assert [(cue.types, cue.level) for cue in cueing.cues] == [(("phonemic",), CueLevel.MODERATE)]
    measure = next(item for item in label(text) if item.label is Label.MEASURE)
    assert text[measure.start : measure.end] == "12/20"
    assert [(m.value, m.unit, m.total) for m in measure.measures] == [(12.0, "ratio", 20.0)]


def test_comparison_is_typed_with_the_earlier_value_first(label):
    progress = next(item for item in label("Naming improved from 40% to 65%.") if item.label is Label.PROGRESS)
    assert (progress.comparison.before.value, progress.comparison.after.value) == (40.0, 65.0)


class Certain:
    """A fake encoder that is sure of one label everywhere, by the last word of the segment."""

    name = "fake-1"
    labels = tuple(Label)
    note_outputs = ()

    def __init__(self, wanted=Label.NECESSITY):
        self.wanted = wanted

    def score(self, notes):
        return [self._note(texts) for texts in notes]

    def _note(self, texts):
        offsets = [tuple((m.start(), m.end()) for m in re.finditer(r"\w+", text)) for text in texts]
        tokens = [np.full((len(found), len(Label)), -4.0) for found in offsets]
        for found in tokens:
            found[:, self.labels.index(self.wanted)] = 1.0
            found[-1, self.labels.index(self.wanted)] = 3.0 + len(found)
        segments = np.array([found.mean(axis=0) for found in tokens])
        return NoteScores(segments, np.zeros(0), tuple(tokens), tuple(offsets))


def decisions(**weights):
    """Decisions in which every label weighs lexicons and encoder alike, and nothing else is decided."""
    nothing = {"intercept": 0.0}
    return Decisions(
        labels={label: LabelDecision(0.0, threshold=0.5, unclear_below=0.6, **weights) for label in Label},
        ratings=dict.fromkeys(Dimension, (nothing, nothing)),
        unskilled=nothing,
        skilled=nothing,
        least_skilled_score=0.0,
        unclear_verdict=0.0,
        lexicon_kind=0.0,
    )


BY_ENCODER = decisions(lexicon=0.0, encoder=1.0)


def test_encoder_decides_where_the_decisions_say_so(label):
    found = label("Named 12/20 pictures. Tolerated well.", Certain())
    assert [(str(e.label), e.source) for e in found] == [("necessity", "model:fake-1")] * 2


def test_label_shows_the_words_that_carried_the_encoders_logit(label):
    text = "Named twelve of twenty pictures"
    found = label(text, Certain())
    assert [text[e.start : e.end] for e in found] == ["pictures"]


def test_label_shows_a_lexicon_rows_words_where_one_speaks_of_it(label):
    text = "Named pictures with mod phonemic cues today"
    found = label(text, Certain(Label.CUEING))
    assert [(text[e.start : e.end], e.source) for e in found] == [("mod phonemic cues", "lexicon:cue")]


def test_label_says_what_lexicons_and_encoder_say_of_it(label):
    found = label("Tolerated well.", Certain())
    assert [(e.model_probability, e.lexicon_probability < 0.1) for e in found] == [(0.9526, True)]  # mean of 1 and 5


@pytest.mark.parametrize(("logit", "is_unclear"), [(0.1, True), (1.0, False)])
def test_label_with_a_thin_margin_is_marked(label, logit, is_unclear):
    class Faint(Certain):
        def _note(self, texts):
            scores = super()._note(texts)
            scores.segments[:, self.labels.index(self.wanted)] = logit
            return scores

    assert [e.is_unclear for e in label("Tolerated well.", Faint())] == [is_unclear]
