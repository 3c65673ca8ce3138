"""A command in a mail, folded to its width, is the same command to a shell."""

import shlex
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from rseqbench.report.formats import mail
from rseqbench.report.text import ascii_table
from tests.support import hostile_text


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=90), min_size=1))
def test_a_folded_command_is_the_same_to_a_shell(words):
    expected = [" ".join(word.split()) for word in words]
    folded = ascii_table.command(shlex.join(expected))
    assert all(len(line) <= 76 for line in folded)
    script = "printf '%s\\n' " + "\n".join(folded)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [*expected]


def test_a_hand_made_command_is_words_to_a_shell(tmp_path):
    target = tmp_path / "made"
    folded = ascii_table.command(f"true; touch {target} && touch {target} | touch {target}")
    subprocess.run(["sh", "-c", "\n".join(folded)], capture_output=True, check=False)  # there is no program "true;"
    assert not target.exists()


def test_a_control_character_is_spelled_out_to_a_shell(tmp_path):
    command = "rseqbench run --label x\x1b[31m"
    shown_ = hostile_text.shown(tmp_path, command)
    assert "xu001b" not in mail.render_run(shown_)
    (line, *_) = [line for line in ascii_table.command(command) if "u001b" in line]
    done = subprocess.run(["sh", "-c", f"printf '%s\\n' {line.strip()}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "x\\u001b[31m"
