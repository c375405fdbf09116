//! Runs the rules of text plugins: enrichers, validators and metrics that are one `.toml` each. The host compiles a rule to a program
//! (README.md), and hands it over with the configuration; here it is decoded and run. There are no loops and no calls in a program, so
//! its cost is its length times the rows.

mod aggregate;
mod columns;
mod exact;
mod metric;
mod ops;
mod plan;
mod value;
mod work;
mod write;

use std::cell::RefCell;
use std::sync::OnceLock;

use cylestio_plugin_sdk::PluginError;
use cylestio_plugin_sdk::bindings::types::Batch;
use cylestio_plugin_sdk::bindings::{enricher, metric as metrics, validator};
use enricher::exports::agent_telemetry::enricher::enricher as enriching;
use metrics::exports::agent_telemetry::metric::metric as measuring;
use validator::exports::agent_telemetry::validator::validator as validating;

use metric::Groups;
use plan::{Plan, Task};

/// The component's outer skin.
struct Script;

static PLAN: OnceLock<Plan> = OnceLock::new();

fn configure(config: &str) -> Result<(), PluginError> {
    PLAN.set(Plan::read(config, "")?).map_err(|_| PluginError::Other("configured twice".to_owned()))
}

fn plan() -> Result<&'static Plan, PluginError> {
    PLAN.get().ok_or_else(|| PluginError::Other("not configured".to_owned()))
}

fn other_kind() -> PluginError {
    PluginError::InvalidConfig("the program is of another kind".to_owned())
}

impl enriching::Guest for Script {
    fn configure(config: String) -> Result<(), PluginError> {
        configure(&config)
    }

    fn enrich(batch: Batch) -> Result<Batch, PluginError> {
        let plan = plan()?;
        match &plan.task {
            Task::Enrich(writes) => work::enrich(plan, writes, &batch),
            _ => Err(other_kind()),
        }
    }
}

impl validating::Guest for Script {
    fn configure(config: String) -> Result<(), PluginError> {
        configure(&config)
    }

    fn validate(batch: Batch) -> Result<Vec<validating::Violation>, PluginError> {
        let plan = plan()?;
        match &plan.task {
            Task::Validate(checks) => work::validate(plan, checks, &batch),
            _ => Err(other_kind()),
        }
    }
}

impl measuring::Guest for Script {
    type Accumulator = Accumulator;
}

/// One report's groups.
struct Accumulator(RefCell<Groups>);

impl measuring::GuestAccumulator for Accumulator {
    fn open(config: String, parameters: String) -> Result<measuring::Accumulator, PluginError> {
        let plan = Plan::read(&config, &parameters)?;
        match plan.task {
            Task::Measure { .. } => Ok(measuring::Accumulator::new(Accumulator(RefCell::new(Groups::new(plan))))),
            _ => Err(other_kind()),
        }
    }

    fn update(&self, batch: Batch, group_count: u32) -> Result<(), PluginError> {
        self.0.borrow_mut().update(&batch, group_count)
    }

    fn merge(&self, batch: Batch, group_count: u32) -> Result<(), PluginError> {
        self.0.borrow_mut().merge(&batch, group_count)
    }

    fn state(&self) -> Result<Batch, PluginError> {
        Ok(self.0.borrow().state())
    }

    fn evaluate(&self) -> Result<Batch, PluginError> {
        Ok(self.0.borrow().evaluate())
    }
}

#[allow(unsafe_code, missing_docs)]
const _: () = {
    cylestio_plugin_sdk::bindings::enricher::__export_enricher!(Script with_types_in cylestio_plugin_sdk::bindings::enricher);
    cylestio_plugin_sdk::bindings::validator::__export_validator!(Script with_types_in cylestio_plugin_sdk::bindings::validator);
    cylestio_plugin_sdk::bindings::metric::__export_metric!(Script with_types_in cylestio_plugin_sdk::bindings::metric);
};
