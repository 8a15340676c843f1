"""``ffnn-jax course``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from ffnn_jax.cli._options import Flag, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Course:
    """Write a folder for a student: chapters whose backwards are to be derived and written.

    The folder holds the chapters without their answers, cases worked by hand, a notebook for each
    chapter, and a page that says what to do. In it, train and verify use the student's chapters.

    Example: ffnn-jax course assignment --chapters dense,relu
    """

    folders: Annotated[tyro.conf.Positional[tuple[Path, ...]], shown("DIR", "(required)")]
    """Folder to write, which must be new or empty."""

    chapters: Annotated[
        str | None, shown("NAME,...", "(default: what the preset course needs, and training)")
    ] = None
    """Chapters in the order of the course, as in dense,relu,softmax_loss,conv,pool; or all."""

    answers: Flag = False
    """Also write the complete chapters, for teachers, to DIR/answers."""

    def __call__(self) -> int:
        """Writes the folder, and prints where to begin."""
        if len(self.folders) != 1:
            raise UserError("course needs one DIR, as in ffnn-jax course assignment")

        from ffnn_jax.course import USUAL, select_chapters, write_course

        (folder,), chapters = self.folders, USUAL
        if self.chapters is not None:
            chapters = select_chapters(self.chapters)
        write_course(folder, chapters, self.answers)
        print(f"{', '.join(chapters)} written to {folder}; begin with {folder / 'README.md'}")
        return 0
