//! What the log says of plugins that came, changed or went.

use telemetry_plugins::{PluginState, PluginStatus};

/// Tells the differences between two lists.
pub(super) fn log(before: &[PluginStatus], after: &[PluginStatus]) {
    let same = |one: &&PluginStatus, other: &PluginStatus| {
        (&one.id, &one.origin, &one.derivation, &one.error, is_open(one))
            == (&other.id, &other.origin, &other.derivation, &other.error, is_open(other))
            && one.next == other.next
    };
    for status in after {
        if !before.iter().any(|known| same(&known, status)) {
            say(status);
        }
    }
    for status in before {
        if !after.iter().any(|now| now.id == status.id) {
            tracing::info!(plugin.id = status.id, "plugin stopped: its file is gone");
        }
    }
}

/// The state without the breaker, which speaks for itself.
fn is_open(status: &PluginStatus) -> PluginState {
    match status.state {
        PluginState::BreakerOpen => PluginState::Serving,
        state => state,
    }
}

fn say(status: &PluginStatus) {
    let (id, version) = (&*status.id, status.version.as_deref().unwrap_or_default());
    match (status.state, &status.error) {
        (PluginState::Refused, reason) => tracing::warn!(plugin.id = id, reason, "plugin refused"),
        (PluginState::SwitchedOff, _) => tracing::info!(plugin.id = id, "plugin switched off"),
        (PluginState::Compiling, _) => tracing::info!(plugin.id = id, plugin.version = version, "plugin compiling"),
        (PluginState::Serving | PluginState::BreakerOpen, Some(reason)) => {
            tracing::warn!(plugin.id = id, plugin.version = version, reason, "newer file refused, plugin goes on");
        }
        (PluginState::Serving | PluginState::BreakerOpen, None) => {
            tracing::info!(plugin.id = id, plugin.version = version, "plugin loaded")
        }
    }
}
