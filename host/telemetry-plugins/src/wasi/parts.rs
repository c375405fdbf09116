//! The parts of WASI that a manifest may ask for and an operator grant, one text each:
//! `clock`, `random`, `env:NAME`, `read:FOLDER`, `write:FOLDER`, `address:IP:PORT`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::load::LoadError;
use crate::manifest::Capabilities;

/// How many of each a manifest may ask for.
const MOST: usize = 32;
/// Bytes of a name or path.
const LONGEST: usize = 256;

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Clock,
    Random,
    /// One variable of the server's environment.
    Env(String),
    /// A folder, by the path that the plugin sees; `write` is reading and writing.
    Folder {
        path: String,
        write: bool,
    },
    /// One address that it may connect or send to.
    Address(SocketAddr),
}

impl Part {
    /// Reads a part as a manifest asks for it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let usable = |name: &str| match name {
            "" => Err("names nothing".to_owned()),
            name if name.len() > LONGEST => Err(format!("has more than {LONGEST} bytes")),
            name if name.contains(['\0', '=', '\n']) => Err("has a character that cannot be in a name or path".to_owned()),
            name => Ok(name.to_owned()),
        };
        match text.split_once(':') {
            None if text == "clock" => Ok(Part::Clock),
            None if text == "random" => Ok(Part::Random),
            Some(("env", name)) => usable(name).map(Part::Env),
            Some(("read", path)) => Ok(Part::Folder { path: usable(path)?, write: false }),
            Some(("write", path)) => Ok(Part::Folder { path: usable(path)?, write: true }),
            Some(("address", address)) => {
                address.parse().map(Part::Address).map_err(|_| "is not an IP address with a port; names are never resolved".to_owned())
            }
            _ => Err("a part that this series never links, granted or not (it has clock, random, env:NAME, read:FOLDER, write:FOLDER, \
                      address:IP:PORT)"
                .to_owned()),
        }
    }

    /// The interfaces that it opens, by the start of what follows `wasi:`; those of an empty context aside.
    pub(super) fn opens(&self) -> &'static str {
        match self {
            Part::Clock => "clocks/",
            Part::Random => "random/",
            Part::Env(_) => "cli/environment@",
            Part::Folder { .. } => "filesystem/",
            Part::Address(_) => "sockets/",
        }
    }
}

/// The parts that a manifest asks for.
///
/// # Errors
/// [`LoadError::Wasi`] with the first that this series does not have.
pub(crate) fn asked(asked: &Capabilities) -> Result<Vec<Part>, LoadError> {
    let refused = |import: &str, problem: String| LoadError::Wasi { import: import.to_owned(), problem };
    if asked.wasi.len() > MOST {
        return Err(refused("(all)", format!("{} parts are asked for, at most {MOST}", asked.wasi.len())));
    }
    asked.wasi.iter().map(|part| Part::parse(part).map_err(|problem| refused(part, problem))).collect()
}

/// The grant that covers what is asked: the same text; of a folder also with the folder of this machine behind, `read:data=/srv/data`.
pub(crate) fn covering<'a>(grants: &'a [String], asked: &str) -> Option<&'a str> {
    let is_folder = asked.starts_with("read:") || asked.starts_with("write:");
    let covers = |grant: &&String| *grant == asked || is_folder && grant.strip_prefix(asked).is_some_and(|rest| rest.starts_with("=/"));
    grants.iter().find(covers).map(String::as_str)
}

/// The folder of this machine that a grant names.
///
/// # Errors
/// [`LoadError::Wasi`] when it is not an absolute path of a folder.
pub(super) fn host_folder(grant: &str) -> Result<PathBuf, LoadError> {
    let (_, path) = grant.split_once(':').unwrap_or_default();
    let path = Path::new(path.split_once('=').map_or(path, |(_, host)| host));
    let refused = |problem: String| Err(LoadError::Wasi { import: grant.to_owned(), problem });
    if !path.is_absolute() {
        return refused(format!("which names no folder of this machine: grant it as `{grant}=/some/folder`"));
    }
    if path.is_dir() { Ok(path.to_owned()) } else { refused("which is not a folder".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_part_and_refuses_the_rest() {
        assert_eq!(Part::parse("clock"), Ok(Part::Clock));
        assert_eq!(Part::parse("env:HOME"), Ok(Part::Env("HOME".into())));
        assert_eq!(Part::parse("write:data"), Ok(Part::Folder { path: "data".into(), write: true }));
        assert_eq!(Part::parse("address:[::1]:80"), Ok(Part::Address("[::1]:80".parse().unwrap())));
        for bad in ["", "clocks", "env", "env:", "env:A=B", "read:", "address:example.com:80", "address:1.2.3.4", "http", "address:*"] {
            assert!(Part::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_grant_covers_the_same_text_and_a_folder_elsewhere() {
        let grants = ["read:data=/srv/data".to_owned(), "env:A".to_owned(), "address:1.2.3.4:5".to_owned()];
        assert_eq!(covering(&grants, "read:data"), Some("read:data=/srv/data"));
        assert_eq!(covering(&grants, "env:A"), Some("env:A"));
        for other in ["write:data", "read:dat", "read:", "env:AB", "env", "address:1.2.3.4:50", "address:1.2.3.4"] {
            assert_eq!(covering(&grants, other), None, "{other}");
        }
        assert_eq!(covering(&["env:A=/x".to_owned()], "env:A"), None);
    }

    #[test]
    fn a_folder_is_an_absolute_one_that_is_there() {
        assert!(host_folder("read:data").is_err() && host_folder("read:data=/none/such").is_err());
        assert_eq!(host_folder("read:/").unwrap(), Path::new("/"));
        assert_eq!(host_folder("write:data=/").unwrap(), Path::new("/"));
    }
}
