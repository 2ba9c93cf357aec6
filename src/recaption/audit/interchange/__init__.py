"""Audits in other tools: items go out to Label Studio, Argilla or a spreadsheet, verdicts come back.

One file per format, and a line for it in `exchange.FORMATS`.
"""

from recaption.audit.interchange.exchange import FORMATS, export_items, import_verdicts
from recaption.audit.interchange.options import ExportOptions, ImportOptions

__all__ = ["FORMATS", "ExportOptions", "ImportOptions", "export_items", "import_verdicts"]
