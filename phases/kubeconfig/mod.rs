//! Phases `kubeconfig/*`: the kubeconfigs of the administrator, the kubelet and two control-plane components.
//!
//! Reads the Kubernetes CA; writes `/etc/kubernetes/*.conf` (0600) with a new key and certificate in each. A file that is
//! there and trusts the same CA is kept, whoever it is for.

mod cluster;
mod text;
pub mod user;

pub use cluster::{KnownCluster, cluster_of};
pub use text::{
    Credentials, Kubeconfig, Source, Target, cluster_info, parse, render_for_kubelet, render_with_certificate,
    render_with_token,
};

use std::path::Path;

use crate::certs::certificate::Certificate;
use crate::certs::found::{self, Ca, CaPair};
use crate::certs::issue::{self, Leaf, Names, Usage};
use crate::config::{OnControlPlane, Release};
use crate::plan::{Artifact, Phase, Step, Verdict};
use crate::problem::Problem;
use crate::world::{Content, Event, World};

const MODE: u32 = 0o600;

/// One kubeconfig: a phase of the group `kubeconfig`.
pub struct KubeconfigSpec {
    name: &'static str,
    about: &'static str,
    file: &'static str,
    user: fn(&dyn OnControlPlane) -> String,
    group: fn(&Release) -> Option<&'static str>,
    leads_to: LeadsTo,
    is_made: fn(&Release) -> bool,
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
        vec![Artifact::file(self.about, job.node().layout.kubeconfig(self.file))]
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
        let (cluster, path) = (job.cluster(), job.node().layout.kubeconfig(self.file));
        let ca = found::ca(world, &job.node().layout, Ca::Kubernetes)?;
        let server = self.server(job);
        if let Some(bytes) = world.host().read(&path)? {
            return keep(world, &path, &String::from_utf8_lossy(&bytes), &ca, &server);
        }
        let user = (self.user)(job);
        let leaf = Leaf {
            common_name: user.clone(),
            organization: (self.group)(&cluster.release).map(str::to_owned),
            usage: Usage::Client,
            names: Names::default(),
        };
        let key = crate::certs::new_key(job, world)?;
        let certificate =
            issue::leaf(&leaf, &key, &ca, cluster, world).map_err(|problem| problem.at(path.display().to_string()))?;
        let target = Target { cluster_name: &cluster.name, server, ca_pem: &ca.pem() };
        let text = render_with_certificate(&target, &user, (&certificate, key.pem()), &cluster.release);
        world.put_file(&path, Content::new(text), MODE)?;
        Ok(())
    }

    fn server(&self, job: &dyn OnControlPlane) -> String {
        let (cluster, endpoint) = (job.cluster(), job.endpoint());
        match self.leads_to {
            LeadsTo::OwnServer => endpoint.url(),
            LeadsTo::ServerOfKubelet if cluster.release.kubelet_uses_local_api() => endpoint.url(),
            LeadsTo::AnyServer | LeadsTo::ServerOfKubelet => cluster.server_url(endpoint),
        }
    }
}

/// A kubeconfig that is there is kept when it trusts the CA; another server in it is only told.
fn keep(world: &World<'_>, path: &Path, text: &str, ca: &CaPair, server: &str) -> Result<(), Problem> {
    let place = path.display().to_string();
    let again = format!("have it made anew: rm {place}, then run the same command again");
    let found = parse(text).map_err(|problem| Problem { fixes: Vec::new(), ..problem }.at(&place).fix(&again))?;
    let trusted = found.ca_pem().and_then(|pem| Certificate::parse_all(pem).ok()).unwrap_or_default();
    // Where the CA is given as a file it is the owner's business.
    let names_a_file = matches!(found.ca, Some(Source::File(_)));
    if !names_a_file && !trusted.first().is_some_and(|first| ca.certificates.contains(first)) {
        return Err(Problem::new("kubeconfig-other-ca", format!("{place} trusts another CA than this cluster's"))
            .at(&place)
            .why("it was made for another cluster, or the CA was replaced since")
            .fix(again));
    }
    if let Credentials::Certificate { certificate: Source::Text(pem), .. } = &found.credentials {
        check_certificate(world, &place, pem.reveal(), &again)?;
    }
    if found.server != server {
        let problem =
            Problem::new("kubeconfig-other-server", format!("{place} leads to {}, not to {server}", found.server))
                .at(&place)
                .why("it was there before and is kept")
                .fix(again);
        world.tell(Event::Warning(&problem));
    }
    Ok(())
}

fn check_certificate(world: &World<'_>, place: &str, pem: &str, again: &str) -> Result<(), Problem> {
    let certificates = Certificate::parse_all(pem).map_err(|error| {
        Problem::new("kubeconfig-damaged", format!("cannot use the client certificate in {place}"))
            .at(place)
            .why(error.to_string())
            .fix(again)
    })?;
    let until = certificates[0].not_after;
    if until > world.time().now() {
        return Ok(());
    }
    Err(Problem::new("certificate-expired", format!("the client certificate in {place} has expired"))
        .at(place)
        .why(format!("it was valid until {}; now it is {}", until.rfc3339(), world.time().now().rfc3339()))
        .fix(again))
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
