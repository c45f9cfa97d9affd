//! External CAs: a CA's certificate is here and its key is not, so that all it signs has to be here already.
//!
//! Reads every certificate and kubeconfig that such CAs sign, and tells all that is missing or does not fit at once, before
//! anything is written. Each phase that would need a key that is not here ends with this.

use super::found::{self, Ca, PairFiles};
use super::table::LEAVES;
use crate::config::{Etcd, OnControlPlane};
use crate::kubeconfig::{self, KubeconfigSpec};
use crate::problem::Problem;
use crate::world::World;

/// Looks at everything that the CAs without key have to have signed.
///
/// # Errors
/// One problem with a finding per file that is missing or does not fit.
pub(crate) fn check(job: &dyn OnControlPlane, world: &World<'_>) -> Result<(), Problem> {
    let layout = &job.node().layout;
    let mut findings = Vec::new();
    let mut keys = Vec::new();
    for ca in [Ca::Kubernetes, Ca::FrontProxy, Ca::Etcd] {
        let is_left_out = ca == Ca::Etcd && matches!(job.cluster().etcd, Etcd::External(_));
        if is_left_out || !found::is_external(ca, layout, world.host())? {
            continue;
        }
        keys.push((ca, PairFiles::of(layout, ca.file()).key));
        let signer = found::ca(world, layout, ca)?;
        for spec in LEAVES.iter().filter(|spec| spec.ca == ca) {
            let files = PairFiles::of(layout, spec.file);
            match spec.fit(job, world, &signer) {
                Ok(Some(_)) => {}
                Ok(None) => findings.push(missing(&files.certificate.display().to_string(), spec.about)),
                Err(problem) => findings.push(problem),
            }
        }
        if ca == Ca::Kubernetes {
            for spec in kubeconfigs(job) {
                match spec.fit(job, world, &signer) {
                    Ok(Some(_)) => {}
                    Ok(None) => findings.push(missing(&layout.kubeconfig(spec.file).display().to_string(), spec.about)),
                    Err(problem) => findings.push(problem),
                }
            }
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(incomplete(job, &keys, findings)) }
}

/// The kubelet of a node that joins gets its own by TLS bootstrap, and the one for emergencies is on the first node only.
fn kubeconfigs(job: &dyn OnControlPlane) -> impl Iterator<Item = &'static KubeconfigSpec> {
    let of_first = [&kubeconfig::SUPER_ADMIN, &kubeconfig::KUBELET].into_iter().filter(|_| job.is_first());
    [&kubeconfig::ADMIN, &kubeconfig::CONTROLLER_MANAGER, &kubeconfig::SCHEDULER]
        .into_iter()
        .chain(of_first)
        .filter(|spec| (spec.is_made)(&job.cluster().release))
}

fn missing(file: &str, about: &str) -> Problem {
    Problem::new("certificate-missing", format!("{file} is not there")).why(about)
}

fn incomplete(job: &dyn OnControlPlane, keys: &[(Ca, std::path::PathBuf)], findings: Vec<Problem>) -> Problem {
    let layout = &job.node().layout;
    let titles: Vec<&str> = keys.iter().map(|(ca, _)| ca.title()).collect();
    let missing = findings.iter().filter(|finding| finding.id == "certificate-missing").count();
    let unfit = findings.len() - missing;
    let mut parts = Vec::new();
    if missing > 0 {
        parts.push(format!("{} missing", crate::counted(missing, "file")));
    }
    if unfit > 0 {
        parts.push(format!("{} of no use", crate::counted(unfit, "file")));
    }
    let order = format!(
        "kubestrap certs generate-csr --cert-dir {} --kubeconfig-dir {}",
        layout.certificates().display(),
        layout.kubeconfigs().display()
    );
    let (signs, whose) = if titles.len() == 1 { ("signs", "its key") } else { ("sign", "their keys") };
    let what = format!("what {} {signs} is not complete: {}", titles.join(" and "), parts.join(", "));
    let problem = Problem::new("ca-key-missing", what)
        .why(format!("{whose} cannot be found on this node, so that nothing can be signed here"));
    let problem = match keys.first() {
        Some((_, key)) => problem.at(key.display().to_string()),
        None => problem,
    };
    let problem = if missing > 0 {
        problem
            .fix(format!("make keys and requests: {order}"))
            .fix("then have each .csr signed by that CA and put the certificate beside it as .crt, or into the kubeconfig as client-certificate-data")
    } else {
        problem
    };
    problem.fix("or put the CA's key in place").with_findings(findings)
}

#[cfg(test)]
#[path = "external_tests.rs"]
mod tests;
