"""Quantities as written, typed: ratio, percent, seconds, decibels, scales; and pairs that compare them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from analyzer.scan import Disjoint, Found
from analyzer.types import Comparison, Measure, Segment


def read_measures(
    folded: str, segments: Sequence[Segment], found: Sequence[Found], numbers: Mapping[str, float]
) -> tuple[tuple[int, Measure], ...]:
    """Type what the rows of ``measures.csv`` found.

    Parameters
    ----------
    folded : str
    segments : sequence of Segment
    found : sequence of Found
        In the order of the rows.
    numbers : mapping of str to float
        Number words and their values.

    Returns
    -------
    tuple of (int, Measure)
        Segment index and measure, in the order of the text, without overlap.
    """
    readings = []
    for order, one in enumerate(found):
        read = _measure(folded, one, segments[one.segment], numbers)
        if read is not None:
            rank = 2 if one.row.name.startswith("bare-") else 1 if one.row.value == "count" else 0
            readings.append((rank, one.start - one.end, order, one, read))
    # The longest mention wins, bare numbers and counts last. A row that reads a mention as no measure at all (a date,
    # a dose) silences shorter readings of the same words.
    taken = Disjoint()
    kept: list[tuple[int, Measure]] = []
    for _, _, _, one, read in sorted(readings, key=lambda reading: reading[:3]):
        if not taken.touches(one.start, one.end):
            taken.add(one.start, one.end)
            kept.extend((one.segment, measure) for measure in read)
    return tuple(sorted(kept, key=lambda pair: pair[1].start))


def _number(text: str, numbers: Mapping[str, float]) -> float | None:
    text = text.strip()
    try:
        return float(text)
    except ValueError:
        pass
    if text in numbers:
        return numbers[text]
    tens, _, ones = text.replace(" ", "-").partition("-")
    if tens in numbers and ones in numbers:
        return numbers[tens] + numbers[ones]
    return None


def _measure(folded: str, one: Found, segment: Segment, numbers: Mapping[str, float]) -> tuple[Measure, ...] | None:
    """Type one mention; empty where the words are surely no measure, None where this row does not read them."""
    unit, start, end, groups = one.row.value, one.start, one.end, one.groups
    if unit == "not":
        return ()
    value, total, upper, then = (
        _number(groups[name], numbers) if name in groups else None for name in ("value", "total", "upper", "then")
    )
    if unit == "all":
        total = 2.0 if groups.get("which") == "both" else total
        return (Measure(start, end, total, "ratio", total),) if total is not None else None
    if unit == "none":
        return (Measure(start, end, 0.0, "ratio", total),) if total is not None else None
    if unit == "fraction":
        return (Measure(start, end, _fraction(groups), unit),)
    if unit == "count":
        word = groups.get("word")
        if word:
            value = 1.0 if word == "once" else 2.0
        else:
            value = _number(groups.get("number") or groups.get("value") or "", numbers)
    if unit in ("years", "months") and value is not None:
        months = float(groups.get("months", 0)) if unit == "years" else value
        value, unit = round((value if unit == "years" else 0) + months / 12, 3), "years"
    if value is None or (unit == "ratio" and not _is_ratio(folded, start, end, value, total, segment)):
        return None
    if upper is not None and _FROM.search(folded, max(segment.start, start - 6), start):
        upper, then = None, upper  # "from 60 to 80%" are two values, not a range
    if then is None:
        return (Measure(start, end, value, unit, total, upper),)
    middle = folded.rindex(" to ", start, end)
    return Measure(start, middle, value, unit, total, upper), Measure(middle + 4, end, then, unit)


_PARTS = {"third": 3, "quarter": 4, "fourth": 4, "fifth": 5}
_COUNTS = {"a": 1, "one": 1, "two": 2, "three": 3, "1": 1, "2": 2, "3": 3}


def _fraction(groups: Mapping[str, str]) -> float:
    if "half" in groups:
        return 0.5
    return round(_COUNTS[groups["count"]] / _PARTS[groups["part"].rstrip("s")], 3)


_FROM = re.compile(r"\bfrom $")
_DATE_BEFORE = re.compile(
    r"(?:\bon|\bsince|\bdos|\bdate|\bseen|\bby|\buntil|\bthru|\bthrough|\bof|\blast|\beval|\bdated|\bsoc|\bonset|\bdob|"
    r"\bvisit|\bsession|\btx|\bd/c|\bdc|\bsigned|\bin|\bfrom|\bre-?cert|\bweek|\bwk|\bmbss?|\bfees|\bvfss|\bfor|\bds|"
    r"\btues?|\bweds?|\bthurs?|\bfri|\bmon|\bsat|\bsun|\bsurgery|\bcva|\bhosp\w*|\bnext|\bpoc|#)[ :(.]*$|\d/$"
)
_NO_COUNT = re.compile(r"\b(?:visit|session|tx|treatment|day|week|wk|page|pg|step|level|phase|room|rm|bed|#)[ :#]*$")
_DOSE_AFTER = re.compile(r" ?-?(?:tsp|teaspoon|cup\b|tbsp|hour|hr|strength|tab|mile|sandwich)")


def _is_ratio(folded: str, start: int, end: int, value: float, total: float | None, segment: Segment) -> bool:
    """Tell x of y from a date, "2/2" for secondary to, a visit count and the like."""
    if not total or value > total or total > 400:
        return False
    before = folded[max(segment.start, start - 16) : start]
    after = folded[end : min(segment.end, end + 12)]
    if _NO_COUNT.search(before) or _DOSE_AFTER.match(after):
        return False
    if "/" not in folded[start:end]:
        return True
    if after[:1] == "/" or before[-1:] == "/" or after[:1].isalpha():
        return False  # a date with a year, a blood pressure
    if value == 2 and total == 2 and re.match(r" [a-z]", after) and not _TRIALS_AFTER.match(after):
        return False
    looks_like_date = value <= 12 and total <= 31 and value == int(value)
    return not (looks_like_date and _DATE_BEFORE.search(before) and not _TRIALS_AFTER.match(after))


_TRIALS_AFTER = re.compile(
    r"[ -]*(?:trials?|opp|tri|attempts|times|tries|words?|correct|acc|w/|with|sentences?|items?|\(|=|indep|bites?|"
    r"sips?|swallows?|phrases?|syll|questions?|pics|pictures?|targets?|productions?|steps?|turns?|errors?|cups?|spoons?)"
)
_BETWEEN = re.compile(
    r"[^\n]{0,40}?\b(?P<word>was|were|from|vs|versus|than|compared|last|baseline|prior|previous|up|down|against|to|"
    r"now|today|yesterday|ago)\b[^\n]{0,40}"
    r"|[ (]*(?P<arrow>-?-?>|=>)[^\n]{0,12}"
)
_FROM_BEFORE = re.compile(
    r"\b(?:from|was|baseline|bl|initial(?:ly)?|last \w+|previous(?:ly)?|prior|eval|at eval)[ :=(]*"
    r"(?:of |at |about |was )?$"
)


def read_comparisons(folded: str, measures: Iterable[tuple[int, Measure]]) -> Iterator[tuple[int, Comparison]]:
    """Yield pairs of the same unit in one segment that the words between set against each other."""
    for (index, first), (other, second) in pairwise(measures):
        if index != other or first.unit != second.unit:
            continue
        between = _BETWEEN.fullmatch(folded, first.end, second.start)
        if not between:
            continue
        is_forward = (
            between["arrow"] is not None
            or between["word"] in ("to", "now", "today")
            or _FROM_BEFORE.search(folded, max(0, first.start - 24), first.start) is not None
        )
        if between["word"] == "to" and not _FROM_BEFORE.search(folded, max(0, first.start - 24), first.start):
            continue  # "2 to 3": a range, not a comparison
        before, after = (first, second) if is_forward else (second, first)
        yield index, Comparison(first.start, second.end, before, after)
