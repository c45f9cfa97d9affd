//! A node as tests see it: a machine on which commands run, files are written and read, and whose power can be cut.
//! Everything known about a node is also in its file in the run's state folder, for `e2e shell` and `e2e exec`.

pub mod cgroups;
mod nspawn;

use crate::command::{self, Output};
use crate::failure::Failure;
use crate::run::{Record, Run};
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

/// How long a command on a node may take unless it says otherwise.
pub const SOON: Duration = Duration::from_secs(60);

/// One node. Dropping it leaves it running; the run takes it away.
#[derive(Debug)]
pub struct Node {
    pub name: String,
    pub address: Ipv4Addr,
    folder: PathBuf,
    record: Record,
}

/// The part of a node that changes while it lives.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Life {
    host: u8,
    init: Option<i32>,
    routes: Vec<String>,
}

impl Node {
    /// Makes a node and switches it on. A name is free again after `destroy`.
    pub fn create(run: &Run, name: &str) -> Result<Self, Failure> {
        let mut nodes = Self::create_all(run, &[name])?;
        nodes.pop().ok_or_else(|| Failure::new("no node was made", name))
    }

    /// Makes several nodes at the same time; the first name gets the lowest address.
    pub fn create_all(run: &Run, names: &[&str]) -> Result<Vec<Self>, Failure> {
        let claimed: Vec<Self> = names.iter().map(|name| Self::claim(&run.record, name)).collect::<Result<_, _>>()?;
        let made: Result<(), Failure> = thread::scope(|scope| {
            let threads: Vec<_> = claimed.iter().map(|node| scope.spawn(|| node.make())).collect();
            let ended = threads.into_iter().map(ScopedJoinHandle::join);
            let outcome =
                |made: thread::Result<_>| made.unwrap_or_else(|_| Err(Failure::new("making a node panicked", "")));
            ended.map(outcome).collect::<Vec<_>>().into_iter().collect()
        });
        made.map(|()| claimed)
    }

    fn make(&self) -> Result<(), Failure> {
        nspawn::make_disk(&self.record, self)?;
        self.install_kubestrap()?;
        nspawn::boot(&self.record, self)
    }

    /// A node that another process made.
    pub fn load(record: &Record, name: &str) -> Result<Self, Failure> {
        let mut node = Self {
            name: name.to_owned(),
            address: Ipv4Addr::UNSPECIFIED,
            folder: record.folder.join(name),
            record: record.clone(),
        };
        node.address = record.address(node.life()?.host);
        Ok(node)
    }

    /// Takes a name and an address; several nodes may be made at the same time.
    fn claim(record: &Record, name: &str) -> Result<Self, Failure> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let host = free_host(record)?;
        let (folder, record) = (record.folder.join(name), record.clone());
        let node = Self { name: name.to_owned(), address: record.address(host), folder, record };
        if node.file().exists() {
            return Err(Failure::new(format!("cannot make node {name}"), "this run has a node of that name"));
        }
        node.write_life(&Life { host, ..Life::default() })?;
        Ok(node)
    }

    /// Runs a command and gives what it said, whatever its exit code.
    pub fn run(&self, arguments: &[&str]) -> Result<Output, Failure> {
        self.run_with(arguments, b"", SOON)
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Result<Output, Failure> {
        self.run(arguments)?.success()
    }

    /// Runs a shell script that must succeed.
    pub fn script(&self, text: &str) -> Result<Output, Failure> {
        self.ok(&["sh", "-euc", text])
    }

    /// Runs a command with input and a time limit. At the limit the command gets SIGTERM, five seconds later SIGKILL.
    pub fn run_with(&self, arguments: &[&str], stdin: &[u8], within: Duration) -> Result<Output, Failure> {
        let seconds = within.as_secs().to_string();
        let limited = [&["timeout", "--kill-after=5", &seconds], arguments].concat();
        let mut command = self.command(&limited.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let mut output = command::run(&mut command, stdin, within + Duration::from_secs(10))?;
        output.command = format!("[{}] {}", self.name, arguments.join(" "));
        if matches!(output.code, Some(124 | 137)) && output.took >= within {
            return Err(Failure::new(format!("a command was stopped after {seconds} s"), output));
        }
        Ok(output)
    }

    /// The command as a process of this machine, for callers that want its terminal or its process number.
    pub fn command(&self, arguments: &[String]) -> Result<Command, Failure> {
        Ok(nspawn::inside(self.init()?, arguments))
    }

    fn init(&self) -> Result<i32, Failure> {
        self.life()?.init.ok_or_else(|| Failure::new(format!("node {} is switched off", self.name), ""))
    }

    /// Writes a file with its folders. Mode as in chmod.
    pub fn write(&self, path: &str, text: &str, mode: &str) -> Result<(), Failure> {
        let script = r#"mkdir -p "$(dirname "$1")"; umask 077; cat >"$1"; chmod "$2" "$1""#;
        self.run_with(&["sh", "-euc", script, "sh", path, mode], text.as_bytes(), SOON)?.success()?;
        Ok(())
    }

    pub fn read(&self, path: &str) -> Result<String, Failure> {
        Ok(self.ok(&["cat", path])?.stdout)
    }

    pub fn exists(&self, path: &str) -> Result<bool, Failure> {
        Ok(self.run(&["test", "-e", path])?.code == Some(0))
    }

    /// Gives a file an extended attribute; nodes have no program that does.
    pub fn set_attribute(&self, path: &str, name: &str, value: &str) -> Result<(), Failure> {
        xattr::set(self.seen_from_here(path)?, name, value.as_bytes())
            .map_err(|error| Failure::new(format!("cannot set {name} of {path} on node {}", self.name), error))
    }

    /// A path of the running node, what is mounted there included, as this machine's processes can name it.
    pub fn seen_from_here(&self, path: &str) -> Result<PathBuf, Failure> {
        Ok(PathBuf::from(format!("/proc/{}/root", self.init()?)).join(path.trim_start_matches('/')))
    }

    /// Adds a route that outlives a power cut, as `ip route` takes it.
    pub fn add_route(&self, route: &str) -> Result<(), Failure> {
        self.script(&format!("ip route replace {route}"))?;
        let mut life = self.life()?;
        life.routes.push(route.to_owned());
        self.write_life(&life)
    }

    pub fn cut_power(&self) -> Result<(), Failure> {
        nspawn::cut_power(&self.record, self)
    }

    /// Takes the end of a file off, on the disk of a node whose power was cut: what a program had written but not synced
    /// would be lost on a machine. A file that is shorter, or not there, stays so.
    pub fn shorten(&self, path: &str, length: u64) -> Result<(), Failure> {
        let path = self.root().join(path.trim_start_matches('/'));
        let failed = |error: std::io::Error| Failure::new(format!("cannot shorten {}", path.display()), error);
        let Ok(found) = fs::metadata(&path) else { return Ok(()) };
        let file = fs::OpenOptions::new().write(true).open(&path).map_err(failed)?;
        file.set_len(length.min(found.len())).map_err(failed)
    }

    /// Switches the node on again.
    pub fn boot(&self) -> Result<(), Failure> {
        nspawn::boot(&self.record, self)
    }

    /// Takes the node away, disk and all.
    pub fn destroy(self) -> Result<(), Failure> {
        nspawn::cut_power(&self.record, &self)?;
        crate::clean::forget_root(&self.root());
        crate::clean::unmount_below(&[&self.folder])?;
        crate::clean::gone(&self.folder)?;
        let _ = fs::remove_file(self.file());
        Ok(())
    }

    /// The program under test. Without one, nodes have kubeadm only.
    fn install_kubestrap(&self) -> Result<(), Failure> {
        let Some(program) = kubestrap_program() else { return Ok(()) };
        let target = self.root().join("usr/bin/kubestrap");
        fs::copy(&program, &target)
            .map(|_| ())
            .map_err(|error| Failure::new(format!("cannot copy {} to node {}", program.display(), self.name), error))
    }

    /// The node's file system as seen from this machine.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn file(&self) -> PathBuf {
        self.record.state().join("nodes").join(&self.name)
    }

    fn network_namespace(&self) -> PathBuf {
        self.record.state().join("net").join(&self.name)
    }

    fn link(&self, record: &Record) -> String {
        // Names of links have at most 15 characters, so the node's own name does not fit.
        format!("{}-{}", record.prefix(), self.address.octets()[3])
    }

    fn cgroup(&self, record: &Record) -> String {
        format!("{}-{}", record.prefix(), self.name)
    }

    fn routes(&self) -> Result<Vec<String>, Failure> {
        Ok(self.life()?.routes)
    }

    fn set_init(&self, init: Option<i32>) -> Result<(), Failure> {
        let life = self.life()?;
        if life.init == init { Ok(()) } else { self.write_life(&Life { init, ..life }) }
    }

    fn life(&self) -> Result<Life, Failure> {
        let path = self.file();
        let text = fs::read_to_string(&path).map_err(|error| {
            Failure::new(format!("there is no node {}", self.name), format!("{}: {error}", path.display()))
        })?;
        serde_json::from_str(&text).map_err(|error| Failure::new(format!("cannot read {}", path.display()), error))
    }

    fn write_life(&self, life: &Life) -> Result<(), Failure> {
        let path = self.file();
        let text = serde_json::to_string(life).map_err(|error| Failure::new("cannot describe a node", error))?;
        fs::write(&path, text).map_err(|error| Failure::new(format!("cannot write {}", path.display()), error))
    }
}

/// Names of the run's nodes.
pub fn names(record: &Record) -> Vec<String> {
    let entries = fs::read_dir(record.state().join("nodes")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// KUBESTRAP_BIN, or the release build of this checkout, if there is one.
pub fn kubestrap_program() -> Option<PathBuf> {
    let built = crate::target().join("release/kubestrap");
    let program = std::env::var_os("KUBESTRAP_BIN").map_or(built, PathBuf::from);
    Path::exists(&program).then_some(program)
}

fn free_host(record: &Record) -> Result<u8, Failure> {
    let taken = names(record)
        .iter()
        .map(|name| Ok(Node::load(record, name)?.address.octets()[3]))
        .collect::<Result<Vec<_>, Failure>>()?;
    (11..=250)
        .find(|host| !taken.contains(host))
        .ok_or_else(|| Failure::new("cannot make another node", "all addresses are taken"))
}
