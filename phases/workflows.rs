//! The workflows: which phases, in which order. This is the table of contents of the program.

use crate::certs::managed::ALL as MANAGED;
use crate::config::{
    CreateToken, DeleteTokens, Init, JoinControlPlane, JoinWorker, NeededImages, RemoveNode, RenewCerts, Reset,
    UserKubeconfig,
};
use crate::discovery::Discovery;
use crate::mark_control_plane::MarkControlPlane;
use crate::plan::{Step, Workflow};
use crate::preflight::Preflight;
use crate::shared_certs::UploadCerts;
use crate::show_join_command::ShowJoinCommand;
use crate::undo::{self, UndoRun};
use crate::wait_control_plane::WaitControlPlane;
use crate::{bootstrap_token, drain, etcd, images, join, kubeconfig, kubelet, reset};

/// The first control-plane node. The kubelet starts as soon as it can: releases up to 1.23 look for Docker for five seconds
/// before they look for manifests, and those are written meanwhile.
pub static INIT: Workflow<Init> = Workflow {
    name: "init",
    early: &["preflight", "certs/ca", "kubeconfig/kubelet", "kubelet-start"],
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
    early: &[],
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
    early: &[],
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

/// A node that shall be none any more. A Pod that may not be evicted, or a volume that cannot be
/// unmounted, ends the run before anything below it is touched.
pub static RESET: Workflow<Reset> = Workflow {
    name: "reset",
    early: &[],
    steps: &[
        Step::Phase(&reset::Preflight),
        Step::Phase(&reset::Drain),
        Step::Phase(&reset::UpdateClusterStatus),
        Step::Phase(&reset::RemoveEtcdMember),
        Step::Phase(&reset::DeleteNode),
        Step::CLEANUP_NODE,
    ],
};

/// A run that shall not have been.
pub static UNDO: Workflow<UndoRun> = Workflow {
    name: "undo",
    early: &[],
    steps: &[
        Step::Phase(&undo::Objects),
        Step::UNDO_STATUS,
        Step::UNDO_MEMBER,
        Step::UNDO_REGISTRATION,
        Step::UNDO_NODE,
        Step::Phase(&undo::TakeBack),
    ],
};

/// The cluster's half of taking a node away.
pub static REMOVE: Workflow<RemoveNode> = Workflow {
    name: "remove",
    early: &[],
    steps: &[Step::Phase(&drain::remove::Drain), Step::Phase(&drain::remove::DeleteNode)],
};

/// A further bootstrap token.
pub static TOKEN_CREATE: Workflow<CreateToken> =
    Workflow { name: "token create", early: &[], steps: &[Step::Phase(&bootstrap_token::create::Create)] };

/// The images of a control-plane node, pulled beforehand.
pub static IMAGES_PULL: Workflow<NeededImages> =
    Workflow { name: "config images pull", early: &[], steps: &[Step::Phase(&images::Pull)] };

/// Successors of certificates, by the names under `certs renew`.
pub static RENEW: Workflow<RenewCerts> = Workflow {
    name: "certs renew",
    early: &[],
    steps: &[
        Step::Phase(&MANAGED[0]),
        Step::Phase(&MANAGED[1]),
        Step::Phase(&MANAGED[2]),
        Step::Phase(&MANAGED[3]),
        Step::Phase(&MANAGED[4]),
        Step::Phase(&MANAGED[5]),
        Step::Phase(&MANAGED[6]),
        Step::Phase(&MANAGED[7]),
        Step::Phase(&MANAGED[8]),
        Step::Phase(&MANAGED[9]),
        Step::Phase(&MANAGED[10]),
    ],
};

/// Keys and requests for a CA that is kept elsewhere.
pub static GENERATE_CSR: Workflow<Init> = Workflow {
    name: "certs generate-csr",
    early: &[],
    steps: &[Step::CERTIFICATE_REQUESTS, Step::KUBECONFIG_REQUESTS],
};

/// Tokens that nobody shall join with any more.
pub static TOKEN_DELETE: Workflow<DeleteTokens> =
    Workflow { name: "token delete", early: &[], steps: &[Step::Phase(&bootstrap_token::delete::Delete)] };

/// A kubeconfig for one more user.
pub static KUBECONFIG_USER: Workflow<UserKubeconfig> =
    Workflow { name: "kubeconfig user", early: &[], steps: &[Step::Phase(&kubeconfig::user::User)] };
