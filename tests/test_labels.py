import pytest

from analyzer.assertion import context
from analyzer.labels import Labeler
from analyzer.lexicon import load_lexicons
from analyzer.match import Matcher
from analyzer.segment import Segmenter
from analyzer.types import CueLevel, Label


@pytest.fixture(scope="module")
def label():
    lexicons = load_lexicons()
    segmenter, matcher = Segmenter(lexicons), Matcher(lexicons)

    def run(text, classifier=None):
        segmentation = segmenter(text)
        hits = matcher(segmentation)
        return Labeler(lexicons, classifier)(segmentation, hits, context(segmentation, hits.triggers))

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
    """A fake classifier that is sure of one label everywhere."""

    name = "fake-1"
    labels = tuple(Label)
    thresholds = dict.fromkeys(Label, 0.5)

    def predict(self, texts):
        return [[0.9 if label is Label.NECESSITY else 0.1 for label in Label] for _ in texts]


def test_classifier_decides_where_one_is_given(label):
    found = label("Named 12/20 pictures. Tolerated well.", Certain())
    assert [(str(e.label), e.probability, e.source) for e in found] == [("necessity", 0.9, "model:fake-1")] * 2
