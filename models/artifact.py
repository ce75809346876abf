"""Trained artifacts: what is in one, and loading that refuses whatever is not exactly what was trained."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

ARTIFACTS = Path(__file__).parent / "artifacts"
MANIFEST = "manifest.json"


class ArtifactError(Exception):
    """An artifact is missing, damaged or of another make; the message names file and field."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact states of itself.

    Parameters
    ----------
    name, version : str
    files : mapping of str to str
        SHA-256 of each file.
    labels, note_outputs : tuple of str
        Order of the columns.
    decisions : mapping
        Coefficients and thresholds that turn scores into labels, ratings, verdict and kind, by name.
    training : mapping
        Base model, hashes of notes and soft labels, seed, settings, versions of libraries.
    """

    name: str
    version: str
    files: Mapping[str, str]
    labels: tuple[str, ...]
    note_outputs: tuple[str, ...]
    decisions: Mapping[str, Any]
    training: Mapping[str, Any]


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(name: str, folder: Path = ARTIFACTS) -> tuple[Manifest, Path]:
    """Check an artifact and return its manifest and folder.

    Parameters
    ----------
    name : str
    folder : Path
        Where artifacts lie.

    Returns
    -------
    Manifest
    Path

    Raises
    ------
    ArtifactError
        When the manifest is missing, has unknown or missing keys, or a file differs from its hash.
    """
    place = folder / name
    try:
        found = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{name}/{MANIFEST}: expected a readable JSON object ({type(error).__name__})") from error
    known = {field.name for field in fields(Manifest)}
    if not isinstance(found, dict) or found.keys() != known:
        keys = set(found) if isinstance(found, dict) else set()
        wrong = sorted(keys ^ known)
        raise ArtifactError(f"{name}/{MANIFEST}: missing or unknown keys: {', '.join(wrong)}")
    for file, expected in found["files"].items():
        if not (place / file).is_file():
            raise ArtifactError(f"{name}/{file}: missing")
        if (actual := sha256(place / file)) != expected:
            raise ArtifactError(f"{name}/{file}: SHA-256 is {actual}, expected {expected}")
    lists = {key: tuple(found[key]) for key in ("labels", "note_outputs")}
    return Manifest(**{**found, **lists}), place


def write(manifest: Manifest, folder: Path = ARTIFACTS) -> None:
    """Write the manifest of an artifact whose files lie in place."""
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False)
    (folder / manifest.name / MANIFEST).write_text(text + "\n", encoding="utf-8")


def hashes(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each file of a folder."""
    return {file: sha256(folder / file) for file in files}
