"""Filters of texts."""

from __future__ import annotations

import base64 as base64_module
import hashlib
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from runner.expressions import javaregex
from runner.expressions.attributes import java_trim, utf16_length, utf16_slice
from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.printing import text_form
from runner.expressions.registry import FILTERS
from runner.expressions.values import TextArray, describe, is_list, is_map, is_number

filter_ = FILTERS.register
_WORD = re.compile(r"\S+")
_LINE_BREAKS = re.compile(r"\r\n|\n\r|\n|\r")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LATIN_CUT = re.compile(r"[^\w-]", re.ASCII)
_DASHES = re.compile(r"-{2,}")
_BLANKS = re.compile(r"\s")


@filter_("upper", ("{{ 'abc' | upper }}", "ABC"))
def upper(frame: Frame, value: Any) -> str:
    """The text in capitals."""
    text = text_form(value, frame.budget)
    if frame.settings.locale.startswith(("tr", "az")):
        text = text.replace("i", "İ")
    return text.upper()


@filter_("lower", ("{{ 'ABC' | lower }}", "abc"))
def lower(frame: Frame, value: Any) -> str:
    """The text in small letters."""
    text = text_form(value, frame.budget)
    if frame.settings.locale.startswith(("tr", "az")):
        text = text.replace("İ", "i").replace("I", "ı")
    return text.lower()


@filter_("capitalize", ("{{ 'hello World' | capitalize }}", "Hello World"))
def capitalize(value: Any) -> str:
    """The first letter as a capital, the rest unchanged."""
    text = _string(value, "capitalize")
    for index, character in enumerate(text):
        if not character.isspace():
            return text[:index] + _title(character) + text[index + 1 :]
    return text


@filter_("title", ("{{ 'hello big world' | title }}", "Hello Big World"))
def title(value: Any) -> str:
    """The first letter of each word as a capital, the rest unchanged."""
    text = _string(value, "title")
    return _WORD.sub(lambda match: _title(match.group()[0]) + match.group()[1:], text)


@filter_("trim", ("[{{ '  a b ' | trim }}]", "[a b]"))
def trim(value: Any) -> str:
    """Without blanks and control characters at both ends."""
    return java_trim(_string(value, "trim"))


@filter_("abbreviate(length*)", ("{{ 'a long sentence' | abbreviate(9) }}", "a long..."))
def abbreviate(value: Any, length: Any) -> str:
    """At most *length* characters, the last three being `...` where something was cut."""
    text = _string(value, "abbreviate")
    limit = _integer(length, "abbreviate", "length")
    if limit < 0:
        raise ExpressionError("the length of abbreviate cannot be negative")
    units = utf16_length(text)
    if units < limit or units <= 3:
        return text
    return text[:limit] if limit <= 3 else f"{utf16_slice(text, 0, limit - 3)}..."


@filter_(
    "replace(replace_pairs*, regexp=false)",
    ("{{ 'a-b-c' | replace({'-': '+', 'c': 'd'}) }}", "a+b+d"),
    ("{{ 'v12' | replace({'v([0-9]+)': '$1'}, regexp=true) }}", "12"),
)
def replace(frame: Frame, value: Any, replace_pairs: Any, regexp: Any) -> Any:
    """Each key of the map replaced by its value; in lists and maps too, at every depth."""
    if not is_map(replace_pairs):
        raise ExpressionError(f"replace needs a map of texts, not {describe(replace_pairs)}")
    pairs = [
        (text_form(old, frame.budget), text_form(new, frame.budget))
        for old, new in replace_pairs.items()
    ]
    is_pattern = regexp is True
    return deep(frame, value, lambda text: _replace(frame, text, pairs, is_pattern))


def _replace(frame: Frame, text: str, pairs: list[tuple[str, str]], is_pattern: bool) -> str:
    budget = frame.budget
    for old, new in pairs:
        if is_pattern:
            limit = budget.limits.pattern_time
            text = javaregex.replace(text, old, new, limit, budget.fits)
            budget.keep(text)
        else:
            found = text.count(old)
            budget.allow_text(len(text) + found * (len(new) - len(old)))
            text = text.replace(old, new) if found else text
    return text


@filter_(
    "split(delimiter*, limit=0)",
    ("{{ 'a,b,,c' | split(',') }}", '["a","b","","c"]'),
    ("{{ 'a1b22c' | split('[0-9]+', 2) }}", '["a","b22c"]'),
)
def split(frame: Frame, value: Any, delimiter: Any, limit: Any) -> TextArray:
    """The parts between the matches of a regular expression."""
    text = _string(value, "split")
    pattern = text_form(delimiter, frame.budget)
    most = 0 if limit is None else _integer(limit, "split", "limit")
    parts = javaregex.split(text, pattern, most, frame.settings.limits.pattern_time)
    frame.budget.allow_elements(len(parts))
    return TextArray(parts)


@filter_("startsWith(value*)", ("{{ 'kestrel' | startsWith('kes') }}", "true"), takes_null=True)
def starts_with(frame: Frame, value: Any, start: Any) -> bool:
    """Whether the text begins so."""
    budget = frame.budget
    return value is not None and text_form(value, budget).startswith(text_form(start, budget))


@filter_("endsWith(value*)", ("{{ 'report.csv' | endsWith('.csv') }}", "true"), takes_null=True)
def ends_with(frame: Frame, value: Any, end: Any) -> bool:
    """Whether the text ends so."""
    budget = frame.budget
    return value is not None and text_form(value, budget).endswith(text_form(end, budget))


@filter_("substringBefore(separator*)", ("{{ 'a/b/c' | substringBefore('/') }}", "a"))
def substring_before(frame: Frame, value: Any, separator: Any) -> str:
    """What stands before the first separator; everything if there is none."""
    text, sought = _texts(frame, value, separator)
    return text[: text.find(sought)] if sought in text else text


@filter_("substringBeforeLast(separator*)", ("{{ 'a/b/c' | substringBeforeLast('/') }}", "a/b"))
def substring_before_last(frame: Frame, value: Any, separator: Any) -> str:
    """What stands before the last separator; everything if there is none."""
    text, sought = _texts(frame, value, separator)
    return text[: text.rfind(sought)] if sought and sought in text else text


@filter_("substringAfter(separator*)", ("{{ 'a/b/c' | substringAfter('/') }}", "b/c"))
def substring_after(frame: Frame, value: Any, separator: Any) -> str:
    """What stands after the first separator; nothing if there is none."""
    text, sought = _texts(frame, value, separator)
    return text.partition(sought)[2] if sought else text


@filter_("substringAfterLast(separator*)", ("{{ 'a/b/c' | substringAfterLast('/') }}", "c"))
def substring_after_last(frame: Frame, value: Any, separator: Any) -> str:
    """What stands after the last separator; nothing if there is none."""
    text, sought = _texts(frame, value, separator)
    return text.rpartition(sought)[2] if sought and sought in text else ""


@filter_("slugify", ("{{ 'Crème Brûlée, 2 portions' | slugify }}", "creme-brulee-2-portions"))
def slugify(frame: Frame, value: Any) -> str:
    """The text as it may stand in a URL: small letters, digits and dashes."""
    dashed = _BLANKS.sub("-", text_form(value, frame.budget))
    plain = _LATIN_CUT.sub("", unicodedata.normalize("NFD", dashed)).replace("_", "-")
    collapsed = _DASHES.sub("-", plain)
    return collapsed.removeprefix("-").removesuffix("-").lower()


_ESCAPES = {
    "single": ("'", "\\'"),
    "double": ('"', '\\"'),
    "shell": ("'", "'\\''"),
}


@filter_("escapeChar(type*)", ("{{ \"it's\" | escapeChar('shell') }}", "it'\\''s"))
def escape_char(frame: Frame, value: Any, type: Any) -> Any:
    """Quotes escaped: `single`, `double`, or `shell` for a text between single quotes."""
    kind = _ESCAPES.get(type.lower()) if isinstance(type, str) else None
    if kind is None:
        raise ExpressionError(f"escapeChar knows single, double and shell, not {type!r}")
    quote, escaped = kind
    return deep(frame, value, lambda text: text.replace(quote, escaped))


@filter_("urlencode", ("{{ 'a b&c' | urlencode }}", "a+b%26c"))
def urlencode(value: Any) -> str:
    """The text as it may stand in a query or form."""
    encoded = quote_plus(_string(value, "urlencode"), safe="*", errors="replace")
    return encoded.replace("~", "%7E")


@filter_("urldecode", ("{{ 'a+b%26c' | urldecode }}", "a b&c"))
def urldecode(value: Any) -> str:
    """The text that `urlencode` made this of."""
    text = _string(value, "urldecode")
    if _PERCENT.search(text):
        raise ExpressionError("urldecode: a % is not followed by two hexadecimal digits")
    return unquote_to_bytes(text.replace("+", " ")).decode(errors="replace")


@filter_("base64encode", ("{{ 'headrace' | base64encode }}", "aGVhZHJhY2U="))
def base64encode(frame: Frame, value: Any) -> str:
    """Base64 of the text's UTF-8."""
    return base64_module.b64encode(_utf8(text_form(value, frame.budget))).decode()


@filter_("base64decode", ("{{ 'aGVhZHJhY2U=' | base64decode }}", "headrace"))
def base64decode(value: Any) -> str:
    """The text in Base64."""
    text = _string(value, "base64decode")
    stripped = text.rstrip("=")
    missing = -len(text) % 4 if stripped == text else 0
    try:
        return base64_module.b64decode(text + "=" * missing, validate=True).decode(errors="replace")
    except ValueError as error:
        raise ExpressionError(f"base64decode: this is no Base64: {error}") from error


@filter_("md5", ("{{ 'abc' | md5 }}", "900150983cd24fb0d6963f7d28e17f72"))
def md5(value: Any) -> str:
    """The MD5 sum in hexadecimal."""
    return hashlib.md5(_utf8(_string(value, "md5")), usedforsecurity=False).hexdigest()


@filter_("sha1", ("{{ 'abc' | sha1 }}", "a9993e364706816aba3e25717850c26c9cd0d89d"))
def sha1(value: Any) -> str:
    """The SHA-1 sum in hexadecimal."""
    return hashlib.sha1(_utf8(_string(value, "sha1")), usedforsecurity=False).hexdigest()


@filter_("sha256", ("{{ 'abc' | sha256 | abbreviate(11) }}", "ba7816bf..."))
def sha256(value: Any) -> str:
    """The SHA-256 sum in hexadecimal."""
    return hashlib.sha256(_utf8(_string(value, "sha256"))).hexdigest()


@filter_("sha512", ("{{ 'abc' | sha512 | abbreviate(11) }}", "ddaf35a1..."))
def sha512(value: Any) -> str:
    """The SHA-512 sum in hexadecimal."""
    return hashlib.sha512(_utf8(_string(value, "sha512"))).hexdigest()


@filter_("indent(amount*, prefix=' ')", ("{{ 'a\nb' | indent(2) }}", "a\n  b"))
def indent(frame: Frame, value: Any, amount: Any, prefix: Any) -> str:
    """Every line but the first moved to the right."""
    text, newline, indentation = _indentation(frame, value, amount, prefix, "indent")
    return text.replace(newline, newline + indentation)


@filter_("nindent(amount*, prefix=' ')", ("{{ 'a\nb' | nindent(2) }}", "\n  a\n  b"))
def nindent(frame: Frame, value: Any, amount: Any, prefix: Any) -> str:
    """A line break, then every line moved to the right."""
    text, newline, indentation = _indentation(frame, value, amount, prefix, "nindent")
    if not text:
        return text
    return newline + indentation + text.replace(newline, newline + indentation)


def _indentation(
    frame: Frame, value: Any, amount: Any, prefix: Any, name: str
) -> tuple[str, str, str]:
    text = text_form(value, frame.budget)
    count = _integer(amount, name, "amount")
    if count < 0 and text:
        raise ExpressionError(f"the amount of {name} cannot be negative")
    unit = text_form(prefix, frame.budget)
    found = _LINE_BREAKS.search(text)
    newline = found.group() if found else "\n"
    frame.budget.allow_text(len(text) + (text.count(newline) + 1) * count * len(unit))
    return text, newline, unit * count


@filter_("nl2br", ("{{ 'a\nb' | nl2br }}", "a<br />b"))
def nl2br(value: Any) -> str:
    """`<br />` for each line break."""
    return _LINE_BREAKS.sub("<br />", _string(value, "nl2br"))


@filter_("format(values…)", ("{{ '%s: %05.2f' | format('x', 3.14159) }}", "x: 03.14"))
def format_(frame: Frame, value: Any, *values: Any) -> str:
    """Java's `String.format`."""
    from runner.expressions.javaformat import format_text

    return format_text(text_form(value, frame.budget), values, frame)


@filter_(
    "regexMatch(regex*)",
    ("{{ 'v1.2' | regexMatch('[0-9]') }}", "true"),
    takes_null=True,
    since="2.0",
)
def regex_match(frame: Frame, value: Any, regex: Any) -> bool:
    """Whether the regular expression is found anywhere in the text."""
    return value is not None and _find(frame, value, regex) is not None


@filter_(
    "regexReplace(regex*, replacement*)",
    ("{{ '2024-03' | regexReplace('([0-9]+)-([0-9]+)', '$2/$1') }}", "03/2024"),
    since="2.0",
)
def regex_replace(frame: Frame, value: Any, regex: Any, replacement: Any) -> str:
    """All matches replaced; `$1` stands for a group."""
    budget = frame.budget
    return javaregex.replace(
        text_form(value, budget),
        text_form(regex, budget),
        text_form(replacement, budget),
        budget.limits.pattern_time,
        budget.fits,
    )


@filter_(
    "regexExtract(regex*, group=0)",
    ("{{ 'build 42 ok' | regexExtract('build ([0-9]+)', 1) }}", "42"),
    since="2.0",
)
def regex_extract(frame: Frame, value: Any, regex: Any, group: Any) -> str | None:
    """The first match, or one group of it; null if there is none."""
    number = _integer(group, "regexExtract", "group")
    count = javaregex.groups(text_form(regex, frame.budget))
    if not 0 <= number <= count:
        raise ExpressionError(f"regexExtract: the pattern has {count} groups, not {number}")
    match = _find(frame, value, regex)
    found: str | None = match.group(number) if match else None
    return found


@filter_("string", ("{{ [1, 'a'] | string }}", "[1, a]"))
def string(frame: Frame, value: Any) -> str:
    """The text form of anything."""
    return text_form(value, frame.budget)


@filter_("length", ("{{ 'abc' | length }} {{ [1, 2] | length }}", "3 2"), takes_null=True)
def length(value: Any) -> int:
    """How many characters or elements it has; 0 for null and for what has none."""
    if isinstance(value, str):
        return utf16_length(value)
    return len(value) if is_list(value) or is_map(value) else 0


def deep(frame: Frame, value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    """Change every text in a value; what is neither list nor map counts as text."""
    from runner.expressions.printing import MAX_DEPTH

    frame.budget.spend(9)
    if depth > MAX_DEPTH:
        raise ExpressionError("the value is nested too deeply")
    if is_map(value):
        return {key: deep(frame, item, change, depth + 1) for key, item in value.items()}
    if is_list(value):
        return [deep(frame, item, change, depth + 1) for item in value]
    if value is None and depth:
        return None
    return change(text_form(value, frame.budget))


def _find(frame: Frame, value: Any, pattern: Any) -> Any:
    budget = frame.budget
    limit = budget.limits.pattern_time
    return javaregex.find(text_form(value, budget), text_form(pattern, budget), limit)


def _texts(frame: Frame, value: Any, separator: Any) -> tuple[str, str]:
    return text_form(value, frame.budget), text_form(separator, frame.budget)


def _title(character: str) -> str:
    titled = character.title()
    return titled if len(titled) == 1 else character


def _string(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise ExpressionError(f"{name} needs a string, not {describe(value)}")


def _integer(value: Any, name: str, parameter: str) -> int:
    if is_number(value):
        return int(value)
    raise ExpressionError(f"{name} needs an integer as {parameter}, not {describe(value)}")


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")
