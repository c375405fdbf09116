//! What holds for every text, however it is made: the work is linear, what is remembered changes nothing, and no more is said than a
//! masker may say.

use cylestio_plugin_sdk::testing::json;

use crate::pem::{Headers, private_key};
use crate::scan::{MOST, Secret, scan};
use crate::set::LOOKED_AT;
use crate::token::Run;
use crate::{MARKS, keys};

/// What the shapes are made of, whole and in parts; all made up.
const PARTS: [&str; 60] = [
    "sk-",
    "sk-ant-",
    "sk-proj-",
    "ghp_",
    "github_pat_",
    "AKIA",
    "AIza",
    "eyJhbGciOiJ",
    ".eyJ",
    ".",
    "SG.",
    "Bearer ",
    "://",
    "://u:",
    "@h",
    "@",
    ":",
    "AccountKey=",
    "SecretAccessKey",
    "aws_secret_access_key",
    "=\"",
    "\"",
    " ",
    "\\n",
    "\\u00e9",
    "\\",
    "\n",
    "-",
    "--",
    "-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ",
    "-----END PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED",
    "DEK-Info: x\n",
    "a1B2c3D4e5F6g7H8",
    "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "A1B2C3D4E5F6G7H8",
    "0123456789",
    "aaaaaaaaaaaaaaaa",
    "x",
    "_",
    "xoxb-",
    ":AA",
    "hooks.slack.com/services/",
    "/",
    "...",
    "\u{e9}",
    "%40",
    "$",
    "pcsk_",
    "n",
    "u",
    "K",
    "G",
    "I",
    "J",
    "+",
    "=",
];

fn found(text: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    scan::<false>(text.as_bytes(), 0, |secret| found.push(secret));
    found
}

/// Numbers below `below`, always the same.
fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % below
    }
}

/// Text that repeats each part, or a few of them.
fn repeating(size: usize) -> Vec<String> {
    let mut number = numbers(0x9e37_79b9_7f4a_7c15);
    let mut some = |count: usize| (0..count).map(|_| PARTS[number(PARTS.len())]).collect::<String>();
    let several: Vec<String> = (0..200).map(|text| some(2 + text % 4)).collect();
    PARTS.iter().map(|part| (*part).to_owned()).chain(several).map(|part| part.repeat(size / part.len())).collect()
}

#[test]
fn the_work_is_linear() {
    for text in repeating(20_000) {
        LOOKED_AT.set(0);
        let _ = found(&text);
        let times = LOOKED_AT.get() / text.len();
        assert!(times <= 20, "each byte {times} times: {:?}", text.get(..80));
    }
}

#[test]
fn what_is_remembered_changes_nothing() {
    let mut number = numbers(0x2545_f491_4f6c_dd1d);
    for _ in 0..5_000 {
        let text: String = (0..2 + number(12)).map(|_| PARTS[number(PARTS.len())]).collect();
        let (text, mut run, mut headers) = (text.as_bytes(), Run::default(), Headers::default());
        for at in 0..text.len() {
            match text[at] {
                b'K' => assert_eq!(keys::capital_k(text, at, &mut run), keys::capital_k(text, at, &mut Run::default())),
                b'-' => assert_eq!(private_key(text, at, &mut headers), private_key(text, at, &mut Headers::default())),
                _ => {}
            }
        }
    }
}

#[test]
fn finds_are_in_order_and_their_marks_within_what_may_be_said() {
    for text in repeating(20_000).into_iter().chain(["://:abc@h", "AKIAIOSFODNN7EXAMPLE "].map(|part| part.repeat(100_000))) {
        let (mut end, mut written) = (0, 0);
        let found = found(&text);
        for secret in &found {
            assert!(secret.place.start >= end && secret.place.end > secret.place.start && text.get(secret.place.clone()).is_some());
            end = secret.place.end;
            written += MARKS[secret.kind as usize].1;
        }
        assert!(found.len() <= MOST && written <= 2 * text.len() + 256, "{written} of {}: {:?}", text.len(), text.get(..80));
    }
}

#[test]
fn passwords_that_touch_are_one_find_and_addresses_in_a_list_are_not() {
    let found = |text: &str| json!(found(text).iter().map(|secret| &text[secret.place.clone()]).collect::<Vec<_>>());
    assert_eq!(found("://:abc@h://:def@h"), json!(["abc@h://:def"]));
    assert_eq!(found("amqp://a:hunter2@h,amqp://b:hunter3@h"), json!(["hunter2", "hunter3"]));
}

#[test]
fn behind_very_many_finds_nothing_is_let_through() {
    let key = "AKIAIOSFODNN7EXAMPLE ";
    let text = key.repeat(MOST + 9);
    let found = found(&text);
    assert_eq!((found.len(), found.last().map(|last| last.place.clone())), (MOST, Some((MOST - 1) * key.len()..text.len() - 1)));
    // A kind that is left alone is no part of it.
    let (mut kept, left) = (0, 1 << found[0].kind as u64);
    scan::<false>((text + "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8").as_bytes(), left, |secret| kept += secret.place.len());
    assert_eq!(kept, 40);
}

#[test]
fn a_private_key_right_behind_a_word_is_found() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END PRIVATE KEY-----";
    assert_eq!(found(&format!("key{key}")).first().map(|secret| secret.place.clone()), Some(3..3 + key.len()));
}
