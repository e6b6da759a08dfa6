"""What notifications say: every template, for everybody who gets it, in both languages."""

import itertools
import re
from pathlib import Path

import pytest

from consumers.notifier_people import email_address, form_of_address, phone_number
from consumers.notifier_texts import LANGUAGES, TOLD, TemplatesError, Texts, Unrenderable, sample_params
from schemas.records import Notification, NotificationChannel, Recipient, Role, Template
from workflow.notices import _BY_TRIGGER

TICKET = "GU-2026-000123"
NAME = "Анна-Мария О'Нил"
GSM = re.compile(r"[A-Za-z0-9 @$!\"#%&'()*+,\-./:;<=>?_\n]*")
"""What of GSM 03.38 our texts use: 160 such characters are one text message."""
TWO_PARTS = 2 * 67
"""Of UCS-2, with the headers that join them (3GPP TS 23.040)."""


def _asked(
    template: Template, role: Role, channel: NotificationChannel, params: dict[str, str | int | None]
) -> Notification:
    return Notification(
        ticket_id=TICKET,
        recipient=Recipient(role=role, ref="r"),
        channel=channel,
        template=template,
        params=params,
    )


CASES = [
    (language, template, role)
    for language, (template, roles) in itertools.product(LANGUAGES, TOLD.items())
    for role in roles
]


def test_every_template_of_the_contract_is_there_in_both_languages() -> None:
    """The table of who is told names every template, and the check at the start renders them all."""
    assert set(TOLD) == set(Template)
    for language in LANGUAGES:
        Texts(language).check()


def test_whom_a_trigger_tells_has_a_text() -> None:
    """The engine tells nobody by a template that has no text for that role."""
    for tellings in _BY_TRIGGER.values():
        for template, role in tellings:
            assert role in TOLD[template]


@pytest.mark.parametrize(("language", "template", "role"), CASES)
def test_a_text_is_whole_and_names_the_ticket(language: str, template: Template, role: Role) -> None:
    """Subject in one line, ticket in the text, nothing left open, no code word, in the right script."""
    channels = tuple(NotificationChannel) if role is Role.CLIENT else (NotificationChannel.INBOX,)
    for channel, params in itertools.product(channels, sample_params(template)):
        text = Texts(language).render(_asked(template, role, channel, params), NAME)
        whole = f"{text.subject}\n{text.body}"
        assert TICKET in text.body
        assert "\n" not in text.subject
        assert not re.search(r"None|Undefined|\{\{|\}\}|\{%|_", whole)
        assert "  " not in whole
        assert "\n\n\n" not in whole
        assert bool(re.search("[а-я]", whole.replace(NAME, ""))) == (language == "ru")
        greeted = role is Role.CLIENT and channel is not NotificationChannel.SMS
        assert (NAME in text.body) == greeted


@pytest.mark.parametrize(("language", "template", "role"), [case for case in CASES if case[2] is Role.CLIENT])
def test_a_text_message_is_short(language: str, template: Template, role: Role) -> None:
    """One part in Latin letters, two in Cyrillic."""
    for params in sample_params(template):
        body = Texts(language).render(_asked(template, role, NotificationChannel.SMS, params), None).body
        assert "\n" not in body
        if language == "en":
            assert GSM.fullmatch(body)
            assert len(body) <= 160
        else:
            assert len(body) <= TWO_PARTS


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("summary", ["Заявление отправлено в банк ещё раз.", "{{ ticket }} {% raise %}"])
def test_what_was_done_is_told_as_it_was_written(language: str, summary: str) -> None:
    """In the text as a paragraph of its own, whatever is in it; not in the subject, and not in an SMS."""
    (params,) = sample_params(Template.TICKET_RESOLVED)
    texts = Texts(language)
    for channel in NotificationChannel:
        asked = _asked(Template.TICKET_RESOLVED, Role.CLIENT, channel, params)
        text = texts.render(asked, NAME, summary)
        assert (f"\n\n{summary}\n\n" in text.body) == (channel is not NotificationChannel.SMS)
        assert summary not in text.subject
        assert "\n\n\n" not in text.body


def test_times_are_told_in_moscow_time() -> None:
    """08:15 UTC is 11:15 in Moscow, and the text says whose time it is."""
    asked = _asked(
        Template.DEADLINE_ANNOUNCED,
        Role.CLIENT,
        NotificationChannel.EMAIL,
        {"deadline": "2026-03-02T21:15:30.000000Z"},
    )
    assert "3 марта 2026 года, 00:15 МСК" in Texts("ru").render(asked, None).body
    assert "3 March 2026, 00:15 Moscow time (UTC+3)" in Texts("en").render(asked, None).body


@pytest.mark.parametrize(
    ("threshold", "russian", "english"),
    [
        ("-1m", "осталось до срока: 1 минута", "1 minute left"),
        ("-2h", "осталось до срока: 2 часа", "2 hours left"),
        ("-5m", "осталось до срока: 5 минут", "5 minutes left"),
        ("-21m", "осталось до срока: 21 минута", "21 minutes left"),
        ("-11h", "осталось до срока: 11 часов", "11 hours left"),
        ("-90m", "осталось до срока: 1 час 30 минут", "1 hour 30 minutes left"),
        ("-1d", "осталось до срока: 1 сутки", "1 day left"),
        ("-30s", "осталось до срока: 30 секунд", "30 seconds left"),
        ("50%", "прошло 50 % срока", "50% of the time"),
    ],
)
def test_thresholds_are_told_in_words(threshold: str, russian: str, english: str) -> None:
    """Durations have the right forms of their words."""
    params = {**sample_params(Template.SLA_WARNING)[0], "threshold": threshold}
    asked = _asked(Template.SLA_WARNING, Role.SUPERVISOR, NotificationChannel.INBOX, params)
    assert russian in Texts("ru").render(asked, None).body
    assert english in Texts("en").render(asked, None).body


def test_a_clock_of_ones_own_is_told_by_its_id() -> None:
    """A policy may have clocks that the templates do not know."""
    params = {**sample_params(Template.SLA_BREACHED)[0], "clock": "lunch"}
    asked = _asked(Template.SLA_BREACHED, Role.SUPERVISOR, NotificationChannel.INBOX, params)
    assert "Обещание: lunch." in Texts("ru").render(asked, None).body


def test_a_missing_parameter_is_an_error_without_its_surroundings() -> None:
    """Nothing is sent with a gap; the sentence names the template only."""
    asked = _asked(Template.DEADLINE_ANNOUNCED, Role.CLIENT, NotificationChannel.EMAIL, {"secret": "x"})
    with pytest.raises(
        Unrenderable, match=r"^ru/deadline_announced.j2 gives no text: line \d+ of ru/common.j2 uses"
    ):
        Texts("ru").render(asked, NAME)
    asked = _asked(
        Template.DEADLINE_ANNOUNCED, Role.CLIENT, NotificationChannel.EMAIL, {"deadline": "Секрет"}
    )
    with pytest.raises(Unrenderable, match=r"line \d+ of ru/common.j2 fails \(ValueError\)$"):
        Texts("ru").render(asked, NAME)


def test_a_file_of_ones_own_stands_before_ours(tmp_path: Path) -> None:
    """One file is replaced, the others and what they import stay."""
    (tmp_path / "ru").mkdir()
    own = '{% set subject %}Готово: {{ ticket }}{% endset %}{% set text = "Да." %}{% set sms = "Да." %}'
    (tmp_path / "ru" / "ticket_closed.j2").write_text(own, encoding="utf-8")
    texts = Texts("ru", tmp_path)
    texts.check()
    params: dict[str, str | int | None] = {"reason": "confirmed"}
    closed = _asked(Template.TICKET_CLOSED, Role.CLIENT, NotificationChannel.EMAIL, params)
    assert texts.render(closed, None).subject == f"Готово: {TICKET}"
    params = sample_params(Template.TICKET_RESOLVED)[0]
    resolved = _asked(Template.TICKET_RESOLVED, Role.CLIENT, NotificationChannel.EMAIL, params)
    assert "дан ответ" in texts.render(resolved, None).subject


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{% set subject = 'x' %}{% if %}", "line 1 is not in Jinja's syntax"),
        ("{% set subject = 'x' %}{% set text = 'x' %}", "ru/ticket_closed.j2 gives no sms"),
        ("{% set subject = 'x' %}{% set text = client.phone %}", "uses something that this notification"),
        ("{% import 'ru/nothing.j2' as n %}", "is not there"),
        (
            "{% set subject = 'x' %}\n{% set text = 1 / 0 %}",
            "line 2 of ru/ticket_closed.j2 fails (ZeroDivisionError)",
        ),
        (
            "{% macro m() %}\n{{ m() }}{% endmacro %}\n{% set subject = m() %}",
            "line 2 of ru/ticket_closed.j2 fails (RecursionError)",
        ),
        ("{% set subject = '' %}{% set text = 'x' %}{% set sms = 'x' %}", "gives an empty subject"),
    ],
)
def test_a_template_that_cannot_be_used_is_named_at_the_start(
    content: str, said: str, tmp_path: Path
) -> None:
    """The sentence names the file and what is wrong."""
    (tmp_path / "ru").mkdir()
    (tmp_path / "ru" / "ticket_closed.j2").write_text(content, encoding="utf-8")
    with pytest.raises(TemplatesError, match=r"ru/ticket_closed\.j2") as raised:
        Texts("ru", tmp_path).check()
    assert said in str(raised.value)
    assert "TICKETFLOW_NOTIFIER_TEMPLATES" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Анна Петрова", "Анна Петрова"),
        ("  анна\n петрова ", "анна петрова"),
        ("И. И. Иванов", "И. И. Иванов"),
        ("Жан-Поль О’Нил", "Жан-Поль О’Нил"),
        ("Jose\u0301 Núñez", "José Núñez"),
        (None, None),
        ("", None),
        ("Анна\r\nBcc: a@example.org", None),
        ("\u202eавортеП аннА", None),
        ("Анна\u2066Петрова", None),
        ("Выигрыш на evil.example", None),
        ("Позвоните 89990001122", None),
        ("<b>Анна</b>", None),
        ("{{ ticket }}", None),
        ("я" * 101, None),
    ],
)
def test_only_a_name_is_greeted(name: str | None, shown: str | None) -> None:
    """What is more than a name, or turns the writing around, is left out of the greeting."""
    assert form_of_address(name) == shown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("anna@example.org", "anna@example.org"),
        (" anna.p+tag@mail.example.org ", "anna.p+tag@mail.example.org"),
        ("anna@почта.рф", "anna@xn--80a1acny.xn--p1ai"),
        (None, None),
        ("", None),
        ("anna", None),
        ("@example.org", None),
        ("anna@", None),
        ("anna@localhost", None),
        ("an na@example.org", None),
        ("anna@example.org>\r\nRCPT TO:<b@example.org", None),
        ("a@example.org,b@example.org", None),
        ("анна@example.org", None),
        ("a..b@example.org", None),
        ("a@-example.org", None),
        ("a@" + "b" * 64 + ".org", None),
    ],
)
def test_an_address_is_one_that_smtp_takes(text: str | None, address: str | None) -> None:
    """Domains become ASCII; what is no single plain address is none."""
    assert email_address(text) == address


@pytest.mark.parametrize(
    ("text", "number"),
    [("+7 (999) 000-11-22", "+79990001122"), ("88005553535", "88005553535"), ("12", None), ("звоните", None)],
)
def test_a_phone_number_has_only_digits(text: str, number: str | None) -> None:
    """Blanks and punctuation are taken out; what is left has 5 to 15 digits."""
    assert phone_number(text) == number
