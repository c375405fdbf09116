use std::io::Write;

use super::*;

fn single(body: impl AsRef<[u8]>) -> RawEvent {
    let body = body.as_ref();
    let mut decoded = decode(body, Shape::Single).unwrap();
    decoded.items.pop().unwrap().0.unwrap()
}

fn refused(body: impl AsRef<[u8]>) -> String {
    decode(body.as_ref(), Shape::Single).unwrap_err().reason.code.into_owned()
}

fn codes(event: &RawEvent) -> Vec<(&str, Option<&str>)> {
    event.flags.iter().map(|flag| (&*flag.code, flag.field.as_deref())).collect()
}

fn attribute<'a>(event: &'a RawEvent, key: &str) -> &'a str {
    event.attributes.get(key).unwrap().as_str()
}

#[test]
fn keeps_members_and_attributes_as_sent() {
    let event = single(
        r#" {"name":"a\u0000b","trace_id":null,"span_id":7,"attributes":{"x":-0.0,"y":{"b": 1, "a":[ 1e5]},"z":"\u00e9"},"more":[1 ]} "#,
    );
    assert_eq!(event.name.text(), Some("a\0b"));
    assert_eq!(event.trace_id, telemetry_model::Member::Null);
    assert_eq!(event.parent_span_id, telemetry_model::Member::Absent);
    assert!(matches!(&event.span_id, telemetry_model::Member::Other(value) if value.as_str() == "7"));
    assert_eq!(attribute(&event, "x"), "-0.0");
    assert_eq!(attribute(&event, "y"), r#"{"b": 1, "a":[ 1e5]}"#);
    assert_eq!(attribute(&event, "z"), r#""\u00e9""#);
    assert_eq!(event.extra.get("more").unwrap().as_str(), "[1 ]");
    assert!(event.flags.is_empty());
}

#[test]
fn names_what_is_not_json() {
    for (body, code) in [
        (&b""[..], "empty-body"),
        (b" \r\n\t", "empty-body"),
        (b"\xef\xbb\xbf", "empty-body"),
        (b"hello", "invalid-json"),
        (b"{\"a\":1,}", "invalid-json"),
        (b"{'a': 1}", "invalid-json"),
        (b"{} {}", "invalid-json"),
        (b"{\"name\":\"x\"", "truncated"),
        (b"{\"name\":\"x", "truncated"),
        (b"[1]", "not-an-object"),
        (b"[1", "truncated"),
        (b"\"text\"", "not-an-object"),
        (b"12", "not-an-object"),
        (b"null", "not-an-object"),
        (b"NaN", "not-an-object"),
        (b"{\"name\":\"\xff\"}", "invalid-utf-8"),
        (b"{\"name\":\"\xed\xa0\x80\"}", "invalid-utf-8"),
        (b"{\"name\":\"a\nb\"}", "invalid-json"),
        (b"{\"name\":NotANumber}", "invalid-json"),
        (b"{\"name\":\"\\ud8\"}", "invalid-json"),
    ] {
        assert_eq!(refused(body), code, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn refuses_wide_encodings() {
    let text = r#"{"name":"x"}"#;
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let wide: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    assert_eq!(refused(&little), "utf-16");
    assert_eq!(refused(&big), "utf-16");
    assert_eq!(refused([b"\xff\xfe", &little[..]].concat()), "utf-16");
    assert_eq!(refused(wide), "utf-32");
}

#[test]
fn accepts_a_byte_order_mark() {
    let event = single("\u{feff}{\"name\":\"x\",\"attributes\":{}}");
    assert_eq!((event.name.text(), codes(&event)), (Some("x"), vec![("byte-order-mark", None)]));
}

#[test]
fn reads_json_as_python_writes_it() {
    let event = single(r#"{"name":"NaN","attributes":{"a":NaN,"b":[Infinity,-Infinity,-1],"c":"NaN Infinity","\"NaN":-Infinity}}"#);
    assert_eq!(event.name.text(), Some("NaN"));
    assert_eq!(attribute(&event, "a"), "null");
    assert_eq!(attribute(&event, "b"), "[null,null,-1]");
    assert_eq!(attribute(&event, "c"), r#""NaN Infinity""#);
    assert_eq!(attribute(&event, "\"NaN"), "null");
    assert_eq!(codes(&event), [("not-a-number", None)]);
}

#[test]
fn replaces_lone_surrogates_and_keeps_pairs() {
    let event = single(r#"{"name":"\uD83D\uDE00","attributes":{"a":"x\ud800y","b":"\\ud800","\udc00":1,"c":"\ud800\ud83d\ude00"}}"#);
    assert_eq!(event.name.text(), Some("\u{1f600}"));
    assert_eq!(event.attributes.get("a").unwrap().as_text().unwrap(), "x\u{fffd}y");
    assert_eq!(event.attributes.get("b").unwrap().as_text().unwrap(), "\\ud800");
    assert_eq!(event.attributes.get("c").unwrap().as_text().unwrap(), "\u{fffd}\u{1f600}");
    assert_eq!(attribute(&event, "\u{fffd}"), "1");
    assert_eq!(codes(&event), [("lone-surrogate", None)]);
    let clean = r#"{"name":"\ud83d\ude00\\ud800 \n"}"#;
    assert!(matches!(decode(clean.as_bytes(), Shape::Single).unwrap().text, Cow::Borrowed(_)));
}

#[test]
fn last_of_duplicate_keys_wins() {
    let event = single(r#"{"name":"a","name":"b","attributes":{"k":1,"l":0,"\u006b":2},"x":1,"x":2}"#);
    assert_eq!(event.name.text(), Some("b"));
    assert_eq!((attribute(&event, "k"), event.attributes.len()), ("2", 2));
    assert_eq!(event.extra.get("x").unwrap().as_str(), "2");
    let expected = [("duplicate-key", Some("name")), ("duplicate-key", Some("x")), ("duplicate-key", Some(r#"attributes["k"]"#))];
    assert_eq!(codes(&event), expected);
}

#[test]
fn keeps_and_flags_numbers_beyond_their_types() {
    let event = single(r#"{"attributes":{"a":1e400,"b":123456789012345678901234567890,"c":9223372036854775807,"d":-1e-400,"e":1.5}}"#);
    assert_eq!(attribute(&event, "a"), "1e400");
    assert_eq!(attribute(&event, "b"), "123456789012345678901234567890");
    let expected = [("number-out-of-range", Some(r#"attributes["a"]"#)), ("number-out-of-range", Some(r#"attributes["b"]"#))];
    assert_eq!(codes(&event), expected);
}

#[test]
fn limits_depth_without_recursion() {
    let nested = |levels: usize| format!(r#"{{"name":"[[{{\"","attributes":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(decode(nested(MAX_DEPTH - 1).as_bytes(), Shape::Single).is_ok());
    let refusal = decode(nested(MAX_DEPTH).as_bytes(), Shape::Single).unwrap_err();
    assert_eq!((refusal.kind, &*refusal.reason.code), (RefusalKind::TooDeep, "too-deep"));
    assert_eq!(refused(nested(5_000_000)), "too-deep");
    let wide = format!(r#"{{"attributes":{{"a":[{}1]}}}}"#, "[],".repeat(1000));
    assert_eq!(single(wide).attributes.len(), 1);
}

#[test]
fn takes_many_attributes_and_long_names() {
    let many: Vec<String> = (0..100_000).map(|n| format!("\"key{}\":{n}", n % 99_990)).collect();
    let event = single(format!(r#"{{"name":"{}","attributes":{{{}}}}}"#, "n".repeat(1 << 20), many.join(",")));
    assert_eq!((event.name.text().unwrap().len(), event.attributes.len()), (1 << 20, 99_990));
    assert_eq!((attribute(&event, "key3"), event.flags.len()), ("99993", 10));
    let same: Vec<String> = (0..1000).flat_map(|n| [format!("\"k{n}\":1"), format!("\"k{n}\":2")]).collect();
    let event = single(format!("{{{}}}", same.join(",")));
    assert_eq!(event.flags.last().unwrap().code, "more-flags");
    assert!(event.flags.len() < 40);
}

#[test]
fn names_of_flagged_fields_are_cut() {
    let key = "\u{e9}".repeat(1 << 20);
    let event = single(format!(r#"{{"{key}":1,"{key}":2}}"#));
    assert!(event.flags[0].field.as_deref().unwrap().len() <= 128);
}

const BATCH: Shape = Shape::Batch { max_events: 3 };

fn batch(body: &str) -> Vec<Result<String, String>> {
    let decoded = decode(body.as_bytes(), BATCH).unwrap();
    let outcome = |(item, range): (Result<RawEvent, Refusal>, Range<usize>)| match item {
        Ok(event) => Ok(format!("{} {}", event.name.text().unwrap_or("-"), decoded.text[range].len())),
        Err(refusal) => Err(refusal.reason.code.into_owned()),
    };
    decoded.items.into_iter().map(outcome).collect()
}

#[test]
fn decodes_batches_item_by_item() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let expected = [Ok("a 12".into()), Err("not-an-object".into()), Err("too-deep".into())];
    assert_eq!(batch(&format!(r#"{{"x":[],"events":[ {{"name":"a"}} ,7,{deep}]}}"#)), expected);
    assert_eq!(batch(&format!(r#"[{{"name":"a"}},7,{deep}]"#)), expected);
    assert_eq!(batch(r#"{"events":[]}"#), []);
}

#[test]
fn flags_only_the_items_that_were_mended() {
    let body = r#"[{"name":"a","attributes":{}},{"name":"b","attributes":{"x":NaN}},{"name":"\ud800","attributes":{}}]"#;
    let decoded = decode(body.as_bytes(), BATCH).unwrap();
    let flags: Vec<_> = decoded.items.iter().map(|(event, _)| codes(event.as_ref().unwrap())).collect();
    assert_eq!(flags, [vec![], vec![("not-a-number", None)], vec![("lone-surrogate", None)]]);
}

#[test]
fn refuses_what_is_no_batch() {
    for (body, code) in [
        ("{}", "not-a-batch"),
        (r#"{"events":{}}"#, "not-a-batch"),
        (r#"{"events":null}"#, "not-a-batch"),
        ("7", "not-a-batch"),
        (r#"{"events":[{"a":1}"#, "truncated"),
        (r#"{"events":[{"a":1}]} x"#, "invalid-json"),
        ("[{},{},{},{}]", "too-many-events"),
    ] {
        assert_eq!(decode(body.as_bytes(), BATCH).unwrap_err().reason.code, code, "{body}");
    }
}

#[test]
fn inflates_within_the_limit() {
    let text = "x".repeat(10_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(inflate(&gzip, Encoding::Gzip, 10_000).unwrap(), text.as_bytes());
    let refusal = inflate(&gzip, Encoding::Gzip, 9_999).unwrap_err();
    assert_eq!((refusal.kind, &*refusal.reason.code), (RefusalKind::TooLarge, "too-large-decompressed"));
    assert_eq!(inflate(&gzip[..20], Encoding::Gzip, 10_000).unwrap_err().reason.code, "invalid-compression");
    assert_eq!(inflate(b"plain", Encoding::Gzip, 10).unwrap_err().reason.code, "invalid-compression");
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(b"{}").unwrap();
    assert_eq!(inflate(&zlib.finish().unwrap(), Encoding::Deflate, 10).unwrap(), b"{}");
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    raw.write_all(b"{}").unwrap();
    assert_eq!(inflate(&raw.finish().unwrap(), Encoding::Deflate, 10).unwrap(), b"{}");
}

#[test]
fn knows_encodings_by_name() {
    assert_eq!(Encoding::parse(" GZIP "), Ok(Some(Encoding::Gzip)));
    assert_eq!(Encoding::parse("identity"), Ok(None));
    assert_eq!(Encoding::parse("br").unwrap_err().kind, RefusalKind::UnsupportedEncoding);
}
