//! Running other programs: no shell, and a failure keeps the command and the last lines it wrote.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command as Process, Stdio};

use kubestrap_phases::world::{Command, HostError, Output};

/// How many of a failed command's last lines are kept.
const KEPT_LINES: usize = 10;

/// Runs a command and takes its answer, whatever its exit code.
pub(super) fn ask(command: &Command) -> Result<Output, HostError> {
    run_process(command).map_err(|source| HostError::Command { command: command.words.join(" "), source })
}

/// Runs a command that has to succeed.
pub(super) fn run(command: &Command) -> Result<Output, HostError> {
    let output = ask(command)?;
    if output.code == 0 {
        return Ok(output);
    }
    Err(HostError::Command { command: command.words.join(" "), source: io::Error::other(last_words(&output)) })
}

/// The end of what a command wrote, or how it ended when it wrote nothing.
pub(super) fn last_words(output: &Output) -> String {
    let text = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines: Vec<&str> = text.trim().lines().collect();
    let last = lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n");
    match (last.is_empty(), output.code) {
        (false, _) => last,
        (true, -1) => "a signal ended it".to_owned(),
        (true, code) => format!("it ended with exit code {code} and wrote nothing"),
    }
}

fn run_process(command: &Command) -> io::Result<Output> {
    let Some((program, arguments)) = command.words.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command has no words"));
    };
    let mut process = Process::new(program);
    process.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C goes to the terminal's process group: the change at hand is to be finished, so it runs in a group of its own.
    process.process_group(0);
    process.stdin(if command.input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = process.spawn()?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        if let (Some(mut stdin), Some(input)) = (stdin, &command.input) {
            // A program that does not read all of its input says by its exit code whether that matters.
            scope.spawn(move || stdin.write_all(input.as_bytes()).is_ok());
        }
        child.wait_with_output()
    })?;
    Ok(Output { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) })
}

/// What is text already is not copied: some programs write much.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_goes_in_and_output_comes_out_without_a_shell() {
        let large = "$(touch /nowhere) ".repeat(20_000);
        let command = Command { words: vec!["cat".to_owned()], input: Some(large.clone()) };
        let output = run(&command).unwrap();
        assert_eq!((output.code, output.stdout == large), (0, true));
    }

    #[test]
    fn a_failed_command_is_reported_with_its_last_words() {
        let command = Command::new(&["sh", "-c", "echo first >&2; echo no such unit >&2; exit 5"]);
        assert_eq!(ask(&command).unwrap().code, 5);
        let HostError::Command { command, source } = run(&command).unwrap_err() else { panic!("another error") };
        assert!(command.starts_with("sh -c"), "{command}");
        assert_eq!(source.to_string(), "first\nno such unit");
    }

    #[test]
    fn a_program_that_is_not_there_and_one_that_says_nothing_are_reported() {
        let HostError::Command { source, .. } = ask(&Command::new(&["kubestrap-no-such-program"])).unwrap_err() else {
            panic!("another error")
        };
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
        let HostError::Command { source, .. } = run(&Command::new(&["false"])).unwrap_err() else {
            panic!("another error")
        };
        assert_eq!(source.to_string(), "it ended with exit code 1 and wrote nothing");
    }
}
