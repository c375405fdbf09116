//! Counts agents that sent events, each once, however rows are cut: a state is the set of their ids.

use std::collections::BTreeSet;

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct ActiveAgents {
    agents: BTreeSet<String>,
    events: u64,
}

impl Metric for ActiveAgents {
    fn update(&mut self, event: &Row) {
        self.events += 1;
        if let Some(agent) = event.text("event.agent_id").filter(|agent| !self.agents.contains(*agent)) {
            self.agents.insert(agent.to_owned());
        }
    }

    fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.agents.extend(other.agents.iter().cloned());
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.events);
        out.unsigned(self.agents.len() as u64);
        self.agents.iter().for_each(|agent| out.bytes(agent.as_bytes()));
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        self.events = state.unsigned()?;
        for _ in 0..state.unsigned::<u64>()? {
            self.agents.insert(String::from_utf8(state.bytes()?.to_vec()).ok()?);
        }
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.count("agents", self.agents.len() as u64);
        out.count("events", self.events);
    }
}

export_metric!(ActiveAgents);
