//! Running a program of this machine with input and a time limit, and keeping everything it said. Programs on nodes
//! are run through this too, see `nodes`.

use crate::failure::Failure;
use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// What a program that has ended left behind.
#[derive(Debug, Clone)]
pub struct Output {
    pub command: String,
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Output {
    /// Turns any exit code but 0 into a failure that shows what the program said.
    pub fn success(self) -> Result<Self, Failure> {
        if self.code == Some(0) { Ok(self) } else { Err(Failure::new("a command failed", self)) }
    }

    /// The first line of standard output, without blanks around it.
    pub fn line(&self) -> &str {
        self.stdout.lines().next().unwrap_or_default().trim()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "$ {}", self.command)?;
        match self.code {
            Some(code) => writeln!(out, "exit code {code} after {:.1} s", self.took.as_secs_f32())?,
            None => writeln!(out, "ended by a signal after {:.1} s", self.took.as_secs_f32())?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in text.lines() {
                writeln!(out, "{name}: {line}")?;
            }
        }
        Ok(())
    }
}

/// Runs `command` to its end, but not longer than `within`.
pub fn run(command: &mut Command, stdin: &[u8], within: Duration) -> Result<Output, Failure> {
    let shown = shown(command);
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::new(format!("cannot run {shown}"), error))?;
    let mut input = child.stdin.take();
    let stdin = stdin.to_vec();
    // A program that does not read its input ends the writer with a broken pipe, which is no failure.
    thread::spawn(move || input.as_mut().map(|pipe| pipe.write_all(&stdin)));
    let stdout = collected(child.stdout.take());
    let stderr = collected(child.stderr.take());
    let status =
        ended(&mut child, started + within).map_err(|error| Failure::new(format!("cannot wait for {shown}"), error))?;
    // What a program left running in the background may hold the pipes; its words are not waited for.
    let patience = Duration::from_secs(2);
    let output = Output {
        command: shown,
        code: status.and_then(|status| status.code()),
        stdout: stdout.recv_timeout(patience).unwrap_or_default(),
        stderr: stderr.recv_timeout(patience).unwrap_or_default(),
        took: started.elapsed(),
    };
    if status.is_none() {
        return Err(Failure::new(format!("a command was stopped after {} s", within.as_secs()), output));
    }
    Ok(output)
}

/// Runs a program of this machine that must succeed soon.
pub fn here(program: &str, arguments: &[&str]) -> Result<Output, Failure> {
    run(Command::new(program).args(arguments), b"", Duration::from_secs(60))?.success()
}

fn ended(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(Duration::from_millis(5));
    }
}

fn collected(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // Bytes read before an error are kept.
            let _ = pipe.read_to_end(&mut bytes);
        }
        sender.send(String::from_utf8_lossy(&bytes).into_owned())
    });
    receiver
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
