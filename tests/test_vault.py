import base64
import pickle
import stat

import pytest

from api.vault import Vault, VaultError, load_vault, new_key

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
TEXT = b"Named 12/20 pictures with min phonemic cues."


def test_sealed_content_opens_in_its_place():
    vault = Vault([KEY])
    assert vault.open(vault.seal(TEXT, "batch 1"), "batch 1") == TEXT


def test_sealed_content_does_not_hold_the_text():
    assert b"phonemic" not in Vault([KEY]).seal(TEXT, "batch 1")


def test_sealing_twice_gives_different_bytes():
    vault = Vault([KEY])
    assert vault.seal(TEXT, "batch 1") != vault.seal(TEXT, "batch 1")


def test_sealed_content_does_not_open_in_another_place():
    vault = Vault([KEY])
    with pytest.raises(VaultError, match="belongs to another place"):
        vault.open(vault.seal(TEXT, "batch 1"), "batch 2")


@pytest.mark.parametrize("position", [21, -1])
def test_a_changed_byte_is_noticed(position):
    vault = Vault([KEY])
    sealed = bytearray(vault.seal(TEXT, "batch 1"))
    sealed[position] ^= 1
    with pytest.raises(VaultError, match="changed"):
        vault.open(bytes(sealed), "batch 1")


def test_another_key_does_not_open():
    with pytest.raises(VaultError, match="not configured"):
        Vault([OTHER]).open(Vault([KEY]).seal(TEXT, "batch 1"), "batch 1")


def test_a_key_that_was_replaced_opens_what_it_sealed():
    sealed = Vault([KEY]).seal(TEXT, "batch 1")
    assert Vault([OTHER, KEY]).open(sealed, "batch 1") == TEXT


def test_the_first_key_seals():
    sealed = Vault([OTHER, KEY]).seal(TEXT, "batch 1")
    assert Vault([OTHER]).open(sealed, "batch 1") == TEXT


@pytest.mark.parametrize("sealed", [b"", b"\x01", bytes(40)])
def test_what_was_never_sealed_does_not_open(sealed):
    with pytest.raises(VaultError):
        Vault([KEY]).open(sealed, "batch 1")


def test_fingerprints_need_the_key():
    assert Vault([KEY]).fingerprint(TEXT) != Vault([OTHER]).fingerprint(TEXT)


def test_fingerprints_are_known_after_the_key_was_replaced():
    assert Vault([OTHER, KEY]).fingerprints(TEXT) == [Vault([OTHER]).fingerprint(TEXT), Vault([KEY]).fingerprint(TEXT)]


def test_a_vault_travels_to_a_worker():
    sealed = Vault([KEY]).seal(TEXT, "batch 1")
    assert pickle.loads(pickle.dumps(Vault([KEY]))).open(sealed, "batch 1") == TEXT


def test_a_vault_does_not_show_its_key():
    assert KEY.hex() not in repr(vars(Vault([OTHER]))) + repr(Vault([KEY]))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("not base64!", "the key is not base64"),
        ("", "the key is empty"),
        (base64.b64encode(bytes(16)).decode(), "a key has 32 bytes; this one has 16"),
    ],
)
def test_what_is_no_key_is_refused_without_repeating_it(key, message):
    with pytest.raises(VaultError) as error:
        load_vault(key)
    assert str(error.value) == message


def test_without_key_or_file_there_is_no_vault():
    with pytest.raises(VaultError, match="set CUEWISE_VAULT_KEY or CUEWISE_VAULT_KEY_FILE"):
        load_vault()


def test_a_missing_key_file_is_made_for_its_owner_alone(tmp_path):
    path = tmp_path / "keys" / "vault.key"
    vault = load_vault(key_file=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["vault.key"]
    assert load_vault(key_file=path).open(vault.seal(TEXT, "batch 1"), "batch 1") == TEXT


def test_a_key_file_may_hold_several_keys(tmp_path):
    first, second = new_key(), new_key()
    path = tmp_path / "vault.key"
    path.write_text(f"{first}\n{second}\n")
    sealed = load_vault(second).seal(TEXT, "batch 1")
    assert load_vault(key_file=path).open(sealed, "batch 1") == TEXT


def test_the_key_wins_over_the_file(tmp_path):
    load_vault(new_key(), tmp_path / "vault.key")
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_that_others_can_read_is_warned_of(tmp_path, caplog):
    path = tmp_path / "vault.key"
    path.write_text(new_key())
    path.chmod(0o644)
    load_vault(key_file=path)
    assert caplog.messages == ["the key file can be read by others than its owner"]
