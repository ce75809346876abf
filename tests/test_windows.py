import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from models.artifact import ARTIFACTS, ArtifactError
from models.windows import Piece, Tokens, Window, batch

PATH = ARTIFACTS / "encoder" / "tokenizer.json"


def piece(n):
    return Piece((7,) * n, tuple((at, at + 1) for at in range(n)))


def laid_out(sizes, length, overlap):
    tokens = Tokens(PATH, length=length, overlap=overlap)
    return tokens, tokens.windows([piece(size) for size in sizes])


def test_short_note_is_one_window_with_a_mark_after_each_segment():
    tokens, windows = laid_out([2, 1], length=12, overlap=4)
    ids = (tokens.first, 7, 7, tokens.separator, 7, tokens.separator)
    assert windows == [Window(ids, ((0, 1, 3), (1, 4, 5)))]


@pytest.mark.parametrize("sizes", [[3] * 20, [1, 9, 2, 8, 3, 7], [10, 10, 10], [1] * 50])
@pytest.mark.parametrize("overlap", [0, 4, 8])
def test_each_segment_is_scored_once_and_no_window_is_too_long(sizes, overlap):
    _, windows = laid_out(sizes, length=12, overlap=overlap)
    assert [segment for window in windows for segment, _, _ in window.spans] == list(range(len(sizes)))
    assert max(len(window.ids) for window in windows) <= 12
    assert [last - first for window in windows for _, first, last in window.spans] == sizes


def test_windows_share_segments_and_score_them_where_most_stands_around_them():
    _, windows = laid_out([2, 2, 2, 2, 2], length=10, overlap=6)  # three segments a window, two shared
    assert [[segment for segment, _, _ in window.spans] for window in windows] == [[0, 1], [2], [3, 4]]


def test_no_segments_give_no_window():
    assert laid_out([], length=12, overlap=4)[1] == []


def test_pieces_know_the_characters_of_each_token():
    text = "Café w/ 70%"
    (found,) = Tokens(PATH).pieces([text])
    assert [text[start:end] for start, end in found.offsets] == ["Café", "w", "/", "70", "%"]


def test_text_without_words_is_one_unknown_token():
    (found,) = Tokens(PATH).pieces(["\u200b"])
    assert (len(found.ids), found.offsets) == (1, ((0, 1),))


def test_segment_too_long_for_a_window_loses_its_end():
    (found,) = Tokens(PATH, length=12, overlap=4).pieces(["word " * 30])
    assert len(found.ids) == 10


def test_batch_pads_to_the_longest():
    ids, mask = batch([Window((1, 2, 3), ()), Window((4,), ())], padding=9)
    assert (ids.tolist(), mask.tolist()) == ([[1, 2, 3], [4, 9, 9]], [[1, 1, 1], [1, 0, 0]])


def tokenizer_with(folder, marks):
    path = folder / "tokenizer.json"
    vocabulary = {token: at for at, token in enumerate([*marks, "word"])}
    Tokenizer(WordLevel(vocabulary, unk_token=marks[-1])).save(str(path))
    return path


def test_marks_of_another_family_are_found(tmp_path):
    tokens = Tokens(tokenizer_with(tmp_path, ["<s>", "</s>", "<pad>", "[UNK]"]))
    assert (tokens.first, tokens.separator, tokens.padding) == (0, 1, 2)
    assert tokens.windows(tokens.pieces(["word"])) == [Window((0, 4, 1), ((0, 1, 2),))]


def test_tokenizer_without_marks_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"none of the marks \[CLS\].*<s>"):
        Tokens(tokenizer_with(tmp_path, ["<s>", "[SEP]", "[UNK]"]))
