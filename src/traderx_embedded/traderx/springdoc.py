"""What springdoc adds to a Spring service: its API description and the start page of Swagger UI."""

from pathlib import Path

from traderx_embedded.traderx import spring
from traderx_embedded.traderx.spring import Page

DATA = Path(__file__).parent / "data"


PATHS = {"json": "/v3/api-docs", "yaml": "/v3/api-docs.yaml"}
CONTENT_TYPES = {"json": spring.JSON, "yaml": "application/vnd.oai.openapi"}


def pages(
    service: str, *, published_port: int, port: int, formats: tuple[str, ...] = ("json", "yaml")
) -> dict[str, Page]:
    """Return the pages by path; the description names the port that is in use."""

    def description(suffix: str) -> Page:
        text = (DATA / f"{service}-openapi.{suffix}").read_text("utf-8")
        body = text.replace(f"localhost:{published_port}", f"localhost:{port}").encode()
        return Page(body=body, headers=(("Content-Type", CONTENT_TYPES[suffix]),))

    swagger = (
        spring.VARY,
        ("Content-Type", "text/html"),
        ("Last-Modified", "Mon, 29 Sep 2025 00:00:00 GMT"),
        ("Accept-Ranges", "bytes"),
    )
    return {
        "/swagger-ui/index.html": Page(
            body=(DATA / "swagger-ui.html").read_bytes(), headers=swagger
        ),
        **{PATHS[suffix]: description(suffix) for suffix in formats},
    }
