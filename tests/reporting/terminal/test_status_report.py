"""A study's status, as it is printed."""

import pytest

from sgq_auto.reporting.terminal.status_report import print_status
from sgq_auto.searching import StudyProgress
from sgq_auto.searching.studies.study_status import Status


def test_each_kind_of_failure_is_printed_with_its_traceback(
    progress: StudyProgress, capsys: pytest.CaptureFixture[str]
) -> None:
    status = Status(
        running=(),
        finished=3,
        n_trials=3,
        trials_per_second=None,
        failures={"KeyError: 'weight' (net.py:5)": 2, "DivergedError: nan": 1},
        ended=True,
        tracebacks={"KeyError: 'weight' (net.py:5)": "Traceback\n  File net.py [line] 5\n"},
    )
    print_status(status, progress)
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("2 failed: KeyError: 'weight' (net.py:5)")
    assert lines[at + 1 : at + 3] == ["    Traceback", "      File net.py [line] 5"]
    assert lines[at + 3] == "1 failed: DivergedError: nan"
