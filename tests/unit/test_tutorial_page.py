"""How the tutorial is read by the test that follows it."""

import pytest

from tests.docker.tutorial import Step, steps

PAGE = """
```sh
first
second
```

It says:

```text
...
live: 1a2b3c4, after 12.5 s
```

```toml
# a/b.toml
x = 1
```

```html
<!-- c.html -->
<p>
```

```text
# requirements.txt
Django
```
"""


def test_blocks_are_typed_compared_or_written() -> None:
    typed, toml, html, text = steps(PAGE)
    assert (typed.commands, typed.line) == ("first\nsecond\n", 2)
    assert (toml.path, toml.text) == ("a/b.toml", "# a/b.toml\nx = 1\n")
    assert (html.path, html.text) == ("c.html", "<p>\n")
    assert (text.path, text.text) == ("requirements.txt", "# requirements.txt\nDjango\n")


def test_a_block_of_no_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1"):
        list(steps("```\nwhat is this\n```\n"))


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("live: 00ff00f, after 3.0 s\n", True),
        ("before\nand\nlive: 00ff00f, after 103.9 s\n\n", True),
        ("live: 00ff00f, after 3.0 s\nmore\n", False),
        ("live: nothing, after 3.0 s\n", False),
        ("", False),
    ],
)
def test_what_is_shown_has_to_be_said_but_for_what_varies(said: str, fits: bool) -> None:
    assert next(steps(PAGE)).fits(said) is fits


def test_what_has_an_end_that_is_left_out_fits_with_and_without_one() -> None:
    step = Step(1, "typed", "one\n...\n")
    assert step.fits("one\n")
    assert step.fits("one\ntwo\nthree\n")
    assert not step.fits("zero\none\n")
