//! The prices of genai-prices. The crate calculates and keeps its rates to itself, so they are found by asking it for amounts: a part is
//! priced when more of it than of what it is a kind of is an error, and its rate is what as much of it as of the whole input costs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use genai_prices::{Calculator, ErrorKind, PriceCalculation, PriceRequest, Usage, UsageKey};

use super::{PARTS, Question, Rates, row};

/// The release of the crate. A test holds it to the lock file.
pub(super) const SOURCE: &str = "genai-prices 0.2.1";
/// The day on which it was published: later prices are not in it.
const DATE: &str = "2026-10-30";
/// Rates that are remembered at most.
const MAX_KNOWN: usize = 4_096;

/// 10^-12 dollars a dollar.
const PICO: f64 = 1e12;

const READ: u8 = 1;
const WRITE: u8 = 2;
const HOUR: u8 = 4;
const AUDIO: u8 = 8;
const REASONING: u8 = 16;

/// Parts of the input and what they are kinds of, in the order of [`PARTS`].
static INPUT: [(UsageKey, u8); 6] = [
    (UsageKey::INPUT_TOKENS, 0),
    (UsageKey::CACHE_READ_TOKENS, READ),
    (UsageKey::CACHE_WRITE_TOKENS, WRITE),
    (UsageKey::CACHE_WRITE_1H_TOKENS, WRITE | HOUR),
    (UsageKey::INPUT_AUDIO_TOKENS, AUDIO),
    (UsageKey::CACHE_AUDIO_READ_TOKENS, READ | AUDIO),
];
static OUTPUT: [(UsageKey, u8); 3] =
    [(UsageKey::OUTPUT_TOKENS, 0), (UsageKey::OUTPUT_REASONING_TOKENS, REASONING), (UsageKey::OUTPUT_AUDIO_TOKENS, AUDIO)];
/// What a mixture has none of: told, since it would be unknown otherwise.
static NONE: [UsageKey; 3] =
    [UsageKey::CACHE_AUDIO_WRITE_TOKENS, UsageKey::CACHE_AUDIO_WRITE_1H_TOKENS, UsageKey::OUTPUT_AUDIO_REASONING_TOKENS];
/// A mixture of everything: of all input tokens, and of as many output tokens, the share that is just this.
const MIXTURE: [(u8, f64); 6] = [(0, 0.37), (READ, 0.19), (WRITE, 0.11), (WRITE | HOUR, 0.05), (AUDIO, 0.17), (READ | AUDIO, 0.11)];
const OUTPUT_MIXTURE: [(u8, f64); 3] = [(0, 0.53), (REASONING, 0.29), (AUDIO, 0.18)];

/// Whose prices, and what a mixture costs at them: input and output in 10^-12 dollars for a million tokens, the rest for one request.
type Known = (String, String, [i64; 3]);

/// Answers from the crate's data; rates that were found are remembered by what a mixture costs at them.
#[derive(Debug, Default)]
pub(super) struct Bundled {
    known: Mutex<HashMap<Known, Arc<str>>>,
}

impl Bundled {
    /// Reads the data unless that was done.
    pub(super) fn prepare(&self) {
        let _ = Calculator::bundled();
    }

    pub(super) fn answer(&self, question: &Question, time: SystemTime) -> Option<String> {
        let asking = Asking { question, time, size: question.input_tokens.max(1) as f64 };
        let mixture = asking.calculate(&asking.mixture()).ok()?;
        let other = mixture.total_price - mixture.input_price - mixture.output_price;
        let costs = [asking.rate(mixture.input_price), asking.rate(mixture.output_price), (other * PICO).round() as i64];
        let key = (mixture.provider_id, mixture.model_id, costs);
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Some(known.to_string());
        }
        let found = row(&key.0, &key.1, SOURCE, Some(DATE), &asking.rates()?);
        let mut known = lock();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, found.as_str().into());
        Some(found)
    }
}

struct Asking<'q> {
    question: &'q Question,
    time: SystemTime,
    /// All input tokens, and as many output tokens.
    size: f64,
}

impl Asking<'_> {
    fn calculate(&self, usage: &Usage) -> genai_prices::Result<PriceCalculation> {
        let mut request = PriceRequest::new(&self.question.model, usage).with_timestamp(self.time);
        request.provider_id = self.question.provider.as_deref().filter(|provider| !provider.is_empty());
        if let Some(tier) = &self.question.service_tier {
            request = request.with_price_context("service_tier", tier);
        }
        Calculator::bundled().calculate(&request)
    }

    fn rate(&self, price: f64) -> i64 {
        (price / self.size * 1e6 * PICO).round() as i64
    }

    fn mixture(&self) -> Usage {
        let share =
            |mixture: &[(u8, f64)], kind: u8| mixture.iter().filter(|(of, _)| of & kind == kind).map(|(_, share)| share).sum::<f64>();
        let input = INPUT.iter().map(|(key, kind)| (key.clone(), if *kind == 0 { 1.0 } else { share(&MIXTURE, *kind) }));
        let output = OUTPUT.iter().map(|(key, kind)| (key.clone(), if *kind == 0 { 1.0 } else { share(&OUTPUT_MIXTURE, *kind) }));
        let told = NONE.iter().map(|key| (key.clone(), 0.0));
        input.chain(output).chain(told).map(|(key, share)| (key, share * self.size)).collect()
    }

    fn rates(&self) -> Option<Rates> {
        let mut rates = Rates::default();
        let input = INPUT.iter().map(|part| self.part(&INPUT, part, false));
        let output = OUTPUT.iter().map(|part| self.part(&OUTPUT, part, true));
        for (place, rate) in rates.0.iter_mut().zip(input.chain(output)) {
            *place = rate.ok()?;
        }
        let request = (self.calculate(&Usage::new()).ok()?.total_price * PICO).round() as i64;
        if let Some(place) = rates.0.get_mut(PARTS.len() - 1).filter(|_| request > 0) {
            *place = Some(request);
        }
        Some(rates)
    }

    /// The rate of one part; `None` when it has none of its own.
    fn part(&self, all: &[(UsageKey, u8)], (key, kind): &(UsageKey, u8), is_output: bool) -> genai_prices::Result<Option<i64>> {
        let mut usage = Usage::new();
        if is_output {
            usage.insert(UsageKey::INPUT_TOKENS, self.size);
        }
        let whole = all.iter().filter(|(_, of)| of & kind == *of);
        usage.extend(whole.map(|(key, _)| (key.clone(), self.size)));
        let mut wrong = usage.clone();
        if *kind == 0 {
            // Without the whole, some of it is an error if the whole has a price.
            wrong.remove(key);
            wrong.insert(if is_output { UsageKey::OUTPUT_REASONING_TOKENS } else { UsageKey::CACHE_READ_TOKENS }, 1.0);
        } else {
            wrong.insert(key.clone(), self.size + 1.0);
        }
        match self.calculate(&wrong) {
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidUsage => {}
            Err(error) => return Err(error),
        }
        let price = self.calculate(&usage)?;
        Ok(Some(self.rate(if is_output { price.output_price } else { price.input_price })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_the_release_that_is_linked() {
        let lock = include_str!("../../../../Cargo.lock");
        let (_, version) = SOURCE.split_once(' ').unwrap();
        assert!(lock.contains(&format!("name = \"genai-prices\"\nversion = \"{version}\"\n")));
    }
}
