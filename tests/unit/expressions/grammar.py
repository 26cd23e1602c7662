"""Templates made up by a grammar, to be asked of us and of Kestra.

`Grammar` takes every decision from outside, so the same rules serve hypothesis (which shrinks what
fails) and a seeded generator (which is fast). Expressions are mostly of a fitting type; now and
then one is not, as errors must agree too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

VARIABLES: dict[str, Any] = {
    "i": 5,
    "neg": -3,
    "zero": 0,
    "big": 3_000_000_000,
    "f": 2.5,
    "small": 0.00012,
    "t": True,
    "no": False,
    "nil": None,
    "s": "hello World",
    "e": "",
    "blank": "  ",
    "digits": "42",
    "dotted": "1.50",
    "u": "naïve café",
    "csv": "b,a,,c,",
    "path": "dir/sub/file.tar.gz",
    "lines": "one\ntwo\n",
    "d": "2024-03-15T13:45:30.123456Z",
    "day": "2024-02-29",
    "local": "2024-07-01T12:00:00",
    "j": '{"k":[1,2.5,"z",null,true],"m":{"a":"x"}}',
    "l": [3, 1, 2],
    "words": ["pear", "fig", "apple"],
    "mixed": [1, "two", None, 2.5, True],
    "none": [],
    "nested": [[1, 2], [3, [4]]],
    "m": {"a": 1, "b": {"c": "deep", "n": None}, "key with space": "v"},
    "empty": {},
    "users": [{"n": "ann", "age": 30}, {"n": "bob", "age": 25}, {"n": "cy", "age": 30}],
    "tpl": "{{ s }}!",
}
NUMBERS = ("i", "neg", "zero", "big", "f", "small")
TEXTS = ("s", "e", "blank", "digits", "dotted", "u", "csv", "path", "lines")
DATES = ("d", "day", "local")
LISTS = ("l", "words", "mixed", "none", "nested", "users")
MAPS = ("m", "empty", "users[0]", "m.b")
PATTERNS = (
    "yyyy-MM-dd",
    "dd.MM.yy HH:mm:ss",
    "iso_sec",
    "sql",
    "EEE d MMM",
    "H:m:s.SSS",
    "D",
    "Q",
    "XXX",
    "a h",
    "iso_local_date",
    "e",
    "w",
    "rfc_1123_date_time",
    "QQQ yyyy",
    "MMMM d, yyyy",
    "kk K",
    "A",
    "iso_instant",
    "uuuu",
)
ZONES = ("Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC", "+05:30", "Z", "UTC+2")
UNITS = (
    "NANOS",
    "MILLIS",
    "SECONDS",
    "MINUTES",
    "HOURS",
    "HALF_DAYS",
    "DAYS",
    "WEEKS",
    "MONTHS",
    "YEARS",
    "DECADES",
)
JQ = (
    ".", ".[]", "length", "keys", "map(. + 1)", ".[0]", ".[-1]", ".a", ".a?", ".b.c", "add", "sort",
    "reverse", "unique", "to_entries", "map(select(. != null))", "min, max", "type", "tostring",
    "[.[] | type]", ".[1:]", "first", "last", "flatten", "map(tostring) | join(\"-\")", "tojson",
    "map(.n)", "group_by(.age)", "sort_by(.n)", "[.[] | .age] | add", "any, all", "not", "empty",
    "map(.age // 0)", ". as $x | $x", "if . then 1 else 2 end", "[paths]", "[..] | length", "@json",
    "@csv", "@base64", "reduce .[] as $x (0; . + 1)", "[limit(2; .[])]", "with_entries(.value = 1)",
    "del(.[0])", "del(.a)", "has(0)", "index(1)", "map(. == 1)", "map(length)", "ascii_upcase",
    "[.[] | numbers]", "map(-. )", "map(. * 2)", "map(. / 2)", "map(. % 2)", ".[0] = 9",
    "map_values(1)",
    "transpose", "tojson | fromjson", "[range(3)]", "floor", "sqrt", "test(\"a\")", "split(\",\")",
    "sub(\"a\";\"b\")", "[scan(\"[a-z]\")]", "explode", "startswith(\"h\")", "ltrimstr(\"h\")",
    ".. |= .", "[leaf_paths]", "unique_by(.age)", "min_by(.age)", "error",
    "try error(\"x\") catch .",
    "\"v: \\(.)\"", "{a: 1, b: .}", "[.[]?]", "indices(1)", "inside([1,2,3])", "contains(1)",
)  # fmt: skip
REGEXES = ("[a-z]+", "\\d+", "o", "(l+)o", "[aeiou]", "\\s", "^h", "x*", ",", ".")
DELIMITERS = (",", "[aeiou]", "l", "", "/", "\\.")
TEXT_FILTERS = (
    "upper", "lower", "capitalize", "title", "trim", "slugify", "urlencode", "urldecode",
    "base64encode", "md5", "sha1", "string", "nl2br", "abbreviate({n})", "replace({{'l': {t}}})",
    "substringBefore({t})", "substringAfter({t})", "substringBeforeLast({t})",
    "substringAfterLast({t})", "escapeChar('single')", "escapeChar('shell')", "indent({n})",
    "nindent({n}, '-')", "slice({n}, {n})", "default({t})",
    "replace({{'{r}': '<$0>'}}, regexp=true)", "date", "json", "toJson", "yaml", "toIon",
)  # fmt: skip
LIST_FILTERS = (
    "sort", "rsort", "reverse", "slice({n}, {n})", "slice({n})", "merge({l})", "chunk({n})",
    "flatten", "distinct",
    "keys", "replace({{'a': 'b'}})", "default({l})", "jq('{q}')",
)  # fmt: skip
NUMBER_FILTERS = (
    "abs",
    "numberFormat('{nf}')",
    "numberFormat",
    "string",
    "toJson",
    "default({n})",
    "className",
    "yaml",
)
NUMBER_FORMATS = (
    "0",
    "0.00",
    "#,##0.##",
    "000",
    "#.##",
    "0.0%",
    "#",
    "0.###E0",
    "00.#;(0)",
    "#,###.00",
)
FORMATS = (
    "%s",
    "%d",
    "%5d|",
    "%-6s|",
    "%05d",
    "%.2f",
    "%x",
    "%,d",
    "%e",
    "%10.3f",
    "%%",
    "%S",
    "%b",
    "%+d",
    "%o",
)

FIXED_CALLS = (
    "fromJson(j).k", "fromJson(digits)", "yaml('a: [1, yes, x]')", "yaml(csv)",
    "fromIon('{a:1,b:[x,2.5]}')", "fromJson(j)", "yaml(lines)", "fromIon(digits)",
)  # fmt: skip

Choose = Callable[[Sequence[Any]], Any]


class Grammar:
    """Makes templates; `choose` picks one of several."""

    def __init__(self, choose: Choose, depth: int = 4) -> None:
        self.choose = choose
        self.depth = depth

    def template(self) -> str:
        """A template of one to three parts."""
        parts = [self.part() for _ in range(self.choose((1, 1, 1, 2, 3)))]
        return "".join(parts)

    def part(self, depth: int = 2) -> str:
        kind = self.choose(
            ("print",) * 8 + ("text", "if", "for", "set", "macro", "filter", "block", "odd")
        )
        if kind == "print" or depth == 0:
            left = self.choose(("{{ ", "{{ ", "{{", "{{- "))
            right = self.choose((" }}", " }}", "}}", " -}}"))
            return f"{left}{self.any(self.depth)}{right}"
        if kind == "text":
            return str(
                self.choose(
                    (
                        "x ",
                        " - ",
                        "\n",
                        "{",
                        "}}",
                        "#",
                        "%}",
                        "é",
                        "{# c #}",
                        "{% raw %}{{ x }}{% endraw %}",
                    )
                )
            )
        return str(getattr(self, f"_{kind}")(depth - 1))

    def _if(self, depth: int) -> str:
        middle = self.choose(("", "", "{% else %}n", f"{{% elseif {self.bool(1)} %}}m"))
        return f"{{% if {self.bool(2)} %}}{self.part(depth)}{middle}{{% endif %}}"

    def _for(self, depth: int) -> str:
        body = self.choose(
            (
                "{{ v }},",
                "{{ loop.index }}",
                "{{ loop.last }}{{ v }}",
                "{{ v.key }}",
                "{% set c = (c ?? 0) + 1 %}{{ c }}",
                self.part(depth),
            )
        )
        other = self.choose(("", "", "{% else %}none"))
        items = self.choose((self.list(2), self.list(2), self.map(1)))
        return f"{{% for v in {items} %}}{body}{other}{{% endfor %}}"

    def _set(self, depth: int) -> str:
        name = self.choose(("c", "s", "z"))
        return f"{{% set {name} = {self.any(2)} %}}{{{{ {name} }}}}"

    def _macro(self, depth: int) -> str:
        call = self.choose((f"f({self.any(1)})", "f()", f"f(b={self.any(1)})", "f(1, 2, 3)"))
        return "{% macro f(a, b='d') %}<{{ a }}{{ b }}>{% endmacro %}{{ " + call + " }}"

    def _filter(self, depth: int) -> str:
        chain = self.choose(("upper", "lower | title", "trim"))
        return f"{{% filter {chain} %}}{self.part(0)}{{% endfilter %}}"

    def _block(self, depth: int) -> str:
        return f"{{% block b %}}{self.part(0)}{{% endblock %}}{{{{ block('b') }}}}"

    def _odd(self, depth: int) -> str:
        return str(
            self.choose(
                (
                    "{{ }}",
                    "{{ 1 2 }}",
                    "{% nope %}",
                    "{{ a..b }}",
                    "{{ x is not  defined }}",
                    "{% endif %}",
                    "{{ s | nope }}",
                    "{{ nope() }}",
                    "{{ [1,] }}",
                    "{{ l[0 }}",
                    "{{ 'a' 'b' }}",
                    "{{ s ? }}",
                    "{% verbatim %} {{ a }} {% endverbatim %}",
                    "{{ (1, 2) }}",
                    "{{ 1.5.2 }}",
                    "{{ s.length }}",
                    "{{ l.size }}",
                    "{{ m.size }}",
                )
            )
        )

    # ---- expressions

    def any(self, depth: int) -> str:
        kinds = (self.text, self.text, self.number, self.list, self.map, self.bool)
        if depth > 0:
            kinds = (*kinds, self.date, self.call)
        return self.choose(kinds)(depth)

    def slip(self, depth: int, own: Callable[[int], str]) -> str:
        """An expression of the wanted type, seldom of any."""
        return self.any(depth) if self.choose((0,) * 14 + (1,)) else own(depth)

    def number(self, depth: int) -> str:
        if depth <= 0:
            return str(
                self.choose(
                    (
                        *NUMBERS,
                        "0",
                        "1",
                        "2",
                        "7",
                        "10",
                        "1.5",
                        "0.1",
                        "100L",
                        "m.a",
                        "l[1]",
                        "users[1].age",
                    )
                )
            )
        kind = self.choose(
            (
                "op",
                "op",
                "unary",
                "group",
                "fallback",
                "filter",
                "length",
                "atom",
                "atom",
                "ternary",
            )
        )
        a, b = (
            (lambda: self.slip(depth - 1, self.number)),
            (lambda: self.slip(depth - 1, self.number)),
        )
        match kind:
            case "op":
                return f"{a()} {self.choose(('+', '-', '*', '/', '%'))} {b()}"
            case "unary":
                return f"{self.choose(('-', '+', '- '))}{a()}"
            case "group":
                return f"({a()})"
            case "fallback":
                left = self.choose(("missing", "m.zz", "nil", a()))
                return f"{left} {self.choose(('??', '???'))} {b()}"
            case "filter":
                return f"{a()} | {self.fill(self.choose(NUMBER_FILTERS))}"
            case "length":
                return f"({self.choose((self.list, self.text, self.map))(depth - 1)}) | length"
            case "ternary":
                return f"{self.bool(depth - 1)} ? {a()} : {b()}"
        return self.number(0)

    def text(self, depth: int) -> str:
        if depth <= 0:
            return str(
                self.choose(
                    (
                        *TEXTS,
                        "'a'",
                        "'x-y'",
                        '"q"',
                        "''",
                        "'L'",
                        "m.b.c",
                        "words[0]",
                        "users[0].n",
                        "'it\\'s'",
                        '"n=#{i}"',
                    )
                )
            )
        kind = self.choose(
            ("filter",) * 5
            + ("concat", "plus", "group", "fallback", "join", "atom", "ternary", "render")
        )
        a, b = (lambda: self.slip(depth - 1, self.text)), (lambda: self.slip(depth - 1, self.text))
        match kind:
            case "filter":
                return f"{a()} | {self.fill(self.choose(TEXT_FILTERS))}"
            case "concat":
                return f"{a()} ~ {self.any(depth - 1)}"
            case "plus":
                return f"{a()} + {self.any(depth - 1)}"
            case "group":
                return f"({a()})"
            case "fallback":
                return f"{self.choose(('missing', 'm.zz', 'nil', a()))} ?? {b()}"
            case "join":
                return f"{self.list(depth - 1)} | join({self.text(0)})"
            case "ternary":
                return f"{self.bool(depth - 1)} ? {a()} : {b()}"
            case "render":
                return str(
                    self.choose(
                        (
                            "render(tpl)",
                            "renderOnce(tpl)",
                            "render('{{ i }}')",
                            "render(words)",
                            "render(m)",
                        )
                    )
                )
        return self.text(0)

    def list(self, depth: int) -> str:
        if depth <= 0:
            return str(self.choose((*LISTS, "[]", "[1, 2]", "['a', 'b', 'a']", "1..3", "'a'..'d'")))
        kind = self.choose(
            ("filter", "filter", "literal", "plus", "minus", "split", "range", "atom", "atom", "jq")
        )
        match kind:
            case "filter":
                return f"{self.slip(depth - 1, self.list)} | {self.fill(self.choose(LIST_FILTERS))}"
            case "literal":
                return f"[{self.any(depth - 1)}, {self.any(depth - 1)}]"
            case "plus":
                return f"({self.list(depth - 1)}) + {self.any(depth - 1)}"
            case "minus":
                return f"({self.list(depth - 1)}) - {self.any(0)}"
            case "split":
                limit = self.choose(("", "", ", 2", ", -1"))
                return f"{self.text(depth - 1)} | split('{self.choose(DELIMITERS)}'{limit})"
            case "range":
                step = self.choose(("", "", ", 2", ", -1"))
                return f"range({self.number(0)}, {self.number(0)}{step})"
            case "jq":
                return f"{self.choose((*LISTS, 'm', 'j', 'i'))} | jq('{self.choose(JQ)}')"
        return self.list(0)

    def map(self, depth: int) -> str:
        if depth <= 0:
            return str(self.choose((*MAPS, "{}", "{'a': 1}", "{'k': 'v'}")))
        return str(self.choose((
            f"{{{self.text(0)}: {self.any(depth - 1)}}}",
            f"{self.map(depth - 1)} | merge({self.map(0)})",
            "fromJson(j)", "fromJson(j).m", self.map(0),
            f"({self.map(0)}) | default({self.map(0)})",
        )))  # fmt: skip

    def bool(self, depth: int) -> str:
        if depth <= 0:
            return str(self.choose(("t", "no", "true", "false", "i", "zero", "s", "e")))
        kind = self.choose(
            ("compare",) * 3
            + (
                "equal",
                "equal",
                "logic",
                "logic",
                "not",
                "test",
                "test",
                "contains",
                "isin",
                "starts",
                "atom",
            )
        )
        match kind:
            case "compare":
                sign = self.choose(("<", ">", "<=", ">="))
                left, right = (self.slip(depth - 1, self.number) for _ in range(2))
                return f"{left} {sign} {right}"
            case "equal":
                sign = self.choose(("==", "!=", "equals"))
                return f"{self.any(depth - 1)} {sign} {self.any(depth - 1)}"
            case "logic":
                word = self.choose(("and", "or"))
                left, right = (self.slip(depth - 1, self.bool) for _ in range(2))
                return f"{left} {word} {right}"
            case "not":
                return f"not {self.slip(depth - 1, self.bool)}"
            case "test":
                name = self.choose(
                    ("defined", "null", "empty", "even", "odd", "iterable", "map", "json")
                )
                left = self.choose((self.any(depth - 1), "missing", "nil", "m.zz"))
                return f"{left} {self.choose(('is', 'is not'))} {name}"
            case "contains":
                holder = self.choose((self.list, self.text, self.map))(depth - 1)
                return f"({holder}) contains {self.any(0)}"
            case "isin":
                return f"{self.any(0)} isIn {self.choose((self.list, self.map, self.text))(0)}"
            case "starts":
                name = self.choose(("startsWith", "endsWith"))
                return f"{self.text(depth - 1)} | {name}({self.text(0)})"
        return self.bool(0)

    def date(self, depth: int) -> str:
        value = self.choose((*DATES, "1710510330", "1710510330123"))
        zone = self.choose(("", "", f", timeZone='{self.choose(ZONES)}'"))
        pattern = self.choose(PATTERNS)
        amount = self.choose((-1, 1, 13))
        return str(self.choose((
            f"{value} | date", f"{value} | date('{pattern}'{zone})",
            f"{value} | dateAdd({self.number(0)}, '{self.choose(UNITS)}')",
            f"{value} | dateAdd({amount}, '{self.choose(UNITS)}', format='{pattern}'{zone})",
            f"{value} | timestamp", f"{value} | timestampMilli", f"{value} | timestampNano",
        )))  # fmt: skip

    def call(self, depth: int) -> str:
        inner = depth - 1
        kind = self.choose(("max", "fixed", "json", "format", "number", "length", "text", "list"))
        match kind:
            case "max":
                name = self.choose(("max", "min"))
                return f"{name}({self.number(inner)}, {self.number(0)})"
            case "fixed":
                return str(self.choose(FIXED_CALLS))
            case "json":
                return f"fromJson({self.text(inner)})"
            case "format":
                return f"'{self.choose(FORMATS)}' | format({self.any(inner)})"
            case "number":
                return f"{self.text(inner)} | number"
            case "length":
                name = self.choose(("length", "className", "first", "values", "keys", "toJson"))
                return f"{self.any(inner)} | {name}"
            case "text":
                return f"{self.any(inner)} | {self.fill(self.choose(TEXT_FILTERS))}"
        return f"{self.any(inner)} | {self.fill(self.choose(LIST_FILTERS))}"

    def fill(self, filter_: str) -> str:
        """The filter with its arguments."""
        return filter_.format(
            n=self.choose((0, 1, 2, 3, 5, "-1")),
            t=self.text(0),
            l=self.list(0),
            q=self.choose(JQ),
            r=self.choose(REGEXES),
            nf=self.choose(NUMBER_FORMATS),
        )
