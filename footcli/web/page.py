"""Renders pages: the Jinja environment, content security policy, style and state symbols."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from footcli.domain import Level
from footcli.errors import SetupError
from footcli.system import assets
from footcli.text import wording
from footcli.text.clean import clean

LEVEL_STATE = {
    Level.PRESENT: "outside",
    Level.POSSIBLE: "near",
    Level.NOT_SEEN: "within",
    Level.NOT_MEASURABLE: "missing",
}
SYMBOL = {"within": "✓", "near": "≈", "outside": "▲", "missing": "–", "no_range": "·"}


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(assets.templates_dir(), encoding="utf-8"),
        autoescape=True,  # for every template: the file names end in .j2
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """Clean every text that a template prints, except footcli's own markup."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page(template: str, lang: str, scripts: Sequence[str] = ("report.js",), **content: Any) -> str:
    """A rendered template: self-contained HTML with its scripts joined.

    Raises SetupError for an unknown language or a missing or damaged template.
    """
    folder = assets.templates_dir()
    try:
        *parts, style = (
            (folder / name).read_text(encoding="utf-8") for name in (*scripts, "style.css")
        )
        script = "\n".join(parts)
        source = _environment().get_template(template)
    except (OSError, TemplateError) as error:
        raise SetupError(
            f"a template of this installation is missing or damaged ({template}): reinstall footcli"
        ) from error
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return source.render(
        lang=lang,
        t=strings(lang),
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        symbol=SYMBOL,
        **content,
    )


def report_link(folder: str, above: str = "") -> str:
    """The link to a case's report from the index page; above="../" from another report."""
    return above + urllib.parse.quote(folder, safe="", errors="surrogateescape") + "/report.html"


def strings(lang: str) -> Mapping[str, str]:
    """All texts of a page in one language, by key. Raises SetupError for an unknown language."""
    if lang not in wording.LANGUAGES:
        known = ", ".join(wording.LANGUAGES)
        raise SetupError(f"no language {clean(lang)!r}: use one of {known}")
    return wording.strings(lang)


def term_title(family: str, name: str, lang: str) -> str:
    """The title of a bone, an angle, a lesion or a finding; the name itself if it has none."""
    return strings(lang).get(f"{family}.{name}", name)
