from runner.model.flow import Input
from runner.model.inputs import Examined
from web.viewmodels.fields import Entry, errors_by_input, fields


def field_of(declared, entry=None, **examined):
    (field,) = fields([Examined(declared, **examined)], entry or Entry())
    return field


def test_types_have_their_controls():
    def control(kind, **properties):
        field = field_of(Input("x", kind, properties=properties))
        return field.control, field.native

    assert control("STRING") == ("input", "text")
    assert control("INT") == ("input", "number")
    assert control("DATE") == ("input", "date")
    assert control("DATETIME") == ("input", "datetime-local")
    assert control("FILE") == ("input", "file")
    assert control("BOOL")[0] == "checkbox"
    assert control("JSON")[0] == "area"
    assert control("SELECT", values=["a", "b"])[0] == "select"
    assert control("SELECT", values=["a", "b"], isRadio=True)[0] == "radios"
    assert control("SELECT", values=[str(n) for n in range(13)])[0] == "list"
    assert control("MULTISELECT", values=["a"])[0] == "checks"


def test_a_default_is_the_placeholder_and_the_hint():
    field = field_of(Input("n", "INT", defaults=2), value=2, is_default=True)

    assert (field.value, field.placeholder, field.required) == ("", "2", False)
    assert field.hint == "Empty means 2."


def test_what_was_entered_stands_beside_what_was_wrong_with_it():
    errors, rest = errors_by_input(
        "Invalid value for input `n`. Cause: it must be less than 10\n"
        "Missing required input:day\nodd"
    )

    field = field_of(Input("n", "INT"), Entry({"n": ("99",)}, errors))

    assert (field.value, field.wrong, field.autofocus) == ("99", "It must be less than 10", True)
    assert errors["day"] == "It needs a value."
    assert rest == "odd"


def test_an_input_whose_condition_does_not_hold_is_not_asked_for():
    assert fields([Examined(Input("x", "STRING"), enabled=False)], Entry()) == ()
