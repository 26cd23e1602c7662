from pathlib import Path

import pytest

from runner.expressions import FILTERS, FUNCTIONS, TESTS, render
from runner.expressions.reference import example_context, reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "expressions.md"
EXTENSIONS = [*FILTERS, *FUNCTIONS, *TESTS]
EXAMPLES = [(extension, example) for extension in EXTENSIONS for example in extension.examples]


@pytest.mark.parametrize(
    ("extension", "example"), EXAMPLES, ids=lambda part: getattr(part, "signature", "")
)
def test_the_examples_of_the_reference_are_true(extension, example):
    assert render(example.template, example_context(example)) == example.result


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda extension: extension.signature)
def test_every_filter_function_and_test_is_described_with_an_example(extension):
    assert extension.summary
    assert extension.examples


def test_the_reference_is_fresh():
    assert PAGE.read_text() == reference(), "run python -m runner.expressions.reference"
