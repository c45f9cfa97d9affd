//! What the holder of a bootstrap token may do, and what its node may do later.

use crate::config::Release;
use crate::objects;
use crate::problem::Problem;
use crate::world::{Identity, World};

const BOOTSTRAP: &str = include_str!("../../templates/rbac/bootstrap-token.yaml");
const KUBELET_CLIENT: &str = include_str!("../../templates/rbac/apiserver-kubelet-client.yaml");

/// Lets token holders get Nodes, ask for a kubelet's certificate and be given it, and kubelets renew theirs.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn allow_bootstrap(release: &Release, world: &World<'_>, identity: &Identity) -> Result<bool, Problem> {
    let mut changed = objects::put_all(world, identity, BOOTSTRAP)?;
    if release.has_kubelet_client_binding() {
        changed |= objects::put_all(world, identity, KUBELET_CLIENT)?;
    }
    Ok(changed)
}
