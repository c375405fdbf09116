//! Compiling apart: a child process of the same program, of low priority, with caps on memory and time. A compiler wants much of
//! both, and what it allocates would stay with a server that runs for weeks.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use crate::engine::{Memory, compiler};
use crate::wire::clip;

/// No compiled component is larger, bytes.
const MAX_CODE: u64 = 512 << 20;
/// What is kept of what a child complains of, bytes.
const MAX_COMPLAINT: usize = 512;

/// How a child that compiles is started, and what it may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// The program, whose `args` end in [`compile_piped`].
    pub program: PathBuf,
    /// What it is started with; a way of getting memory, a priority, MiB and seconds are put behind.
    pub args: Vec<OsString>,
    /// Memory, MiB of address space.
    pub memory_mib: u64,
    /// CPU time, seconds.
    pub seconds: u64,
    /// CPU time of a child that somebody waits for, seconds: one that takes longer begins again at the lowest priority.
    pub quick_seconds: u64,
}

/// How a child stands beside what else runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// A little below the server: somebody waits for it.
    Normal,
    /// Only what nobody else uses.
    Idle,
}

/// What a child made.
pub(crate) struct Made(Vec<u8>);

impl Made {
    /// Native code.
    pub(crate) fn code(&self) -> &[u8] {
        &self.0
    }
}

/// Why a child made nothing.
#[derive(Debug)]
pub(crate) enum Unmade {
    /// It had less than the whole of its CPU time, which was not enough.
    Slow,
    /// In words.
    Failed(String),
}

impl Compiler {
    /// Has a child compile `wasm` for a host of this kind. Blocks until it ends.
    ///
    /// # Errors
    /// [`Unmade`]; `Slow` at [`Priority::Normal`] only.
    pub(crate) fn run(&self, memory: Memory, priority: Priority, wasm: &[u8]) -> Result<Made, Unmade> {
        let seconds = if priority == Priority::Normal { self.seconds.min(self.quick_seconds) } else { self.seconds };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
        let niceness = if priority == Priority::Idle { "19" } else { "5" };
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .args([memory.as_str(), niceness, &self.memory_mib.to_string(), &seconds.to_string()])
            .env("RAYON_NUM_THREADS", threads.to_string())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Unmade::Failed(format!("the compiler does not start: {error}")))?;
        if let Some(mut input) = child.stdin.take() {
            // One that ended early tells why itself.
            let _ = input.write_all(wasm);
        }
        let output = child.wait_with_output().map_err(|error| Unmade::Failed(format!("the compiler's answer: {error}")))?;
        if output.status.success() && !output.stdout.is_empty() && output.stdout.len() as u64 <= MAX_CODE {
            return Ok(Made(output.stdout));
        }
        if seconds < self.seconds && is_out_of_time(output.status) {
            return Err(Unmade::Slow);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // A panic, and memory that is not to be had, end in a hint for programmers.
        let said = said.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with("note: ")).unwrap_or_default();
        let limits = format!("at most {} MiB of memory and {} s of CPU time", self.memory_mib, self.seconds);
        Err(Unmade::Failed(match said {
            _ if is_out_of_time(output.status) => format!("the compiler was ended by the system ({}); it has {limits}", output.status),
            "" => format!("the compiler ended with {}; it has {limits}", output.status),
            said => format!("{}; the compiler has {limits}", clip(said, MAX_COMPLAINT)),
        }))
    }
}

/// Whether the system ended a child, as it does when the CPU time is used up.
fn is_out_of_time(status: ExitStatus) -> bool {
    status.signal().is_some_and(|signal| [Signal::KILL, Signal::XCPU].iter().any(|known| known.as_raw() == signal))
}

/// The child's side: limits itself, reads a component from standard input and writes native code to standard output. `limits` are
/// the last arguments that [`Compiler`] gave.
///
/// # Errors
/// Why it cannot, in words for the last line of standard error.
pub fn compile_piped(limits: &[String]) -> Result<(), String> {
    let [memory, niceness, mib, seconds] = limits else {
        return Err("wants a way of getting memory, a priority, MiB and seconds".into());
    };
    let memory = Memory::parse(memory).ok_or_else(|| format!("`{memory}` is no way of getting memory"))?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
    restrict(number(niceness)?, number(mib)?.saturating_mul(1 << 20), number(seconds)?)
        .map_err(|error| format!("limits cannot be set: {error}"))?;
    let mut wasm = Vec::new();
    io::stdin().read_to_end(&mut wasm).map_err(|error| format!("the component cannot be read: {error}"))?;
    let engine = compiler(memory).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&wasm).map_err(|error| format!("{error:#}").replace('\n', " "))?;
    let mut out = io::stdout();
    out.write_all(&code).and_then(|()| out.flush()).map_err(|error| format!("the code cannot be written: {error}"))
}

/// Takes the priority and the caps, and ends with the server.
fn restrict(niceness: u64, memory: u64, seconds: u64) -> Result<(), rustix::io::Errno> {
    let cap = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::As, cap(memory))?;
    setrlimit(Resource::Cpu, cap(seconds))?;
    setrlimit(Resource::Core, cap(0))?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Threads that are made later have the priority of this one.
    nice(niceness.min(19) as i32).map(drop)
}
