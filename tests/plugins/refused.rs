//! Files that are not loaded: the server starts without them and says why.

use telemetry_devkit::section::append;
use telemetry_plugins::MANIFEST_SECTION;

use super::guest::{Guest, component, manifest, put, raw_component};
use super::{degraded, goes_on, status};
use crate::harness::Server;

const GOOD: &str = "(i64.const 7)";

/// A server over a folder with the file `bad.wasm` refuses it under `id`, says so, and goes on.
fn refuses(id: &str, bytes: &[u8], says: &str) {
    let server = Server::start_with(|_, folder| put(folder, "bad", bytes));
    let plugin = status(&server, id);
    assert_eq!(plugin["state"], "refused", "{plugin}");
    let error = plugin["error"].as_str().expect("an error");
    assert!(error.contains(says), "{error}");
    assert_eq!(degraded(&server, id).as_deref(), Some(error));
    goes_on(&server);
}

fn good() -> Guest {
    Guest::enricher("bad", GOOD)
}

/// An empty instance under the enricher's name; what a component imports is looked at before what its functions are.
fn importing(import: &str) -> Vec<u8> {
    let text = format!(
        r#"(component (import "{import}" (instance)) (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#
    );
    raw_component(&text, &good().manifest)
}

#[test]
fn the_guest_these_are_made_of_is_good() {
    let server = super::server(&[&good()]);
    assert_eq!(status(&server, "bad")["state"], "serving", "{}", status(&server, "bad"));
    goes_on(&server);
    assert_eq!(server.count("select count(*) from attributes where key = 'bad.mark' and value = 7"), 4);
}

#[test]
fn refuses_a_missing_export() {
    let text = r#"(component (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#;
    refuses("bad", &raw_component(text, &good().manifest), "has no function `configure`");
}

#[test]
fn refuses_the_interface_of_another_kind() {
    let guest = good();
    refuses("bad", &guest.clone().under(guest.manifest.replace("enricher", "metric")).bytes(), "a metric exports `agent-telemetry:metric/");
}

#[test]
fn refuses_another_series() {
    let mut bytes = good().bytes();
    let (old, new) = (b"agent-telemetry:enricher/enricher@0.1.0-rc", b"agent-telemetry:enricher/enricher@0.9.0-rc");
    let places: Vec<_> = bytes.windows(old.len()).enumerate().filter(|(_, window)| window == old).map(|(at, _)| at).collect();
    places.iter().for_each(|at| bytes[*at..*at + old.len()].copy_from_slice(new));
    refuses("bad", &bytes, "is of another series than this host's `agent-telemetry:enricher/enricher@0.1.0-rc`");
}

#[test]
fn refuses_functions_of_another_shape() {
    let text = r#"(component
      (core module $m
        (memory (export "memory") 1)
        (func (export "f") (param i32) (result i32) (i32.const 0)))
      (core instance $i (instantiate $m))
      (func $f (param "config" u32) (result u32) (canon lift (core func $i "f")))
      (instance $e (export "configure" (func $f)) (export "enrich" (func $f)))
      (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $e)))"#;
    refuses("bad", &raw_component(text, &good().manifest), "link: ");
}

#[test]
fn refuses_sockets() {
    let unasked = "imports `wasi:sockets/tcp@0.2.0`, but its manifest does not ask for it: capabilities.wasi = [\"address:IP:PORT\"]";
    refuses("bad", &importing("wasi:sockets/tcp@0.2.0"), unasked);
    refuses("bad", &importing("wasi:http/outgoing-handler@0.2.0"), "imports `wasi:http/outgoing-handler@0.2.0`, which is never linked");
}

#[test]
fn refuses_tables_that_the_manifest_does_not_ask_for() {
    refuses("bad", &importing("agent-telemetry:host/lookup@0.1.0-rc"), "capabilities.lookup");
}

#[test]
fn refuses_an_import_that_nobody_offers() {
    refuses("bad", &importing("agent-telemetry:host/files@0.1.0-rc"), "which this host does not offer");
}

#[test]
fn refuses_a_core_module() {
    let module = wat::parse_str(good().wat).expect("a module");
    refuses("bad", &module, "a core module, not a component");
}

#[test]
fn refuses_a_truncated_file() {
    let bytes = good().bytes();
    for len in [bytes.len() - 1, bytes.len() / 2, 9] {
        refuses("bad", &bytes[..len], "parse: ");
    }
}

#[test]
fn refuses_noise() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    refuses("bad", &noise.take(1 << 20).collect::<Vec<_>>(), "parse: not WebAssembly: it does not begin with `\\0asm`");
}

#[test]
fn refuses_a_gigabyte_by_its_size() {
    let server = Server::start_with(|_, folder| {
        let file = std::fs::File::create(folder.join("plugins/bad.wasm")).expect("a file");
        file.set_len(1 << 30).expect("a sparse file");
    });
    let error = status(&server, "bad")["error"].as_str().expect("an error").to_owned();
    assert!(error.contains("1073741824 bytes, at most 33554432"), "{error}");
    goes_on(&server);
}

#[test]
fn refuses_links_folders_and_pipes() {
    let server = Server::start_with(|_, folder| {
        let plugins = folder.join("plugins");
        std::fs::write(folder.join("outside"), good().bytes()).expect("a file");
        std::os::unix::fs::symlink(folder.join("outside"), plugins.join("link.wasm")).expect("a link");
        std::fs::create_dir(plugins.join("folder.wasm")).expect("a folder");
        // A pipe would keep whoever opens it waiting for a writer.
        let made = std::process::Command::new("mkfifo").arg(plugins.join("pipe.wasm")).status().expect("mkfifo");
        assert!(made.success());
    });
    for (id, reason) in [("link", "links are not followed"), ("folder", "not a regular file"), ("pipe", "not a regular file")] {
        assert!(status(&server, id)["error"].as_str().expect("an error").contains(reason), "{id}");
    }
    goes_on(&server);
}

#[test]
fn refuses_shared_memory() {
    let text = r#"(component (core module (memory 1 1 shared))
      (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#;
    refuses("bad", &raw_component(text, &good().manifest), "threads must be enabled");
}

#[test]
fn refuses_threads() {
    let text = r#"(component (core module (memory 1) (func (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))))
      (instance $i) (export "agent-telemetry:enricher/enricher@0.1.0-rc" (instance $i)))"#;
    refuses("bad", &raw_component(text, &good().manifest), "threads support is not enabled");
    refuses("bad", &importing("wasi:thread/spawn@0.1.0"), "imports `wasi:thread/spawn@0.1.0`, which is never linked");
}

#[test]
fn refuses_memory_that_starts_too_large() {
    refuses("bad", &good().with("\"memory\") 4)", "\"memory\") 2000)").bytes(), "instantiate: was refused memory beyond 64 MiB");
}

#[test]
fn refuses_one_that_loops_or_traps_when_configured() {
    let configure = "(func (export \"INTERFACE#configure\") (param i32 i32) (result i32)";
    let looping = good().with(configure, &format!("{configure} (loop $ever (br $ever))"));
    refuses("bad", &looping.bytes(), "configure: used up its");
    let trapping = good().with(configure, &format!("{configure} (call $panic)"));
    refuses("bad", &trapping.bytes(), "configure: trapped");
}

#[test]
fn refuses_one_that_loops_when_it_starts() {
    let starting = good().with("(func $fine", "(func $start (loop $ever (br $ever))) (start $start) (func $fine");
    refuses("bad", &starting.bytes(), "instantiate: used up its");
}

#[test]
fn refuses_a_manifest_that_is_missing_or_doubled() {
    refuses("bad", &component("enricher", &good().wat), "has no custom section `agent-telemetry:manifest`");
    let mut twice = good().bytes();
    append(&mut twice, MANIFEST_SECTION, good().manifest.as_bytes());
    refuses("bad", &twice, "2 custom sections");
}

#[test]
fn refuses_a_manifest_inside_the_core_module() {
    let inner = good().with("(module", &format!("(module (@custom \"{MANIFEST_SECTION}\" \"id = 1\")"));
    refuses("bad", &component("enricher", &inner.wat), "stands inside a core module");
    refuses("bad", &inner.bytes(), "stands inside a core module");
}

#[test]
fn refuses_hostile_manifests() {
    let text = good().manifest;
    let ten_megabytes = text.clone() + &"# x\n".repeat(10 << 18);
    for (manifest, says) in [
        (text.clone() + "[extra]\na = 1\n", "line 10: unknown field `extra`"),
        (text.replace("version", "versoin"), "line 2: unknown field `versoin`"),
        (ten_megabytes, "larger than 64 KiB"),
        (format!("id = {}", "[".repeat(60_000)), "line 1"),
        (text.replace("\"bad\"", "\"../../etc/passwd\""), "`../../etc/passwd` is not kebab-case"),
        (text.replace("\"bad\"", "\"a/b\""), "`a/b` is not kebab-case"),
        (text.replace("\"bad\"", &format!("\"{}\"", "a".repeat(65))), "at most 64 bytes"),
        (text.replace("attributes[\"llm.usage.n\"]", "event.nmae"), "reads[0]"),
        (text.replace("attributes[\"llm.usage.n\"]", "call.model"), "reads[0]"),
        (text.clone() + "[[writes]]\nkey = \"bad.mark\"\ntype = \"text\"\n", "`bad.mark` is declared twice"),
        (text.clone() + &"[[reads]]\nfield = \"event.name\"\ntype = \"text\"\n".repeat(64), "65 columns, at most 64"),
        (text.clone() + "[limits]\nmemory_mib = 4096\n", "the ceiling is 64"),
        (text.clone() + "[limits]\ndeadline_ms = 0\n", "limits.deadline_ms"),
        (text.replace("\"enricher\"", "\"exporter\""), "line 3: unknown variant `exporter`"),
        ("\u{0}\u{1}".to_owned(), "line 1"),
    ] {
        refuses("bad", &good().under(manifest).bytes(), says);
    }
    let mut invalid = component("enricher", &good().wat);
    append(&mut invalid, MANIFEST_SECTION, b"id = \"\xff\"");
    refuses("bad", &invalid, "not UTF-8");
}

#[test]
fn refuses_a_shipped_id_unless_told() {
    let mine = good().under(manifest("event-category", "enricher", &[("event.name", "text")], &[("event.category", "text")]));
    let server = Server::start_with(|_, folder| put(folder, "mine", &mine.bytes()));
    let reason = degraded(&server, "event-category").expect("a reason");
    assert!(reason.contains("is the id of a shipped plugin"), "{reason}");
    // Under that id stands the one that serves.
    assert_eq!(
        (&status(&server, "event-category")["state"], &status(&server, "event-category")["origin"]),
        (&"serving".into(), &"shipped".into())
    );
    goes_on(&server);
}

#[test]
fn refuses_the_second_of_two_that_write_one_key() {
    let first = good();
    let second = good().under(first.manifest.replace("id = \"bad\"", "id = \"second\""));
    let server = Server::start_with(|_, folder| {
        put(folder, "1", &first.bytes());
        put(folder, "2", &second.bytes());
    });
    assert_eq!(status(&server, "bad")["state"], "serving");
    assert_eq!(degraded(&server, "second").as_deref(), Some("conflict: `second` and `bad` both write `bad.mark`"));
    goes_on(&server);
}
