//! What is kept of events and bodies that were refused.

use telemetry_model::{DigestKey, JsonText, Member, RawEvent, Reason};
use telemetry_store::{QuarantineEntry, QuarantinedBody};

use super::decode::{Refusal, RefusalKind};
use super::mask::MaskedBody;
use super::unit::{Unit, Unread};

/// Text that does not decode is kept up to here, bytes; of more only a digest.
const MAX_TEXT: usize = 1 << 20;
/// A name or an agent is cut here, characters.
const MAX_NAME: usize = 256;

/// Who an event says it is, taken before it is consumed.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    pub name: Option<Box<str>>,
    pub agent_id: Option<Box<str>>,
}

impl Claim {
    pub(super) fn of(event: &RawEvent) -> Self {
        let cut = |member: &Member| member.text().map(|text| text.chars().take(MAX_NAME).collect::<String>().into());
        Claim { name: cut(&event.name), agent_id: cut(&event.agent_id) }
    }
}

/// An event of a request, `text` being its JSON.
pub(super) fn event(unit: &Unit, text: &str, reasons: Vec<Reason>, claim: Claim, key: &DigestKey) -> QuarantineEntry {
    let too_deep = reasons.iter().any(|reason| reason.code == "too-deep");
    let body = match JsonText::parse(text.trim_ascii()) {
        Ok(json) if !too_deep => QuarantinedBody::Json(json),
        _ => digest(text.as_bytes(), key),
    };
    entry(unit, reasons, body, claim)
}

/// The text of a body that decodes to nothing, when it is kept.
pub(super) fn text<'t>(bytes: &'t [u8], refusal: &Refusal) -> Option<&'t str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && text.len() <= MAX_TEXT && !text.contains('\0'));
    text.filter(|_| refusal.kind == RefusalKind::Malformed)
}

/// A body that decodes to nothing, and what maskers left of its text.
pub(super) fn body(unit: &Unit, bytes: &[u8], refusal: &Refusal, masked: Option<MaskedBody>, key: &DigestKey) -> QuarantineEntry {
    let body = match (text(bytes, refusal), masked) {
        (Some(text), None) => kept(text, bytes, key),
        (Some(_), Some(MaskedBody::Text(text))) => kept(&text, bytes, key),
        _ => digest(bytes, key),
    };
    entry(unit, vec![refusal.reason.clone()], body, Claim::default())
}

/// A body of which only the digest is left.
pub(super) fn unread(unread: Unread) -> QuarantineEntry {
    QuarantineEntry {
        received_at: unread.received_at,
        source: unread.source,
        reasons: vec![unread.refusal.reason],
        body: QuarantinedBody::Digest { digest: unread.digest, size: unread.size },
        name: None,
        agent_id: None,
    }
}

fn kept(text: &str, received: &[u8], key: &DigestKey) -> QuarantinedBody {
    QuarantinedBody::Text { text: text.into(), digest: key.digest(received), size: received.len() as u64 }
}

fn digest(bytes: &[u8], key: &DigestKey) -> QuarantinedBody {
    QuarantinedBody::Digest { digest: key.digest(bytes), size: bytes.len() as u64 }
}

fn entry(unit: &Unit, reasons: Vec<Reason>, body: QuarantinedBody, claim: Claim) -> QuarantineEntry {
    let Claim { name, agent_id } = claim;
    QuarantineEntry { received_at: unit.received_at, source: unit.source.clone(), reasons, body, name, agent_id }
}
