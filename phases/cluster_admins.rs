//! Who the phases of `init` are to the API server, and that they may do what they do.
//!
//! From 1.29 on admin.conf belongs to a group that has no rights of its own. Makes the ClusterRoleBinding
//! `kubeadm:cluster-admins`, with super-admin.conf where admin.conf may not yet.

use std::time::Duration;

use k8s_openapi::Resource as _;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;

use crate::config::Init;
use crate::objects;
use crate::plan::Artifact;
use crate::problem::Problem;
use crate::world::{Identity, ObjectRef, Probe, Wait, World};

const BINDING: &str = include_str!("../templates/rbac/cluster-admins.yaml");
/// How long the API server may take to see a binding that it has stored.
const LIMIT: Duration = Duration::from_secs(60);

/// What every phase that talks to the API server needs before.
pub fn needs(job: &Init) -> Vec<Artifact> {
    vec![Artifact::file("the administrator's kubeconfig", &job.kubeconfig)]
}

/// The administrator whose kubeconfig the job names; from 1.29 on made one first where that is needed.
///
/// # Errors
/// When the API server cannot be asked, or neither admin.conf nor super-admin.conf may make the binding.
pub fn administrator(job: &Init, world: &World<'_>) -> Result<Identity, Problem> {
    let admin = Identity::Kubeconfig(job.kubeconfig.clone());
    let layout = &job.node.layout;
    // Somebody else's kubeconfig is taken as it is.
    if !job.cluster.release.has_super_admin() || job.kubeconfig != layout.kubeconfig("admin.conf") {
        return Ok(admin);
    }
    let binding: ClusterRoleBinding = objects::template(BINDING);
    let reference =
        ObjectRef::new(ClusterRoleBinding::API_VERSION, ClusterRoleBinding::KIND, "", "kubeadm:cluster-admins");
    let admin_may =
        objects::insist(world, "the API server to answer", || match world.cluster().get(&admin, &reference) {
            Ok(Some(_)) => Ok(true),
            Ok(None) => objects::put(world, &admin, &binding).map(|_| true),
            Err(error) if error.status() == Some(403) => Ok(false),
            Err(error) => Err(error.into()),
        })?;
    if !admin_may {
        let super_admin = layout.kubeconfig("super-admin.conf");
        if world.host().stat(&super_admin)?.is_none() {
            return Err(Problem::new(
                "super-admin-missing",
                "admin.conf has no rights, and nobody is there to give them",
            )
            .at(super_admin.display().to_string())
            .why("the ClusterRoleBinding kubeadm:cluster-admins is made with super-admin.conf, which is not there")
            .fix("kubestrap init phase kubeconfig super-admin"));
        }
        objects::put(world, &Identity::Kubeconfig(super_admin), &binding)?;
        wait_until_seen(world, &admin, &reference)?;
    }
    Ok(admin)
}

/// The API server authorises from a cache, which knows the new binding a moment later.
fn wait_until_seen(world: &World<'_>, admin: &Identity, binding: &ObjectRef) -> Result<(), Problem> {
    let what = "the rights of admin.conf";
    let mut probe = || {
        Ok(match world.cluster().get(admin, binding) {
            Ok(_) => Probe::Yes,
            Err(error) => Probe::NotYet(error.reason()),
        })
    };
    let wait = Wait { what, within: LIMIT, every: Duration::from_millis(100) };
    world.time().wait(&wait, &mut probe).map_err(|error| {
        error
            .into_problem("admin-without-rights", what)
            .at(binding.to_string())
            .why("the binding is stored, and the API server still refuses the group of admin.conf")
            .fix("look at it: kubectl --kubeconfig /etc/kubernetes/super-admin.conf get clusterrolebinding kubeadm:cluster-admins -o yaml")
    })
}

#[cfg(test)]
#[path = "cluster_admins_tests.rs"]
mod tests;
