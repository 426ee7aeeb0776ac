"""A finished run handed on: as one offline page that classifies in the browser."""

from foveal.exporting.page import ExportedPage, export_page

__all__ = ["ExportedPage", "export_page"]
