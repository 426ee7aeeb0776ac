"""The command line: thin. It parses, calls and renders."""

from foveal.cli.app import main

__all__ = ["main"]
