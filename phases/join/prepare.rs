//! Phases `control-plane-prepare/*` of join: all that a control-plane node has on its disk before its kubelet starts.
//!
//! Each is a group of `init` as one phase, under kubeadm's name, and makes for this node what `init` made for the first
//! one. The CAs are never made here: they are the cluster's.

use std::path::PathBuf;

use crate::certs::{ServiceAccountKeys, table};
use crate::config::JoinControlPlane;
use crate::plan::{Artifact, Phase, Step, Verdict};
use crate::problem::Problem;
use crate::shared_certs::{DownloadCerts, needed, stand_in};
use crate::world::World;

impl Step<JoinControlPlane> {
    /// What is on the disk before the kubelet starts.
    pub const CONTROL_PLANE_PREPARE: Self = Self::Group {
        name: "control-plane-prepare",
        about: "files of a further control-plane node",
        steps: &[
            Self::Phase(&DownloadCerts),
            Self::Phase(&CERTS),
            Self::Phase(&KUBECONFIG),
            Self::Phase(&CONTROL_PLANE),
        ],
    };
}

/// Certificates of this node, signed by the CAs that all share.
pub(super) const CERTS: Together = Together {
    name: "certs",
    about: "certificates of this node, from the shared CAs",
    steps: &[
        Step::Phase(&table::APISERVER),
        Step::Phase(&table::APISERVER_KUBELET_CLIENT),
        Step::Phase(&table::FRONT_PROXY_CLIENT),
        Step::Phase(&table::ETCD_SERVER),
        Step::Phase(&table::ETCD_PEER),
        Step::Phase(&table::ETCD_HEALTHCHECK_CLIENT),
        Step::Phase(&table::APISERVER_ETCD_CLIENT),
        Step::Phase(&ServiceAccountKeys),
    ],
    needs: |job| {
        let (cluster, layout) = (&job.worker.cluster, &job.worker.node.layout);
        needed(cluster, layout).into_iter().filter(|file| file.path.starts_with(layout.certificates())).collect()
    },
};

/// Kubeconfigs of this node; its kubelet gets its own by TLS bootstrap.
pub(super) const KUBECONFIG: Together = Together {
    name: "kubeconfig",
    about: "kubeconfigs of administrator and control plane",
    steps: &[Step::KUBECONFIG_OF_JOIN],
    needs: |_| Vec::new(),
};

/// Manifests of the three components.
pub(super) const CONTROL_PLANE: Together = Together {
    name: "control-plane",
    about: "manifests of the control plane's static Pods",
    steps: &[Step::CONTROL_PLANE],
    needs: |_| Vec::new(),
};

/// Several phases under one name.
pub(super) struct Together {
    name: &'static str,
    about: &'static str,
    steps: &'static [Step<JoinControlPlane>],
    /// What they need together besides what each of them needs.
    needs: fn(&JoinControlPlane) -> Vec<Artifact>,
}

impl Together {
    fn parts(&self, job: &JoinControlPlane) -> Vec<&'static dyn Phase<JoinControlPlane>> {
        let mut parts = Vec::new();
        crate::plan::walk(self.steps, "", &mut |_, step| {
            if let Step::Phase(phase) = step
                && phase.verdict(job) == Verdict::Run
            {
                parts.push(*phase);
            }
        });
        parts
    }
}

impl Phase<JoinControlPlane> for Together {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn needs(&self, job: &JoinControlPlane) -> Vec<Artifact> {
        let made: Vec<PathBuf> = self.makes(job).into_iter().map(|made| made.path).collect();
        let of_parts = self.parts(job).into_iter().flat_map(|part| part.needs(job));
        let mut needs = (self.needs)(job);
        needs.extend(of_parts.filter(|need| !made.contains(&need.path)));
        needs
    }

    fn makes(&self, job: &JoinControlPlane) -> Vec<Artifact> {
        let shared = needed(&job.worker.cluster, &job.worker.node.layout);
        let made = self.parts(job).into_iter().flat_map(|part| part.makes(job));
        made.filter(|made| !shared.iter().any(|file| file.path == made.path)).collect()
    }

    fn run(&self, job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
        stand_in(job, world)?;
        self.parts(job).into_iter().try_for_each(|part| part.run(job, world))
    }
}
