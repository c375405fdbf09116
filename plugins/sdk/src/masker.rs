//! Maskers.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::OnceLock;

use crate::bindings::masker::exports::agent_telemetry::masker::masker::Guest;
use crate::bindings::types::{Batch, PluginError};
use crate::host::report_panics;
use crate::manifest::{Plugin, Type};
use crate::out::OutColumn;
use crate::row::{Cells, invalid};
use crate::settings::Settings;

/// Finds what must not be kept. What it finds in a leaf may depend on that leaf's field, part and text alone.
pub trait Masker: Default + Send + Sync + 'static {
    /// Takes the configuration over. Runs once on every fresh instance, often before a single leaf: keep it cheap.
    ///
    /// # Errors
    /// Refuses the configuration; the text names the key.
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// Reads one string of an event and says what is to be replaced in it.
    fn mask(&self, leaf: &Leaf, out: &mut Spans);
}

/// One string of an event.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// The member it belongs to: `event.name`, `attributes["llm.request.data"]`.
    pub field: &'a str,
    /// Where it stands there: `value`, `key`, `id`, `name`; there may come more.
    pub part: &'a str,
    /// Where it stands in the event, as a JSON pointer; `None` unless `plugin.toml` has `pointer = true` under `[leaves]`.
    pub pointer: Option<&'a str>,
    /// Its text.
    pub text: &'a str,
}

/// What is to be replaced in the leaves of a batch.
pub struct Spans {
    leaf: usize,
    rows: usize,
    columns: [OutColumn; 4],
}

impl Spans {
    fn new() -> Self {
        let column = |ty| OutColumn::new(ty, 0);
        Spans { leaf: 0, rows: 0, columns: [column(Type::Integer), column(Type::Integer), column(Type::Integer), column(Type::Text)] }
    }

    /// Replaces the bytes `range` of the leaf's text, which lie between characters and in no other span. A replacement has at most 256
    /// bytes.
    pub fn replace(&mut self, range: Range<usize>, replacement: &str) {
        let [leaf, start, end, text] = &mut self.columns;
        for (column, value) in [(leaf, self.leaf), (start, range.start), (end, range.end)] {
            column.set_cell(self.rows, (value as i64).to_le_bytes());
        }
        text.set_bytes(self.rows, replacement.as_bytes());
        self.rows += 1;
    }

    fn finish(self) -> Batch {
        let mut batch = Batch { rows: self.rows as u32, columns: Vec::with_capacity(4), data: Vec::new() };
        self.columns.into_iter().for_each(|column| column.append(&mut batch));
        batch
    }
}

/// Where an exported masker keeps its configured value.
#[doc(hidden)]
pub trait MaskerSlot: Masker + Plugin {
    fn slot() -> &'static OnceLock<Self>;
}

/// The component's outer skin.
#[doc(hidden)]
pub struct MaskerComponent<T>(PhantomData<T>);

impl<T: MaskerSlot> Guest for MaskerComponent<T> {
    fn configure(config: String) -> Result<(), PluginError> {
        report_panics();
        let plugin = configured::<T>(&Settings::new(config, ""))?;
        T::slot().set(plugin).map_err(|_| PluginError::Other("configured twice".to_owned()))
    }

    fn mask(batch: Batch) -> Result<Batch, PluginError> {
        run(T::slot().get_or_init(T::default), &batch)
    }
}

pub(crate) fn configured<T: Masker>(settings: &Settings) -> Result<T, PluginError> {
    let mut plugin = T::default();
    plugin.configure(settings).map_err(PluginError::InvalidConfig)?;
    Ok(plugin)
}

pub(crate) fn run<T: Masker>(plugin: &T, batch: &Batch) -> Result<Batch, PluginError> {
    let rows = batch.rows as usize;
    let columns = batch.columns.iter().map(|column| Cells::new(batch, column, rows)).collect::<Result<Vec<_>, _>>()?;
    let (field, part, pointer, text) = match &*columns {
        [field, part, text] => (field, part, None, text),
        [field, part, pointer, text] => (field, part, Some(pointer), text),
        _ => return Err(invalid("a masker takes the columns field, part, pointer and text")),
    };
    let mut out = Spans::new();
    for row in 0..rows {
        out.leaf = row;
        let leaf = Leaf {
            field: field.str(row).unwrap_or_default(),
            part: part.str(row).unwrap_or_default(),
            pointer: pointer.and_then(|column| column.str(row)),
            text: text.str(row).unwrap_or_default(),
        };
        plugin.mask(&leaf, &mut out);
    }
    Ok(out.finish())
}
