"""The report's numbers, which the experiments are compared with.

Each model was trained once. Classes are numbered from 0 here.
"""

from typing import NamedTuple


class ReportedRun(NamedTuple):
    """The report's run of a network.

    Attributes:
        test_accuracy: with the digits that the report's table adds to its text: the mean recall is
            the accuracy for classes of equal size.
        precision: precision of each class.
        recall: recall of each class.
    """

    test_accuracy: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]

    @property
    def f1(self) -> list[float]:
        """F1 score of each class, which the report does not state."""
        return [2 * p * r / (p + r) for p, r in zip(self.precision, self.recall, strict=True)]


# Table 1, classes 0 to 9.
MNIST = ReportedRun(
    0.978,
    (0.9808, 0.9937, 0.9492, 0.9718, 0.9917, 0.9965, 0.9853, 0.9909, 0.9495, 0.9752),
    (0.9929, 0.9709, 0.9952, 0.9901, 0.9756, 0.9652, 0.9823, 0.9484, 0.9836, 0.9762),
)

# Table 5, classes airplane to truck.
CIFAR10 = ReportedRun(
    0.542,
    (0.6015, 0.7240, 0.4654, 0.3744, 0.5077, 0.4372, 0.6789, 0.4682, 0.6760, 0.5655),
    (0.6430, 0.6190, 0.2960, 0.4190, 0.2950, 0.4910, 0.5730, 0.7510, 0.6510, 0.6820),
)
