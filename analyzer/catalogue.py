"""The rules as documents: an example as a text that can be shown, and the page ``docs/rules.md``."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from analyzer import lexicon
from analyzer.lexicon import Source
from analyzer.policy import PolicyBook
from analyzer.policy.tables import releases, shipped_rows
from analyzer.rules.rule import Example, Rule
from analyzer.types import ClaimLine, Level, Note, PlanOfCare, Status

FAMILIES: Mapping[str, str] = {
    "BIL": "the claim",
    "DOC": "the record",
    "DRL": "drill and pastime",
    "DXC": "diagnosis codes",
    "EPI": "the episode",
    "SKL": "evidence of skill",
}
"""What the rules of a family speak of."""

PROVENANCE: Mapping[str, str] = {
    "P": "primary source",
    "P-old": "primary source, in an older revision",
    "S": "secondary source",
    "G": "general knowledge of the field",
    "official": "primary source",
}
"""How sure a source is, by the letters of ``sources.toml``."""

_NOTICE = (
    "CPT codes are © American Medical Association; CPT is a registered trademark of the American Medical Association. "
    "The labels here are Cuewise's own short words, not official descriptors. Nothing here is legal or coding advice."
)


def describe_fields(note: Note) -> tuple[str, ...]:
    """Return the fields of a note's record that are set, each as words.

    Examples
    --------
    >>> describe_fields(Note("", claim_lines=(ClaimLine("92507", 1, ("GN",)),)))
    ('claim_lines: 92507 × 1 GN',)
    """
    shown: dict[str, Callable[[], object]] = {
        "cpt": lambda: note.cpt,
        "minutes": lambda: note.minutes,
        "setting": lambda: note.setting,
        "date_of_service": lambda: note.date_of_service,
        "payer": lambda: note.payer,
        "credential": lambda: note.credential,
        "clinician_id": lambda: note.clinician_id,
        "place_of_service": lambda: note.place_of_service,
        "diagnoses": lambda: " ".join(note.diagnoses),
        "claim_lines": lambda: "; ".join(map(_line, note.claim_lines)),
        "plan_of_care": lambda: _plan(note.plan_of_care) if note.plan_of_care else None,
        "ytd_pt_slp_allowed": lambda: note.ytd_pt_slp_allowed,
        "treatment_days_since_report": lambda: note.treatment_days_since_report,
    }
    values = ((name, value()) for name, value in shown.items())
    return tuple(f"{name}: {_plain(value)}" for name, value in values if value not in (None, ""))


def mark_example(example: Example) -> str:
    """Return the text of an example with its marks, and below it the fields of the record that are set."""
    text, parts, position = example.note.text, [], 0
    if example.spans == ((0, len(text)),):
        parts.append(f"(the whole note) {text}")
        position = len(text)
    else:
        for start, end in sorted(example.spans):
            parts += [text[position:start], "[[", text[start:end], "]]"]
            position = end
    parts.append(text[position:])
    fields = describe_fields(example.note)
    return "".join(parts) + (f"\n({', '.join(fields)})" if fields else "")


def describe_dates(rule: Rule) -> str:
    """Return for which dates of service a rule holds, as words; empty where it holds for every date."""
    since = f"from {rule.valid_from}" if rule.valid_from else ""
    until = f"until {rule.valid_to}" if rule.valid_to else ""
    return " ".join(filter(None, (since, until)))


def rule_record(rule: Rule, level: Level) -> dict[str, object]:
    """Return a rule as lists of rules have it, with the level that it has for a payer."""
    return {
        "code": rule.code,
        "name": rule.name,
        "family": rule.family,
        "level": level.value,
        "status": rule.status.value,
        "since": rule.since,
        "title": rule.title,
        "why": rule.why,
        "sources": list(rule.sources),
        "payers": list(rule.payers),
        "valid_from": rule.valid_from.isoformat() if rule.valid_from else None,
        "valid_to": rule.valid_to.isoformat() if rule.valid_to else None,
        "known_limits": rule.known_limits,
    }


def rules_page(rules: Sequence[Rule], policies: PolicyBook) -> str:
    """Return the page that lists every rule, payer pack, table and source, as Markdown.

    Parameters
    ----------
    rules : sequence of Rule
        Sorted by code.
    policies : PolicyBook
        The packs that ship with Cuewise.
    """
    sources = lexicon.load_lexicons().sources
    used = sorted({source for rule in rules for source in rule.sources})
    parts: list[str] = [
        "# Rules",
        "This page is made from the rules themselves by `cuewise rules --format markdown`; a test keeps it up to date.",
        _NOTICE,
        "## By family",
        *_families(rules),
        "## By payer",
        "A record names its payer; without one `medicare-b` judges it, and a payer that no pack knows is judged by the "
        "rules that hold for every payer, which the report says. `--payer` names the pack for a whole run. A level is "
        "given where a rule runs; an empty cell says that it does not.",
        *_payers(rules, policies),
        "## A clinic's settings",
        "`--config FILE` names a TOML file that changes levels, figures and thresholds, adds payers, such as a state's "
        "Medicaid, and loads newer tables. [`clinic.toml`](clinic.toml) shows everything that can be set. A mistake in "
        "it is an error that names the line. A rule that is turned off is listed under `not_run`.",
        "## Tables by date of service",
        "Outside these dates a rule that needs the table does not run, and says so under `not_run`.",
        *_tables(),
        "Thresholds of physical and speech therapy together, in US dollars a calendar year:",
        _thresholds(),
        "Procedure codes, with labels of our own:",
        _procedures(),
        "## The check list of the domain reference",
        *_checklist(),
        "## Each rule",
        *(part for rule in rules for part in _rule(rule)),
        "## Sources",
        *(_source(sources[source]) for source in used),
    ]
    return "\n\n".join(parts) + "\n"


def _line(line: ClaimLine) -> str:
    units = "" if line.units is None else f" × {line.units}"
    said = (
        " ".join(line.modifiers),
        "" if line.minutes is None else f"{line.minutes} min",
        "" if line.charge is None else f"${line.charge:,.2f}",
        "" if line.allowed is None else f"${line.allowed:,.2f} allowed",
        "" if line.place_of_service is None else f"place {line.place_of_service}",
        "" if line.clinician_id is None else f"by {line.clinician_id}",
        "" if line.date_of_service is None else f"on {line.date_of_service}",
        "" if line.form is None else line.form.value,
        " ".join(line.diagnoses),
    )
    return " ".join(filter(None, (f"{line.code}{units}", *said)))


def _plan(plan: PlanOfCare) -> str:
    said = {
        "start": plan.start,
        "certified_through": plan.certified_through,
        "is_certified": plan.is_certified,
        "has_signed_order": plan.has_signed_order,
        "sent_on": plan.sent_on,
        "goals": "; ".join(plan.goals) or None,
    }
    return " ".join(f"{name} {_plain(value)}" for name, value in said.items() if value is not None)


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _link(rule: Rule) -> str:
    return f"[{rule.code}](#{rule.code.lower()}-{rule.name})"


def _families(rules: Sequence[Rule]) -> Iterator[str]:
    for family, members in groupby(rules, key=lambda rule: rule.family):
        yield f"### {family}: {FAMILIES[family]}"
        rows = ((_link(rule), rule.level.value, rule.status.value, rule.title) for rule in members)
        yield _table(("Code", "Level", "Status", "Complaint"), rows)


def _payers(rules: Sequence[Rule], policies: PolicyBook) -> Iterator[str]:
    yield _table(("Payer", "Stands for"), ((f"`{name}`", title) for name, title in policies.payers.items()))
    names = list(policies.payers)
    levels = {rule.code: [policies.level(rule, name) for name in names] for rule in rules}
    differing = [rule for rule in rules if len(set(levels[rule.code])) > 1]
    yield "Every other rule runs alike for all of them."
    yield _table(
        ("Rule", *names),
        ((_link(rule), *(level.value if level else "" for level in levels[rule.code])) for rule in differing),
    )


def _tables() -> Iterator[str]:
    rows = (
        (name, str(release.first), str(release.last), release.after) for name, release in sorted(releases().items())
    )
    yield _table(("Table", "From", "To", "After that"), rows)


def _thresholds() -> str:
    return _table(
        ("Threshold", "From", "To", "Amount"),
        (
            (str(row.key), str(row.first), str(row.last or ""), f"{row.value:,.0f}")
            for row in shipped_rows()["thresholds"]
        ),
    )


def _procedures() -> str:
    return _table(
        ("Code", "Label", "Unit", "First unit from", "From", "To"),
        (
            (
                row.value.code,
                row.value.label,
                f"{row.value.unit_minutes} minutes" if row.value.unit_minutes else row.value.basis.value,
                f"{row.value.first_from} minutes" if row.value.first_from else "",
                str(row.first),
                str(row.last or ""),
            )
            for row in shipped_rows()["procedures"]
        ),
    )


def _checklist() -> Iterator[str]:
    rows = lexicon.rows("billing/checklist.csv", ("item", "condition", "codes", "remark"))
    yield _table(
        ("Item", "Condition", "Rules", "Remark"),
        ((row["item"], row["condition"], row["codes"].replace(" ", ", "), row["remark"]) for _, row in rows),
    )


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {rule.code} {rule.name}"
    dates = describe_dates(rule)
    facts = [
        f"level {rule.level.value}",
        rule.status.value + (" (precision not yet proven)" if rule.status is Status.PREVIEW else ""),
        f"since {rule.since}",
        f"payers {', '.join(rule.payers)}" if rule.payers else "every payer",
        *([f"dates of service {dates}"] if dates else []),
    ]
    yield f"**{rule.title}.** {'; '.join(facts)}."
    yield rule.why
    yield "Sources: " + ", ".join(f"[{source}](#{_anchor(source)})" for source in rule.sources) + "."
    yield "Speaks of the words in `[[ ]]`:"
    yield _examples(rule.fires)
    yield "Stays silent on:"
    yield _examples(rule.silent)
    yield f"Known limits: {rule.known_limits}"


def _examples(examples: Iterable[Example]) -> str:
    return "```text\n" + "\n\n".join(mark_example(example) for example in examples) + "\n```"


def _source(source: Source) -> str:
    sure = PROVENANCE.get(source.certainty, source.certainty)
    address = f"<{source.address}>" if source.address.startswith("https:") else f"`{source.address}`"
    return (
        f"### {source.id}\n\n{source.title}. {source.publisher}. Section: {source.section}. "
        f"Effective: {source.effective}. Read {source.read} ({sure}). {address}"
    )


def _anchor(source: str) -> str:
    return "".join(char for char in source.lower() if char.isalnum() or char in "-_")
