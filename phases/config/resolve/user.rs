//! The job of `kubeconfig user`: whose kubeconfig, and of which cluster.

use super::{INVALID, init};
use crate::config::draft::Origin;
use crate::config::duration::parse_duration;
use crate::config::findings::Findings;
use crate::config::{ClusterConfig, InitFlags, Layout, UserKubeconfig, UserKubeconfigFlags};
use crate::problem::Problem;
use crate::world::{Clock, Entropy, Host, Secret};

/// The cluster as it has told, and where its API servers are; what is `None` comes from the file or kubeadm's defaults.
pub type Told = (Option<ClusterConfig>, Option<String>);

/// The job of `kubeconfig user`. The cluster that was told counts only where no file was named.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_user_kubeconfig(
    flags: &UserKubeconfigFlags,
    (told, server): Told,
    host: &dyn Host,
    now: Clock,
    entropy: &dyn Entropy,
) -> Result<UserKubeconfig, Problem> {
    let findings = &mut Findings::default();
    if flags.client_name.trim().is_empty() {
        let (id, what) = ("config-bad-client-name", "the user's name cannot be used");
        findings.wrong(id, what, &Origin::Flag("--client-name"), "it is empty", "jane");
    }
    let validity = flags.validity_period.as_ref().and_then(|text| {
        let (id, what) = ("config-bad-duration", "the validity of the certificate cannot be used");
        let positive = parse_duration(text).map_err(|error| error.to_string());
        let positive =
            positive.and_then(|found| if found.is_zero() { Err("it is zero".to_owned()) } else { Ok(found) });
        findings.keep(positive, (id, what), &Origin::Flag("--validity-period"), "8760h")
    });
    if !findings.is_empty() {
        return std::mem::take(findings).finish(None, INVALID.0, INVALID.1);
    }
    let (told, server) = if flags.config.is_some() { (None, None) } else { (told, server) };
    let (mut cluster, server) = match (told, server) {
        (Some(cluster), Some(server)) => (cluster, server),
        (told, server) => {
            let as_init = InitFlags { config: flags.config.clone(), ..InitFlags::default() };
            let init = init::resolve_init(&as_init, host, now, entropy)?;
            let server = server.unwrap_or_else(|| init.cluster.server_url(&init.endpoint));
            (told.unwrap_or(init.cluster), server)
        }
    };
    let mut organizations: Vec<String> = Vec::new();
    for group in &flags.organizations {
        if !organizations.contains(group) {
            organizations.push(group.clone());
        }
    }
    cluster.certificate_validity = validity.unwrap_or(cluster.certificate_validity);
    Ok(UserKubeconfig {
        layout: Layout::new(cluster.certificates_dir.clone()),
        cluster,
        server,
        client_name: flags.client_name.clone(),
        organizations,
        token: flags.token.clone().map(Secret::new),
    })
}
