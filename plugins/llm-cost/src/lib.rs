//! What a model call costs: the counts that its provider reported, at the prices that the table `model-prices` gives for its model, its
//! time and its size. Integers all the way: 10^-12 dollars for a million tokens times tokens is 10^-18 dollars.

mod parts;
mod usage;

use cylestio_plugin_sdk::{Enricher, Patch, Row, Settings, export_enricher};
use parts::{INPUT, OUTPUT, cost};
use usage::Usage;

/// 10^-18 dollars in 10^-9 dollars.
const NANO: i128 = 1_000_000_000;

#[derive(Default)]
struct LlmCost;

impl Enricher for LlmCost {
    fn enrich(&self, call: &Row, out: &mut Patch) {
        if let Some(dollars) = usage::callers_cost(call) {
            out.wide_integer("llm.cost.nano_usd", (dollars * 1e9 + 0.5).floor() as i128);
            out.text("llm.cost.state", "caller");
            out.text("llm.cost.source", "caller");
            return;
        }
        let usage = Usage::of(call);
        if usage.is_unknown() {
            out.text("llm.cost.state", "unmeasured");
            return;
        }
        let prices = call.text("call.model").and_then(|model| lookup(&question(call, model, &usage)));
        let prices = prices.map(|row| Settings::new(row, "")).filter(|prices| prices.text("source").is_some());
        match prices {
            Some(prices) => price(&usage, &prices, out),
            None => {
                out.text("llm.cost.state", "unpriced");
                out.text("llm.cost.unpriced", &*named(call.text("call.vendor"), call.text("call.model").unwrap_or("no model")));
                out.count("llm.cost.unpriced_tokens", usage.tokens());
            }
        }
    }
}

export_enricher!(LlmCost);

fn price(usage: &Usage, prices: &Settings, out: &mut Patch) {
    let (input, output) = (cost(&INPUT, &usage.input, prices), cost(&OUTPUT, &usage.output, prices));
    let request = i128::from(prices.integer("request").unwrap_or(0)) * 1_000_000;
    let missing: Vec<&str> = input.unpriced.iter().chain(&output.unpriced).copied().collect();
    let unpriced = input.unpriced_tokens.saturating_add(output.unpriced_tokens);
    // When nothing that was used has a price, no sum is better than 0.
    if missing.is_empty() || request > 0 || usage.tokens() > unpriced {
        out.wide_integer("llm.cost.nano_usd", (input.atto + output.atto + request + NANO / 2) / NANO);
    }
    out.text("llm.cost.state", if missing.is_empty() { "priced" } else { "partial" });
    if !missing.is_empty() {
        out.text("llm.cost.unpriced", &*missing.join(", "));
        out.count("llm.cost.unpriced_tokens", unpriced);
    }
    out.text("llm.cost.source", prices.text("source").as_deref());
    out.text("llm.cost.price_date", prices.text("date").as_deref());
    let model = prices.text("model").unwrap_or_default();
    out.text("llm.cost.price_model", &*named(prices.text("provider").as_deref().filter(|provider| !provider.is_empty()), &model));
}

/// Natively the rows of the case answer.
fn lookup(key: &str) -> Option<String> {
    #[cfg(target_arch = "wasm32")]
    return cylestio_plugin_sdk::lookup_exact("model-prices", key);
    #[cfg(not(target_arch = "wasm32"))]
    {
        let case: cylestio_plugin_sdk::testing::Value = include_str!("../cases/calls.json").parse().ok()?;
        Some(case["tables"]["model-prices"].get(key)?.to_string())
    }
}

fn named(provider: Option<&str>, model: &str) -> String {
    provider.map_or_else(|| model.to_owned(), |provider| format!("{provider}/{model}"))
}

/// The key under which `model-prices` is asked. The members stand in this order, so that cases can name it.
fn question(call: &Row, model: &str, usage: &Usage) -> String {
    let mut text = String::from("{");
    if let Some(vendor) = call.text("call.vendor") {
        text += &format!("\"provider\":{},", quoted(vendor));
    }
    text += &format!("\"model\":{}", quoted(model));
    text += &format!(",\"time\":{}", call.time("call.start_time").unwrap_or(0));
    text += &format!(",\"input_tokens\":{}", usage.input_tokens());
    if let Some(tier) = usage::service_tier(call) {
        text += &format!(",\"service_tier\":{}", quoted(tier));
    }
    text + "}"
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\0'..'\u{20}' => out += &format!("\\u{:04x}", u32::from(char)),
            _ => out.push(char),
        }
    }
    out + "\""
}
