//! A new plugin's folder, whole: manifest, source, a case, a README, and the SDK it is written with. Nothing of it is fetched.

mod c;
mod javascript;
mod python;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};

use telemetry_plugins::{PluginKind, SHIPPED};

/// Every language there are templates for. One more is one more entry.
pub const LANGUAGES: &[Language] = &[rust::RUST, c::C, javascript::JAVASCRIPT, python::PYTHON];

/// A language and what a project in it starts from.
#[derive(Clone, Copy)]
pub struct Language {
    /// The word of `--lang`.
    pub name: &'static str,
    /// What is written beside any template: path in the project, text.
    shared: &'static [&'static [File]],
    /// One a kind.
    templates: &'static [Template],
    /// Changes the text of a file, of the template `from` or shared, to what the project `to` needs.
    adapt: fn(path: &str, text: &str, from: &str, to: &str) -> String,
    /// What the README says of the language: which compiler it takes.
    advice: &'static str,
}

/// Path from the project's folder, text.
type File = (&'static str, &'static str);

/// An example of this repository that a project starts from.
#[derive(Clone, Copy)]
struct Template {
    kind: PluginKind,
    /// The example's id, which the project's name takes the place of.
    id: &'static str,
    /// Where the code stands.
    source: &'static str,
    files: &'static [File],
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The name cannot be an id.
    #[error("`{0}` cannot be the name of a plugin: it is a-z, 0-9 and single hyphens between, a letter first, at most 64 bytes")]
    Name(String),
    /// A server would refuse it.
    #[error("`{0}` is the id of a shipped plugin")]
    Shipped(String),
    /// No templates.
    #[error("there are no templates in `{language}`; there are {}", known.join(", "))]
    Language {
        /// As asked.
        language: String,
        /// Those there are.
        known: Vec<&'static str>,
    },
    /// No template of this kind.
    #[error("there is no template of a {kind} in {language}; there are {}", known.join(", "))]
    Kind {
        /// As asked.
        kind: &'static str,
        /// As asked.
        language: &'static str,
        /// Those there are.
        known: Vec<&'static str>,
    },
    /// Something is there already.
    #[error("`{0}` is there already")]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("write `{path}`: {source}")]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes the project `name` into a folder of that name in `parent` and gives its path.
///
/// # Errors
/// [`ProjectError`]; then nothing or only a part of the folder is written.
pub fn create(parent: &Path, name: &str, kind: PluginKind, language: &str) -> Result<PathBuf, ProjectError> {
    if !is_id(name) {
        return Err(ProjectError::Name(name.chars().take(64).collect()));
    }
    if SHIPPED.iter().any(|shipped| shipped.id == name) {
        return Err(ProjectError::Shipped(name.to_owned()));
    }
    let known = || LANGUAGES.iter().map(|language| language.name).collect();
    let found = LANGUAGES.iter().find(|known| known.name == language);
    let language = found.ok_or_else(|| ProjectError::Language { language: language.chars().take(64).collect(), known: known() })?;
    let template = language.template(kind)?;
    let folder = parent.join(name);
    if folder.exists() {
        return Err(ProjectError::Exists(folder));
    }
    write(&folder, "README.md", &readme(name, language, template))?;
    write(&folder, ".gitignore", "target/\nnode_modules/\n.venv/\n__pycache__/\n")?;
    for (path, text) in template.files {
        write(&folder, path, &(language.adapt)(path, text, template.id, name))?;
    }
    for (path, text) in language.shared.iter().copied().flatten() {
        write(&folder, path, &(language.adapt)(path, text, template.id, name))?;
    }
    Ok(folder)
}

impl Language {
    fn template(&'static self, kind: PluginKind) -> Result<&'static Template, ProjectError> {
        let known = || self.templates.iter().map(|template| template.kind.as_str()).collect();
        let found = self.templates.iter().find(|template| template.kind == kind);
        found.ok_or_else(|| ProjectError::Kind { kind: kind.as_str(), language: self.name, known: known() })
    }
}

/// What a template has that is called by its id: the manifest.
fn adapt_manifest(path: &str, text: &str, from: &str, to: &str) -> String {
    match path {
        "plugin.toml" => text.replace(&format!("id = \"{from}\""), &format!("id = \"{to}\"")),
        _ => text.to_owned(),
    }
}

fn is_id(name: &str) -> bool {
    let manifest = format!("id = \"{name}\"\nversion = \"1\"\nkind = \"validator\"\n");
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && telemetry_plugins::Manifest::parse(manifest.as_bytes()).is_ok()
}

fn write(folder: &Path, path: &str, text: &str) -> Result<(), ProjectError> {
    let path = folder.join(path);
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(&path, text)).map_err(|source| ProjectError::Write { path, source })
}

fn readme(name: &str, language: &Language, template: &Template) -> String {
    let Language { advice, .. } = language;
    let Template { source, .. } = template;
    let kind = template.kind.as_str();
    format!(
        "# {name}\n\n\
         A plugin for the Cylestio server, of kind {kind}. `plugin.toml` says what it reads and writes, `{source}` has the code, `cases/` has\n\
         rows and what it must say of them. `sdk/` is what it is written with; leave it as it is.\n\n\
         {advice}\n\n\
         ```sh\n\
         cylestio-server plugin build             # writes {name}.wasm\n\
         cylestio-server plugin test              # runs cases/ and the laws of its kind\n\
         cylestio-server plugin check {name}.wasm  # would the server load it?\n\
         ```\n\n\
         Then copy `{name}.wasm` into the server's folder of plugins: `plugins` beside its database.\n"
    )
}

/// The files below a folder of this repository, by name.
#[cfg(test)]
fn files_below(folder: &str) -> Vec<String> {
    fn walk(folder: &Path, name: &str, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}{}", entry.file_name().into_string().unwrap());
            if entry.path().is_dir() { walk(&entry.path(), &format!("{name}/"), files) } else { files.push(name) }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder), "", &mut files);
    files.sort();
    files
}
