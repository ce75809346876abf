import json
from dataclasses import replace

import pytest

from models import artifact
from models.artifact import ArtifactError, Manifest


@pytest.fixture
def written(tmp_path):
    """An artifact of one file, and its manifest."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "weights.bin").write_bytes(b"weights")
    manifest = Manifest(
        name="small",
        version="1",
        files=artifact.hashes(tmp_path / "small", ["weights.bin"]),
        labels=("cueing", "plan"),
        note_outputs=("kind:treatment",),
        decisions={"labels": {}},
        training={"seed": 17},
    )
    artifact.write(manifest, tmp_path)
    return manifest


def test_artifact_comes_back_as_it_was_written(written, tmp_path):
    assert artifact.load("small", tmp_path) == (written, tmp_path / "small")


def test_hash_is_that_of_the_file(written):
    # printf weights | sha256sum
    assert written.files == {"weights.bin": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"}


def test_changed_file_is_refused(written, tmp_path):
    (tmp_path / "small" / "weights.bin").write_bytes(b"Weights")
    with pytest.raises(ArtifactError, match=r"small/weights\.bin: SHA-256 is \w{64}, expected \w{64}"):
        artifact.load("small", tmp_path)


def test_missing_file_is_refused(written, tmp_path):
    (tmp_path / "small" / "weights.bin").unlink()
    with pytest.raises(ArtifactError, match=r"small/weights\.bin: missing"):
        artifact.load("small", tmp_path)


@pytest.mark.parametrize("key", ["files", "labels", "training", "thresholds"])
def test_missing_or_unknown_key_is_refused(written, tmp_path, key):
    path = tmp_path / "small" / "manifest.json"
    content = json.loads(path.read_text())
    if key in content:
        del content[key]
    else:
        content[key] = {}
    path.write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=f"missing or unknown keys: {key}"):
        artifact.load("small", tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_broken_manifest_is_refused(written, tmp_path, content):
    (tmp_path / "small" / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"small/manifest\.json"):
        artifact.load("small", tmp_path)


def test_absent_artifact_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="FileNotFoundError"):
        artifact.load("none", tmp_path)


def test_manifest_is_written_anew(written, tmp_path):
    artifact.write(replace(written, version="2"), tmp_path)
    assert artifact.load("small", tmp_path)[0].version == "2"
