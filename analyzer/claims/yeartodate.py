"""What the claims given show as spent on physical and speech therapy, per patient and calendar year.

Physical therapy and speech-language pathology share one counter per beneficiary and calendar year, across all
providers; allowed amounts count. A claims file holds those of one practice, so that the sum is what is known of it.
"""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date

from analyzer.types import AmountBasis, BilledLine

# One counter for speech and physical therapy, another for occupational (cms-kx-2024, cuewise-billing-8).
_COUNTED = frozenset({"GN", "GP"})
_NOT_COUNTED = frozenset({"GO"})


@dataclass(frozen=True, slots=True)
class Spent:
    """An amount in US dollars, and what it was added up from: charges where a line says nothing else."""

    amount: float
    basis: AmountBasis


def amounts_before(lines: Sequence[BilledLine], patients: Sequence[str], of_notes: Set[int]) -> list[Spent | None]:
    """Return, for each line, what was spent on its patient in its calendar year before it.

    A line with modifier GN or GP counts, one with GO does not. One without any of them counts where it belongs to a
    note, or where its code is billed with GN or GP elsewhere. Lines of another payer do not count.

    Parameters
    ----------
    lines : sequence of BilledLine
    patients : sequence of str
        The patient of each line.
    of_notes : set of int
        Positions of the lines that belong to a note.

    Returns
    -------
    list of Spent or None
        In the order of the lines. None where an earlier line that counts has no amount: the sum is then not known.
    """
    therapy_codes = {billed.line.code for billed in lines if _COUNTED & set(billed.line.modifiers)}
    groups: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for number, (billed, patient) in enumerate(zip(lines, patients, strict=True)):
        groups[patient, billed.date_of_service.year, _simplify(billed.payer)].append(number)
    spent: list[Spent | None] = [None] * len(lines)
    for numbers in groups.values():
        total, basis, is_known = 0.0, AmountBasis.ALLOWED, True
        for number in sorted(numbers, key=lambda number: (_day(lines[number]), number)):
            spent[number] = Spent(round(total, 2), basis) if is_known else None
            if not _counts(lines[number], therapy_codes, number in of_notes):
                continue
            line = lines[number].line
            amount = line.charge if line.allowed is None else line.allowed
            if line.allowed is None:
                basis = AmountBasis.CHARGE
            if amount is None:
                is_known = False
            else:
                total += amount
    return spent


def _counts(billed: BilledLine, therapy_codes: Set[str], is_of_note: bool) -> bool:
    plans = set(billed.line.modifiers)
    if plans & _COUNTED:
        return True
    return not plans & _NOT_COUNTED and (is_of_note or billed.line.code in therapy_codes)


def _day(billed: BilledLine) -> date:
    return billed.date_of_service


def _simplify(payer: str | None) -> str:
    return "".join(filter(str.isalnum, (payer or "").casefold()))
