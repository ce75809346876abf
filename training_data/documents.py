"""How figures are rounded, laid out as tables and put into documents."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def rounded(found: Any) -> Any:
    """The same as plain JSON values, numbers to three places."""
    return json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 3))


def markdown(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (head, ["---"] * len(head), *rows))


def fill(text: str, blocks: Mapping[str, str]) -> str:
    """Put each block between the marks of its name, ``<!-- name -->`` and ``<!-- /name -->``, each on its line.

    Raises
    ------
    ValueError
        When the text has no place for a block.
    """
    for name, block in blocks.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"\n<!-- /{name} -->")
        if not begin or not end:
            raise ValueError(f"the document has no block {name!r}")
        text = f"{before}{begin}{block}{end}{after}"
    return text
