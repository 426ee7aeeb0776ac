"""What the linter found, and the page of a rule, for the terminal."""

from foveal.report.lint.page_text import render_page_text
from foveal.report.lint.text import render_lint_text

__all__ = ["render_lint_text", "render_page_text"]
