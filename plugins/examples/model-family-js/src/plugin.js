// Names the family of a model: gpt of gpt-4o-mini.
export function enrich(event, out) {
  const model = event.get('attributes["llm.model"]');
  if (model !== null) out.set("model.family", model.split("-")[0]);
}
