"""The templates of pages."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(name: str) -> Template:
    """A template of ``templates/``; an unknown name in it is an UndefinedError."""
    loader = PackageLoader("ffnn_jax.reporting")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(name)
