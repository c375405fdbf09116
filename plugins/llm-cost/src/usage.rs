//! What a call used, from whatever names its sender has for it.

use crate::parts::{INPUT, OUTPUT};
use cylestio_plugin_sdk::Row;

/// Counts by part, in the order of [`INPUT`] and [`OUTPUT`]; the first is the whole. `None` is unknown.
pub struct Usage {
    pub input: [Option<u64>; INPUT.len()],
    pub output: [Option<u64>; OUTPUT.len()],
}

/// Dollars, as the caller knows them.
pub fn callers_cost(call: &Row) -> Option<f64> {
    let said = [
        call.real("attributes[\"llm.cost.total\"]"),
        call.real("attributes[\"gen_ai.usage.cost\"]"),
        call.real("attributes[\"llm.usage.cost\"]"),
    ];
    said.into_iter().flatten().find(|dollars| (0.0..1e9).contains(dollars))
}

/// What the provider says it charged for; `auto` is a wish, no tier.
pub fn service_tier<'r>(call: &Row<'r>) -> Option<&'r str> {
    let said = [
        call.text("attributes[\"openai.response.service_tier\"]"),
        call.text("attributes[\"gen_ai.openai.response.service_tier\"]"),
        call.text("attributes[\"llm.response.service_tier\"]"),
    ];
    said.into_iter().flatten().find(|tier| !tier.is_empty() && *tier != "auto")
}

impl Usage {
    pub fn of(call: &Row) -> Self {
        let count = |field| call.integer(field).and_then(|count| u64::try_from(count).ok());
        let first = |fields: [Option<u64>; 3]| fields.into_iter().flatten().next();
        // Anthropic's own names: these tokens are not in its count of the input.
        let own_read = count("attributes[\"llm.usage.cache_read_input_tokens\"]");
        let own_write = count("attributes[\"llm.usage.cache_creation_input_tokens\"]");
        let beside = own_read.unwrap_or(0).saturating_add(own_write.unwrap_or(0));
        let read = first([
            count("attributes[\"gen_ai.usage.cache_read.input_tokens\"]"),
            count("attributes[\"gen_ai.usage.cache_read_input_tokens\"]"),
            count("attributes[\"llm.usage.cached_tokens\"]"),
        ]);
        let write = first([
            count("attributes[\"gen_ai.usage.cache_write.input_tokens\"]"),
            count("attributes[\"gen_ai.usage.cache_creation.input_tokens\"]"),
            count("attributes[\"gen_ai.usage.cache_creation_input_tokens\"]"),
        ]);
        let audio = first([
            count("attributes[\"gen_ai.usage.audio.input_tokens\"]"),
            count("attributes[\"gen_ai.usage.audio_input_tokens\"]"),
            count("attributes[\"llm.usage.audio_input_tokens\"]"),
        ]);
        let reasoning = first([
            count("attributes[\"gen_ai.usage.reasoning.output_tokens\"]"),
            count("attributes[\"gen_ai.usage.reasoning_tokens\"]"),
            count("attributes[\"llm.usage.reasoning_tokens\"]"),
        ]);
        let spoken = first([
            count("attributes[\"gen_ai.usage.audio.output_tokens\"]"),
            count("attributes[\"gen_ai.usage.audio_output_tokens\"]"),
            count("attributes[\"llm.usage.audio_output_tokens\"]"),
        ]);
        Usage {
            input: [
                count("call.input_tokens").map(|input| input.saturating_add(beside)),
                own_read.or(read),
                own_write.or(write),
                count("attributes[\"llm.usage.cache_creation.ephemeral_1h_input_tokens\"]"),
                audio,
                count("attributes[\"gen_ai.usage.audio.cache_read.input_tokens\"]"),
            ],
            output: [count("call.output_tokens"), reasoning, spoken],
        }
    }

    /// Whether nothing was counted.
    pub fn is_unknown(&self) -> bool {
        self.input.iter().chain(&self.output).all(Option::is_none)
    }

    pub fn input_tokens(&self) -> u64 {
        self.input[0].unwrap_or(0)
    }

    pub fn tokens(&self) -> u64 {
        self.input_tokens().saturating_add(self.output[0].unwrap_or(0))
    }
}
