//! What is presumed in a dry run, and that nothing is while none is on.

use std::io::{Error, ErrorKind};

use super::*;
use crate::world::{Content, FileKind, Interface, MemberAction, Overlay, Verb};

/// A machine that lets nobody look into one folder, has no init system that answers, and no default route.
struct Locked(Overlay<'static>);

impl Host for Locked {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, HostError> {
        match path.starts_with("/etc/kubernetes") {
            true => Err(HostError::Read { path: path.to_owned(), source: Error::from(ErrorKind::PermissionDenied) }),
            false => self.0.read(path),
        }
    }

    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        self.0.stat(path)
    }

    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError> {
        Host::list(&self.0, folder)
    }

    fn rootfs(&self) -> Option<&Path> {
        self.0.rootfs()
    }

    fn facts(&self) -> Result<Facts, HostError> {
        self.0.facts()
    }

    fn listeners(&self) -> Result<Vec<PortOwner>, HostError> {
        self.0.listeners()
    }

    fn unit(&self, name: &str) -> Result<UnitState, HostError> {
        Err(HostError::Command { command: format!("systemctl show {name}"), source: Error::other("no bus") })
    }

    fn ask(&self, _command: &Command) -> Result<Output, HostError> {
        Ok(Output { code: 4, stdout: String::new(), stderr: "Permission denied (you must be root)\n".to_owned() })
    }

    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        self.0.runtime(socket)
    }

    fn prepare(&self, change: &Change) -> Result<Undo, HostError> {
        Host::prepare(&self.0, change)
    }

    fn apply(&self, change: &Change) -> Result<(), HostError> {
        Host::apply(&self.0, change)
    }
}

/// A cluster that nobody can reach.
struct Away;

impl Away {
    fn error() -> ClusterError {
        let source = Error::from(ErrorKind::ConnectionRefused);
        ClusterError::Unreachable { server: "https://10.0.0.1:6443".to_owned(), source }
    }
}

impl Cluster for Away {
    fn get(&self, _: &Identity, _: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        Err(Self::error())
    }

    fn list(&self, _: &Identity, _: &ObjectRef, _: &str) -> Result<Vec<Value>, ClusterError> {
        Err(Self::error())
    }

    fn raw(&self, _: &Identity, _: &str) -> Result<Answer, ClusterError> {
        Err(Self::error())
    }

    fn prepare(&self, _: &ObjectChange) -> Result<Undo, ClusterError> {
        Ok(Undo::Nothing)
    }

    fn apply(&self, _: &ObjectChange) -> Result<(), ClusterError> {
        Ok(())
    }
}

fn dry() -> DryRun {
    let dry = DryRun::default();
    dry.begin();
    dry.need_address();
    dry
}

fn locked() -> Locked {
    Locked(Overlay::default().with_file("/etc/kubernetes/admin.conf", "secret", 0o600))
}

fn admin() -> Identity {
    Identity::Kubeconfig("/etc/kubernetes/admin.conf".into())
}

fn node() -> ObjectRef {
    ObjectRef::new("v1", "Node", "", "n1")
}

#[test]
fn what_may_not_be_read_is_taken_for_empty_and_told() {
    let dry = dry();
    let host = Presumed::over(locked(), &dry);
    let path = Path::new("/etc/kubernetes/admin.conf");
    assert_eq!(host.read(path).unwrap(), None);
    assert_eq!(host.stat(path).unwrap().map(|found| found.kind), Some(FileKind::File));
    assert_eq!(dry.assumed(), ["/etc/kubernetes/admin.conf may not be read, and is taken for empty"]);
}

#[test]
fn a_machine_without_default_route_has_its_own_address_or_one_of_nobody() {
    for (addresses, expected) in
        [(vec!["127.0.0.1", "169.254.0.9", "10.0.0.5"], "10.0.0.5"), (vec!["127.0.0.1", "fe80::1"], "192.0.2.1")]
    {
        let addresses = addresses.into_iter().map(|address| address.parse().unwrap()).collect();
        let mut machine = locked();
        machine.0.facts.interfaces = vec![Interface { name: "eth0".to_owned(), addresses, mtu: 1500 }];
        let dry = dry();
        let facts = Presumed::over(machine, &dry).facts().unwrap();
        assert_eq!(facts.default_addresses, [expected.parse::<IpAddr>().unwrap()]);
        assert!(dry.assumed()[0].contains(expected), "{:?}", dry.assumed());
    }
}

#[test]
fn an_init_system_and_a_command_that_do_not_tell_are_told() {
    let dry = dry();
    let host = Presumed::over(locked(), &dry);
    assert_eq!(host.unit("kubelet.service").unwrap(), UnitState::default());
    host.ask(&Command::new(&["iptables-save"])).unwrap();
    let assumed = dry.assumed();
    assert!(assumed[0].contains("kubelet.service is taken for missing"), "{assumed:?}");
    assert!(assumed[1].starts_with("`iptables-save` does not tell (Permission denied"), "{assumed:?}");
}

#[test]
fn a_cluster_that_does_not_answer_is_empty_only_where_it_is_taken_for_granted() {
    let dry = dry();
    let cluster = Presumed::over(Away, &dry);
    cluster.get(&admin(), &node()).unwrap_err();
    dry.take_cluster_for_granted(true);
    assert_eq!(cluster.get(&admin(), &node()).unwrap(), None);
    assert_eq!(cluster.list(&admin(), &node(), "").unwrap(), [] as [Value; 0]);
    cluster.raw(&admin(), "/readyz").unwrap_err();
    assert_eq!(dry.assumed().len(), 1, "{:?}", dry.assumed());
}

/// An etcd that nobody may ask here.
struct Silent;

impl Etcd for Silent {
    fn members(&self, access: &EtcdAccess) -> Result<Vec<EtcdMember>, EtcdError> {
        let source = Error::from(ErrorKind::PermissionDenied);
        Err(EtcdError::Credentials { path: access.key.display().to_string(), source })
    }

    fn status(&self, _: &EtcdAccess, endpoint: &str) -> Result<EtcdStatus, EtcdError> {
        let source = Error::from(ErrorKind::ConnectionRefused);
        Err(EtcdError::Unreachable { endpoint: endpoint.to_owned(), source })
    }

    fn prepare(&self, _: &MemberChange) -> Result<Undo, EtcdError> {
        Ok(Undo::Nothing)
    }

    fn apply(&self, _: &MemberChange) -> Result<(), EtcdError> {
        Ok(())
    }
}

fn removal() -> MemberChange {
    let file = |name: &str| PathBuf::from("/etc/kubernetes/pki/etcd").join(name);
    MemberChange {
        access: EtcdAccess {
            endpoints: vec!["https://10.0.0.1:2379".to_owned()],
            ca: file("ca.crt"),
            certificate: file("client.crt"),
            key: file("client.key"),
        },
        node: "n1".to_owned(),
        peer_url: "https://10.0.0.1:2380".to_owned(),
        action: MemberAction::Remove(MemberId(1)),
    }
}

#[test]
fn an_etcd_that_does_not_answer_is_well_only_where_the_cluster_is_taken_for_granted() {
    let dry = dry();
    let (etcd, access) = (Presumed::over(Silent, &dry), removal().access);
    etcd.members(&access).unwrap_err();
    dry.take_cluster_for_granted(true);
    assert_eq!(etcd.members(&access).unwrap(), []);
    assert_eq!(etcd.status(&access, &access.endpoints[0]).unwrap().ailment(), None);
    let assumed = dry.assumed();
    assert!(assumed[0].starts_with("cannot use /etc/kubernetes/pki/etcd/client.key"), "{assumed:?}");
    assert!(assumed[1].starts_with("cannot reach etcd at https://10.0.0.1:2379"), "{assumed:?}");
}

#[test]
fn a_dry_run_cannot_change_what_it_looks_at() {
    let dry = dry();
    let host = Presumed::over(Overlay::default(), &dry);
    Host::apply(&host, &Change::Folder { path: "/etc".into(), mode: 0o755 }).unwrap_err();
    let change = ObjectChange { identity: admin(), object: node(), verb: Verb::Delete, body: Content::new("") };
    Cluster::apply(&Presumed::over(Away, &dry), &change).unwrap_err();
    Etcd::prepare(&Presumed::over(Silent, &dry), &removal()).unwrap_err();
    Etcd::apply(&Presumed::over(Silent, &dry), &removal()).unwrap_err();
}

#[test]
fn nothing_is_presumed_while_no_dry_run_is_on() {
    let dry = DryRun::default();
    dry.take_cluster_for_granted(true);
    dry.need_address();
    let host = Presumed::over(locked(), &dry);
    host.read(Path::new("/etc/kubernetes/admin.conf")).unwrap_err();
    host.unit("kubelet.service").unwrap_err();
    assert_eq!(host.facts().unwrap().default_addresses, [] as [IpAddr; 0]);
    Host::apply(&host, &Change::Folder { path: "/etc".into(), mode: 0o755 }).unwrap();
    Presumed::over(Away, &dry).get(&admin(), &node()).unwrap_err();
    let etcd = Presumed::over(Silent, &dry);
    etcd.members(&removal().access).unwrap_err();
    Etcd::apply(&etcd, &removal()).unwrap();
    assert_eq!(dry.assumed(), [""; 0]);
}
