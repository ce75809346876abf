import pytest

from analyzer.assertion import context
from analyzer.lexicon import load_lexicons
from analyzer.match import Matcher
from analyzer.segment import Segmenter


@pytest.fixture(scope="module")
def assess():
    lexicons = load_lexicons()
    segmenter, matcher = Segmenter(lexicons), Matcher(lexicons)

    def how(text, words):
        segmentation = segmenter(text)
        start = text.index(words)
        segment = next(s for s in segmentation.segments if s.start <= start < s.end)
        return str(
            context(segmentation, matcher(segmentation).triggers).assess(segment.index, start, start + len(words))
        )

    return how


# Annotation guide, section 3.
@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("Semantic cues helped on 6 of 8.", "Semantic cues", "present"),
        ("Will trial semantic cues next visit.", "semantic cues", "planned"),
        ("P: semantic cues at phrase level", "semantic cues", "planned"),
        ("Pt may benefit, semantic cues if needed.", "semantic cues", "conditional"),
        ("Previously required max cues.", "max cues", "historical"),
        ("Last session 60%.", "60%", "historical"),
        ("Last session 60%; today 80% alone.", "80%", "present"),
        ("Pt will name 20 objects with 90% accuracy given min cues.", "min cues", "goal"),
        ("SFA not addressed today.", "SFA", "negated"),
        ("Cueing hierarchy was deferred.", "Cueing hierarchy", "negated"),
        ("Mother reports that she models words at home.", "models", "other_person"),
        ("I coached mother and she models words.", "models", "present"),  # she was trained, not reported
        ("[ ] tactile cues [ ] verbal cues", "tactile cues", "unticked"),
        ("No cues needed for 8/10.", "No cues", "present"),  # independence is evidence
        ("No overt signs of aspiration on 10/10 trials.", "10/10", "present"),
    ],
)
def test_assertion_of_a_mention(assess, text, words, expected):
    assert assess(text, words) == expected
