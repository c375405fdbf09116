//! A plugin that was granted a clock and sleeps: it costs its own call, nobody else's.

use std::time::{Duration, Instant};

use super::guest::Guest;
use super::{event, outcomes, status};
use crate::harness::Server;

#[test]
fn a_sleeping_call_holds_up_nobody_else() {
    let server = Server::start_with(|config, folder| {
        // With one worker the sleeper would hold up everyone, if it could.
        config.server.workers = 1;
        Guest::sleeper("sleeper").drop_into(folder);
        std::fs::write(folder.join("grants.toml"), "[sleeper]\nwasi = [\"clock\"]\n").expect("a file");
    });
    assert_eq!(status(&server, "sleeper")["state"], "serving", "{}", status(&server, "sleeper"));
    std::thread::scope(|scope| {
        let began = Instant::now();
        let sleeping = scope.spawn(|| server.accept(&event(30_000)));
        let mut beside = 0;
        while !sleeping.is_finished() {
            server.accept(&event(0));
            beside += 1;
            assert!(began.elapsed() < Duration::from_secs(25), "it sleeps through");
        }
        // The sleeper is stopped after two seconds; others are answered all the while.
        assert!(beside > 5, "{beside} events beside the sleeper");
        assert_eq!(outcomes(&server, "sleeper"), [("deadline".to_owned(), 1), ("ok".to_owned(), beside)]);
    });
    assert_eq!(status(&server, "sleeper")["last_failure"], "waited longer than 2000 ms");
}
