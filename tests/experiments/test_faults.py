"""Trials are counted from pytest's own report, those that failed as well."""

from experiments.faults import counted, faults_table

CASE = """<testcase name="{name}"><properties><property name="fault" value="{fault}"/>{more}
</properties>{end}</testcase>"""


def case(fault: str, more: str = "", end: str = "") -> str:
    return CASE.format(name="t", fault=fault, more=more, end=end)


def test_trials_are_tests_or_what_a_test_says():
    twenty = '<property name="trials" value="20"/>'
    failed = '<failure message="x">y</failure>'
    cases = [case("a"), case("a"), case("b", twenty), case("a", end=failed)]
    rows = counted(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert rows == [
        {"fault": "a", "trials": 3, "held": 2},
        {"fault": "b", "trials": 20, "held": 20},
    ]
    *_, last = faults_table({"rows": rows}).splitlines()
    assert last == "| b | 20 | 20 |"


def test_what_failed_before_it_began_did_not_hold():
    failed = "<error message='x'/>"
    report = f"<testsuite>{case('a', end=failed)}</testsuite>"
    assert counted(report) == [{"fault": "a", "trials": 1, "held": 0}]
