//! The `Host` port over a Linux machine: hands each look and each change to the file that knows it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread::{JoinHandle, ScopedJoinHandle};

use kubestrap_phases::world::{
    Change, Command, Content, Facts, FileInfo, Host, HostError, Mount, Output, PortOwner, Probed, Probes,
    RuntimeStatus, Undo, UnitState,
};

use super::mounts::Mounted;
use super::root::Root;
use super::runtime::Runtimes;
use super::units::Units;
use super::{commands, facts, files, mounts, ports, probes, remote, tree, undo};

/// Where programs are looked for when the environment does not tell.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine this program runs on, or the files of one that does not run.
pub(crate) struct Linux {
    root: Root,
    kept: PathBuf,
    proxies: Vec<(String, String)>,
    search_path: OsString,
    runtimes: Runtimes,
    mounted: Mounted,
    units: Units,
    facts: facts::Kept,
    changed: files::Changed,
    versions: RefCell<BTreeMap<Vec<String>, Version>>,
}

/// What a program says of its version. Starting a kubelet, only to ask it, costs a tenth of a second.
enum Version {
    Known(Output),
    Asked(JoinHandle<Result<Output, HostError>>),
}

impl Linux {
    /// With its state folder, a path of this system, which is made when the first copy is kept in it.
    pub(crate) fn new(state: &Path) -> Self {
        Self {
            root: Root::default(),
            kept: kept(state),
            proxies: Vec::new(),
            search_path: OsString::from(USUAL_PATH),
            runtimes: Runtimes::default(),
            mounted: Mounted::default(),
            units: Units::default(),
            facts: facts::Kept::default(),
            changed: files::Changed::default(),
            versions: RefCell::default(),
        }
    }

    /// Asks a program for its version while other things go on; whoever wants to know it later need not wait.
    pub(crate) fn ask_version_ahead(&self, program: &str) {
        if self.root.folder().is_none() {
            let command = Command::new(&[program, "--version"]);
            let words = command.words.clone();
            let asked = std::thread::spawn(move || commands::ask(&command));
            self.versions.borrow_mut().insert(words, Version::Asked(asked));
        }
    }

    /// Asked by resolving and again by preflight.
    fn version(&self, command: &Command) -> Result<Output, HostError> {
        let output = match self.versions.borrow_mut().remove(&command.words) {
            Some(Version::Known(output)) => output,
            Some(Version::Asked(asked)) => asked.join().unwrap_or_else(|_| commands::ask(command))?,
            None => commands::ask(command)?,
        };
        self.versions.borrow_mut().insert(command.words.clone(), Version::Known(output.clone()));
        Ok(output)
    }

    /// With its files below this root.
    #[must_use]
    pub(crate) fn below(mut self, root: &Root) -> Self {
        self.root = root.clone();
        self
    }

    /// Keeps content beside the journal, under its digest: what an object of the cluster was before a change.
    pub(crate) fn keep(state: &Path, content: &Content) -> Result<PathBuf, HostError> {
        undo::keep_content(&kept(state), content)
    }

    /// What is done by a running system; nobody does it below another root.
    fn running(&self, action: impl FnOnce() -> String) -> Result<(), HostError> {
        match self.root.folder() {
            Some(folder) => Err(HostError::not_running(action(), folder)),
            None => Ok(()),
        }
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
        files::read(&self.root.target(path).map_err(cannot_read(path))?)
    }

    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        let entry = self.root.entry(path).map_err(cannot_read(path))?;
        let found = look(&entry, &self.mounted.all()?)?;
        Ok(found.map(|found| FileInfo { path: path.to_owned(), ..found }))
    }

    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError> {
        let mounted = self.mounted.all()?;
        let target = self.root.target(folder).map_err(cannot_read(folder))?;
        remote::can_be_listed(&target, &mounted)?;
        let mut found = Vec::new();
        for path in files::names(&target)? {
            // An entry that went away since is no entry.
            let entry = look(&path, &mounted)?;
            let name = path.file_name().unwrap_or_default();
            found.extend(entry.map(|entry| FileInfo { path: folder.join(name), ..entry }));
        }
        Ok(found)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, HostError> {
        // Below another root nothing is mounted for it.
        Ok(if self.root.folder().is_some() { path.to_owned() } else { mounts::followed(path) })
    }

    fn rootfs(&self) -> Option<&Path> {
        self.root.folder()
    }

    fn facts(&self) -> Result<Facts, HostError> {
        facts::look(&self.root, (&self.search_path, &self.proxies), &self.mounted.all()?, &self.facts)
    }

    fn listeners(&self) -> Result<Vec<PortOwner>, HostError> {
        ports::listeners()
    }

    fn unit(&self, name: &str) -> Result<UnitState, HostError> {
        // Where nothing runs, no unit does.
        if self.root.folder().is_some() { Ok(UnitState::default()) } else { self.units.state(name) }
    }

    fn ask(&self, command: &Command) -> Result<Output, HostError> {
        self.running(|| format!("run {}", command.words.join(" ")))?;
        let asks_for_version = command.words.last().is_some_and(|word| word == "--version");
        if asks_for_version { self.version(command) } else { commands::ask(command) }
    }

    fn ask_all(&self, questions: &[Command]) -> Result<Vec<Output>, HostError> {
        self.running(|| "run other programs".to_owned())?;
        std::thread::scope(|scope| {
            let asked: Vec<_> =
                questions.iter().map(|question| (question, scope.spawn(|| commands::ask(question)))).collect();
            // One that has panicked is asked again here.
            let answer = |(question, asked): (&Command, ScopedJoinHandle<'_, _>)| {
                asked.join().unwrap_or_else(|_| commands::ask(question))
            };
            asked.into_iter().map(answer).collect()
        })
    }

    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        self.running(|| "ask the container runtime".to_owned())?;
        self.runtimes.status(socket)
    }

    fn probe(&self, probes: &Probes) -> Probed {
        probes::ask(probes, &self.root)
    }

    fn prepare(&self, change: &Change) -> Result<Undo, HostError> {
        undo::of(change, (&self.kept, &self.root), &self.units, &self.changed)
    }

    fn apply(&self, change: &Change) -> Result<(), HostError> {
        // Nothing else that we change is what the facts speak of.
        if matches!(change, Change::Run { .. } | Change::RemoveSandbox { .. }) {
            self.facts.forget();
        }
        if !matches!(change, Change::Unit { .. }) {
            self.units.forget();
        }
        let entry = |path| self.root.entry(path).map_err(cannot_write(path));
        let running = || self.running(|| change.summary());
        match change {
            Change::File { path, content, mode, like } => {
                let like = like.as_deref().map(|kept| self.root.entry(kept).map_err(cannot_write(kept))).transpose()?;
                files::write(&entry(path)?, (content.bytes(), *mode), like.as_deref(), &self.changed)
            }
            Change::Folder { path, mode } => {
                files::make_folder(&self.root.target(path).map_err(cannot_write(path))?, *mode, &self.changed)
            }
            // Its target is written as it is: that is how the system below the root will follow it.
            Change::Link { path, target } => files::link(&entry(path)?, target, &self.changed),
            Change::Owner { path, uid, gid, mode } => files::own(&entry(path)?, (*uid, *gid), *mode),
            Change::AddAccount(account) => running().and_then(|()| commands::run(&account.add_command()).map(|_| ())),
            Change::RemoveAccount(account) => {
                running().and_then(|()| commands::run(&account.remove_command()).map(|_| ()))
            }
            Change::Remove { path, .. } => files::remove(&entry(path)?, &self.changed),
            Change::RemoveTree { path } => tree::remove(&entry(path)?, &self.mounted.all()?, &self.changed),
            Change::Unit { name, action } => running().and_then(|()| self.units.act(name, *action)),
            Change::Unmount { path, flags } => running().and_then(|()| self.mounted.unmount(path, flags)),
            Change::PullImages(pull) => running().and_then(|()| self.runtimes.pull(pull)),
            Change::RemoveSandbox { socket, id, pod } => {
                running().and_then(|()| self.runtimes.remove_sandbox(socket, id, pod))
            }
            Change::Run { command, .. } => running().and_then(|()| commands::run(command).map(|_| ())),
            Change::Object(_) | Change::Member(_) => Err(HostError::Command {
                command: change.summary(),
                source: std::io::Error::other("the host does not change the cluster"),
            }),
        }
    }

    fn settle(&self) -> Result<(), HostError> {
        self.changed.sync()
    }
}

fn look(path: &Path, mounted: &[Mount]) -> Result<Option<FileInfo>, HostError> {
    match remote::known(path, mounted)? {
        Some(found) => Ok(Some(found)),
        None => files::stat(path, &|path| Ok(mounts::is_mount_point(mounted, path))),
    }
}

fn cannot_read(path: &Path) -> impl FnOnce(std::io::Error) -> HostError {
    move |source| HostError::Read { path: path.to_owned(), source }
}

fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> HostError {
    move |source| HostError::Write { action: "write", path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "linux_tests.rs"]
mod tests;
