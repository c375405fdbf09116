//! Passwords in addresses.

use crate::kind::Kind;
use crate::scan::Secret;
use crate::set::Set;
use crate::token::{mixed, within};

/// No user name and password are longer together, bytes.
const MAX: usize = 512;
/// A longer one may show its last four.
const LONG: usize = 20;
/// Words that stand for a password in documentation.
const PLACEHOLDERS: [&[u8]; 9] =
    [b"password", b"passwd", b"pass", b"pwd", b"secret", b"token", b"mypassword", b"yourpassword", b"your_password"];

/// What ends the part of an address that has the password.
pub static ENDS: Set = Set::of(&[
    (b'\t', b'\n'),
    (12, b'\r'),
    (b' ', b' '),
    (b'"', b'#'),
    (b'\'', b'\''),
    (b')', b')'),
    (b',', b','),
    (b'/', b'/'),
    (b'<', b'<'),
    (b'>', b'?'),
    (b'\\', b'\\'),
    (b'`', b'`'),
]);
static COLON: Set = Set::of(&[(b':', b':')]);
static PATH: Set = Set::of(&[(b'/', b'9'), (b'A', b'Z'), (b'a', b'z')]);

/// What makes the address of a Slack webhook secret: all behind `hooks.slack.com/services/`.
pub fn hook(text: &[u8], start: usize) -> Option<Secret> {
    let host = b"hooks.slack.com/services/";
    let path = start + host.len();
    if !text[start..].starts_with(host) {
        return None;
    }
    let end = PATH.end(text, path);
    let is_path = text.get(path) == Some(&b'T') && mixed(&text[path..end]);
    (end - path >= 30 && is_path).then(|| Secret::new(Kind::Slack, path..end))
}

/// The password of `user:password@`, which would begin at `start`, right behind `://`.
pub fn password(text: &[u8], start: usize) -> Option<Secret> {
    // With a password of three and a host it has six bytes at least.
    if text.get(start..start + 6)?.iter().any(|byte| ENDS.holds(*byte)) {
        return None;
    }
    let authority = within(text, start, MAX);
    let authority = authority.get(start..ENDS.first(authority, start))?;
    let user = COLON.first(authority, 0);
    let at = authority.iter().rposition(|byte| *byte == b'@').filter(|at| *at > user + 3)?;
    let (password, host) = (authority.get(user + 1..at)?, authority.get(at + 1..)?);
    let is_word = PLACEHOLDERS.iter().any(|word| password.eq_ignore_ascii_case(word));
    let is_variable = password.iter().any(|byte| matches!(byte, b'{' | b'}' | b'$' | b'*' | b'[' | b']'))
        || password.contains(&b'%') && !has_escapes(password);
    let is_same = password.iter().all(|byte| password.first() == Some(byte));
    let is_host = host.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'[');
    let place = start + user + 1..start + at;
    (is_host && !is_word && !is_variable && !is_same).then(|| Secret { kind: Kind::UrlPassword, is_long: place.len() >= LONG, place })
}

/// Whether the password has characters written as `%40`.
fn has_escapes(password: &[u8]) -> bool {
    password.windows(3).any(|part| part[0] == b'%' && part[1].is_ascii_hexdigit() && part[2].is_ascii_hexdigit())
}
