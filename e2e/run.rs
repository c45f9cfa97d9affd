//! A run: everything that one process of the harness makes on this machine carries the run's number, so that runs
//! stand side by side and one run's things can be found and removed without its help. Its state folder is
//! /run/kubestrap-e2e/NUMBER. A warden, a process of its own, removes all of it when the owner ends, however it ends.

use crate::clean;
use crate::command::here;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where all runs keep their state.
pub const STATE: &str = "/run/kubestrap-e2e";

/// One run of the harness.
#[derive(Debug)]
pub struct Run {
    pub record: Record,
    warden: Option<Child>,
}

/// What must be known about a run to remove it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub number: u8,
    pub owner: Owner,
    /// What nodes are made of, see `prepare/all`.
    pub prepared: PathBuf,
    /// Holds the nodes' folders; on the same file system as `prepared`.
    pub folder: PathBuf,
    /// The cgroups under which those of the nodes are made.
    pub cgroups: Vec<PathBuf>,
}

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pid: u32,
    started: String,
}

impl Run {
    /// Begins a run. `program` is the `e2e` program, which serves as warden; `prepared` comes from `prepare/all`.
    pub fn begin(program: &Path, prepared: &Path) -> Result<Self, Failure> {
        clean::dead_runs()?;
        let record = claim(prepared)?;
        let name = record.number.to_string();
        // Its own session: a Ctrl-C or a closed terminal that ends the owner must not end the warden.
        let warden = Command::new("setsid")
            .arg(program)
            .args(["warden", &name])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure::new("cannot start the warden", error))?;
        let run = Self { record, warden: Some(warden) };
        allow_inotify_instances()?;
        let bridge = run.record.prefix();
        here("ip", &["link", "add", &bridge, "type", "bridge"])?;
        here("ip", &["addr", "add", &format!("{}/24", run.record.address(1)), "dev", &bridge])?;
        here("ip", &["link", "set", &bridge, "up"])?;
        Ok(run)
    }

    /// Lets the nodes stay when this process ends; `clean` leaves them alone, `down` removes them.
    pub fn keep(&self) -> Result<(), Failure> {
        let path = self.record.state().join("kept");
        fs::write(&path, "").map_err(|error| Failure::new(format!("cannot write {}", path.display()), error))
    }
}

/// All nodes share the machine's inotify instances, and Debian allows 128; without one, containerd leaves its CRI service
/// out. The limit is raised and stays so: other runs may need it.
fn allow_inotify_instances() -> Result<(), Failure> {
    const LIMIT: &str = "/proc/sys/fs/inotify/max_user_instances";
    let failed = |error: std::io::Error| Failure::new(format!("cannot raise {LIMIT}"), error);
    let allowed: u32 = fs::read_to_string(LIMIT).map_err(failed)?.trim().parse().unwrap_or(0);
    if allowed < 1024 { fs::write(LIMIT, "1024").map_err(failed) } else { Ok(()) }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(mut warden) = self.warden.take() {
            // The warden begins when the pipe is closed, and it is closed by the kernel if we do not get here.
            drop(warden.stdin.take());
            let _ = warden.wait();
        }
    }
}

impl Record {
    pub fn load(number: u8) -> Result<Self, Failure> {
        let path = Path::new(STATE).join(number.to_string()).join("run.json");
        let unreadable = |error: &dyn std::fmt::Display| Failure::new(format!("cannot read {}", path.display()), error);
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&error))?;
        serde_json::from_str(&text).map_err(|error| unreadable(&error))
    }

    /// All runs there are, dead or alive.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(STATE).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut records: Vec<Self> = numbers.filter_map(|number| Self::load(number).ok()).collect();
        records.sort_by_key(|record| record.number);
        records
    }

    pub fn state(&self) -> PathBuf {
        Path::new(STATE).join(self.number.to_string())
    }

    pub fn is_kept(&self) -> bool {
        self.state().join("kept").exists()
    }

    pub fn is_owned(&self) -> bool {
        Owner::of(self.owner.pid).as_ref() == Some(&self.owner)
    }

    /// Begins the name of every link and cgroup of this run; also the bridge's name.
    pub fn prefix(&self) -> String {
        format!("ke2e-{}", self.number)
    }

    /// Address `host` in the run's own subnet. 1 is this machine.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, host)
    }
}

impl Owner {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses and may contain blanks; field 22 is the start time.
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let state = fields.next()?;
        (state != "Z").then_some(())?;
        Some(Self { pid, started: fields.nth(18)?.to_owned() })
    }
}

/// Takes the first free number. A state folder appears complete, by renaming, or not at all.
fn claim(prepared: &Path) -> Result<Record, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::new(format!("cannot begin a run in {STATE}"), error);
    let pid = std::process::id();
    let owner = Owner::of(pid).ok_or_else(|| fail(&"cannot read /proc/self/stat"))?;
    let cache = prepared.ancestors().nth(2).unwrap_or(prepared);
    let taken = here("ip", &["-4", "-brief", "addr"])?.stdout;
    let new = Path::new(STATE).join(format!(".new-{pid}"));
    for number in 1..=254 {
        if taken.contains(&format!(" 10.77.{number}.")) {
            continue;
        }
        let folder = cache.join("nodes").join(number.to_string());
        let cgroups = crate::nodes::cgroups::parents()?;
        let record = Record { number, owner: owner.clone(), prepared: prepared.to_owned(), folder, cgroups };
        let text = serde_json::to_string_pretty(&record).map_err(|error| fail(&error))?;
        fs::create_dir_all(new.join("nodes")).map_err(|error| fail(&error))?;
        fs::write(new.join("run.json"), text).map_err(|error| fail(&error))?;
        if fs::rename(&new, record.state()).is_ok() {
            fs::create_dir_all(&record.folder).map_err(|error| fail(&error))?;
            return Ok(record);
        }
    }
    let _ = fs::remove_dir_all(&new);
    Err(fail(&"all 254 subnets 10.77.N.0/24 are taken"))
}
