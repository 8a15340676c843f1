"""No answer is left in a chapter, and nothing else is changed."""

import ast

from ffnn_jax.course._cut import answers_in, cut_answers

SOURCE = '''\
"""A chapter: equations (toy.1)-(toy.3).

The sum of x and a constant:

    z_i = x_i + c                                                               (toy.1)

so that c is in every z_i. Each dz_i/dx_i
is 1:

    dz_i/dx_i = 1                                                               (toy.2)
    dx_i = dz_i                                                                 (toy.3)

so nothing is lost.

By (toy.3), dx is dz. There is no kink, by (toy.1); NaN stays, as (toy.3) says.
A last word.
"""

import jax   # a comment (toy.3)
ODD = [ 1,2 ]  # (toy.1), (toy.2)


def toy_forward( x ):
    """Returns z and the residual x, which (toy.3) needs."""
    return _shared(x)+ODD[0], x  # (toy.1)


def toy_backward(residual, dz):
    """Returns (dx, None), equation (toy.3)."""
    scale = _shared(dz)
    return _helper(scale), None  # (toy.3)


def _helper(v):
    """Only the backward needs it."""

    def inner(w):
        """A docstring."""
        return w

    return _second(inner(v))


def _second(v):
    return _second(v) if v else v


def _shared(v):
    return  v


toy.defvjp(toy_forward, toy_backward)
'''
CUT = '''\
"""A chapter.

The sum of x and a constant:

    z_i = x_i + c                                                               (toy.1)

There is no kink, by (toy.1); NaN stays. A last word.
"""

import jax
ODD = [ 1,2 ]  # (toy.1)


def toy_forward( x ):
    """Returns z and the residual x."""
    return _shared(x)+ODD[0], x  # (toy.1)


def toy_backward(residual, dz):
    """Returns (dx, None)."""
    raise NotImplementedError("toy_backward: dx")


def _helper(v):
    """Only the backward needs it."""

    raise NotImplementedError("_helper")


def _second(v):
    raise NotImplementedError("_second")


def _shared(v):
    return  v


toy.defvjp(toy_forward, toy_backward)
'''


def test_answers_are_cut_and_nothing_else_is_touched():
    source = SOURCE.replace("so that c is in every z_i. Each", "Each")
    assert cut_answers(source, {"toy.1"}) == CUT


def test_prose_that_goes_on_after_a_kept_equation_stays_with_it():
    source = SOURCE.replace("every z_i. Each", "every z_i.\n\nEach")
    assert "(toy.1)\n\nso that c is in every z_i.\n\nThere" in cut_answers(source, {"toy.1"})


def test_what_the_forward_reaches_is_cut_only_if_it_is_named():
    assert answers_in(ast.parse(SOURCE)) == {"toy_backward", "_helper", "_second"}
    assert answers_in(ast.parse(SOURCE), ["_shared"]) >= {"_shared"}
    assert 'raise NotImplementedError("_shared")' in cut_answers(SOURCE, {"toy.1"}, ["_shared"])
