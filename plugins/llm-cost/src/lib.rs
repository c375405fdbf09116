//! What a model call costs: the counts that its provider reported, at the prices that the table `model-prices` gives for its model, its
//! time and its size. Integers all the way: 10^-12 dollars for a million tokens times tokens is 10^-18 dollars.

mod parts;
mod prices;
mod usage;

use cylestio_plugin_sdk::{Enricher, Patch, Row, export_enricher};
use parts::{INPUT, OUTPUT, cost};
use prices::{Known, Prices, Wanted};
use usage::Usage;

/// 10^-18 dollars in 10^-9 dollars.
const NANO: i128 = 1_000_000_000;

#[derive(Default)]
struct LlmCost {
    known: Known,
}

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
        let vendor = call.text("call.vendor");
        let model = call.text("call.model");
        let time = call.time("call.start_time").unwrap_or(0);
        let tokens = i64::try_from(usage.input_tokens()).unwrap_or(i64::MAX);
        let wanted = model.map(|model| Wanted { vendor, model, tier: usage::service_tier(call), time, tokens });
        let priced = wanted.is_some_and(|wanted| self.known.with(&wanted, lookup, |prices| price(&usage, prices, out)));
        if !priced {
            out.text("llm.cost.state", "unpriced");
            out.text("llm.cost.unpriced", &*prices::named(vendor, model.unwrap_or("no model")));
            out.count("llm.cost.unpriced_tokens", usage.tokens());
        }
    }
}

export_enricher!(LlmCost);

fn price(usage: &Usage, prices: &Prices, out: &mut Patch) {
    let (input, output) = (cost(&INPUT, &usage.input, &prices.input), cost(&OUTPUT, &usage.output, &prices.output));
    let request = i128::from(prices.request) * 1_000_000;
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
    out.text("llm.cost.source", &*prices.source);
    out.text("llm.cost.price_date", prices.date.as_deref());
    out.text("llm.cost.price_model", &*prices.model);
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
