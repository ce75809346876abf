"""The analyzer: loads once, then note to report."""

import logging
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, islice
from multiprocessing import get_context

from analyzer.assertion import context
from analyzer.errors import NoteError
from analyzer.kind import note_kind
from analyzer.labels import Classifier, Labeler, is_weak
from analyzer.lexicon import Lexicons, load_lexicons
from analyzer.match import Matcher
from analyzer.rubric import conclude, rate_dimensions, score
from analyzer.rules import RULES
from analyzer.rules.rule import Rule
from analyzer.segment import Segmenter
from analyzer.types import (
    Evidence,
    Failure,
    Finding,
    Label,
    Level,
    Note,
    NotRun,
    Reading,
    Report,
    Result,
    Status,
    Versions,
)

_LOG = logging.getLogger(__name__)
_FEW = 400  # fewer notes than this are done before other processes have started
_CHUNK = 32  # notes a worker gets at once: large enough that sending costs little, small enough to end together
_WINDOW = 8  # chunks in flight for each worker
_NOT_YET = (
    NotRun("icd10", "Code suggestion is not part of this version."),
    NotRun("billing", "Billing and record rules are not part of this version."),
)
_SEVERITY = list(Level)


class Analyzer:
    """Reads notes the way a payer's medical reviewer does.

    Use :meth:`load`. An analyzer holds no state between notes and may be shared by threads.
    """

    def __init__(
        self,
        lexicons: Lexicons,
        *,
        classifier: Classifier | None = None,
        rules: Sequence[Rule] = RULES,
        max_chars: int = 100_000,
        raises: bool = False,
    ) -> None:
        self._lexicons = lexicons
        self._segmenter = Segmenter(lexicons)
        self._matcher = Matcher(lexicons)
        self._labeler = Labeler(lexicons, classifier)
        self._rules = tuple(rules)
        self._cited = {id: source.cited for id, source in lexicons.sources.items()}
        left_out = len(RULES) - sum(rule in RULES for rule in self._rules)
        self._left_out = (NotRun("rules", f"{left_out} of {len(RULES)} rules were left out."),) if left_out else ()
        self._max_chars = max_chars
        self._raises = raises
        # What a worker could not load again for itself.
        self._is_special = classifier is not None or raises or any(rule not in RULES for rule in self._rules)
        self._versions = Versions(
            cuewise=_version(), lexicons=lexicons.hash, model=classifier.name if classifier else None
        )

    @classmethod
    def load(cls, *, preview: bool = True, max_chars: int = 100_000) -> "Analyzer":
        """Load lexicons and rules.

        Parameters
        ----------
        preview : bool
            Whether rules whose precision is not yet proven run too.
        max_chars : int
            The longest note that is analysed; a longer one is an error, never cut short.

        Returns
        -------
        Analyzer

        Raises
        ------
        LexiconError
            When a lexicon is damaged.
        """
        rules = [rule for rule in RULES if preview or rule.status is Status.STABLE]
        return cls(load_lexicons(), rules=rules, max_chars=max_chars)

    def analyze(self, note: Note) -> Report:
        """Analyse one note.

        Parameters
        ----------
        note : Note

        Returns
        -------
        Report

        Raises
        ------
        NoteError
            When the text is empty, too long or no text.

        Examples
        --------
        >>> report = Analyzer.load().analyze(Note("Named 12/20 pictures with min phonemic cues, up from 8/20."))
        >>> sorted({e.label.value for e in report.evidence})
        ['cueing', 'measure', 'progress']
        """
        self._check(note)
        segmentation = self._segmenter(note.text)
        hits = self._matcher(segmentation)
        evidence = self._labeler(segmentation, hits, context(segmentation, hits.triggers))
        strong = len({item.segment for item in evidence if not is_weak(item)})
        kind = note_kind(segmentation, hits.kinds, evidence_segments=strong)
        ratings = rate_dimensions(evidence, self._lexicons.weights, self._lexicons.settings["strength"])
        verdict, probability = conclude(ratings, evidence, self._lexicons.settings["verdict"])
        reading = Reading(
            note=note,
            kind=kind,
            segments=segmentation.segments,
            evidence=evidence,
            ratings=ratings,
            score=score(ratings),
            verdict=verdict,
            unskilled_probability=probability,
            labels=_labels_by_segment(evidence, len(segmentation.segments)),
        )
        findings, not_run = self._findings(reading)
        return Report(
            note=note,
            kind=kind,
            verdict=verdict,
            score=reading.score,
            unskilled_probability=probability,
            ratings=ratings,
            segments=segmentation.segments,
            evidence=evidence,
            findings=findings,
            versions=self._versions,
            not_run=(*_NOT_YET, *self._left_out, *not_run),
        )

    def analyze_all(self, records: Iterable[Note | Failure], *, jobs: int = 1) -> Iterator[Result]:
        """Analyse many notes, in order; one bad note never ends the run.

        Parameters
        ----------
        records : iterable of Note or Failure
            What a reader gives; a failure is handed through.
        jobs : int
            Processes to spread the work over; each loads the analyzer once.

        Yields
        ------
        Report or Failure
            One for each record, in the order of the records.

        Raises
        ------
        ValueError
            For several processes with a classifier or rules that were passed in.
        """
        if jobs > 1 and self._is_special:
            raise ValueError("workers load the shipped parts; an analyzer with parts of its own works in one process")
        source = iter(records)
        few = list(islice(source, _FEW)) if jobs > 1 else []
        if len(few) < _FEW:
            for record in chain(few, source):
                yield self._result(record)
            return
        codes = [rule.code for rule in self._rules]
        yield from _in_processes(chain(few, source), jobs, self._max_chars, codes)

    def _result(self, record: Note | Failure) -> Result:
        if isinstance(record, Failure):
            return record
        try:
            return self.analyze(record)
        except NoteError as error:
            return Failure(error.code, error.message, record.id, error.field, record.origin, record.extra)
        except Exception as error:  # a fault of ours must not end a run of thousands; it is a record of its own
            if self._raises:
                raise
            _LOG.error("note at %s could not be analysed: %s", record.origin, type(error).__name__)
            return Failure(
                "internal", "Cuewise failed on this note; please report this.", record.id, None, record.origin
            )

    def _check(self, note: Note) -> None:
        if not isinstance(note.text, str) or not _is_text(note.text):
            raise NoteError("not-text", "The text of a note must be a string of valid characters.", field="text")
        if not note.text.strip():
            raise NoteError("empty-text", "The note has no text.", field="text")
        if len(note.text) > self._max_chars:
            raise NoteError(
                "note-too-long",
                f"The note has {len(note.text):,} characters; at most {self._max_chars:,} are analysed.",
                field="text",
            )

    def _findings(self, reading: Reading) -> tuple[tuple[Finding, ...], tuple[NotRun, ...]]:
        findings: list[Finding] = []
        not_run: list[NotRun] = []
        for rule in self._rules:
            try:
                findings.extend(replace(found, source=self._cited[found.source]) for found in rule.findings(reading))
            except Exception as error:  # one broken rule must not silence the others; it is reported, not swallowed
                if self._raises:
                    raise
                _LOG.error("rule %s failed on note %s: %s", rule.code, reading.note.origin, type(error).__name__)
                not_run.append(NotRun(rule.code, "The rule failed; please report this."))
        findings.sort(key=lambda finding: (_SEVERITY.index(finding.level), finding.code, finding.start))
        return tuple(findings), tuple(not_run)


def _labels_by_segment(evidence: Iterable[Evidence], n_segments: int) -> tuple[frozenset[Label], ...]:
    found: list[set[Label]] = [set() for _ in range(n_segments)]
    for item in evidence:
        found[item.segment].add(item.label)
    return tuple(map(frozenset, found))


def _is_text(text: str) -> bool:
    """Whether it is free of lone surrogates, which no encoding can write."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _version() -> str:
    try:
        return version("cuewise")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


_WORKER: list[Analyzer] = []  # a spawned worker's analyzer, loaded once


def _load_worker(max_chars: int, codes: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent alone answers Ctrl-C
    rules = [rule for rule in RULES if rule.code in codes]
    _WORKER.append(Analyzer(load_lexicons(), rules=rules, max_chars=max_chars))


def _work(records: Sequence[Note | Failure]) -> list[Result]:
    return [_WORKER[0]._result(record) for record in records]


def _in_processes(
    records: Iterable[Note | Failure], jobs: int, max_chars: int, codes: Sequence[str]
) -> Iterator[Result]:
    source = iter(records)
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_load_worker, initargs=(max_chars, codes)
    ) as pool:
        pending: deque[Future[list[Result]]] = deque()

        def fill() -> None:
            while len(pending) < jobs * _WINDOW and (chunk := list(islice(source, _CHUNK))):
                pending.append(pool.submit(_work, chunk))

        try:
            fill()
            while pending:
                results = pending.popleft().result()
                fill()
                yield from results
        except BaseException:  # also when the caller stops early: do not work off what nobody waits for
            pool.shutdown(wait=False, cancel_futures=True)
            raise
