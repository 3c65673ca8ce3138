"""Markdown for a pull request: read by a real parser, it says what the run says."""

import pytest

from rseqbench.report.formats import markdown
from tests.support import readback


def test_a_fence_is_longer_than_what_is_in_it():
    block = markdown._commands(["````", "b"])
    (fence,) = [token for token in readback.markdown_tokens(block) if token.type == "fence"]
    assert fence.content == "````\nb\n"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("@user", "@&#8203;user"),
        ("a @org/team", "a @&#8203;org/team"),
        ("#12", "\\#&#8203;12"),
        ("counter/rseq@arm32", "counter/rseq@arm32"),
        ("a|b", "a&#124;b"),
        ("- a", "\\- a"),
        ("12. a", "12\\. a"),
        ("-a", "-a"),
        ("8.5x", "8.5x"),
        ("counter/getcpu_atomic", "counter/getcpu_atomic"),
        ("__schedule", "\\_\\_schedule"),
        ("https://x.example", "https:&#8203;//x.example"),
    ],
)
def test_escapes(text, escaped):
    assert markdown.escape(text) == escaped
