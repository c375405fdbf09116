// Flags events of vendors that are not expected.
const VENDOR = 'attributes["llm.vendor"]';

export function validate(event, report) {
  const vendor = event.get(VENDOR);
  if (vendor !== null && !["openai", "anthropic"].includes(vendor)) {
    report.flag(VENDOR, "vendor-unknown", "neither openai nor anthropic");
  }
}
