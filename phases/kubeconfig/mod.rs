//! Phases `kubeconfig/*`: the kubeconfigs of the administrator, the kubelet and two control-plane components.
//!
//! Reads the Kubernetes CA; writes `/etc/kubernetes/*.conf` (0600) with a new key and certificate in each. A file that is
//! there and trusts the same CA is kept, whoever it is for.

mod cluster;
mod fit;
mod successor;
mod text;
pub mod user;

pub use cluster::{KnownCluster, cluster_of};
use successor::lone_key;
pub(crate) use successor::with_successor;
pub use text::{
    Credentials, Kubeconfig, Source, Target, cluster_info, parse, render_for_kubelet, render_with_certificate,
    render_with_key, render_with_token,
};

use crate::certs::certificate::Certificate;
use crate::certs::external;
use crate::certs::found::{self, Ca};
use crate::certs::issue::{self, Leaf};
use crate::config::{Layout, OnControlPlane, Release};
use crate::plan::{Artifact, Phase, Step, Verdict};
use crate::problem::Problem;
use crate::world::{Content, Event, Host, World};

pub(crate) const MODE: u32 = 0o600;

/// One kubeconfig: a phase of the group `kubeconfig`.
pub struct KubeconfigSpec {
    /// Name of the phase.
    pub name: &'static str,
    /// Its one line.
    pub about: &'static str,
    /// Its file.
    pub file: &'static str,
    user: fn(&dyn OnControlPlane) -> String,
    group: fn(&Release) -> Option<&'static str>,
    leads_to: LeadsTo,
    pub(crate) is_made: fn(&Release) -> bool,
}

/// Which API server a kubeconfig names.
#[derive(Clone, Copy)]
enum LeadsTo {
    /// The stable endpoint, where there is one.
    AnyServer,
    /// This node's own, which may be of another release than the others during an upgrade.
    OwnServer,
    /// This node's own from the release on that has the kubelet use it.
    ServerOfKubelet,
}

/// The administrator's.
pub static ADMIN: KubeconfigSpec = KubeconfigSpec {
    name: "admin",
    about: "kubeconfig of the administrator",
    file: "admin.conf",
    user: |_| "kubernetes-admin".to_owned(),
    group: |release| Some(release.admin_organization()),
    leads_to: LeadsTo::AnyServer,
    is_made: |_| true,
};

/// The one that works even without RBAC.
pub static SUPER_ADMIN: KubeconfigSpec = KubeconfigSpec {
    name: "super-admin",
    about: "kubeconfig that needs no RBAC, for emergencies",
    file: "super-admin.conf",
    user: |_| "kubernetes-super-admin".to_owned(),
    group: |_| Some("system:masters"),
    leads_to: LeadsTo::AnyServer,
    is_made: Release::has_super_admin,
};

/// The kubelet's, until its own client certificate takes over.
pub static KUBELET: KubeconfigSpec = KubeconfigSpec {
    name: "kubelet",
    about: "kubeconfig of this node's kubelet",
    file: "kubelet.conf",
    user: |job| format!("system:node:{}", job.node().name),
    group: |_| Some("system:nodes"),
    leads_to: LeadsTo::ServerOfKubelet,
    is_made: |_| true,
};

/// kube-controller-manager's.
pub static CONTROLLER_MANAGER: KubeconfigSpec = KubeconfigSpec {
    name: "controller-manager",
    about: "kubeconfig of kube-controller-manager",
    file: "controller-manager.conf",
    user: |_| "system:kube-controller-manager".to_owned(),
    group: |_| None,
    leads_to: LeadsTo::OwnServer,
    is_made: |_| true,
};

/// kube-scheduler's.
pub static SCHEDULER: KubeconfigSpec = KubeconfigSpec {
    name: "scheduler",
    about: "kubeconfig of kube-scheduler",
    file: "scheduler.conf",
    user: |_| "system:kube-scheduler".to_owned(),
    group: |_| None,
    leads_to: LeadsTo::OwnServer,
    is_made: |_| true,
};

impl<J: OnControlPlane> Step<J> {
    /// The kubeconfigs that `init` makes.
    pub const KUBECONFIG: Self = Self::Group {
        name: "kubeconfig",
        about: "kubeconfigs of administrator, kubelet and control plane",
        steps: &[
            Self::Phase(&ADMIN),
            Self::Phase(&SUPER_ADMIN),
            Self::Phase(&KUBELET),
            Self::Phase(&CONTROLLER_MANAGER),
            Self::Phase(&SCHEDULER),
        ],
    };

    /// The kubeconfigs that a joining control-plane node makes; its kubelet gets its own by TLS bootstrap.
    pub const KUBECONFIG_OF_JOIN: Self = Self::Group {
        name: "kubeconfig",
        about: "kubeconfigs of administrator and control plane",
        steps: &[Self::Phase(&ADMIN), Self::Phase(&CONTROLLER_MANAGER), Self::Phase(&SCHEDULER)],
    };
}

impl<J: OnControlPlane> Phase<J> for KubeconfigSpec {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the certificate of the Kubernetes CA", job.node().layout.certificate("ca.crt"))]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::with_key(self.about, job.node().layout.kubeconfig(self.file))]
    }

    fn verdict(&self, job: &J) -> Verdict {
        let release = &job.cluster().release;
        if (self.is_made)(release) {
            Verdict::Run
        } else {
            Verdict::Skip(format!("Kubernetes {release} has no {}", self.file))
        }
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        self.put(job, world)
    }
}

impl KubeconfigSpec {
    fn put(&self, job: &dyn OnControlPlane, world: &World<'_>) -> Result<(), Problem> {
        let path = job.node().layout.kubeconfig(self.file);
        let ca = found::ca(world, &job.node().layout, Ca::Kubernetes)?;
        if ca.is_external() {
            external::check(job, world)?;
        }
        if let Some(warnings) = self.fit(job, world, &ca)? {
            warnings.iter().for_each(|warning| world.tell(Event::Warning(warning)));
            return Ok(());
        }
        let (cluster, leaf) = (job.cluster(), self.leaf(job));
        let key = crate::certs::new_key(cluster.key_algorithm, world)?;
        let certificate =
            issue::leaf(&leaf, &key, &ca, cluster, world).map_err(|problem| problem.at(path.display().to_string()))?;
        let target = Target { cluster_name: &cluster.name, server: self.server(job), ca_pem: &ca.pem() };
        let text = render_with_certificate(&target, &leaf.common_name, (&certificate, key.pem()), &cluster.release);
        world.put_file(&path, Content::new(text), MODE)?;
        Ok(())
    }

    /// What its client certificate says.
    pub(crate) fn leaf(&self, job: &dyn OnControlPlane) -> Leaf {
        Leaf::client((self.user)(job), (self.group)(&job.cluster().release))
    }

    /// The API server that it leads to.
    fn server(&self, job: &dyn OnControlPlane) -> String {
        let (cluster, endpoint) = (job.cluster(), job.endpoint());
        match self.leads_to {
            LeadsTo::OwnServer => endpoint.url(),
            LeadsTo::ServerOfKubelet if cluster.release.kubelet_uses_local_api() => endpoint.url(),
            LeadsTo::AnyServer | LeadsTo::ServerOfKubelet => cluster.server_url(endpoint),
        }
    }

    /// The client certificate in the file; `None` when there is no file.
    ///
    /// # Errors
    /// When the file is no kubeconfig, or its current user has no certificate in it.
    pub(crate) fn client_certificate(&self, layout: &Layout, host: &dyn Host) -> Result<Option<Certificate>, Problem> {
        let path = layout.kubeconfig(self.file);
        let Some(bytes) = host.read(&path)? else { return Ok(None) };
        let place = path.display().to_string();
        let found = parse(&String::from_utf8_lossy(&bytes)).map_err(|problem| problem.at(&place))?;
        let Credentials::Certificate { certificate: Source::Text(pem), .. } = &found.credentials else {
            return Err(Problem::new("kubeconfig-no-certificate", format!("{place} has no client certificate in it"))
                .at(&place)
                .why("its current user has a token, a file or nothing, so that there is no certificate to look after")
                .fix(format!("have it made anew: rm {place} && kubestrap init phase kubeconfig {}", self.name)));
        };
        let again = format!("have it made anew: rm {place} && kubestrap init phase kubeconfig {}", self.name);
        Ok(fit::certificates(&place, pem.reveal(), &again)?.into_iter().next())
    }
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
