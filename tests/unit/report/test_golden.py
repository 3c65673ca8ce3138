"""What people read, by subject and format, is what tests/data/golden/ has; --update-golden records it anew."""

import pytest

from tests.support import golden, hostile_text


@pytest.mark.parametrize("subject", golden.SUBJECTS)
def test_documents_are_as_recorded(subject, tmp_path, request):
    documents = golden.documents(subject, tmp_path)
    golden.check(subject, documents, request.config.getoption("--update-golden"))
    if "mail" in documents:
        hostile_text.sound(documents["mail"])


def test_golden_files_belong_to_a_subject():
    assert {path.name.partition(".")[0] for path in golden.FOLDER.iterdir()} == set(golden.SUBJECTS)


def test_a_changed_sentence_fails_with_the_lines_that_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    golden.check("x", {"mail": "one\ntwo\n"}, update=True)
    with pytest.raises(pytest.fail.Exception, match=r"recorded x\.mail\.txt\n(?s:.*)\n-two\n\+three\n"):
        golden.check("x", {"mail": "one\nthree\n"}, update=False)
    with pytest.raises(pytest.fail.Exception, match=r"\n-two\n"):
        golden.check("x", {"markdown": "other\n"}, update=False)
