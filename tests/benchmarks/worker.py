"""One system under test in a process of its own: loads once, then times what it is told to on standard input.

Runs in three environments, so that it imports nothing but the standard library before a system is loaded. Every line of
standard input is a JSON command and gets one line of JSON back; what a library prints goes to standard error.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TextIO

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class System:
    """A loaded system; both calls return how many mentions were found, so that results are consumed."""

    batch: Callable[[Sequence[str]], int]
    one: Callable[[str], int]
    versions: Callable[[], dict[str, str]]


def _versions(*names: str) -> Callable[[], dict[str, str]]:
    return lambda: {name: version(name) for name in names}


def _cuewise(terms: Sequence[str], *, model: str = "encoder") -> System:
    """Cuewise as its README calls it; the terms are its own lexicon already."""
    sys.path.insert(0, str(_ROOT))
    from analyzer import Analyzer, Note, Report

    analyzer = Analyzer.load(model=model)  # type: ignore[arg-type]  # a string of this file
    libraries = _versions("spacy", "onnxruntime")

    def one(text: str) -> int:
        return len(analyzer.analyze(Note(text)).evidence)

    def batch(texts: Sequence[str]) -> int:
        results = analyzer.analyze_all(Note(text) for text in texts)
        return sum(len(result.evidence) for result in results if isinstance(result, Report))

    return System(batch, one, lambda: {"lexicons": analyzer.analyze(Note("Seen.")).versions.lexicons, **libraries()})


def _cuewise_lexicons(terms: Sequence[str]) -> System:
    return _cuewise(terms, model="lexicons")


def _sentences(terms: Sequence[str]) -> System:
    """Our own encoder, asked about one sentence at a time: what reading whole notes at once saves."""
    sys.path.insert(0, str(_ROOT))
    import spacy

    from models.encoder import Encoder

    encoder, nlp = Encoder.load(), spacy.blank("en")
    nlp.add_pipe("sentencizer")

    def batch(texts: Sequence[str]) -> int:
        sentences = [sentence.text for doc in nlp.pipe(texts) for sentence in doc.sents]
        return sum(int((found.segments > 0).sum()) for found in encoder.score([[text] for text in sentences]))

    return System(batch, lambda text: batch([text]), _versions("spacy", "onnxruntime"))


def _spacy(terms: Sequence[str]) -> System:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    ruler.add_patterns([{"label": "TERM", "pattern": term} for term in terms])  # type: ignore[attr-defined]
    # 64 to a batch was as fast as or faster than 16, 256 and one at a time, here and in the two systems below.
    return System(
        lambda texts: sum(len(doc.ents) for doc in nlp.pipe(texts, batch_size=64)),
        lambda text: len(nlp(text).ents),
        _versions("spacy"),
    )


def _medspacy(terms: Sequence[str], *, splitter: str = "pyrush") -> System:
    import medspacy
    from loguru import logger
    from medspacy.ner import TargetRule

    logger.remove()  # PyRuSH otherwise writes a debug line a token to standard error
    logger.disable("PyRuSH")
    if splitter == "pyrush":
        nlp = medspacy.load()
    else:
        nlp = medspacy.load(medspacy_enable=["medspacy_tokenizer", "medspacy_target_matcher", "medspacy_context"])
        nlp.add_pipe(splitter, first=True)
    nlp.get_pipe("medspacy_target_matcher").add([TargetRule(term, "TERM") for term in terms])
    return System(
        lambda texts: sum(len(doc.ents) for doc in nlp.pipe(texts, batch_size=64)),
        lambda text: len(nlp(text).ents),
        _versions("medspacy", "PyRuSH", "spacy"),
    )


def _medspacy_sentencizer(terms: Sequence[str]) -> System:
    return _medspacy(terms, splitter="sentencizer")


def _edsnlp(terms: Sequence[str]) -> System:
    from loguru import logger

    logger.remove()
    import edsnlp
    import edsnlp.pipes as eds

    nlp = edsnlp.blank("eds")
    nlp.add_pipe(eds.sentences())
    nlp.add_pipe(eds.matcher(terms={"TERM": list(terms)}, attr="LOWER"))
    for qualifier in (eds.negation, eds.hypothesis, eds.history, eds.family):
        nlp.add_pipe(qualifier())
    return System(
        lambda texts: sum(len(doc.ents) for doc in nlp.pipe(texts).set_processing(batch_size=64)),
        lambda text: len(nlp(text).ents),
        _versions("edsnlp", "spacy"),
    )


_LOADERS: dict[str, Callable[[Sequence[str]], System]] = {
    "cuewise": _cuewise,
    "cuewise-lexicons": _cuewise_lexicons,
    "sentences": _sentences,
    "spacy": _spacy,
    "medspacy": _medspacy,
    "medspacy-sentencizer": _medspacy_sentencizer,
    "edsnlp": _edsnlp,
}


def _read(paths: Sequence[str]) -> dict[str, Any]:
    """Read notes of every format that Cuewise reads; failures are left out."""
    sys.path.insert(0, str(_ROOT))
    from analyzer import Note
    from analyzer.readers import read_notes

    return {"texts": [record.text for record in read_notes(paths) if isinstance(record, Note)]}


def _sweep(texts: Sequence[str], jobs: int) -> dict[str, Any]:
    """Time Cuewise over many notes in ``jobs`` processes, their start included."""
    from analyzer import Analyzer, Note, Report

    analyzer = Analyzer.load()
    notes = [Note(text) for text in texts]
    start, cpu = perf_counter(), sum(os.times()[:4])  # own and children's, user and system
    reports = sum(isinstance(result, Report) for result in analyzer.analyze_all(notes, jobs=jobs))
    return {"wall_s": perf_counter() - start, "cpu_s": sum(os.times()[:4]) - cpu, "reports": reports}


def _each(call: Callable[[str], int], texts: Sequence[str]) -> list[float]:
    seconds = []
    for text in texts:
        start = perf_counter()
        call(text)
        seconds.append(perf_counter() - start)
    return seconds


def _answer(command: dict[str, Any], loaded: dict[str, System]) -> dict[str, Any]:
    match command["do"]:
        case "read":
            return _read(command["paths"])
        case "load":
            start = perf_counter()
            loaded["system"] = system = _LOADERS[command["system"]](command["terms"])
            return {"load_s": perf_counter() - start, "versions": system.versions()}
        case "batch":
            wall, cpu = perf_counter(), process_time()
            found = loaded["system"].batch(command["texts"])
            return {"wall_s": perf_counter() - wall, "cpu_s": process_time() - cpu, "found": found}
        case "each":
            return {"seconds": _each(loaded["system"].one, command["texts"])}
        case "sweep":
            return _sweep(command["texts"], command["jobs"])
        case "memory":
            unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, KiB elsewhere
            return {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20}
    raise ValueError(f"unknown command {command['do']!r}")


def _serve(answers: TextIO) -> None:
    loaded: dict[str, System] = {}
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line), loaded)
        except (Exception, RecursionError) as error:  # the run goes on without this figure, and says so
            answer = {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":  # spawned workers of a sweep import this file again
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _serve(private)
