"""Trials are counted from pytest's report, including failed ones."""

from experiments.faults import count_trials, faults_table

CASE = """<testcase name="{name}"><properties><property name="fault" value="{fault}"/>{more}
</properties>{end}</testcase>"""


def case(fault: str, more: str = "", end: str = "") -> str:
    return CASE.format(name="t", fault=fault, more=more, end=end)


def test_a_test_is_one_trial_or_as_many_as_it_records():
    twenty = '<property name="trials" value="20"/>'
    failed = '<failure message="x">y</failure>'
    cases = [case("a"), case("a"), case("b", twenty), case("a", end=failed)]
    rows = count_trials(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert rows == [
        {"fault": "a", "trials": 3, "held": 2},
        {"fault": "b", "trials": 20, "held": 20},
    ]
    *_, last = faults_table({"rows": rows}).splitlines()
    assert last == "| b | 20 | 20 |"


def test_an_error_in_setup_does_not_count_as_held():
    failed = "<error message='x'/>"
    report = f"<testsuite>{case('a', end=failed)}</testsuite>"
    assert count_trials(report) == [{"fault": "a", "trials": 1, "held": 0}]
