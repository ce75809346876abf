"""A code as it stands on a date of service, as a record: what the command line and the service both answer."""

from collections.abc import Iterable
from datetime import date

from analyzer.icd10.catalogue import Catalogue, Checked, Exclusion

Record = dict[str, object]


def to_code_record(checked: Checked, catalogue: Catalogue, day: date | None) -> Record:
    """Return a code as it stands on a date of service."""
    code = catalogue.get(checked.code)
    return {
        "typed": checked.typed,
        "code": checked.code,
        "title": checked.title,
        "standing": checked.standing.value,
        "date": day.isoformat() if day else None,
        "release": catalogue.release,
        "billable": code is not None and code.is_valid_on(day or catalogue.last_day),
        "valid": [
            {"from": start.isoformat(), "to": end.isoformat() if end else None}
            for start, end in (code.windows if code else ())
        ],
        "advice": checked.advice,
        "successors": [{"code": offer, "title": _title(offer, catalogue)} for offer in checked.successors],
        "area": code.area if code else None,
        "role": code.role if code else None,
        "unspecified": code.is_unspecified if code else None,
        "conditions": code.conditions if code else "",
        "remarks": code.remarks if code else "",
        "code_first": code.code_first if code else "",
        "use_additional": code.use_additional if code else "",
        "code_also": code.code_also if code else "",
        "synonyms": list(code.synonyms) if code else [],
        "excludes1": _exclusions((o, catalogue.excludes1(checked.code, o)) for o in catalogue.slp),
        "excludes2": _exclusions((o, catalogue.excludes2(checked.code, o)) for o in catalogue.slp),
    }


def _exclusions(pairs: Iterable[tuple[str, Exclusion | None]]) -> list[Record]:
    return [{"code": other, "note": n.note, "note_sits_at": n.sits_at} for other, n in pairs if n is not None]


def _title(code: str, catalogue: Catalogue) -> str:
    known = catalogue.get(code)
    return known.title if known else ""
