//! `audit verify --url`: asks a server that runs, with the token of its reads.

use std::sync::Arc;

use telemetry_model::time::SystemClock;
use telemetry_server::config::Secret;
use telemetry_server::{Config, RunningServer, serve};
use tokio::runtime::Runtime;

use crate::desk::Desk;

const TOKEN: &str = "a-token-of-this-test-0001";

fn guarded(desk: &Desk) -> (Runtime, RunningServer) {
    let mut config = Config::default();
    config.server.port = 0;
    config.server.read_token = Some(Secret::new(TOKEN));
    config.database.path = desk.path("server/cylestio.db");
    std::fs::create_dir(desk.path("server")).unwrap();
    let runtime = Runtime::new().unwrap();
    let running = runtime.block_on(serve(config, Arc::new(SystemClock))).unwrap();
    (runtime, running)
}

#[test]
fn verify_sends_the_token_of_a_file_or_of_the_configuration() {
    let desk = Desk::new();
    let (runtime, running) = guarded(&desk);
    desk.write("token", format!("{TOKEN}\n"));
    desk.write("wrong", "a-token-of-another-server");
    let url = format!("http://{}", running.addr);
    let said = desk.run(&format!("audit verify --url {url}"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("wants the token of its reads: name the file that holds it with --token-file"), "{}", said.err);
    assert_eq!(desk.run(&format!("audit verify --url {url} --token-file wrong")).code, 1);
    let said = desk.run(&format!("audit verify --url {url} --token-file token"));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("the journal holds"), "{}", said.out);
    for variable in [("CYLESTIO_SERVER__READ_TOKEN_FILE", "token"), ("CYLESTIO_SERVER__READ_TOKEN", TOKEN)] {
        let said = desk.run_with(&format!("audit verify --url {url}"), &[variable]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let said = desk.run(&format!("audit verify --url {url} --token-file none"));
    assert!(said.err.contains("--token-file: `none` cannot be read"), "{}", said.err);
    assert_eq!(desk.run("audit verify --token-file token").code, 2, "it is for a server that runs");
    runtime.block_on(running.shutdown());
}
