//! The shapes. Each function looks around the byte that its hook noticed; a key is a whole token, so that none of it stays behind.

use crate::kind::Kind;
use crate::pem::{self, Headers};
use crate::scan::Secret;
use crate::set::Set;
use crate::token::{BASE64, BEARER, Run, TOKEN, edge, is_cut, is_escaped, mixed, short_token, token, within};
use crate::url;

/// Letters and digits.
static LETTERS: Set = Set::of(&[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]);
static HEX: Set = Set::of(&[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]);
/// Letters, digits and `_`.
static WORD: Set = Set::of(&[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z'), (b'_', b'_')]);
/// What may part a name from its value.
static BETWEEN: Set =
    Set::of(&[(b'\t', b'\t'), (b' ', b' '), (b'"', b'"'), (b'\'', b'\''), (b':', b':'), (b'=', b'='), (b'>', b'>'), (b'\\', b'\\')]);

/// What a key is made of behind its prefix.
#[derive(Clone, Copy)]
enum Made {
    Letters,
    Hex,
    Word,
    Token,
}

impl Made {
    fn set(self) -> &'static Set {
        match self {
            Made::Letters => &LETTERS,
            Made::Hex => &HEX,
            Made::Word => &WORD,
            Made::Token => &TOKEN,
        }
    }
}

/// A kind of key: what follows its first word, and how many of which characters follow that.
struct Shape(Kind, &'static [u8], Made, usize, usize);

/// More than any key has.
const ANY: usize = usize::MAX;
/// Of a key that was cut off so many characters are worth hiding.
const CUT: usize = 8;
/// Of a shorter one not even four are told.
const LONG: usize = 16;

/// Keys by their first word, which ends at a hyphen.
fn of_hyphen(word: &[u8]) -> &'static [Shape] {
    match word {
        b"sk" => &[
            Shape(Kind::Anthropic, b"ant-", Made::Token, 20, ANY),
            Shape(Kind::Openrouter, b"or-v1-", Made::Letters, 40, ANY),
            Shape(Kind::Openai, b"proj-", Made::Token, 32, ANY),
            Shape(Kind::Openai, b"svcacct-", Made::Token, 32, ANY),
            Shape(Kind::Openai, b"admin-", Made::Token, 32, ANY),
            Shape(Kind::Openai, b"None-", Made::Token, 32, ANY),
            Shape(Kind::Openai, b"", Made::Letters, 32, ANY),
        ],
        b"xoxa" | b"xoxb" | b"xoxe" | b"xoxo" | b"xoxp" | b"xoxr" | b"xoxs" | b"xapp" => &[Shape(Kind::Slack, b"", Made::Token, 16, ANY)],
        b"glpat" | b"gldt" | b"glrt" | b"glcbt" | b"glptt" => &[Shape(Kind::Gitlab, b"", Made::Token, 20, ANY)],
        b"pplx" => &[Shape(Kind::Perplexity, b"", Made::Letters, 40, ANY)],
        b"xai" => &[Shape(Kind::Xai, b"", Made::Letters, 60, ANY)],
        b"nvapi" => &[Shape(Kind::Nvidia, b"", Made::Token, 40, ANY)],
        b"tvly" => &[Shape(Kind::Tavily, b"", Made::Token, 28, ANY)],
        b"pypi" => &[Shape(Kind::Pypi, b"AgE", Made::Token, 50, ANY)],
        b"GOCSPX" => &[Shape(Kind::GoogleOauth, b"", Made::Token, 24, ANY)],
        b"PMAK" => &[Shape(Kind::Postman, b"", Made::Token, 40, ANY)],
        b"NRAK" => &[Shape(Kind::NewRelic, b"", Made::Letters, 24, 40)],
        b"AGE" => &[Shape(Kind::Age, b"SECRET-KEY-1", Made::Letters, 40, ANY)],
        _ => &[],
    }
}

/// Keys by their first word, which ends at an underscore.
fn of_underscore(word: &[u8]) -> &'static [Shape] {
    match word {
        b"ghp" | b"gho" | b"ghu" | b"ghs" | b"ghr" => &[Shape(Kind::Github, b"", Made::Letters, 36, ANY)],
        b"github" => &[Shape(Kind::Github, b"pat_", Made::Word, 60, ANY)],
        b"sk" | b"rk" => &[Shape(Kind::Stripe, b"live_", Made::Letters, 20, ANY), Shape(Kind::Stripe, b"test_", Made::Letters, 20, ANY)],
        b"whsec" => &[Shape(Kind::Stripe, b"", Made::Letters, 24, ANY)],
        b"hf" => &[Shape(Kind::HuggingFace, b"", Made::Letters, 34, 40)],
        b"npm" => &[Shape(Kind::Npm, b"", Made::Letters, 36, 36)],
        b"gsk" => &[Shape(Kind::Groq, b"", Made::Letters, 40, ANY)],
        b"r8" => &[Shape(Kind::Replicate, b"", Made::Letters, 36, 40)],
        b"dop" | b"doo" | b"dor" => &[Shape(Kind::DigitalOcean, b"v1_", Made::Hex, 64, 64)],
        b"dckr" => &[Shape(Kind::Docker, b"pat_", Made::Token, 24, ANY)],
        b"shpat" | b"shpss" | b"shpca" | b"shppa" => &[Shape(Kind::Shopify, b"", Made::Hex, 32, 32)],
        b"lin" => &[Shape(Kind::Linear, b"api_", Made::Letters, 32, ANY)],
        b"ntn" => &[Shape(Kind::Notion, b"", Made::Letters, 40, ANY)],
        b"figd" => &[Shape(Kind::Figma, b"", Made::Token, 36, ANY)],
        b"glsa" => &[Shape(Kind::Grafana, b"", Made::Word, 36, ANY)],
        b"sntrys" => &[Shape(Kind::Sentry, b"", Made::Token, 40, ANY)],
        b"lsv2" => &[Shape(Kind::Langsmith, b"pt_", Made::Word, 36, ANY), Shape(Kind::Langsmith, b"sk_", Made::Word, 36, ANY)],
        b"pcsk" => &[Shape(Kind::Pinecone, b"", Made::Word, 40, ANY)],
        b"sbp" => &[Shape(Kind::Supabase, b"", Made::Hex, 40, 40)],
        _ => &[],
    }
}

/// At the first `-` of a run: keys that begin `word-`, and PEM.
pub fn hyphen(text: &[u8], at: usize, headers: &mut Headers) -> Option<Secret> {
    let key = word(text, at).and_then(|(start, word)| shaped(text, start, at, of_hyphen(word)));
    if key.is_some() || text.get(at + 1) != Some(&b'-') {
        return key;
    }
    pem::private_key(text, at, headers)
}

/// At `_`: keys that begin `word_`, and `aws_secret_access_key`.
pub fn underscore(text: &[u8], at: usize) -> Option<Secret> {
    if let Some(secret) = named_aws_secret(text, at) {
        return Some(secret);
    }
    let (start, word) = word(text, at)?;
    shaped(text, start, at, of_underscore(word))
}

/// The word that ends at `at`, at most seven letters or digits, if a token begins with it.
#[inline]
fn word(text: &[u8], at: usize) -> Option<(usize, &[u8])> {
    // Two at least.
    if !LETTERS.holds(*text.get(at.checked_sub(2)?)?) {
        return None;
    }
    let floor = at.saturating_sub(MOST + 6);
    let mut start = at;
    while start > floor && LETTERS.holds(text[start - 1]) {
        start -= 1;
    }
    if at - start < 2 {
        return None;
    }
    // The first letters may be an escape's: `\nsk-`.
    let start = start + if is_escaped(text, start) { if text[start] == b'u' { 5 } else { 1 } } else { 0 };
    ((start + 2..=start + MOST).contains(&at) && edge(text, start)).then(|| (start, &text[start..at]))
}

/// Letters of the longest first word.
const MOST: usize = 7;

fn shaped(text: &[u8], start: usize, at: usize, shapes: &[Shape]) -> Option<Secret> {
    if shapes.is_empty() {
        return None;
    }
    let end = token(text, at + 1);
    let rest = &text[at + 1..end];
    if rest.len() < CUT {
        return None;
    }
    shapes.iter().find_map(|Shape(kind, prefix, made, least, most)| {
        let is_first = |first: &u8| rest.first() == Some(first);
        let key = prefix.first().is_none_or(is_first).then(|| rest.strip_prefix(*prefix)).flatten()?;
        let whole = (*least..=*most).contains(&key.len());
        let cut = key.len() >= CUT && key.len() < *least && end - start >= crate::scan::MIN_BYTES && is_cut(text, end);
        if !whole && !cut || made.set().end(key, 0) != key.len() {
            return None;
        }
        let is_random = mixed(key) || *kind == Kind::Slack && digits(key) >= LONG;
        let is_key = is_random && (*kind != Kind::Slack || digits(key) >= 4);
        is_key.then_some(Secret { kind: *kind, place: start..end, is_long: key.len() >= LONG })
    })
}

fn digits(key: &[u8]) -> usize {
    key.iter().filter(|byte| byte.is_ascii_digit()).count()
}

/// `aws_secret_access_key`, a separator or two, and 40 characters.
fn named_aws_secret(text: &[u8], at: usize) -> Option<Secret> {
    let name = b"aws_secret_access_key";
    let start = at.checked_sub(3)?;
    // Most names with a `_` have no `s` on both sides of it.
    if !text[at - 1].eq_ignore_ascii_case(&b's') || !text.get(at + 1)?.eq_ignore_ascii_case(&b's') {
        return None;
    }
    let found = text.get(start..start + name.len())?;
    found.eq_ignore_ascii_case(name).then(|| aws_secret(text, start + name.len()))?
}

/// At `K`: `SecretAccessKey` and 40 characters, `AccountKey=` and 88. `run` is of [`BASE64`].
pub fn capital_k(text: &[u8], at: usize, run: &mut Run) -> Option<Secret> {
    if !text[at..].starts_with(b"Key") {
        return None;
    }
    if text[..at].ends_with(b"SecretAccess") {
        return aws_secret(text, at + 3);
    }
    if text[..at].ends_with(b"Account") && text.get(at + 3) == Some(&b'=') {
        let end = run.end(at + 4, |start| BASE64.end(text, start));
        let key = &text[at + 4..end];
        // Of more than a key has the beginning tells what it is.
        let is_key = key.len() >= 86 && mixed(within(key, 0, 88));
        return is_key.then(|| Secret::new(Kind::AzureStorage, at + 4..end));
    }
    None
}

fn aws_secret(text: &[u8], behind: usize) -> Option<Secret> {
    let start = BETWEEN.end(within(text, behind, 9), behind);
    if start == behind || start - behind > 8 {
        return None;
    }
    let end = BASE64.end(within(text, start, 41), start);
    let key = &text[start..end];
    (key.len() == 40 && mixed(key)).then(|| Secret::new(Kind::AwsSecretKey, start..end))
}

/// At `I`: `AKIA`, `ASIA`, `AIza`.
pub fn capital_i(text: &[u8], at: usize) -> Option<Secret> {
    let before = text.get(at.checked_sub(1)?)?;
    if *before == b'A' && text[at..].starts_with(b"Iza") && edge(text, at - 1) {
        let end = short_token(text, at + 3, 36);
        let key = &text[at + 3..end];
        let is_key = key.len() == 35 || (CUT..35).contains(&key.len()) && is_cut(text, end);
        return (is_key && mixed(key)).then(|| Secret { kind: Kind::GoogleApiKey, place: at - 1..end, is_long: key.len() >= LONG });
    }
    if matches!(before, b'K' | b'S') && at >= 2 && text[at - 2] == b'A' && text.get(at + 1) == Some(&b'A') && edge(text, at - 2) {
        let end = short_token(text, at + 2, 17);
        let key = &text[at + 2..end];
        let is_key = key.len() == 16 || (CUT..16).contains(&key.len()) && is_cut(text, end) && mixed(key);
        let fits = key.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        return (is_key && fits).then(|| Secret { kind: Kind::AwsAccessKey, place: at - 2..end, is_long: key.len() >= LONG });
    }
    None
}

/// At `J`: `eyJ..` `.` `eyJ..` `.` `..`: header and payload begin with `{"` in base64url.
pub fn jwt(text: &[u8], at: usize) -> Option<Secret> {
    let start = at.checked_sub(2)?;
    if !text[start..].starts_with(b"ey") || !edge(text, start) {
        return None;
    }
    let header = token(text, at);
    if header - at < 10 || !text[header..].starts_with(b".eyJ") {
        return None;
    }
    let payload = token(text, header + 1);
    let found = |end| Secret::new(Kind::Jwt, start..end);
    // Cut off in the payload it opens nothing any more, but says whose it was.
    if is_cut(text, payload) {
        return (payload - header > CUT).then(|| found(payload));
    }
    if payload - header < 10 || text.get(payload) != Some(&b'.') {
        return None;
    }
    let end = token(text, payload + 1);
    (end - payload > 20 || is_cut(text, end)).then(|| found(end))
}

/// At `G`: `SG.` 22 `.` 43.
pub fn sendgrid(text: &[u8], at: usize) -> Option<Secret> {
    let start = at.checked_sub(1)?;
    if text.get(at + 1) != Some(&b'.') || text[start] != b'S' || !edge(text, start) {
        return None;
    }
    let id = short_token(text, at + 2, 23);
    if id - at - 2 != 22 || text.get(id) != Some(&b'.') {
        return None;
    }
    let end = short_token(text, id + 1, 44);
    let is_key = end - id - 1 == 43 || (CUT..43).contains(&(end - id - 1)) && is_cut(text, end);
    is_key.then(|| Secret::new(Kind::Sendgrid, start..end))
}

/// At `B`: `Bearer ` and a token of no other shape.
pub fn bearer(text: &[u8], at: usize) -> Option<Secret> {
    if !text[at..].starts_with(b"Bearer ") || !edge(text, at) {
        return None;
    }
    let start = at + 7;
    let end = BEARER.end(text, start);
    let key = &text[start..end];
    let known = [&b"eyJ"[..], b"sk-", b"sk_", b"gh", b"xox", b"glpat-", b"hf_", b"npm_", b"gsk_", b"SG."];
    let is_other = known.iter().any(|prefix| key.starts_with(prefix));
    (key.len() >= 24 && mixed(key) && !is_other).then(|| Secret::new(Kind::Bearer, start..end))
}

/// At `:`: `://user:password@host`, and tokens of Telegram bots.
pub fn colon(text: &[u8], at: usize) -> Option<Secret> {
    if text[at..].starts_with(b"://") {
        return url::hook(text, at + 3).or_else(|| url::password(text, at + 3));
    }
    if !text[at..].starts_with(b":AA") {
        return None;
    }
    let number = text[..at].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let start = at - number;
    let behind_bot = text[..start].ends_with(b"bot");
    let end = short_token(text, at + 1, 36);
    let is_key = (8..=10).contains(&number) && (behind_bot || edge(text, start)) && end - at - 1 == 35 && mixed(&text[at + 1..end]);
    is_key.then(|| Secret::new(Kind::Telegram, start..end))
}
