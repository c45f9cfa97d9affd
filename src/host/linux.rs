//! The `Host` port over a Linux machine: hands each look and each change to the file that knows it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kubestrap_phases::world::{
    Change, Command, Content, Facts, FileInfo, Host, HostError, Output, Probed, Probes, RuntimeStatus, Undo, UnitState,
};

use super::runtime::Runtimes;
use super::{commands, facts, files, mounts, probes, tree, undo, units};

/// Where programs are looked for when the environment does not tell.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine this program runs on.
pub(crate) struct Linux {
    kept: PathBuf,
    proxies: Vec<(String, String)>,
    search_path: OsString,
    runtimes: Runtimes,
    host_name_addresses: OnceCell<Vec<IpAddr>>,
    versions: RefCell<BTreeMap<Vec<String>, Output>>,
}

impl Linux {
    /// With its state folder, which is made when the first copy is kept in it.
    pub(crate) fn new(state: &Path) -> Self {
        Self {
            kept: kept(state),
            proxies: Vec::new(),
            search_path: OsString::from(USUAL_PATH),
            runtimes: Runtimes::default(),
            host_name_addresses: OnceCell::new(),
            versions: RefCell::default(),
        }
    }

    /// Keeps content beside the journal, under its digest: what an object of the cluster was before a change.
    pub(crate) fn keep(state: &Path, content: &Content) -> Result<PathBuf, HostError> {
        undo::keep_content(&kept(state), content)
    }

    /// With what matters of our own environment: the search path, and proxy variables that are not empty, in order.
    #[must_use]
    pub(crate) fn with_environment(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        for (name, value) in variables {
            if name == "PATH" {
                self.search_path = value;
                continue;
            }
            let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
            if name.to_ascii_lowercase().ends_with("_proxy") && !value.is_empty() {
                self.proxies.push((name, value));
            }
        }
        self
    }
}

fn kept(state: &Path) -> PathBuf {
    state.join("kept")
}

impl Host for Linux {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, HostError> {
        files::read(path)
    }

    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        files::stat(path, &|path| Ok(mounts::is_mount_point(&mounts::all()?, path)))
    }

    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError> {
        let mounted = mounts::all()?;
        let mut found = Vec::new();
        for path in files::names(folder)? {
            // An entry that went away since is no entry.
            found.extend(files::stat(&path, &|path| Ok(mounts::is_mount_point(&mounted, path)))?);
        }
        Ok(found)
    }

    fn facts(&self) -> Result<Facts, HostError> {
        facts::look(&self.search_path, &self.proxies, &self.host_name_addresses)
    }

    fn unit(&self, name: &str) -> Result<UnitState, HostError> {
        units::state(name)
    }

    fn ask(&self, command: &Command) -> Result<Output, HostError> {
        // Asked by resolving and again by preflight; starting the kubelet costs a tenth of a second.
        let asks_for_version = command.words.last().is_some_and(|word| word == "--version");
        if asks_for_version && let Some(known) = self.versions.borrow().get(&command.words) {
            return Ok(known.clone());
        }
        let output = commands::ask(command)?;
        if asks_for_version {
            self.versions.borrow_mut().insert(command.words.clone(), output.clone());
        }
        Ok(output)
    }

    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        self.runtimes.status(socket)
    }

    fn probe(&self, probes: &Probes) -> Probed {
        probes::ask(probes)
    }

    fn prepare(&self, change: &Change) -> Result<Undo, HostError> {
        undo::of(change, &self.kept)
    }

    fn apply(&self, change: &Change) -> Result<(), HostError> {
        match change {
            Change::File { path, content, mode } => files::write(path, content.bytes(), *mode),
            Change::Folder { path, mode } => files::make_folder(path, *mode),
            Change::Link { path, target } => files::link(path, target),
            Change::Remove { path } => files::remove(path),
            Change::RemoveTree { path } => tree::remove(path, &mounts::all()?),
            Change::Unit { name, action } => units::act(name, *action),
            Change::Unmount { path, flags } => mounts::unmount(path, flags),
            Change::PullImages(pull) => self.runtimes.pull(pull),
            Change::RemoveSandbox { socket, id, pod } => self.runtimes.remove_sandbox(socket, id, pod),
            Change::Run { command, .. } => commands::run(command).map(|_| ()),
            Change::Object(_) | Change::Member(_) => Err(HostError::Command {
                command: change.summary(),
                source: std::io::Error::other("the host does not change the cluster"),
            }),
        }
    }
}

#[cfg(test)]
#[path = "linux_tests.rs"]
mod tests;
