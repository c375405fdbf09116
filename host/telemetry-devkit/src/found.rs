//! What is tested or measured: the plugin in a folder, with its component and `cases/`, or a text plugin with both in its file.

use std::path::{Path, PathBuf};

use telemetry_plugins::{Form, LoadError, inspect_as, read_component};

use crate::cases::{Case, CaseError};
use crate::digest::{DigestError, Sources};

/// A plugin and its cases.
pub(crate) struct Found {
    pub id: String,
    /// The component, or the text plugin.
    pub file: PathBuf,
    pub cases: Vec<Case>,
    /// Of a plugin that is built.
    pub sources: Option<Sources>,
}

/// Why there is nothing to test or to measure.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The folder is not a plugin's.
    #[error(transparent)]
    Sources(#[from] DigestError),
    /// It was not built.
    #[error("`{0}` is not there; build it first: cylestio-server plugin build")]
    NotBuilt(PathBuf),
    /// A case is none.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The text plugin does not load.
    #[error("`{path}`: {source}")]
    Text {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: LoadError,
    },
}

/// A text plugin is at most so large, bytes; what is larger is told by who reads it.
const MAX_TEXT: u64 = 1 << 20;

/// The plugin in the folder `place`, or the text plugin that it is.
///
/// # Errors
/// [`FindError`].
pub(crate) fn find(place: &Path) -> Result<Found, FindError> {
    if Form::of(place) == Form::Text && place.is_file() {
        let inspected = read_component(place, MAX_TEXT).and_then(|bytes| inspect_as(Form::Text, &bytes));
        let inspected = inspected.map_err(|source| FindError::Text { path: place.to_owned(), source })?;
        let cases = Case::of_text(place, inspected.cases)?;
        return Ok(Found { id: inspected.manifest.id.to_string(), file: place.to_owned(), cases, sources: None });
    }
    let sources = Sources::find(place)?;
    let file = sources.plugin.join(format!("{}.wasm", sources.id));
    if !file.is_file() {
        return Err(FindError::NotBuilt(file));
    }
    let folder = sources.plugin.join("cases");
    let cases = if folder.is_dir() { Case::all(&folder)? } else { Vec::new() };
    Ok(Found { id: sources.id.clone(), file, cases, sources: Some(sources) })
}
