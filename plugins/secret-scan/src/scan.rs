//! One pass over the bytes. Each shape is noticed at a byte that is rare in prose, then checked around it; nothing is copied.
//!
//! The text is JSON, so a letter may be half of an escape: `"\nsk-.."` begins at a word's edge.

use crate::card::card;
use crate::kind::Kind;

/// What a byte may be part of.
const PLAIN: u8 = 0;
const HYPHEN: u8 = 1;
const UNDERSCORE: u8 = 2;
const CAPITAL_I: u8 = 3;
const CAPITAL_J: u8 = 4;
const CAPITAL_G: u8 = 5;
const DIGIT: u8 = 6;

static HOOKS: [u8; 256] = hooks();

const fn hooks() -> [u8; 256] {
    let mut hooks = [PLAIN; 256];
    hooks[b'-' as usize] = HYPHEN;
    hooks[b'_' as usize] = UNDERSCORE;
    hooks[b'I' as usize] = CAPITAL_I;
    hooks[b'J' as usize] = CAPITAL_J;
    hooks[b'G' as usize] = CAPITAL_G;
    let mut digit = b'2';
    while digit <= b'6' {
        hooks[digit as usize] = DIGIT;
        digit += 1;
    }
    hooks
}

/// Calls `found` for each secret in JSON text.
pub fn scan(text: &[u8], mut found: impl FnMut(Kind)) {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let hit = match HOOKS[*byte as usize] {
            PLAIN => {
                at = next_hook(text, at + 1);
                continue;
            }
            HYPHEN => hyphen(text, at),
            UNDERSCORE => underscore(text, at),
            CAPITAL_I => capital_i(text, at),
            CAPITAL_J => jwt(text, at),
            CAPITAL_G => sendgrid(text, at),
            _ => match digits(text, at) {
                Digits::Card(end) => Some((Kind::CreditCard, end)),
                Digits::Other(end) => {
                    at = end;
                    continue;
                }
            },
        };
        match hit {
            Some((kind, end)) => {
                found(kind);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// The first byte from `at` on that is a hook, or the end; eight bytes at a time while there is none.
fn next_hook(text: &[u8], mut at: usize) -> usize {
    while let Some([a, b, c, d, e, f, g, h]) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let hook = |byte: &u8| HOOKS[*byte as usize];
        if hook(a) | hook(b) | hook(c) | hook(d) | hook(e) | hook(f) | hook(g) | hook(h) != PLAIN {
            break;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| HOOKS[*byte as usize] != PLAIN).unwrap_or(rest.len())
}

/// `sk-`, `xox?-`, `glpat-`, `-----BEGIN`.
fn hyphen(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    let before = at.checked_sub(1).and_then(|before| text.get(before)).unwrap_or(&b' ');
    match before {
        b'k' if ends(text, at, b"sk") && edge(text, at - 2) => openai_or_anthropic(text, at + 1),
        b'a' | b'b' | b'e' | b'o' | b'p' | b'r' | b's' if at >= 4 && text[at - 4..].starts_with(b"xox") && edge(text, at - 4) => {
            let end = run(text, at + 1, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let digits = text[at + 1..end].iter().filter(|byte| byte.is_ascii_digit()).count();
            (end - at > 16 && digits >= 4).then_some((Kind::Slack, end))
        }
        b't' if ends(text, at, b"glpat") && edge(text, at - 5) => {
            let end = run(text, at + 1, is_token);
            (end - at > 20).then_some((Kind::Gitlab, end))
        }
        _ if text[at..].starts_with(b"-----BEGIN ") && *before != b'-' => private_key(text, at),
        _ => None,
    }
}

fn openai_or_anthropic(text: &[u8], start: usize) -> Option<(Kind, usize)> {
    let end = run(text, start, is_token);
    let key = &text[start..end];
    if let Some(rest) = key.strip_prefix(b"ant-") {
        return (rest.len() >= 20 && mixed(rest)).then_some((Kind::Anthropic, end));
    }
    let named = [&b"proj-"[..], b"svcacct-", b"admin-", b"None-"].into_iter().find_map(|name| key.strip_prefix(name));
    let is_key = match named {
        Some(rest) => rest.len() >= 32 && mixed(rest),
        None => key.len() >= 32 && key.iter().all(u8::is_ascii_alphanumeric) && mixed(key),
    };
    is_key.then_some((Kind::Openai, end))
}

/// `ghp_` and sisters, `github_pat_`, `sk_live_` and sisters, `hf_`, `npm_`.
fn underscore(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    let letters = |start| run(text, start, |byte| byte.is_ascii_alphanumeric());
    match text.get(at.checked_sub(1)?)? {
        b'p' | b'o' | b'u' | b's' | b'r' if at >= 3 && text[at - 3..].starts_with(b"gh") && edge(text, at - 3) => {
            let end = letters(at + 1);
            (end - at > 36 && mixed(&text[at + 1..end])).then_some((Kind::Github, end))
        }
        b'b' if ends(text, at, b"github") && text[at..].starts_with(b"_pat_") && edge(text, at - 6) => {
            let end = run(text, at + 5, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            (end - at >= 65 && mixed(&text[at + 5..end])).then_some((Kind::Github, end))
        }
        b'k' if at >= 2 && matches!(text[at - 2], b's' | b'r') && edge(text, at - 2) => {
            let start = [&b"_live_"[..], b"_test_"].into_iter().find_map(|word| text[at..].starts_with(word).then_some(at + word.len()))?;
            let end = letters(start);
            (end - start >= 20 && mixed(&text[start..end])).then_some((Kind::Stripe, end))
        }
        b'f' if ends(text, at, b"hf") && edge(text, at - 2) => {
            let end = letters(at + 1);
            ((34..=40).contains(&(end - at - 1)) && mixed(&text[at + 1..end])).then_some((Kind::HuggingFace, end))
        }
        b'm' if ends(text, at, b"npm") && edge(text, at - 3) => {
            let end = letters(at + 1);
            (end - at - 1 == 36 && mixed(&text[at + 1..end])).then_some((Kind::Npm, end))
        }
        _ => None,
    }
}

/// `AKIA`, `ASIA`, `AIza`.
fn capital_i(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    let before = text.get(at.checked_sub(1)?)?;
    if *before == b'A' && text[at..].starts_with(b"Iza") && edge(text, at - 1) {
        let end = run(text, at + 3, is_token);
        return (end - at - 3 == 35 && mixed(&text[at + 3..end])).then_some((Kind::GoogleApiKey, end));
    }
    if matches!(before, b'K' | b'S') && at >= 2 && text[at - 2] == b'A' && text.get(at + 1) == Some(&b'A') && edge(text, at - 2) {
        let end = run(text, at + 2, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let key = &text[at + 2..end];
        let is_key = key.len() == 16 && key.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        return is_key.then_some((Kind::AwsAccessKey, end));
    }
    None
}

/// `eyJ..` `.` `eyJ..` `.` `..`: header and payload begin with `{"` in base64url.
fn jwt(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    if !ends(text, at, b"ey") || !edge(text, at - 2) {
        return None;
    }
    let header = run(text, at, is_token);
    if header - at < 10 || !text[header..].starts_with(b".eyJ") {
        return None;
    }
    let payload = long_run(text, header + 1, is_token);
    if payload - header < 10 || text.get(payload) != Some(&b'.') {
        return None;
    }
    let end = long_run(text, payload + 1, is_token);
    (end - payload > 20).then_some((Kind::Jwt, end))
}

/// `SG.` 22 `.` 43.
fn sendgrid(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    if text.get(at + 1) != Some(&b'.') || !ends(text, at, b"S") || !edge(text, at - 1) {
        return None;
    }
    let id = run(text, at + 2, is_token);
    let end = run(text, id + 1, is_token);
    (id - at - 2 == 22 && text.get(id) == Some(&b'.') && end - id - 1 == 43).then_some((Kind::Sendgrid, end))
}

fn private_key(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    let start = at + 11;
    let end = run(text, start, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ').min(start + 40);
    let label = &text[start..end];
    let is_key = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    (is_key && text[end..].starts_with(b"-----")).then_some((Kind::PrivateKey, end + 5))
}

enum Digits {
    Card(usize),
    Other(usize),
}

/// A run of digits whose first is one that cards begin with.
fn digits(text: &[u8], at: usize) -> Digits {
    let group = |digits: &[u8; 4]| digits.iter().all(u8::is_ascii_digit);
    let before = at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' ');
    if !text[at..].first_chunk().is_some_and(group) || matches!(before, b'.' | b'+') || !edge(text, at) {
        return Digits::Other(at + 1);
    }
    card(text, at).map_or_else(|| Digits::Other(long_run(text, at, |byte| byte.is_ascii_digit())), Digits::Card)
}

/// Whether a token can begin at `start`: nothing before it belongs to the same one. So no byte is looked at for more than a few tokens,
/// however the text is made.
fn edge(text: &[u8], start: usize) -> bool {
    let Some(before) = start.checked_sub(1).and_then(|before| text.get(before)) else { return true };
    if !is_token(*before) {
        return true;
    }
    matches!(before, b'n' | b't' | b'r' | b'b' | b'f') && is_escaped(text, start - 1)
        || before.is_ascii_hexdigit() && start >= 6 && text[start - 5] == b'u' && is_escaped(text, start - 5)
}

/// Whether an odd number of backslashes stands before `at`.
fn is_escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn ends(text: &[u8], at: usize, word: &[u8]) -> bool {
    text[..at].ends_with(word)
}

/// The end of the run of `wanted` bytes from `start`, at most 256 on: a key is no longer.
fn run(text: &[u8], start: usize, wanted: impl Fn(u8) -> bool) -> usize {
    run_within(text, start, 256, wanted)
}

/// The same, at most 4 KiB on.
fn long_run(text: &[u8], start: usize, wanted: impl Fn(u8) -> bool) -> usize {
    run_within(text, start, 4096, wanted)
}

fn run_within(text: &[u8], start: usize, most: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start.min(text.len()) + rest.iter().take(most).take_while(|byte| wanted(**byte)).count()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Random text has letters and digits; a word, a placeholder of one character or a CSS class has not.
fn mixed(key: &[u8]) -> bool {
    let digits = key.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = key.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    digits >= 2 && letters >= 2 && key.iter().any(|byte| key.first() != Some(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let mut kinds = Vec::new();
        scan(text.as_bytes(), |kind| kinds.push(kind));
        kinds
    }

    #[test]
    fn finds_each_kind_at_the_edges_of_words() {
        for (secret, kind) in samples() {
            for text in [secret.clone(), format!("{{\"a\":\"{secret}\"}}"), format!("key={secret}, and"), format!("\"x\\n{secret}\\n\"")] {
                assert_eq!(kinds(&text), [kind], "{text}");
            }
            if !matches!(kind, Kind::PrivateKey) {
                assert_eq!(kinds(&format!("\"x{secret}\"")), [], "{secret} inside a word");
            }
            if !matches!(kind, Kind::PrivateKey | Kind::CreditCard) {
                let cut: String = secret.chars().take(9).collect();
                assert_eq!(kinds(&cut), [], "{cut}");
            }
        }
    }

    #[test]
    fn leaves_what_only_looks_like_one() {
        for text in [
            "sk-some-long-css-class-name-with-many-parts-in-it",
            "task-0123456789abcdefghijABCDEFGHIJ0123456789",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "sk_live_example_of_a_key",
            "AKIAIOSFODNN7EXAMPLES",
            "ghp_short1",
            "eyJhbGciOiJIUzI1NiJ9.payload.signature",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "0e5d46f893f8491ba55ab2613e5586a8 09895fd7139eb615",
            "2026-11-23T08:00:31.183396Z plan:140430309234496:1795420850.6684616",
            "{\"a\":4111111111111112,\"b\":0.4111111111111111,\"c\":-4111111111111111}",
            "550e8400-e29b-41d4-a716-446655440000",
            "-4111111111111111 +4111111111111111 a4111111111111111",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }

    #[test]
    fn counts_every_one() {
        let text = format!("{} 4111 1111 1111 1111 {} 5555555555554444", samples()[0].0, samples()[1].0);
        assert_eq!(kinds(&text).len(), 4);
        for size in 0..64 {
            let half: String = text.chars().take(size).collect();
            let _ = kinds(&half);
        }
    }

    /// Made up here, in parts, so that no scanner of sources takes them for real.
    fn samples() -> Vec<(String, Kind)> {
        let random = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6a7B8c9D0e1F2g3H4i5J6k7L8m9N0o1P2q3R4";
        let take = |count: usize| &random[..count];
        vec![
            (format!("sk-ant-api03-{}", take(80)), Kind::Anthropic),
            (format!("AKIA{}", "IOSFODNN7EXAMPLE"), Kind::AwsAccessKey),
            (format!("ASIA{}", "IOSFODNN7EXAMPLE"), Kind::AwsAccessKey),
            ("4111111111111111".to_owned(), Kind::CreditCard),
            (format!("ghp_{}", take(36)), Kind::Github),
            (format!("ghs_{}", take(36)), Kind::Github),
            (format!("github_pat_{}_{}", take(22), take(59)), Kind::Github),
            (format!("glpat-{}", take(20)), Kind::Gitlab),
            (format!("AIza{}", take(35)), Kind::GoogleApiKey),
            (format!("hf_{}", take(34)), Kind::HuggingFace),
            (format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{}", take(43)), Kind::Jwt),
            (format!("npm_{}", take(36)), Kind::Npm),
            (format!("sk-{}", take(48)), Kind::Openai),
            (format!("sk-proj-{}_{}", take(40), take(40)), Kind::Openai),
            ("-----BEGIN RSA PRIVATE KEY-----".to_owned(), Kind::PrivateKey),
            ("-----BEGIN PRIVATE KEY-----".to_owned(), Kind::PrivateKey),
            (format!("SG.{}.{}", take(22), take(43)), Kind::Sendgrid),
            (format!("xoxb-{}-{}", "123456789012", take(24)), Kind::Slack),
            (format!("sk_live_{}", take(24)), Kind::Stripe),
        ]
    }
}
