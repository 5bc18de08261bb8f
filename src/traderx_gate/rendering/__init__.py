"""What CI systems read, made of evidence and decision: Markdown, JUnit XML, annotations; pure."""

from traderx_gate.rendering.annotations import Source, annotations, refusal
from traderx_gate.rendering.junit import junit
from traderx_gate.rendering.line import one_line
from traderx_gate.rendering.summary import summary

__all__ = ["Source", "annotations", "junit", "one_line", "refusal", "summary"]
