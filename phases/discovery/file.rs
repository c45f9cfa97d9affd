//! Discovery by file: a kubeconfig names server and CA, and may bring credentials. It is trusted as it is; a file behind an https URL
//! is trusted because of the server's certificate, which a CA of this host has signed.
//!
//! Reads only. The API server is asked once whether it answers under that CA; what it says of itself does not replace the file, as
//! kubeadm has it since 1.36.

use std::time::Duration;

use super::Found;
use crate::config::{Bootstrap, BootstrapToken, TrustedCluster};
use crate::kubeconfig::{self, Credentials, Source};
use crate::problem::Problem;
use crate::world::{Cluster, Identity, Probe, Secret, Time, Wait};

const PATH: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
const PAUSE: Duration = Duration::from_millis(500);

/// The cluster that a text describes, which stands in a file or came over a URL. Files that it names are read by `read`, which gives
/// nothing where there is none.
///
/// # Errors
/// `kubeconfig-damaged`, or `discovery-file-unusable` when it names no https server or no CA, or a file that cannot be read.
pub(crate) fn trusted(
    text: &str,
    place: &str,
    read: &dyn Fn(&std::path::Path) -> Result<Option<String>, Problem>,
) -> Result<TrustedCluster, Problem> {
    let unusable = |why: String| unusable(place, why);
    let found = kubeconfig::parse(text).map_err(|problem| problem.at(place))?;
    let embedded = |source: &Source| match source {
        Source::Text(text) => Ok(text.reveal().clone()),
        Source::File(path) => {
            read(path)?.ok_or_else(|| unusable(format!("it names {}, which cannot be read", path.display())))
        }
    };
    if !found.server.starts_with("https://") {
        return Err(unusable(format!("its server {:?} does not begin with https://", found.server)));
    }
    let Some(ca) = &found.ca else {
        return Err(unusable("it has no certificate-authority-data, so nothing tells which CA to trust".to_owned()));
    };
    let ca_pem = embedded(ca)?;
    crate::certs::found::pins(&ca_pem).map_err(|problem| unusable(problem.why))?;
    let credentials = match &found.credentials {
        Credentials::Certificate { certificate, key } => {
            Some(Bootstrap::Certificate { certificate: embedded(certificate)?, key: Secret::new(embedded(key)?) })
        }
        Credentials::Token(token) => Some(Bootstrap::Bearer(Secret::new(embedded(token)?.trim().to_owned()))),
        Credentials::None => None,
    };
    Ok(TrustedCluster { server: found.server, ca_pem, credentials, place: place.to_owned() })
}

fn unusable(place: &str, why: String) -> Problem {
    Problem::new("discovery-file-unusable", "the discovery file cannot be used")
        .at(place)
        .why(why)
        .fix("on a control-plane node, a usable one: kubectl -n kube-public get configmap cluster-info -o jsonpath='{.data.kubeconfig}'")
}

/// Fetches the file behind a URL, over a connection that a CA of this host vouches for.
///
/// # Errors
/// `discovery-url-unreachable`, or as `trusted`.
pub(super) fn fetch(url: &str, cluster: &dyn Cluster) -> Result<TrustedCluster, Problem> {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let identity = Identity::Public { server: format!("https://{host}") };
    let unreachable = |saw: String| {
        Problem::new("discovery-url-unreachable", "the discovery file cannot be fetched")
            .saw(saw)
            .at(url)
            .why(
                "the server does not answer, its certificate is signed by no CA of this host, or there is no such file",
            )
            .fix(format!("see what comes: curl -v {url}"))
            .fix("or fetch it yourself and name the file: --discovery-file <file>")
    };
    let answer = cluster.raw(&identity, path).map_err(|error| unreachable(error.reason()))?;
    if answer.status != 200 {
        return Err(unreachable(format!("the server answers {}", answer.status)));
    }
    // Whoever serves the file knows nothing of the files here.
    trusted(&answer.body, url, &|_| Ok(None))
}

/// Checks that the API server answers under the file's CA, and settles who may ask for a certificate: the token for the TLS bootstrap,
/// else the file's own credentials.
///
/// # Errors
/// `discovery-no-credentials`, `discovery-unreachable`.
pub(super) fn find(
    file: &TrustedCluster,
    token: Option<&BootstrapToken>,
    within: Duration,
    (cluster, time): (&dyn Cluster, &dyn Time),
) -> Result<Found, Problem> {
    let Some(bootstrap) = token.cloned().map(Bootstrap::Token).or_else(|| file.credentials.clone()) else {
        return Err(no_credentials(&file.place));
    };
    let identity = match &file.credentials {
        Some(credentials) => credentials.at(&file.server, &file.ca_pem),
        None => Identity::Anonymous { server: file.server.clone(), ca_pem: Some(file.ca_pem.clone()) },
    };
    let wait = Wait { what: "the API server of the discovery file", within, every: PAUSE };
    let outcome = time.wait(&wait, &mut || match cluster.raw(&identity, PATH) {
        // Any answer proves the CA; who may read cluster-info is not asked here.
        Ok(answer) if answer.status < 500 => Ok(Probe::Yes),
        Ok(answer) => Ok(Probe::NotYet(format!("the API server answers {}", answer.status))),
        Err(error) => Ok(Probe::NotYet(error.reason())),
    });
    outcome.map_err(|error| {
        let what = format!("the API server {} does not answer", file.server);
        let problem = error.into_problem("discovery-unreachable", &what);
        if problem.id != "discovery-unreachable" {
            return problem;
        }
        problem
            .at(file.server.clone())
            .why(format!(
                "the server or the CA that {} names is another cluster's, or a firewall is in the way",
                file.place
            ))
            .fix(format!("see whether it answers: curl -k {}/livez", file.server))
    })?;
    Ok(Found { server: file.server.clone(), ca_pem: file.ca_pem.clone(), bootstrap })
}

/// Neither the file nor a flag says who joins.
pub(crate) fn no_credentials(place: &str) -> Problem {
    Problem::new("discovery-no-credentials", "nothing proves that this machine may join")
        .at(place)
        .why("the discovery file has no token and no client certificate, and no --tls-bootstrap-token is given")
        .fix("on a control-plane node, make a token: kubestrap token create; then here: --tls-bootstrap-token <token>")
}
