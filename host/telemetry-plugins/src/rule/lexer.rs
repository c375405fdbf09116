//! Words of an expression.

use super::RuleError;

/// One word and where it begins, in bytes of the expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) word: Word,
    pub(super) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Name(String),
    Integer(i64),
    Real(f64),
    Text(String),
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 25] =
    ["&&", "||", "??", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", "(", ")", "[", "]", ",", ".", "=", "&"];

/// The words of `text`, an end behind them.
///
/// # Errors
/// What is no word, and where.
pub(super) fn words(text: &str) -> Result<Vec<Token>, RuleError> {
    let (mut words, mut at) = (Vec::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        let (word, len) = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (Word::Name(rest.get(..len).unwrap_or_default().to_owned()), len)
            }
            '0'..='9' => number(rest).map_err(|problem| RuleError::new(at, problem))?,
            '\'' | '"' => quoted(rest, first).map_err(|(offset, problem)| RuleError::new(at + offset, problem))?,
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Word::Sign(sign), sign.len()),
                None => return Err(RuleError::new(at, format!("`{first}` means nothing here"))),
            },
        };
        words.push(Token { word, at });
        at += len;
    }
    words.push(Token { word: Word::End, at: text.len() });
    Ok(words)
}

fn number(rest: &str) -> Result<(Word, usize), String> {
    let digits = |text: &str| text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    let mut len = digits(rest);
    let mut is_real = false;
    let after = rest.get(len..).unwrap_or_default();
    if after.starts_with('.') && after.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        is_real = true;
        len += 1 + digits(after.get(1..).unwrap_or_default());
    }
    let after = rest.get(len..).unwrap_or_default();
    if let Some(power) = after.strip_prefix(['e', 'E']) {
        let sign = usize::from(power.starts_with(['+', '-']));
        let count = digits(power.get(sign..).unwrap_or_default());
        if count > 0 {
            is_real = true;
            len += 1 + sign + count;
        }
    }
    let written = rest.get(..len).unwrap_or_default();
    let plain = written.replace('_', "");
    let word = if is_real {
        plain.parse().ok().filter(|real: &f64| real.is_finite()).map(Word::Real)
    } else {
        plain.parse().ok().map(Word::Integer)
    };
    word.map(|word| (word, len)).ok_or_else(|| format!("`{written}` is a number that 64 bits cannot hold"))
}

fn quoted(rest: &str, quote: char) -> Result<(Word, usize), (usize, String)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, next)) = chars.next() {
        if next == quote {
            return Ok((Word::Text(text), at + 1));
        }
        if next != '\\' {
            text.push(next);
            continue;
        }
        text.push(match chars.next() {
            Some((_, 'n')) => '\n',
            Some((_, 't')) => '\t',
            Some((_, same @ ('\\' | '\'' | '"'))) => same,
            _ => return Err((at, "a `\\` stands before n, t, a quote or another `\\`".to_owned())),
        });
    }
    Err((0, "this text has no end".to_owned()))
}
