//! The workflows: which phases, in which order. This is the table of contents of the program.

use crate::config::{CreateToken, Init, JoinControlPlane, JoinWorker, RemoveNode, Reset};
use crate::discovery::Discovery;
use crate::mark_control_plane::MarkControlPlane;
use crate::plan::{Step, Workflow};
use crate::preflight::Preflight;
use crate::shared_certs::UploadCerts;
use crate::show_join_command::ShowJoinCommand;
use crate::wait_control_plane::WaitControlPlane;
use crate::{bootstrap_token, drain, etcd, join, kubelet, reset};

/// The first control-plane node. Manifests are written before the kubelet starts, so that it finds them at once.
pub static INIT: Workflow<Init> = Workflow {
    name: "init",
    steps: &[
        Step::Phase(&Preflight),
        Step::CERTS,
        Step::KUBECONFIG,
        Step::ETCD,
        Step::CONTROL_PLANE,
        Step::Phase(&kubelet::KubeletStart),
        Step::Phase(&WaitControlPlane),
        Step::UPLOAD_CONFIG,
        Step::Phase(&UploadCerts),
        Step::Phase(&MarkControlPlane),
        Step::Phase(&bootstrap_token::BootstrapTokens),
        Step::KUBELET_FINALIZE,
        Step::ADDON,
        Step::Phase(&ShowJoinCommand),
    ],
};

/// A worker. What is read from the cluster is read and verified while resolving.
pub static JOIN: Workflow<JoinWorker> = Workflow {
    name: "join",
    steps: &[
        Step::Phase(&Preflight),
        Step::<JoinWorker>::CONTROL_PLANE_PREPARE,
        Step::Phase(&join::NotOnWorker(&etcd::CheckEtcd)),
        Step::Phase(&Discovery),
        Step::Phase(&join::TlsBootstrap),
        Step::Phase(&join::KubeletStart),
        Step::Phase(&join::NotOnWorker(&etcd::EtcdJoin)),
        Step::Phase(&join::KubeletWaitBootstrap),
        Step::<JoinWorker>::CONTROL_PLANE_JOIN,
        Step::<JoinWorker>::WAIT_CONTROL_PLANE,
    ],
};

/// A further control-plane node. Its kubelet runs before etcd's cluster counts it, so that a member that was added
/// starts at once; a kubelet that talks to its own API server is waited for after that.
pub static JOIN_CONTROL_PLANE: Workflow<JoinControlPlane> = Workflow {
    name: "join",
    steps: &[
        Step::Phase(&Preflight),
        Step::<JoinControlPlane>::CONTROL_PLANE_PREPARE,
        Step::Phase(&etcd::CheckEtcd),
        Step::Phase(&Discovery),
        Step::Phase(&join::TlsBootstrap),
        Step::Phase(&join::KubeletStart),
        Step::Phase(&etcd::EtcdJoin),
        Step::Phase(&join::KubeletWaitBootstrap),
        Step::<JoinControlPlane>::CONTROL_PLANE_JOIN,
        Step::Phase(&WaitControlPlane),
    ],
};

/// Phases that have, or are, another path in kubeadm of other releases: command, old path, path.
pub const RENAMED: &[(&str, &str, &str)] = &[("join", "control-plane-join/etcd", "etcd-join")];

/// A node that shall be none any more. A Pod that may not be evicted, or a volume that cannot be
/// unmounted, ends the run before anything below it is touched.
pub static RESET: Workflow<Reset> = Workflow {
    name: "reset",
    steps: &[
        Step::Phase(&reset::Preflight),
        Step::Phase(&reset::Drain),
        Step::Phase(&reset::RemoveEtcdMember),
        Step::Phase(&reset::DeleteNode),
        Step::CLEANUP_NODE,
    ],
};

/// The cluster's half of taking a node away.
pub static REMOVE: Workflow<RemoveNode> =
    Workflow { name: "remove", steps: &[Step::Phase(&drain::remove::Drain), Step::Phase(&drain::remove::DeleteNode)] };

/// A further bootstrap token.
pub static TOKEN_CREATE: Workflow<CreateToken> =
    Workflow { name: "token create", steps: &[Step::Phase(&bootstrap_token::create::Create)] };
