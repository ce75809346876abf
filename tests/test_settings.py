from pathlib import Path

import pytest

from analyzer.errors import ConfigError
from api.settings import Settings, host_name, is_loopback, load_settings


def write(folder, text):
    path = folder / "service.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_serve_this_machine_alone():
    settings = load_settings(environment={})
    assert (settings.host, settings.cors_origins, settings.trusted_proxies) == ("127.0.0.1", (), ())


def test_the_file_wins_over_the_defaults(tmp_path):
    path = write(
        tmp_path, 'port = 9000\nrequest_timeout_s = 5\ncors_origins = ["https://ehr.example"]\npreview = false'
    )
    settings = load_settings(path, environment={})
    assert (settings.port, settings.request_timeout_s, settings.cors_origins, settings.preview) == (
        9000,
        5.0,
        ("https://ehr.example",),
        False,
    )


def test_the_environment_wins_over_the_file(tmp_path):
    path = write(tmp_path, "port = 9000\nmax_waiting = 3")
    settings = load_settings(path, environment={"CUEWISE_PORT": "9001", "CUEWISE_PREVIEW": "no"})
    assert (settings.port, settings.max_waiting, settings.preview) == (9001, 3, False)


def test_the_caller_wins_over_the_environment():
    settings = load_settings(environment={"CUEWISE_PORT": "9001", "CUEWISE_HOST": "::1"}, port=9002, host=None)
    assert (settings.port, settings.host) == (9002, "::1")


def test_the_environment_may_name_the_file(tmp_path):
    path = write(tmp_path, "port = 9000")
    assert load_settings(environment={"CUEWISE_SETTINGS": str(path)}).port == 9000


def test_a_path_in_the_file_is_seen_from_the_file(tmp_path):
    path = write(tmp_path, 'data_dir = "data"\nvault_key_file = "/keys/vault"')
    settings = load_settings(path, environment={})
    assert (settings.data_dir, settings.vault_key_file) == (tmp_path / "data", Path("/keys/vault"))


def test_lists_and_mappings_have_a_form_in_the_environment():
    settings = load_settings(
        environment={
            "CUEWISE_ALLOWED_HOSTS": "a.example, b.example",
            "CUEWISE_CDS_ISSUERS": "https://ehr.example=https://ehr.example/jwks",
        }
    )
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.cds_issuers == {"https://ehr.example": "https://ehr.example/jwks"}


def test_what_clients_keep_in_the_environment_is_no_setting():
    environment = {"CUEWISE_TOKEN": "cw_x", "CUEWISE_URL": "https://cuewise.example"}
    assert load_settings(environment=environment) == load_settings(environment={})


def test_the_database_lies_in_the_data_folder_unless_named(tmp_path):
    named = Settings(data_dir=tmp_path, database_url="postgresql://db/cuewise")
    assert Settings(data_dir=tmp_path).resolved_database_url == f"sqlite:///{tmp_path}/cuewise.db"
    assert named.resolved_database_url == "postgresql://db/cuewise"


def test_secrets_are_not_shown():
    shown = repr(Settings(vault_key="zebrawood", database_url="postgresql://me:zebrawood@db/cuewise"))
    assert "zebrawood" not in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "service.toml: there is no setting 'prot'"),
        ('port = "9000"', "service.toml: port: expected a whole number"),
        ("port = true", "service.toml: port: expected a whole number"),
        ("preview = 1", "service.toml: preview: expected true or false"),
        ("cors_origins = [1]", "service.toml: cors_origins: expected a list of texts"),
        ('model = "zebra"', "service.toml: model: expected one of auto, encoder, lexicons"),
        ("cds_issuers = 1", "service.toml: cds_issuers: expected names, each with a text"),
        ("port = ", "service.toml: Invalid value (at end of document)"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_setting(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, text), environment={})
    assert str(caught.value) == f"{tmp_path}/{message}"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CUEWISE_PROT", "1", "CUEWISE_PROT: there is no setting 'prot'"),
        ("CUEWISE_PORT", "zebra", "CUEWISE_PORT: expected a whole number"),
        ("CUEWISE_PREVIEW", "zebra", "CUEWISE_PREVIEW: expected true or false"),
        ("CUEWISE_LOG_LEVEL", "zebra", "CUEWISE_LOG_LEVEL: expected one of debug, info, warning, error"),
        ("CUEWISE_CDS_ISSUERS", "zebra", "CUEWISE_CDS_ISSUERS: expected names, each with a text"),
    ],
)
def test_a_wrong_variable_is_an_error_that_does_not_repeat_it(variable, value, message):
    with pytest.raises(ConfigError) as caught:
        load_settings(environment={variable: value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"port": 65_536}, "settings: port must be 0 to 65,535"),
        ({"max_batch_notes": 10_001}, "settings: max_batch_notes must be 1 to 10,000"),
        ({"tls_cert": Path("a")}, "settings: tls_cert and tls_key go together"),
        ({"vault_key": "k", "vault_key_file": Path("k")}, "settings: give vault_key or vault_key_file, not both"),
        (
            {"cors_origins": ("*",)},
            "settings: cors_origins must name each origin; * would open the service to every web page",
        ),
    ],
)
def test_what_cannot_be_is_refused(fields, message):
    with pytest.raises(ConfigError) as caught:
        Settings(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False), ("", False)],
)
def test_loopback_addresses_are_known(host, expected):
    assert is_loopback(host) is expected


def test_host_names_lose_port_and_brackets():
    assert [host_name(host) for host in ("A.example:1", "[::1]:1", "[::1]", "a")] == ["a.example", "::1", "::1", "a"]
