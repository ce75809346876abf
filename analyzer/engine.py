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
from pathlib import Path
from typing import Literal, NamedTuple

from analyzer.assertion import context
from analyzer.decisions import Decisions
from analyzer.errors import ModelError, NoteError
from analyzer.facts import FactReader
from analyzer.icd10.coder import Coder, load_coder
from analyzer.kind import note_kind
from analyzer.labels import Labeler, Model, is_weak
from analyzer.lexicon import Lexicons, load_lexicons
from analyzer.match import Hits, Matcher
from analyzer.policy import PolicyBook, load_policies
from analyzer.rubric import conclude, note_features, rate_dimensions, score
from analyzer.rules import RULES
from analyzer.rules.rule import Rule
from analyzer.segment import Segmentation, Segmenter
from analyzer.types import (
    Coding,
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
from models.artifact import ArtifactError
from models.scores import NoteScores

_LOG = logging.getLogger(__name__)
_FEW = 400  # fewer notes than this are done before other processes have started
_CHUNK = 32  # notes a worker gets at once: large enough that sending costs little, small enough to end together
_TOGETHER = 32  # notes that the encoder reads in one call; more gain nothing
_WINDOW = 8  # chunks in flight for each worker
_NO_CODER = NotRun("icd10", "Codes were not read: this analyzer was made without a coder.")
_UNKNOWN_PAYER = NotRun("payer", "No pack knows the record's payer; only the rules that hold for every payer ran.")
_TURNED_OFF = "Turned off in the clinic's settings."
_SEVERITY = list(Level)
_NO_ENCODER = NotRun(
    "encoder", "The encoder could not be loaded; labels, ratings and verdict rest on the lexicons alone."
)
ModelChoice = Literal["auto", "encoder", "lexicons"]


class _Read(NamedTuple):
    """A note, cut into segments, with what the lexicons found."""

    note: Note
    segmentation: Segmentation
    hits: Hits


class Analyzer:
    """Reads notes the way a payer's medical reviewer does.

    Use :meth:`load`. An analyzer holds no state between notes and may be shared by threads.
    """

    def __init__(
        self,
        lexicons: Lexicons,
        *,
        model: Model | None = None,
        decisions: Decisions | None = None,
        coder: Coder | None = None,
        rules: Sequence[Rule] = RULES,
        policies: PolicyBook | None = None,
        max_chars: int = 100_000,
        raises: bool = False,
        not_run: Sequence[NotRun] = (),
    ) -> None:
        self._lexicons = lexicons
        self._decisions = decisions or lexicons.decisions
        self._model = model
        self._coder = coder
        self._segmenter = Segmenter(lexicons)
        self._matcher = Matcher(lexicons)
        self._read_facts = FactReader(lexicons)
        self._labeler = Labeler(lexicons, self._decisions, model)
        self._rules = tuple(rules)
        self._policies = policies or load_policies()
        self._foreign = frozenset(rule.code for rule in self._rules if rule not in RULES)
        self._cited = {id: source.cited for id, source in lexicons.sources.items()}
        left_out = len(RULES) - sum(rule in RULES for rule in self._rules)
        rules_left_out = [NotRun("rules", f"{left_out} of {len(RULES)} rules were left out.")] if left_out else []
        self._left_out = (*([] if coder else [_NO_CODER]), *rules_left_out, *not_run)
        self._max_chars = max_chars
        self._raises = raises
        self._choice: ModelChoice | None = None  # set by load(): what a worker can load again for itself
        self._is_special = raises or bool(self._foreign)
        self._versions = Versions(
            cuewise=_version(),
            lexicons=lexicons.hash,
            model=model.name if model else None,
            icd10cm=coder.release if coder else None,
        )

    @classmethod
    def load(
        cls,
        *,
        preview: bool = True,
        payer: str | None = None,
        config: Path | None = None,
        max_chars: int = 100_000,
        model: ModelChoice = "auto",
        threads: int | None = None,
        raises: bool = False,
    ) -> "Analyzer":
        """Load lexicons, rules, the coder and the encoder.

        Parameters
        ----------
        preview : bool
            Whether rules whose precision is not yet proven run too.
        payer : str, optional
            A payer whose rules judge every note, whatever payer its record names.
        config : Path, optional
            A clinic's settings: levels, thresholds, payers and tables of its own.
        max_chars : int
            The longest note that is analysed; a longer one is an error, never cut short.
        model : {"auto", "encoder", "lexicons"}
            With ``auto`` the lexicons decide alone where the encoder is not installed, which every report then says
            under ``not_run``; ``encoder`` insists on it.
        threads : int, optional
            Threads of the encoder; as many as there are processors when not given.
        raises : bool
            Whether a fault of ours is raised, and not made a record of; for tests.

        Returns
        -------
        Analyzer

        Raises
        ------
        LexiconError
            When a lexicon is damaged.
        ConfigError
            When the payer is not known or the clinic's settings are not what they should be.
        ModelError
            When an artifact is damaged or missing; the encoder's may be missing unless it is insisted on.
        """
        rules = [rule for rule in RULES if preview or rule.status is Status.STABLE]
        analyzer = cls._with(rules, load_policies(payer=payer, config=config), max_chars, model, threads)
        analyzer._choice = model
        analyzer._raises = analyzer._is_special = raises
        return analyzer

    @classmethod
    def _with(
        cls, rules: Sequence[Rule], policies: PolicyBook, max_chars: int, choice: ModelChoice, threads: int | None
    ) -> "Analyzer":
        loaded = None if choice == "lexicons" else _load_encoder(insist=choice == "encoder", threads=threads)
        lexicons = load_lexicons()
        coder = load_coder(lexicons)
        if loaded is None:
            missing = (_NO_ENCODER,) if choice == "auto" else ()
            return cls(lexicons, coder=coder, rules=rules, policies=policies, max_chars=max_chars, not_run=missing)
        encoder, decisions = loaded
        return cls(
            lexicons,
            model=encoder,
            decisions=decisions,
            coder=coder,
            rules=rules,
            policies=policies,
            max_chars=max_chars,
        )

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
        read = self._read(note)
        return self._conclude(read, self._score([read])[0])

    def _read(self, note: Note) -> _Read:
        self._check(note)
        segmentation = self._segmenter(note.text)
        return _Read(note, segmentation, self._matcher(segmentation))

    def _score(self, reads: Sequence[_Read]) -> Sequence[NoteScores | None]:
        """Ask the encoder about all segments of some notes at once."""
        if self._model is None:
            return [None] * len(reads)
        texts = [[read.note.text[s.start : s.end] for s in read.segmentation.segments] for read in reads]
        return self._model.score(texts)

    def _conclude(self, read: _Read, scores: NoteScores | None) -> Report:
        note, segmentation, hits = read
        asserted = context(segmentation, hits.triggers)
        evidence = self._labeler(segmentation, hits, asserted, scores)
        note_logits: dict[str, float] = {}
        if self._model is not None and scores is not None:
            note_logits = dict(zip(self._model.note_outputs, map(float, scores.note), strict=True))
        kind = note_kind(
            segmentation,
            hits.kinds,
            evidence_segments=len({item.segment for item in evidence if not is_weak(item)}),
            note_logits=note_logits,
            lexicon_weight=self._decisions.lexicon_kind,
        )
        features = note_features(evidence, note_logits)
        ratings = rate_dimensions(evidence, features, self._lexicons.weights, self._decisions)
        concluded = conclude(ratings, features, self._decisions)
        reading = Reading(
            note=note,
            kind=kind,
            segments=segmentation.segments,
            evidence=evidence,
            ratings=ratings,
            score=score(ratings),
            verdict=concluded.verdict,
            unskilled_probability=concluded.unskilled_probability,
            labels=_labels_by_segment(evidence, len(segmentation.segments)),
            coding=self._coder(note, segmentation, kind) if self._coder else Coding(),
            facts=self._read_facts(note, segmentation, asserted),
            policy=self._policies.at(note.payer, note.date_of_service),
        )
        findings, not_run = self._findings(reading)
        return Report(
            note=note,
            kind=kind,
            verdict=concluded.verdict,
            score=reading.score,
            unskilled_probability=concluded.unskilled_probability,
            ratings=ratings,
            segments=segmentation.segments,
            evidence=evidence,
            findings=findings,
            versions=self._versions,
            icd10=reading.coding.suggestions,
            not_run=(*self._left_out, *not_run),
            facts=reading.facts,
            verdict_probability=concluded.probability,
            is_verdict_unclear=concluded.is_unclear,
            unclear_wrong=self._decisions.unclear_wrong if concluded.is_unclear else None,
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
            For several processes with a model or rules that were passed in.
        """
        if jobs > 1 and (self._is_special or (self._model is not None and self._choice is None)):
            raise ValueError("workers load the shipped parts; an analyzer with parts of its own works in one process")
        source = iter(records)
        few = list(islice(source, _FEW)) if jobs > 1 else []
        if len(few) < _FEW:
            remaining = chain(few, source)
            while together := list(islice(remaining, _TOGETHER if self._model else 1)):
                yield from self._results(together)
            return
        codes = [rule.code for rule in self._rules]
        yield from _in_processes(
            chain(few, source), jobs, (codes, self._policies, self._max_chars, self._choice or "lexicons")
        )

    def _results(self, records: Sequence[Note | Failure]) -> list[Result]:
        """Analyse some notes together; what goes wrong with one is its own result."""
        results: dict[int, Result] = {}
        reads: dict[int, _Read] = {}
        for at, record in enumerate(records):
            if isinstance(record, Failure):
                results[at] = record
                continue
            try:
                reads[at] = self._read(record)
            except Exception as error:
                results[at] = self._failure(record, error)
        try:
            scores = dict(zip(reads, self._score(list(reads.values())), strict=True))
        except Exception as error:
            if len(reads) > 1:  # one of them is at fault: find out which
                return [result for record in records for result in self._results([record])]
            return [self._failure(read.note, error) for read in reads.values()]
        for at, read in reads.items():
            try:
                results[at] = self._conclude(read, scores[at])
            except Exception as error:
                results[at] = self._failure(read.note, error)
        return [results[at] for at in range(len(records))]

    def _failure(self, note: Note, error: Exception) -> Failure:
        """Make a record of an exception: the caller's, or a fault of ours that must not end a run of thousands."""
        if isinstance(error, NoteError):
            return Failure(error.code, error.message, note.id, error.field, note.origin, note.extra)
        if self._raises:
            raise error
        _LOG.error("note at %s could not be analysed: %s", note.origin, type(error).__name__)
        return Failure("internal", "Cuewise failed on this note; please report this.", note.id, None, note.origin)

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
        lacking: dict[str, list[str]] = {}
        policy = reading.policy
        for rule in self._rules:
            # A rule that the caller passed in has its own level; the others have what payer and clinic say.
            level = rule.level if policy is None or rule.code in self._foreign else policy.levels.get(rule.code)
            if level is None:
                continue
            try:
                if (lack := rule.lack(reading)) is not None:
                    lacking.setdefault(lack, []).append(rule.code)
                if rule.is_in_force(reading.note.date_of_service):
                    findings.extend(
                        replace(found, level=level, source=self._cited[found.source])
                        for found in rule.findings(reading)
                    )
            except Exception as error:  # one broken rule must not silence the others; it is reported, not swallowed
                if self._raises:
                    raise
                _LOG.error("rule %s failed on note %s: %s", rule.code, reading.note.origin, type(error).__name__)
                lacking.setdefault("The rule failed; please report this.", []).append(rule.code)
        if policy is not None:
            lacking[_TURNED_OFF] = [rule.code for rule in self._rules if rule.code in policy.turned_off]
        findings.sort(key=lambda finding: (_SEVERITY.index(finding.level), finding.code, finding.start))
        unknown = [_UNKNOWN_PAYER] if policy is not None and not policy.is_payer_known else []
        return tuple(findings), (*unknown, *(NotRun(" ".join(codes), why) for why, codes in lacking.items() if codes))


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


def _load_encoder(*, insist: bool, threads: int | None) -> tuple[Model, Decisions] | None:
    """Load the encoder and its decisions; None where it is not installed and that is allowed."""
    try:
        from models.encoder import Encoder  # here, since what it imports may be missing on a small machine
    except ImportError as error:
        if insist:
            raise ModelError(f"the encoder needs a package that is not installed: {error.name}") from error
        return None
    try:
        encoder = Encoder.load(threads=threads)
        return encoder, Decisions.of(encoder.decisions)
    except ArtifactError as error:
        if not insist and not Encoder.is_installed():
            return None
        raise ModelError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the encoder's decisions are not complete: {error}") from error


_Setup = tuple[
    Sequence[str], PolicyBook, int, ModelChoice
]  # rules, policies, longest note, model: a worker loads the rest
_WORKER: list[Analyzer] = []  # a spawned worker's analyzer, loaded once


def _load_worker(setup: _Setup) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent alone answers Ctrl-C
    codes, policies, max_chars, choice = setup
    rules = [rule for rule in RULES if rule.code in codes]
    _WORKER.append(Analyzer._with(rules, policies, max_chars, choice, 1))


def _work(records: Sequence[Note | Failure]) -> list[Result]:
    return _WORKER[0]._results(records)


def _in_processes(records: Iterable[Note | Failure], jobs: int, setup: _Setup) -> Iterator[Result]:
    source = iter(records)
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_load_worker, initargs=(setup,)
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
