"""Names the family of a model: gpt of gpt-4o-mini."""


def enrich(event, out):
    model = event.get('attributes["llm.model"]')
    if model is not None:
        out.set("model.family", model.split("-")[0])
