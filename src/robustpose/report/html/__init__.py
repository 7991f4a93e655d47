"""The HTML pages of a study. They depend on stored jobs only."""

from robustpose.report.html.certified import write_certified
from robustpose.report.html.findings import write_findings
from robustpose.report.html.measurement import write_measurement
from robustpose.report.html.ownphoto import write_photo_page
from robustpose.report.html.page import write_report
from robustpose.report.html.pictures import write_sheet

__all__ = [
    "write_certified",
    "write_findings",
    "write_measurement",
    "write_photo_page",
    "write_report",
    "write_sheet",
]
