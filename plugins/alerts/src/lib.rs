//! Counts security alerts, by level as the sender gave it.

use cylestio_plugin_sdk::{Metric, Patch, Row, StateReader, StateWriter, export_metric};

#[derive(Default)]
struct Alerts {
    alerts: u128,
    dangerous: u128,
    suspicious: u128,
    violations: u128,
    linked: u128,
}

impl Metric for Alerts {
    fn update(&mut self, alert: &Row) {
        let level = alert.text("alert.alert_level");
        self.alerts += 1;
        self.dangerous += u128::from(matches!(level, Some("dangerous" | "critical")));
        self.suspicious += u128::from(level == Some("suspicious"));
        self.violations += u128::from(alert.text("alert.category") == Some("sensitive_data"));
        self.linked += u128::from(alert.boolean("alert.linked") == Some(true));
    }

    fn merge(&mut self, other: &Self) {
        self.alerts += other.alerts;
        self.dangerous += other.dangerous;
        self.suspicious += other.suspicious;
        self.violations += other.violations;
        self.linked += other.linked;
    }

    fn state(&self, out: &mut StateWriter) {
        out.unsigned(self.alerts);
        out.unsigned(self.dangerous);
        out.unsigned(self.suspicious);
        out.unsigned(self.violations);
        out.unsigned(self.linked);
    }

    fn restore(&mut self, state: &mut StateReader) -> Option<()> {
        *self = Alerts {
            alerts: state.unsigned()?,
            dangerous: state.unsigned()?,
            suspicious: state.unsigned()?,
            violations: state.unsigned()?,
            linked: state.unsigned()?,
        };
        Some(())
    }

    fn evaluate(&self, out: &mut Patch) {
        out.wide_integer("alerts", i128::try_from(self.alerts).ok());
        out.wide_integer("dangerous", i128::try_from(self.dangerous).ok());
        out.wide_integer("suspicious", i128::try_from(self.suspicious).ok());
        out.wide_integer("policy_violations", i128::try_from(self.violations).ok());
        out.wide_integer("linked", i128::try_from(self.linked).ok());
    }
}

export_metric!(Alerts);
