//! The shipped plugins over metadata, compiled into this program. Their export macros are the ones below.

use telemetry_plugins::PluginKind;

use crate::bindings::types::Batch;
use crate::manifest::Plugin as Declared;
use crate::metric::Groups;
use crate::{Enricher, Metric, Settings, Validator, enricher, validator};

/// A plugin to be measured.
pub struct Plugin {
    pub id: &'static str,
    pub kind: PluginKind,
    /// Its `plugin.toml`.
    pub toml: &'static str,
    /// Configures it.
    pub native: fn(&str) -> Native,
}

/// One that is configured.
pub struct Native(Box<dyn Run>);

/// What one says of a batch.
#[derive(Debug)]
pub enum Said {
    Batch(Batch),
    Violations(usize),
}

impl Native {
    pub fn run(&mut self, batch: &Batch, groups: u32) -> Said {
        self.0.run(batch, groups)
    }

    /// A metric's state.
    pub fn state(&self) -> Option<Batch> {
        self.0.state()
    }
}

trait Run {
    fn run(&mut self, batch: &Batch, groups: u32) -> Said;
    fn state(&self) -> Option<Batch> {
        None
    }
}

struct Enriches<T>(T);
struct Validates<T>(T);

impl<T: Enricher + Declared> Run for Enriches<T> {
    fn run(&mut self, batch: &Batch, _groups: u32) -> Said {
        Said::Batch(enricher::run(&self.0, batch).unwrap())
    }
}

impl<T: Validator + Declared> Run for Validates<T> {
    fn run(&mut self, batch: &Batch, _groups: u32) -> Said {
        Said::Violations(validator::run(&self.0, batch).unwrap().len())
    }
}

impl<T: Metric + Declared> Run for Groups<T> {
    fn run(&mut self, batch: &Batch, groups: u32) -> Said {
        self.update(batch, groups).unwrap();
        Said::Violations(0)
    }

    fn state(&self) -> Option<Batch> {
        Some(Groups::state(self))
    }
}

pub fn enriches<T: Enricher + Declared>(config: &str) -> Native {
    Native(Box::new(Enriches(enricher::configured::<T>(&Settings::new(config, "")).unwrap())))
}

pub fn validates<T: Validator + Declared>(config: &str) -> Native {
    Native(Box::new(Validates(validator::configured::<T>(&Settings::new(config, "")).unwrap())))
}

pub fn counts<T: Metric + Declared>(config: &str) -> Native {
    Native(Box::new(Groups::<T>::open(Settings::new(config, "")).unwrap()))
}

/// `plugin.toml` is found beside the plugin's `src`, wherever this is compiled.
#[macro_export]
macro_rules! __native {
    ($type:ident, $kind:ident, $make:ident) => {
        impl $crate::manifest::Plugin for $type {
            const MANIFEST: &'static $crate::manifest::Manifest = {
                const READS: usize = $crate::manifest::count(TOML, "reads");
                const WRITES: usize = $crate::manifest::count(TOML, "writes");
                static READ: [$crate::manifest::Declared; READS] = $crate::manifest::parse(TOML, "reads", "field");
                static WRITTEN: [$crate::manifest::Declared; WRITES] = $crate::manifest::parse(TOML, "writes", "key");
                &$crate::manifest::Manifest::new(TOML, &READ, &WRITTEN)
            };
        }
        const TOML: &str = ::core::include_str!("../plugin.toml");
        pub fn plugin(id: &'static str) -> $crate::native::Plugin {
            $crate::native::Plugin { id, kind: ::telemetry_plugins::PluginKind::$kind, toml: TOML, native: $crate::native::$make::<$type> }
        }
    };
}

#[macro_export]
macro_rules! export_enricher {
    ($type:ident) => {
        $crate::__native!($type, Enricher, enriches);
    };
}

#[macro_export]
macro_rules! export_validator {
    ($type:ident) => {
        $crate::__native!($type, Validator, validates);
    };
}

#[macro_export]
macro_rules! export_metric {
    ($type:ident) => {
        $crate::__native!($type, Metric, counts);
    };
}

macro_rules! plugins {
    ($($name:ident $id:literal $path:literal;)*) => {
        $(#[path = $path] mod $name;)*
        /// All of them.
        pub fn plugins() -> Vec<Plugin> {
            vec![$($name::plugin($id)),*]
        }
    };
}

plugins! {
    event_envelope "event-envelope" "../../../../plugins/event-envelope/src/lib.rs";
    genai_attributes "genai-attributes" "../../../../plugins/genai-attributes/src/lib.rs";
    event_category "event-category" "../../../../plugins/event-category/src/lib.rs";
    conversation_turn "conversation-turn" "../../../../plugins/conversation-turn/src/lib.rs";
    prompt_size "prompt-size" "../../../../plugins/prompt-size/src/lib.rs";
    tool_loop "tool-loop" "../../../../plugins/tool-loop/src/lib.rs";
    llm_cost "llm-cost" "../../../../plugins/llm-cost/src/lib.rs";
    active_agents "active-agents" "../../../../plugins/active-agents/src/lib.rs";
    alerts "alerts" "../../../../plugins/alerts/src/lib.rs";
    cost "cost" "../../../../plugins/cost/src/lib.rs";
    error_count "error-count" "../../../../plugins/error-count/src/lib.rs";
    latency "latency" "../../../../plugins/latency/src/lib.rs";
    llm_calls "llm-calls" "../../../../plugins/llm-calls/src/lib.rs";
    session_count "session-count" "../../../../plugins/session-count/src/lib.rs";
    token_usage "token-usage" "../../../../plugins/token-usage/src/lib.rs";
    tool_calls "tool-calls" "../../../../plugins/tool-calls/src/lib.rs";
    tool_loop_count "tool-loop-count" "../../../../plugins/tool-loop-count/src/lib.rs";
    unpriced_tokens "unpriced-tokens" "../../../../plugins/unpriced-tokens/src/lib.rs";
}
