//! Units of the init system: systemd, or OpenRC where there is no systemctl.
//!
//! The kubelet's unit restarts itself every 10 s until its configuration is there, and is `activating` in between; a
//! restart ends that pause at once.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use kubestrap_phases::world::{Command, HostError, UnitAction, UnitState};

use nix::time::{ClockId, clock_gettime};

use super::commands;
use super::fresh::Fresh;

const SHOWN: &str = "LoadState,UnitFileState,ActiveState,SubState,NRestarts,ExecMainStatus,MainPID,\
                     ActiveEnterTimestampMonotonic,NeedDaemonReload";

/// Units, and what was just seen of them.
#[derive(Default)]
pub(super) struct Units {
    seen: Fresh<String, Seen>,
}

#[derive(Clone, Default)]
struct Seen {
    state: UnitState,
    /// Whether systemd has to read its files again before it acts.
    files_changed: bool,
}

impl Units {
    /// The state of a unit now.
    pub(super) fn state(&self, name: &str) -> Result<UnitState, HostError> {
        let seen = look(name)?;
        let state = seen.state.clone();
        self.seen.keep(name.to_owned(), seen);
        Ok(state)
    }

    /// The state of a unit as it was just seen, unless something was changed since.
    pub(super) fn last_state(&self, name: &str) -> Result<UnitState, HostError> {
        self.seen.last(name).map_or_else(|| self.state(name), |seen| Ok(seen.state))
    }

    /// Something was changed: what was seen may be so no longer.
    pub(super) fn forget(&self) {
        self.seen.forget();
    }

    /// Acts on a unit and waits until the init system has done it.
    pub(super) fn act(&self, name: &str, action: UnitAction) -> Result<(), HostError> {
        let starts = matches!(action, UnitAction::Start | UnitAction::Restart);
        let seen = self.seen.last(name);
        self.forget();
        // Also when it cannot be asked.
        let reads_files = || seen.map_or_else(|| look(name), Ok).map_or(true, |seen| seen.files_changed);
        act(name, action, starts && reads_files())
    }
}

/// Looks at a unit; where there is no init system, no unit exists.
fn look(name: &str) -> Result<Seen, HostError> {
    let show = Command::new(&["systemctl", "show", "-p", SHOWN, name]);
    match commands::ask(&show) {
        Ok(output) if output.code == 0 => Ok(from_systemd(&output.stdout, since_boot())),
        // systemctl is installed but systemd is not this machine's init.
        Ok(output) if output.stderr.contains("not been booted") || output.stderr.contains("connect to bus") => {
            Ok(Seen::default())
        }
        Ok(output) => Err(HostError::Command {
            command: show.words.join(" "),
            source: Error::other(commands::last_words(&output)),
        }),
        Err(error) if is_not_installed(&error) => of_openrc(name).map(|state| Seen { state, files_changed: false }),
        Err(error) => Err(error),
    }
}

fn act(name: &str, action: UnitAction, files_changed: bool) -> Result<(), HostError> {
    if files_changed {
        match commands::run(&Command::new(&["systemctl", "daemon-reload"])) {
            Err(error) if is_not_installed(&error) => return act_openrc(name, action),
            other => other.map(|_| ())?,
        }
    }
    match commands::run(&Command::new(&["systemctl", action.word(), name])) {
        Err(error) if is_not_installed(&error) => act_openrc(name, action),
        other => other.map(|_| ()),
    }
}

fn is_not_installed(error: &HostError) -> bool {
    matches!(error, HostError::Command { source, .. } if source.kind() == ErrorKind::NotFound)
}

fn from_systemd(text: &str, now: Duration) -> Seen {
    let mut state = UnitState::default();
    let mut files_changed = true;
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match key {
            "LoadState" => {
                state.exists = value != "not-found";
                state.masked = value == "masked";
            }
            // What `systemctl is-enabled` counts as enabled.
            "UnitFileState" => {
                state.enabled =
                    matches!(value, "enabled" | "enabled-runtime" | "static" | "alias" | "indirect" | "generated");
            }
            "ActiveState" => value.clone_into(&mut state.active),
            "SubState" => value.clone_into(&mut state.sub),
            "NRestarts" => state.restarts = value.parse().unwrap_or(0),
            "ExecMainStatus" => state.exit_code = value.parse().unwrap_or(0),
            "MainPID" => state.pid = value.parse().unwrap_or(0),
            // Microseconds of the clock that `since_boot` reads; 0 when it never was active.
            "ActiveEnterTimestampMonotonic" => {
                let entered = value.parse().ok().filter(|&entered| entered > 0).map(Duration::from_micros);
                state.active_for = entered.map(|entered| now.saturating_sub(entered));
            }
            "NeedDaemonReload" => files_changed = value != "no",
            _ => {}
        }
    }
    Seen { state, files_changed }
}

fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// OpenRC knows services without a suffix.
fn service(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

fn of_openrc(name: &str) -> Result<UnitState, HostError> {
    let name = service(name);
    let exists = match commands::ask(&Command::new(&["rc-service", "--exists", name])) {
        Ok(output) => output.code == 0,
        Err(error) if is_not_installed(&error) => false,
        Err(error) => return Err(error),
    };
    if !exists {
        return Ok(UnitState::default());
    }
    let status = commands::ask(&Command::new(&["rc-service", name, "status"]))?;
    let default = commands::ask(&Command::new(&["rc-update", "show", "default"]))?;
    Ok(UnitState {
        exists: true,
        enabled: default.stdout.lines().any(|line| line.split('|').next().is_some_and(|word| word.trim() == name)),
        active: if status.code == 0 { "active" } else { "inactive" }.to_owned(),
        ..UnitState::default()
    })
}

fn act_openrc(name: &str, action: UnitAction) -> Result<(), HostError> {
    let name = service(name);
    let command = match action {
        UnitAction::Enable => Command::new(&["rc-update", "add", name, "default"]),
        _ => Command::new(&["rc-service", name, action.word()]),
    };
    commands::run(&command).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_that_restarts_itself_is_read_from_systemd() {
        let text = "MainPID=0\nNRestarts=12\nExecMainStatus=255\nLoadState=loaded\nActiveState=activating\n\
                    SubState=auto-restart\nUnitFileState=enabled\nActiveEnterTimestampMonotonic=4000000\n";
        let expected = UnitState {
            exists: true,
            masked: false,
            enabled: true,
            active: "activating".to_owned(),
            sub: "auto-restart".to_owned(),
            restarts: 12,
            exit_code: 255,
            pid: 0,
            active_for: Some(Duration::from_secs(6)),
        };
        assert_eq!(from_systemd(text, Duration::from_secs(10)).state, expected);
    }

    #[test]
    fn a_unit_that_is_not_there_does_not_exist_and_is_not_enabled() {
        let text = "MainPID=0\nNRestarts=0\nExecMainStatus=0\nLoadState=not-found\nActiveState=inactive\n\
                    SubState=dead\nUnitFileState=\n";
        let state = from_systemd(text, Duration::from_secs(10)).state;
        assert_eq!((state.exists, state.enabled, state.active.as_str()), (false, false, "inactive"));
    }

    #[test]
    fn a_masked_unit_exists_and_may_not_start() {
        let state =
            from_systemd("LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n", Duration::ZERO).state;
        assert_eq!((state.exists, state.masked, state.enabled), (true, true, false));
    }

    #[test]
    fn which_unit_file_states_count_as_enabled() {
        for (word, enabled) in [("enabled", true), ("static", true), ("disabled", false), ("masked", false)] {
            assert_eq!(from_systemd(&format!("UnitFileState={word}"), Duration::ZERO).state.enabled, enabled, "{word}");
        }
    }

    #[test]
    fn a_unit_nobody_knows_does_not_exist_on_this_machine() {
        let state = Units::default().state("kubestrap-no-such-unit.service").unwrap();
        assert_eq!((state.exists, state.enabled, state.pid), (false, false, 0));
    }

    #[test]
    fn files_are_read_again_unless_systemd_says_that_it_knows_them() {
        for (text, expected) in [("NeedDaemonReload=no\n", false), ("NeedDaemonReload=yes\n", true), ("", true)] {
            assert_eq!(from_systemd(text, Duration::ZERO).files_changed, expected, "{text}");
        }
    }

    #[test]
    fn what_was_seen_counts_until_something_is_changed() {
        let units = Units::default();
        let seen = Seen { state: UnitState { pid: 7, ..UnitState::default() }, files_changed: false };
        units.seen.keep("kubestrap-no-such-unit.service".to_owned(), seen);
        let last = || units.last_state("kubestrap-no-such-unit.service").unwrap().pid;
        assert_eq!(last(), 7);
        units.forget();
        assert_eq!(last(), 0, "it is asked anew");
    }
}
