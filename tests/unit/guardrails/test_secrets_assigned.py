"""Values that only their names call secret: in code, settings, sentences; and what is none beside such a name."""

import random
import string
from itertools import pairwise

import pytest
from broker.guardrails.secrets import find_secrets

CHOSEN = random.Random(11)
VALUE = "".join(CHOSEN.choices(string.ascii_letters + string.digits, k=32))
HEX = "".join(CHOSEN.choices("0123456789abcdef", k=40))
PASSWORD = "Tr4vel" + "!mug"


def values(text: str) -> list[str]:
    return [text[span.begin : span.end] for span in find_secrets(text)]


@pytest.mark.parametrize(
    "shape",
    [
        'api_key = "{}"',
        "api_key='{}'",
        "API_KEY={}\n",
        "export SERVICE_TOKEN={}",
        '{{"clientSecret": "{}"}}',
        '{{\\"client_secret\\": \\"{}\\"}}',
        "client_secret: {}",
        "- secret: '{}'",
        "<secret>{}</secret>",
        '<add key="ApiKey" value="{}" />',
        '{{"name": "ACCESS_TOKEN", "value": "{}"}}',
        'System.setProperty("ACCESS_TOKEN", "{}");',
        'private static final String ACCESS_KEY = "{}";',
        "var token string = `{}`",
        'token := "{}"',
        "'secret' => '{}',",
        "tool --api-key {} run",
        "https://service.internal/v1?token={}&page=2",
        'config "x=1\\nSECRET_KEY={}\\ny=2"',
    ],
)
def test_shapes_of_an_assignment(shape: str) -> None:
    assert values(shape.format(VALUE)) == [VALUE]
    assert values(shape.format(HEX)) == [HEX]


@pytest.mark.parametrize(
    "shape",
    [
        "acme CLIENT SECRET {}",
        "acmeToken {}",
        "the api key {} is for the new stage",
        "access-token-{}",
        "API KEY\n{}\n",
    ],
)
def test_a_name_of_a_secret_with_nothing_between_it_and_the_value(shape: str) -> None:
    assert values(shape.format(VALUE)) == [VALUE]
    assert not values(shape.format("orchard-gate-of-the-2nd-house"))


@pytest.mark.parametrize("text", [f"the commit with the token {HEX}", "secret santa2024partyInvitationText for all"])
def test_hashes_and_words_behind_a_name_of_a_secret_are_none(text: str) -> None:
    assert not values(text)


@pytest.mark.parametrize(
    "shape", ["datadog SECRET {}", 'twilioAuthToken = "{}"', "MAILGUN_PRIVATE_KEY={}\n", "airtable key-{}"]
)
@pytest.mark.parametrize("value", ["abcdef1234567890abcdef1234567890ab", "ABCDEFGHIJ1234567890klmnop"])
def test_what_an_issuers_name_calls_a_secret_may_be_typed_in_rows_and_of_any_length(shape: str, value: str) -> None:
    assert values(shape.format(value)) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "github_token_name = base64EncodedDeployToken2",
        "stripe secret-key-of-the-2nd-account",
        "the openai token: see-page-12-of-the-manual",
        "datadog_api_key_arn: prod-2-datadog-agent-key",
        "twilio_auth_token = xxxxxxxxxxxx1234567890",
    ],
)
def test_names_of_settings_beside_an_issuers_name_are_no_secrets(text: str) -> None:
    assert not values(text)


@pytest.mark.parametrize(
    "name",
    ["password", "passwd", "pwd", "Passwort", "mot_de_passe", "contraseña", "senha", "wachtwoord", "parola chiave"],
)
def test_passwords_in_seven_languages(name: str) -> None:
    assert values(f'{name} = "{PASSWORD}"') == [PASSWORD]
    assert values(f"{name}: {PASSWORD}\n") == [PASSWORD]


def test_plain_words_where_a_setting_or_a_sentence_says_password() -> None:
    assert values("DB_PASSWORD=orchardgate\n") == ["orchardgate"]
    assert values("The password for the reading room is 'orchardgate', as before.") == ["orchardgate"]


@pytest.mark.parametrize(
    "value",
    [
        "your-api-key-here", "<token>", "${API_TOKEN}", "{{ secrets.api_token }}", "$API_TOKEN", "%API_TOKEN%",
        "xxxxxxxxxxxxxxxx", "****************", "changeme", "REDACTED", "insert-token-here-1234567890",
        "AKIA" "IOSFODNN7EXAMPLE", "sk_" "test_" + VALUE, "pk_" "live_" + VALUE, "process.env.API_TOKEN",
        "settings.API_TOKEN_2", "get_token(request, 1)", "aaaaaaaaaaaaaaaaaaaaaaaa", "00000000000000000000",
        "application/vnd.oci.image.manifest.v1", "arn:aws:kms:eu-west-1:123456789012:key/1",
    ],
)  # fmt: skip
def test_placeholders_references_and_test_keys(value: str) -> None:
    for shape in ('token = "{}"', "TOKEN={}\n", '{{"api_key": "{}"}}', "password: {}\n"):
        assert not values(shape.format(value))


@pytest.mark.parametrize(
    "text",
    [
        f"commit {HEX}",
        f'"integrity": "sha512-{VALUE}{VALUE}=="',
        f"token_sha256 = {HEX}{HEX[:24]}",
        f'"nextToken": "{VALUE}"',
        f'"api_key_id": "{VALUE}"',
        f"data:image/png;base64,{VALUE}{VALUE}",
        f"https://github.com/owner/name/commit/{HEX}",
        f"public_key = {VALUE}",
        "keydown === 229 && event",
        "monkey = banana2split",
        'password = os.environ["DB_PASSWORD"]',
        "password: str = Field(min_length=8)",
        "if (password !== confirmPassword1) {",
        "the password must have at least 8 characters",
        "tokens = tokenizer.encode(text)",
        '"lodash": {"version": "4.17.21", "resolved": "https://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz"}',
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert not values(text)


def test_spans_are_in_order_and_apart() -> None:
    text = f'token = "{VALUE}" and https://a:{PASSWORD[:6]}@b.internal and password="{PASSWORD}" ' * 20
    found = list(find_secrets(text))
    assert len(found) == 60
    assert all(one.end <= other.begin for one, other in pairwise(found))


def test_letters_beyond_ascii_move_nothing() -> None:
    text = f"İstanbul ß 🙂 — token = „ü“, api_key = '{VALUE}'"
    assert values(text) == [VALUE]
