"""DOC: the record lacks what every payer, or Medicare, asks of it: minutes, signature, date, credential.

The text of a note is often exported without its signature block, so that silence about a signature proves nothing:
these rules speak of a signature line that is there and is not right, and say under ``not_run`` where there is none.
"""

from collections.abc import Iterator
from datetime import date

from analyzer.rules.rule import MEDICARE, NO_CODES, Complaint, Rule, example, is_treatment, whole_note
from analyzer.types import Credential, Facts, Level, Reading, SignatureState, Status

NO_SIGNATURE_LINE = "The text shows no line with a signature or a provider; many systems keep it outside of the text."
_NO_CREDENTIAL = "Neither the record nor the text says what credential the author holds."
_UNKNOWN_CREDENTIAL = "The record's credential is not one that is known here."
_NAMES = {
    Credential.SLP: "a speech-language pathologist",
    Credential.FELLOW: "a clinical fellow",
    Credential.ASSISTANT: "an assistant or aide",
    Credential.STUDENT: "a student",
    Credential.OTHER_DISCIPLINE: "a clinician of another discipline",
}
_LIMITED = (Credential.STUDENT, Credential.ASSISTANT, Credential.FELLOW, Credential.SLP, Credential.OTHER_DISCIPLINE)


def signer_credential(facts: Facts) -> Credential | None:
    """Return what the author's line says its author is: the credential that limits most, or None."""
    held = facts.signer.credentials if facts.signer else ()
    return next((credential for credential in _LIMITED if credential in held), None)


def _author(facts: Facts) -> Credential | None:
    """Return what the author is: by the text where it says so, else by the record."""
    return signer_credential(facts) or facts.record_credential


def _spoken_by(reading: Reading) -> tuple[int, int]:
    """Return the author's line, or the whole note where the record alone names the credential."""
    signer = reading.facts.signer
    return (signer.start, signer.end) if signer and signer.credentials else whole_note(reading)


def _is_supervised(facts: Facts) -> bool:
    """Whether a supervisor signs too, or the note says that one was in the room."""
    seconds = [signature for signature in facts.signatures if signature.is_second]
    return any(second.state is not SignatureState.BLANK for second in seconds) or facts.mentions("supervised")


def _lack_of_signature(reading: Reading) -> str | None:
    return None if reading.facts.signer else NO_SIGNATURE_LINE


def _lack_of_credential(reading: Reading) -> str | None:
    if _author(reading.facts):
        return None
    return _UNKNOWN_CREDENTIAL if (reading.note.credential or "").strip() else _NO_CREDENTIAL


def _lack_of_codes(reading: Reading) -> str | None:
    return None if reading.facts.billed else NO_CODES


def _total_minutes_missing(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("treatment")
    if not is_treatment(reading) or not lines or reading.note.minutes is not None or facts.total_minutes is not None:
        return
    if not facts.minutes:
        yield Complaint(
            *whole_note(reading),
            message="Treatment is billed, and neither the note nor the record says how many minutes it took.",
            fix="State total treatment minutes, timed and untimed together: ___.",
            lines=lines,
        )


TOTAL_MINUTES_MISSING = Rule(
    code="DOC001",
    name="total-minutes-missing",
    title="Total treatment minutes are not recorded",
    why="The manual asks each treatment note for total treatment minutes, timed and untimed codes together; a day with "
    "an untimed code alone needs them too. Times in and out are not asked for, but give the same figure.",
    sources=("cms-mbpm-15-220.3",),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues.]]", cpt="92507"),
        example(
            "[[Dysphagia, seen at breakfast. Chin tuck cued on every sip, no cough on thin liquids.]]", cpt="92526"
        ),
        # minutes of a task are not those of the session
        example("[[Voice: SLP shaped a hum to phrases. Read aloud for 5 min at 72 dB.]]", cpt="92507"),
    ),
    silent=(
        # total minutes
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. Total treatment time: 44 min.",
            cpt="92507",
        ),
        # times in and out
        example("In 9:02 Out 9:47. Dysphagia, seen at breakfast. Chin tuck cued on every sip.", cpt="92526"),
        # the record gives them
        example("Aphasia after stroke. Named 14 of 20 pictures with phonemic cues.", cpt="92507", minutes=44),
        # nothing is billed
        example("Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues, mod assist."),
        # another payer
        example("Voice: SLP shaped a hum to phrases at 72 dB.", cpt="92507", payer="commercial"),
    ),
    known_limits="Minutes that head the note without a word of what they are count as the total.",
    check=_total_minutes_missing,
    needs=_lack_of_codes,
    payers=MEDICARE,
)


def _signature_missing(reading: Reading) -> Iterator[Complaint]:
    signer = reading.facts.signer
    if signer and signer.state is SignatureState.BLANK:
        yield Complaint(
            signer.start,
            signer.end,
            message="The note has a place for its author's signature, and it is empty or says that it is a draft.",
            fix="Sign the note with name, credential and date before it is billed.",
        )


SIGNATURE_MISSING = Rule(
    code="DOC002",
    name="signature-missing",
    title="The note is not signed",
    why="A treatment note carries the signature and the professional identity of the qualified professional who "
    "furnished the service; an unsigned note supports no claim.",
    sources=("cms-mbpm-15-220.3",),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("Named 14 of 20 pictures with phonemic cues.\n[[Signature: ________]]"),
        example("Chin tuck cued on every sip.\nStatus of note: [[unsigned draft]]"),
        example("Produced /r/ in 8 of 10 words.\n[[Clinician: ______]]"),
    ),
    silent=(
        # signed
        example("Named 14 of 20 pictures with phonemic cues.\nSignature: R. Quell, CCC-SLP 3/4/2026"),
        # the patient's line is empty
        example("Chin tuck cued on every sip.\nPatient signature: ________"),
        # the physician's line is empty
        example("Plan of care sent.\nMD signature ________"),
        # no line at all, which not_run says
        example("Produced /r/ in 8 of 10 words with min verbal cues."),
    ),
    known_limits="Sees only a signature line in the text.",
    check=_signature_missing,
    needs=_lack_of_signature,
)


def _note_undated(reading: Reading) -> Iterator[Complaint]:
    signer, facts = reading.facts.signer, reading.facts
    if signer is None or signer.state is SignatureState.BLANK or reading.note.date_of_service is not None:
        return
    if signer.state is SignatureState.NAMED and not signer.credentials:
        return
    if not facts.dates:
        yield Complaint(
            signer.start,
            signer.end,
            message="The note is signed, but gives neither the date of service nor the date of the signature.",
            fix="Add the date of service and the date of the signature: ___.",
        )


NOTE_UNDATED = Rule(
    code="DOC003",
    name="note-undated",
    title="The note bears no date",
    why="Each treatment day needs a note of its own, with the date of treatment; without one no claim can be tied to "
    "it.",
    sources=("cms-mbpm-15-220.3",),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("Named 14 of 20 pictures with phonemic cues.\n[[Signed: R. Quell, CCC-SLP]]"),
        example("Chin tuck cued on every sip.\n[[T. Lindqvist, MS CCC-SLP]]"),
        example("Produced /r/ in 8 of 10 words.\n[[Electronically signed by Dana Whitlock, MA CCC-SLP]]"),
    ),
    silent=(
        # the signature is dated
        example("Named 14 of 20 pictures with phonemic cues.\nSigned: R. Quell, CCC-SLP 3/4/2026"),
        # the note is dated
        example("DOS 3/4/2026\nChin tuck cued on every sip.\nT. Lindqvist, MS CCC-SLP"),
        # the record gives the date
        example(
            "Produced /r/ in 8 of 10 words.\nElectronically signed by Dana Whitlock, MA CCC-SLP",
            date_of_service=date(2026, 3, 4),
        ),
    ),
    known_limits="Looks only at notes that show a signature or a provider's line; any date in the note counts.",
    check=_note_undated,
    needs=_lack_of_signature,
)


def _credential_missing(reading: Reading) -> Iterator[Complaint]:
    facts, signer = reading.facts, reading.facts.signer
    if signer is None or signer.state is not SignatureState.SIGNED or (reading.note.credential or "").strip():
        return
    if not any(signature.credentials for signature in facts.signatures):
        yield Complaint(
            signer.start,
            signer.end,
            message="The signature shows no professional credential.",
            fix="Add the credential that the author signs with: ___.",
        )


CREDENTIAL_MISSING = Rule(
    code="DOC004",
    name="credential-missing",
    title="The signature shows no credential",
    why="The manual asks for signature and credentials of the qualified professional; a name alone does not show that "
    "a speech-language pathologist furnished the service.",
    sources=("cms-mbpm-15-220.3",),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("Named 14 of 20 pictures with phonemic cues.\n[[Electronically signed 11/10 1612]]"),
        example("Chin tuck cued on every sip.\n[[Signed K.L.]]"),
        example("Produced /r/ in 8 of 10 words.\n[[Signature: M. Duarte 3/4/2026]]"),
    ),
    silent=(
        # with credential
        example("Named 14 of 20 pictures with phonemic cues.\nElectronically signed 11/10 1612, R. Quell CCC-SLP"),
        # the credential stands on the provider's line
        example("Provider: H. Castellanos, CCC-SLP\nChin tuck cued on every sip.\nElectronically signed 11/10 1612"),
        # the record gives it
        example("Produced /r/ in 8 of 10 words.\nSigned K.L.", credential="CCC-SLP"),
        # the mother signed
        example("Produced /r/ in 8 of 10 words.\nParent signature: M. Duarte 3/4/2026"),
    ),
    known_limits="A provider's line without a signature is not looked at.",
    check=_credential_missing,
    needs=_lack_of_signature,
)


def _author_not_qualified(reading: Reading) -> Iterator[Complaint]:
    author = _author(reading.facts)
    if author is Credential.ASSISTANT:
        message = "The author is an assistant or aide; Medicare does not pay for their services, licensed or not."
    elif author is Credential.STUDENT and not _is_supervised(reading.facts):
        message = "The author is a student, and no qualified pathologist signs or is said to have directed the session."
    else:
        return
    yield Complaint(
        *_spoken_by(reading),
        message=message,
        fix="Bill only what a qualified pathologist furnished; if one directed the session in the room and signs, say "
        "so: ___.",
        lines=tuple(range(len(reading.facts.billed))),
    )


AUTHOR_NOT_QUALIFIED = Rule(
    code="DOC005",
    name="author-not-qualified",
    title="The author is not one whose services Medicare pays for",
    why="Speech-language pathology assistants and aides are not covered by Medicare, even when the state licenses "
    "them; a student's session counts only where the pathologist is in the room the whole time, directs it and signs.",
    sources=("cms-mbpm-15-230.3", "asha-medicare-students"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Provider: R. Vasquez, SLPA]]\nProduced /r/ in 8 of 10 words with min verbal cues."),
        example("[[Named 14 of 20 pictures with phonemic cues.]]", credential="SLPA"),
        example("[[Student clinician: A. Brandt]]\nAphasia. Named 14 of 20 pictures with phonemic cues."),
        # supervised or not, an assistant is not covered
        example("[[Signed: J. Pell, SLPA]]\nSupervising SLP: T. Lindqvist, CCC-SLP\nNamed 14 of 20 pictures."),
    ),
    silent=(
        # a pathologist
        example("Provider: R. Vasquez, CCC-SLP\nProduced /r/ in 8 of 10 words with min verbal cues."),
        # a clinical fellow, which DOC006 says
        example("Named 14 of 20 pictures with phonemic cues.", credential="SLP-CF"),
        # the supervisor was in the room and signs
        example(
            "Student clinician: A. Brandt\nAphasia. Named 14 of 20 pictures with phonemic cues.\nSupervising SLP: "
            "T. Lindqvist, CCC-SLP"
        ),
        # another payer
        example("Provider: R. Vasquez, SLPA\nProduced /r/ in 8 of 10 words.", payer="medicaid"),
        # the patient is a student
        example("Student: A. Brandt, grade 4\nProduced /r/ in 8 of 10 words with min verbal cues."),
    ),
    known_limits="Does not check that the supervisor was in the room all the time.",
    check=_author_not_qualified,
    needs=_lack_of_credential,
    payers=MEDICARE,
)


def _author_is_fellow(reading: Reading) -> Iterator[Complaint]:
    if _author(reading.facts) is Credential.FELLOW:
        yield Complaint(
            *_spoken_by(reading),
            message="The author is a clinical fellow. With a provisional or temporary licence Medicare pays for the "
            "service; the exclusion of June 2025 was withdrawn.",
            fix="Keep the licence at hand; check that it covers the date of service.",
        )


AUTHOR_IS_FELLOW = Rule(
    code="DOC006",
    name="author-is-clinical-fellow",
    title="The author is a clinical fellow, whose services are allowed",
    why="Medicare follows the state's licence: since the guidance of September 2025 fellows with a provisional or "
    "temporary licence qualify. The certificate of clinical competence is not part of the definition.",
    sources=("asha-clinical-fellows-2025", "cms-mbpm-15-230.3"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("Produced /r/ in 8 of 10 words.\n[[Jordan Pell, MS, CF-SLP]]"),
        example("[[Named 14 of 20 pictures with phonemic cues.]]", credential="SLP-CF"),
        example("[[Clinician: R. Ames, clinical fellow]]\nChin tuck cued on every sip."),
    ),
    silent=(
        # certified
        example("Produced /r/ in 8 of 10 words.\nJordan Pell, MS, CCC-SLP"),
        # CF is the diagnosis
        example("CF, post-COVID, dysphonia. Hum to phrase, 8 of 10.", credential="CCC-SLP"),
        # another payer
        example("Clinician: R. Ames, clinical fellow\nChin tuck cued on every sip.", payer="commercial"),
    ),
    known_limits="Does not know the licence.",
    check=_author_is_fellow,
    needs=_lack_of_credential,
    payers=MEDICARE,
)


def _credential_differs(reading: Reading) -> Iterator[Complaint]:
    signer, recorded = reading.facts.signer, reading.facts.record_credential
    written = signer_credential(reading.facts)
    if signer and recorded and written and written is not recorded and recorded not in signer.credentials:
        yield Complaint(
            signer.start,
            signer.end,
            message=f"The note names {_NAMES[written]} as its author, the record {_NAMES[recorded]}.",
            fix="Find out who furnished the service, and correct the one that is wrong.",
        )


CREDENTIAL_DIFFERS = Rule(
    code="DOC007",
    name="credential-contradicted",
    title="Note and record differ in who furnished the service",
    why="Who may bill depends on the credential of the person who furnished the service; record and signature must "
    "name the same.",
    sources=("cms-mbpm-15-220.3", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("Produced /r/ in 8 of 10 words.\n[[Signed: J. Pell, SLPA]]", credential="CCC-SLP"),
        example("[[Student clinician: A. Brandt]]\nNamed 14 of 20 pictures.", credential="M.A., CCC-SLP"),
        example("Chin tuck cued on every sip.\n[[Signed: K. Moss, OTR/L]]", credential="SLP"),
    ),
    silent=(
        # the same
        example("Produced /r/ in 8 of 10 words.\nSigned: J. Pell, SLPA", credential="SLP-A"),
        # the same in other words
        example("Named 14 of 20 pictures.\nT. Lindqvist, MS CCC-SLP", credential="speech-language pathologist"),
        # the supervisor's line
        example(
            "Chin tuck cued on every sip.\nSigned: J. Pell, SLPA\nSupervising SLP: T. Lindqvist, CCC-SLP",
            credential="SLPA",
        ),
    ),
    known_limits="A credential that the tables do not know is not compared.",
    check=_credential_differs,
    needs=_lack_of_signature,
)


def _cosignature_missing(reading: Reading) -> Iterator[Complaint]:
    seconds = [signature for signature in reading.facts.signatures if signature.is_second]
    if all(second.state is SignatureState.BLANK for second in seconds):
        for second in seconds[:1]:
            yield Complaint(
                second.start,
                second.end,
                message="The supervisor's line is empty.",
                fix="Have the supervising pathologist review and sign, with name, credential and date.",
            )


COSIGNATURE_MISSING = Rule(
    code="DOC008",
    name="cosignature-missing",
    title="The supervisor has not signed",
    why="Where a student or an assistant took part, the supervising pathologist directs the service and signs; an "
    "empty line shows that this has not happened.",
    sources=("asha-medicare-students", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("Produced /r/ in 8 of 10 words.\nSigned: J. Pell, SLPA\n[[Supervising SLP: ____]]"),
        example("Student clinician: A. Brandt\nNamed 14 of 20 pictures.\n[[Cosign pending]]"),
        example("Chin tuck cued on every sip.\n[[Co-signature: ________]]"),
    ),
    silent=(
        # signed
        example("Produced /r/ in 8 of 10 words.\nSigned: J. Pell, SLPA\nSupervising SLP: T. Lindqvist, CCC-SLP"),
        # not asked for
        example("Named 14 of 20 pictures.\nR. Quell, CCC-SLP\nCosign: n/a"),
        # the patient's line
        example("Chin tuck cued on every sip.\nClient signature: ________"),
    ),
    known_limits="Does not know where a state or a payer asks for a second signature.",
    check=_cosignature_missing,
)

RULES: tuple[Rule, ...] = (
    TOTAL_MINUTES_MISSING,
    SIGNATURE_MISSING,
    NOTE_UNDATED,
    CREDENTIAL_MISSING,
    AUTHOR_NOT_QUALIFIED,
    AUTHOR_IS_FELLOW,
    CREDENTIAL_DIFFERS,
    COSIGNATURE_MISSING,
)
