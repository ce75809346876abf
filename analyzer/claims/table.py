"""Rows of a claims table, whatever its file, to billed lines: column names, types and ranges."""

import re
from collections.abc import Mapping, Sequence

from analyzer.errors import NoteError
from analyzer.readers.limits import Limits
from analyzer.readers.records import Columns, Source, read_form
from analyzer.readers.values import (
    read_date,
    read_diagnoses,
    read_integer,
    read_modifiers,
    read_name,
    read_number,
)
from analyzer.types import BilledLine, ClaimLine, Failure

_PER_LINE = 4  # modifiers and diagnosis pointers of a service line (CMS-1500, items 24D and 24E)
_MODIFIERS = tuple(f"modifier_{number}" for number in range(1, _PER_LINE + 1))
_DIAGNOSES = tuple(f"diagnosis_{number}" for number in range(1, _PER_LINE + 1))

# Other names of a column, best first; a name matches whatever its case, spaces and underscores.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "claim_id": ("claim", "claim_number", "claim_no", "claim_control_number", "icn", "dcn"),
    "patient_id": ("mrn", "patient", "client_id", "client", "patient_account", "account_number", "member_id"),
    "clinician_id": (
        "clinician",
        "rendering_provider",
        "rendering_provider_id",
        "rendering_npi",
        "therapist_id",
        "therapist",
        "provider_id",
        "provider",
        "slp",
    ),
    "payer": ("payor", "payer_name", "insurance"),
    "date_of_service": ("dos", "service_date", "date_from", "from_date", "session_date", "visit_date", "date"),
    "code": ("cpt", "cpt_code", "procedure_code", "procedure", "hcpcs", "hcpcs_code", "proc_code", "service_code"),
    "units": ("unit", "quantity", "qty", "service_units", "billed_units"),
    "modifiers": ("modifier", "mods", "mod"),
    "minutes": ("total_minutes", "session_minutes", "treatment_minutes", "duration_minutes"),
    "charge": ("charges", "charge_amount", "line_charge", "billed", "billed_amount", "amount_billed", "amount", "fee"),
    "allowed": ("allowed_amount", "amount_allowed"),
    "place_of_service": ("pos", "pos_code"),
    "diagnoses": ("diagnosis", "diagnosis_codes", "dx", "dx_codes", "icd10", "icd10_codes", "icd_codes"),
    "form": ("claim_form", "claim_type"),
    **{name: (f"mod{name[-1]}", f"modifier{name[-1]}") for name in _MODIFIERS},
    **{name: (f"dx{name[-1]}", f"diagnosis{name[-1]}", f"icd{name[-1]}") for name in _DIAGNOSES},
}
CLAIM_COLUMNS = Columns(ALIASES, ("patient_id", "date_of_service", "code"))

_CODE = re.compile("[0-9A-Z]{5}", re.ASCII)


class ClaimRows:
    """Makes billed lines of the rows of one table."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.columns = CLAIM_COLUMNS
        self._matches: dict[tuple[str, ...], tuple[str | None, ...]] = {}

    def read(self, names: Sequence[str], values: Sequence[object], row: int | None) -> BilledLine | Failure:
        """Return the billed line of a row, or why there is none."""
        key = tuple(names)
        fields = self._matches.get(key)
        if fields is None:
            fields = self._matches[key] = self.columns.match(key)
        record = {field: value for field, value in zip(fields, values, strict=True) if field is not None}
        try:
            return self._to_line(record, row)
        except NoteError as error:
            return self.source.failure(error, row)

    def _to_line(self, record: Mapping[str, object], row: int | None) -> BilledLine:
        limits, get = self.limits, record.get
        origin = self.source.origin(row)
        day = read_date("date_of_service", get("date_of_service"), limits)
        patient_id = read_name("patient_id", get("patient_id"), limits)
        if day is None:
            raise _empty("date_of_service")
        if patient_id is None:
            raise _empty("patient_id")
        modifiers = [*read_modifiers("modifiers", get("modifiers"), limits)]
        for field in _MODIFIERS:
            modifiers += read_modifiers(field, get(field), limits)
        diagnoses = [*read_diagnoses("diagnoses", get("diagnoses"), limits)]
        for field in _DIAGNOSES:
            diagnoses += read_diagnoses(field, get(field), limits)
        line = ClaimLine(
            code=read_code("code", get("code"), limits),
            units=read_integer("units", get("units"), limits),
            modifiers=tuple(dict.fromkeys(modifiers)),
            minutes=read_integer("minutes", get("minutes"), limits),
            charge=read_number("charge", get("charge"), limits),
            allowed=read_number("allowed", get("allowed"), limits),
            claim_id=read_name("claim_id", get("claim_id"), limits),
            clinician_id=read_name("clinician_id", get("clinician_id"), limits),
            date_of_service=day,
            place_of_service=read_place("place_of_service", get("place_of_service"), limits),
            diagnoses=tuple(dict.fromkeys(diagnoses)),
            form=read_form("form", get("form"), limits),
            origin=origin,
        )
        return BilledLine(line, (patient_id,), day, origin, read_name("payer", get("payer"), limits))


def read_code(field: str, value: object, limits: Limits) -> str:
    """Return a procedure code: five letters or digits, in upper case."""
    code = (read_name(field, value, limits) or "").upper()
    if not code:
        raise _empty(field)
    if not _CODE.fullmatch(code):
        raise NoteError("bad-code", f"expected five letters or digits, found {len(code):,} characters", field=field)
    return code


def read_place(field: str, value: object, limits: Limits) -> str | None:
    """Return a place of service: two digits, of which a spreadsheet may have dropped the first zero."""
    place = read_name(field, value, limits)
    return place.zfill(2) if place is not None and place.isdecimal() else place


def _empty(field: str) -> NoteError:
    return NoteError("missing-field", f"the line has no `{field}`", field=field)
