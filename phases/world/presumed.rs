//! The real machine and the real cluster as a dry run looks at them: what cannot be found out is presumed, told in one
//! line, and gone on with.
//!
//! While no dry run is on, every look and every change goes through as it is.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{
    Answer, Change, Cluster, ClusterError, Command, DryRun, Etcd, EtcdAccess, EtcdError, EtcdMember, EtcdStatus, Facts,
    FileInfo, Host, HostError, Identity, MemberChange, MemberId, ObjectChange, ObjectRef, Output, PortOwner, Probed,
    Probes, RuntimeStatus, Undo, UnitState,
};

/// An address for documentation (RFC 5737), which belongs to nobody.
const NOBODYS_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A port under the eyes of a dry run.
pub struct Presumed<P> {
    real: P,
    dry: DryRun,
}

impl<P> Presumed<P> {
    /// Over a real port.
    pub fn over(real: P, dry: &DryRun) -> Self {
        Self { real, dry: dry.clone() }
    }

    /// The real port.
    pub fn real(&self) -> &P {
        &self.real
    }

    /// Without rights to look, there is nothing.
    fn unless_forbidden<T>(&self, outcome: Result<T, HostError>, nothing: T) -> Result<T, HostError> {
        match outcome {
            Err(HostError::Read { path, source })
                if self.dry.is_on() && source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                self.dry.assume(format!("{} may not be read, and is taken for empty", path.display()));
                Ok(nothing)
            }
            outcome => outcome,
        }
    }

    /// A cluster that does not answer is there and has nothing.
    fn unless_away<T>(&self, outcome: Result<T, ClusterError>, nothing: T) -> Result<T, ClusterError> {
        match outcome {
            Err(error @ (ClusterError::Unreachable { .. } | ClusterError::Credentials { .. }))
                if self.dry.takes_cluster_for_granted() =>
            {
                self.dry.assume(format!("{error} ({}): the cluster is taken for empty", error.reason()));
                Ok(nothing)
            }
            outcome => outcome,
        }
    }

    /// An etcd that does not answer, or that nobody may ask here, has no members and is well.
    fn unless_silent<T>(&self, outcome: Result<T, EtcdError>, nothing: T) -> Result<T, EtcdError> {
        match outcome {
            Err(error @ (EtcdError::Unreachable { .. } | EtcdError::Credentials { .. }))
                if self.dry.takes_cluster_for_granted() =>
            {
                self.dry.assume(format!("{error} ({}): etcd is taken to be well", error.reason()));
                Ok(nothing)
            }
            outcome => outcome,
        }
    }

    fn refusal(&self, path: PathBuf) -> HostError {
        HostError::Write { action: "change", path, source: std::io::Error::other("a dry run changes nothing") }
    }
}

impl<H: Host> Host for Presumed<H> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, HostError> {
        self.unless_forbidden(self.real.read(path), None)
    }

    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        self.unless_forbidden(self.real.stat(path), None)
    }

    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError> {
        self.unless_forbidden(self.real.list(folder), Vec::new())
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, HostError> {
        self.real.resolve(path)
    }

    fn rootfs(&self) -> Option<&Path> {
        self.real.rootfs()
    }

    fn facts(&self) -> Result<Facts, HostError> {
        let mut facts = self.real.facts()?;
        if self.dry.needs_address() && facts.default_addresses.is_empty() {
            let own = facts.interfaces.iter().flat_map(|interface| &interface.addresses);
            let address = own.copied().find(is_reachable).unwrap_or(NOBODYS_ADDRESS);
            self.dry.assume(format!("there is no default route: the address of this machine is taken to be {address}"));
            facts.default_addresses.push(address);
        }
        Ok(facts)
    }

    fn listeners(&self) -> Result<Vec<PortOwner>, HostError> {
        self.real.listeners()
    }

    fn unit(&self, name: &str) -> Result<UnitState, HostError> {
        match self.real.unit(name) {
            Err(error) if self.dry.is_on() => {
                self.dry.assume(format!("the init system cannot be asked ({error}): {name} is taken for missing"));
                Ok(UnitState::default())
            }
            outcome => outcome,
        }
    }

    fn ask(&self, command: &Command) -> Result<Output, HostError> {
        let outcome = self.real.ask(command);
        let reason = match &outcome {
            Ok(output) if output.code == 0 => None,
            Ok(output) => Some(output.stderr.lines().next().unwrap_or("no reason is given").trim().to_owned()),
            Err(HostError::Command { source, .. }) => Some(source.to_string()),
            Err(_) => None,
        };
        if let Some(reason) = reason.filter(|_| self.dry.is_on()) {
            let words = command.words.join(" ");
            self.dry.assume(format!("`{words}` does not tell ({reason}): nothing is taken for its answer"));
        }
        outcome
    }

    fn ask_all(&self, commands: &[Command]) -> Result<Vec<Output>, HostError> {
        if self.dry.is_on() {
            return commands.iter().map(|command| self.ask(command)).collect();
        }
        self.real.ask_all(commands)
    }

    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        self.real.runtime(socket)
    }

    fn probe(&self, probes: &Probes) -> Probed {
        // Measuring a disk writes to it.
        let disk = if self.dry.is_on() { None } else { probes.disk.clone() };
        self.real.probe(&Probes { disk, ..probes.clone() })
    }

    fn prepare(&self, change: &Change) -> Result<Undo, HostError> {
        if self.dry.is_on() { Err(self.refusal(PathBuf::from("/"))) } else { self.real.prepare(change) }
    }

    fn apply(&self, change: &Change) -> Result<(), HostError> {
        if self.dry.is_on() { Err(self.refusal(PathBuf::from("/"))) } else { self.real.apply(change) }
    }

    fn settle(&self) -> Result<(), HostError> {
        self.real.settle()
    }
}

impl<C: Cluster> Cluster for Presumed<C> {
    fn get(&self, identity: &Identity, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        self.unless_away(self.real.get(identity, object), None)
    }

    fn list(&self, identity: &Identity, of: &ObjectRef, query: &str) -> Result<Vec<Value>, ClusterError> {
        self.unless_away(self.real.list(identity, of, query), Vec::new())
    }

    fn each(
        &self,
        identity: &Identity,
        of: &ObjectRef,
        query: &str,
        take: &mut dyn FnMut(Value),
    ) -> Result<(), ClusterError> {
        self.unless_away(self.real.each(identity, of, query, take), ())
    }

    fn watch(
        &self,
        identity: &Identity,
        object: &ObjectRef,
        within: Duration,
        enough: &mut dyn FnMut(Value) -> bool,
    ) -> Result<(), ClusterError> {
        self.unless_away(self.real.watch(identity, object, within, enough), ())
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        self.real.raw(identity, path)
    }

    fn prepare(&self, change: &ObjectChange) -> Result<Undo, ClusterError> {
        if self.dry.is_on() { Err(changes_nothing(change)) } else { self.real.prepare(change) }
    }

    fn apply(&self, change: &ObjectChange) -> Result<(), ClusterError> {
        if self.dry.is_on() { Err(changes_nothing(change)) } else { self.real.apply(change) }
    }
}

impl<E: Etcd> Etcd for Presumed<E> {
    fn members(&self, access: &EtcdAccess) -> Result<Vec<EtcdMember>, EtcdError> {
        self.unless_silent(self.real.members(access), Vec::new())
    }

    fn status(&self, access: &EtcdAccess, endpoint: &str) -> Result<EtcdStatus, EtcdError> {
        let well = EtcdStatus { leader: Some(MemberId::default()), errors: Vec::new() };
        self.unless_silent(self.real.status(access, endpoint), well)
    }

    fn prepare(&self, change: &MemberChange) -> Result<Undo, EtcdError> {
        if self.dry.is_on() { Err(members_stay(change)) } else { self.real.prepare(change) }
    }

    fn apply(&self, change: &MemberChange) -> Result<(), EtcdError> {
        if self.dry.is_on() { Err(members_stay(change)) } else { self.real.apply(change) }
    }
}

fn members_stay(change: &MemberChange) -> EtcdError {
    let source = std::io::Error::other("a dry run changes nothing");
    let endpoint = change.access.endpoints.first().cloned().unwrap_or_default();
    EtcdError::Refused { endpoint, action: change.to_string(), source }
}

fn changes_nothing(change: &ObjectChange) -> ClusterError {
    let source = std::io::Error::other("a dry run changes nothing");
    ClusterError::Credentials { place: change.object.to_string(), source }
}

fn is_reachable(address: &IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || is_link_local)
}

#[cfg(test)]
#[path = "presumed_tests.rs"]
mod tests;
