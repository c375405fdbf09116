//! What stands in for the contract's bindings and the host, so that the SDK's own sources and the plugins' run natively here.

pub mod host {
    pub fn report_panics() {}
}

/// Natively `llm-cost` is answered by its case; here by the bundled prices, as the component is.
pub mod testing {
    use std::convert::Infallible;
    use std::ops::Index;
    use std::str::FromStr;
    use std::sync::OnceLock;

    use telemetry_plugins::{LookupTable, PriceOverrides, PriceTable};

    pub struct Value;

    impl FromStr for Value {
        type Err = Infallible;
        fn from_str(_: &str) -> Result<Self, Infallible> {
            Ok(Value)
        }
    }

    impl Index<&str> for Value {
        type Output = Value;
        fn index(&self, _: &str) -> &Value {
            self
        }
    }

    impl Value {
        pub fn get(&self, key: &str) -> Option<String> {
            static PRICES: OnceLock<PriceTable> = OnceLock::new();
            PRICES.get_or_init(|| PriceTable::new(PriceOverrides::default())).exact(key)
        }
    }
}

pub mod bindings {
    pub const PRESENT: u16 = 1;
    pub const MISMATCHED: u16 = 2;

    pub mod kind {
        pub const BOOLEAN: u16 = 1;
        pub const INTEGER: u16 = 2;
        pub const REAL: u16 = 3;
        pub const TIME: u16 = 4;
        pub const TEXT: u16 = 5;
        pub const JSON: u16 = 6;
        pub const BYTES: u16 = 7;
        pub const TEXT_DICTIONARY: u16 = 8;
        pub const GROUP: u16 = 9;
    }

    pub mod types {
        pub use telemetry_model::{Batch, Column};

        #[derive(Debug)]
        pub enum PluginError {
            InvalidConfig(String),
            InvalidInput(String),
            Other(String),
        }
    }

    pub mod enricher {
        pub mod exports {
            pub mod agent_telemetry {
                pub mod enricher {
                    pub mod enricher {
                        use crate::bindings::types::{Batch, PluginError};

                        pub trait Guest {
                            fn configure(config: String) -> Result<(), PluginError>;
                            fn enrich(batch: Batch) -> Result<Batch, PluginError>;
                        }
                    }
                }
            }
        }
    }

    pub mod validator {
        pub mod exports {
            pub mod agent_telemetry {
                pub mod validator {
                    pub mod validator {
                        use crate::bindings::types::{Batch, PluginError};

                        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                        pub enum Severity {
                            Reject,
                            Flag,
                        }

                        pub struct Violation {
                            pub row: u32,
                            pub field: String,
                            pub code: String,
                            pub message: String,
                            pub severity: Severity,
                        }

                        pub trait Guest {
                            fn configure(config: String) -> Result<(), PluginError>;
                            fn validate(batch: Batch) -> Result<Vec<Violation>, PluginError>;
                        }
                    }
                }
            }
        }
    }

    pub mod metric {
        pub mod exports {
            pub mod agent_telemetry {
                pub mod metric {
                    pub mod metric {
                        use crate::bindings::types::{Batch, PluginError};

                        pub struct Accumulator;

                        impl Accumulator {
                            pub fn new<T>(_: T) -> Self {
                                Accumulator
                            }
                        }

                        pub trait Guest {
                            type Accumulator: GuestAccumulator;
                        }

                        pub trait GuestAccumulator {
                            fn open(config: String, parameters: String) -> Result<Accumulator, PluginError>;
                            fn update(&self, batch: Batch, group_count: u32) -> Result<(), PluginError>;
                            fn merge(&self, batch: Batch, group_count: u32) -> Result<(), PluginError>;
                            fn state(&self) -> Result<Batch, PluginError>;
                            fn evaluate(&self) -> Result<Batch, PluginError>;
                        }
                    }
                }
            }
        }
    }
}
