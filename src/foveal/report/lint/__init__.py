"""What the linter found, for the terminal."""

from foveal.report.lint.text import render_lint_text

__all__ = ["render_lint_text"]
