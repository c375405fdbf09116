"""Flags events of vendors that are not expected."""

VENDOR = 'attributes["llm.vendor"]'


def validate(event, report):
    vendor = event.get(VENDOR)
    if vendor is not None and vendor not in ("openai", "anthropic"):
        report.flag(VENDOR, "vendor-unknown", "neither openai nor anthropic")
