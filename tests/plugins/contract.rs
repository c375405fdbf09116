//! Answers out of contract: no row of them is used, whatever they look like.

use super::guest::{Guest, Raw, manifest, mark};
use super::{Fate, goes_on, server};

fn column(kind: u16, bitmaps: u16, count: u32, at: u32, data: &[u8]) -> Raw {
    Raw { rows: 1, columns: vec![(kind, bitmaps, count, at)], data: data.to_vec(), told: (None, None) }
}

fn rows(rows: u32, raw: Raw) -> Raw {
    let columns = raw.columns.iter().map(|(kind, bitmaps, _, at)| (*kind, *bitmaps, rows, *at)).collect();
    Raw { rows, columns, ..raw }
}

/// A dictionary of one text, and a code for one row.
fn dictionary(code: u32) -> Raw {
    let data = [&code.to_le_bytes()[..], &[0; 4], &[0, 0, 0, 0, 1, 0, 0, 0], b"a\0\0\0\0\0\0\0"].concat();
    column(8, 0, 1, 0, &data)
}

const HELLO: [u8; 16] = *b"\0\0\0\0\x05\0\0\0hello\0\0\0";

/// Answers and what is said of them.
fn bad() -> Vec<(Raw, &'static str)> {
    let hello = || Raw::text(&[0, 5], b"hello");
    let second = |kind, at, more: &[u8]| Raw {
        rows: 1,
        columns: vec![(5, 0, 1, 0), (kind, 0, 1, at)],
        data: [&HELLO[..], more].concat(),
        told: (None, None),
    };
    vec![
        (rows(2, Raw::text(&[0, 5, 3], b"hello")), "an offset runs backwards"),
        (Raw::text(&[0, 4000], b"hello"), "an offset is past the end of the data"),
        (Raw::text(&[0, u32::MAX], b"hello"), "an offset is past the end of the data"),
        (Raw::text(&[2, 5], b"hello"), "the first offset is not 0"),
        (Raw::text(&[0, 2], b"\xff\xfe"), "text is not UTF-8"),
        (Raw::text(&[0, 3], b"\xed\xa0\x80"), "text is not UTF-8"),
        (rows(2, Raw::text(&[0, 1, 2], "\u{e9}".as_bytes())), "text is cut inside a character"),
        (dictionary(1), "a code is not in the dictionary"),
        (dictionary(u32::MAX), "a code is not in the dictionary"),
        (column(8, 0, u32::MAX, 0, &[0; 64]), "past the end of the data"),
        (column(99, 0, 1, 0, &HELLO), "unknown kind 99"),
        (column(0, 0, 1, 0, &HELLO), "unknown kind 0"),
        (column(2, 0, 1, 0, &[0; 8]), "kind Integer does not fit the declared type text"),
        (column(6, 0, 1, 0, &HELLO), "kind Json does not fit the declared type text"),
        (column(7, 0, 1, 0, &HELLO), "kind Bytes does not fit the declared type text"),
        (column(1, 0, 1, 0, &[2, 0, 0, 0, 0, 0, 0, 0]), "a boolean is neither 0 nor 1"),
        (column(5, 4, 1, 0, &HELLO), "unknown bitmap"),
        (column(5, 3, 1, 0, &HELLO), "column 0"),
        (column(5, 0, 2, 0, &HELLO), "count differs from the rows"),
        (column(5, 0, 1, 8, &HELLO), "does not start where the last one ended"),
        (column(5, 0, 1, u32::MAX, &HELLO), "does not start where the last one ended"),
        (column(5, 0, 1, 0, &HELLO[..12]), "past the end of the data"),
        (column(5, 0, 1, 0, &HELLO[..13]), "the padding is missing"),
        (column(5, 0, 1, 0, b"\0\0\0\0\x05\0\0\0hello\x01\0\0"), "the padding is not zero"),
        (column(5, 0, 1, 0, &[&HELLO[..], &[0; 8]].concat()), "8 bytes behind the last column"),
        (column(5, 0, 1, 0, b""), "past the end of the data"),
        (Raw { columns: Vec::new(), data: Vec::new(), ..hello() }, "0 columns instead of 1"),
        (second(5, 16, &HELLO), "2 columns instead of 1"),
        (second(9, 16, &[0; 8]), "a `group` column nobody asked for"),
        (Raw { rows: 0, ..hello() }, "column 0"),
        (rows(u32::MAX, hello()), "past the end of the data"),
        (rows(u32::MAX, column(1, 1, 1, 0, &[0; 64])), "past the end of the data"),
        (rows(2, Raw::text(&[0, 5, 5], b"hello")), "2 rows instead of 1"),
        (Raw { told: (Some(u32::MAX), None), ..hello() }, "trapped"),
        (Raw { told: (None, Some(u32::MAX)), ..hello() }, "trapped"),
        (Raw { told: (None, Some(400_000)), ..hello() }, "trapped"),
    ]
}

#[test]
fn no_answer_out_of_contract_is_used() {
    let bad = bad();
    let name = |at: usize| format!("raw-{at}");
    let guests: Vec<_> = bad.iter().enumerate().map(|(at, (raw, _))| Guest::answering(&name(at), raw)).collect();
    let server = server(&guests.iter().collect::<Vec<_>>());
    goes_on(&server);
    for (at, (_, says)) in bad.iter().enumerate() {
        Fate::new("trap", "traps", says).hits(&server, &name(at));
    }
    assert_eq!(server.count("select count(*) from attributes where key glob 'raw-*'"), 0);
}

#[test]
fn the_answer_these_are_made_of_is_good() {
    let hello = Guest::answering("hello", &Raw::text(&[0, 5], b"hello"));
    let coded = Guest::answering("coded", &dictionary(0));
    let server = server(&[&hello, &coded]);
    server.accept(&super::event(1));
    assert_eq!(server.count("select count(*) from attributes where (key, value) in (('hello.mark', 'hello'), ('coded.mark', 'a'))"), 2);
}

#[test]
fn json_that_is_none_is_not_stored() {
    let texts: [&[u8]; 5] = [b"{", b"nul", b"1 2", b"", b"{\"a\":NaN}"];
    let guests: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let id = format!("json-{at}");
            let raw = Raw { columns: vec![(6, 0, 1, 0)], ..Raw::text(&[0, text.len() as u32], text) };
            Guest::answering(&id, &raw).under(manifest(&id, "enricher", &[("event.name", "text")], &[(&mark(&id), "json")]))
        })
        .collect();
    let server = server(&guests.iter().collect::<Vec<_>>());
    goes_on(&server);
    guests.iter().for_each(|guest| Fate::new("trap", "traps", "is not JSON").hits(&server, &guest.id));
}

#[test]
fn what_the_client_sent_stands() {
    let server = server(&[&Guest::enricher("own", "(i64.const 7)")]);
    let mut event = super::event(1);
    event["attributes"]["own.mark"] = "the client's".into();
    let id = server.accept(&event);
    assert_eq!(server.count(&format!("select count(*) from attributes where event_id = {id} and key = 'own.mark'")), 1);
    assert_eq!(server.count("select count(*) from attributes where value = 'the client''s' and plugin_version_id is null"), 1);
}
