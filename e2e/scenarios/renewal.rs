//! Certificates of a running cluster: until when they are valid, as kubeadm sees the same files, and new ones that the
//! control plane uses once it has started again as the user is told.

use crate::{only_kubestrap, scenario};
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::command::here;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::tool::{PATIENCE, Tool};
use kubestrap_e2e::wait::wait_for;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_control_plane_starts_again_with_renewed_certificates() {
    if !only_kubestrap() {
        return;
    }
    scenario("the_control_plane_starts_again_with_renewed_certificates", |run| {
        let node = Node::create(run, "renews")?;
        let cluster = Cluster::init(run, Tool::Kubestrap, node)?;
        let node = &cluster.control_plane;
        expirations_agree(node)?;
        let before = node.script(SERIALS)?.stdout;
        let served = served(&cluster)?;

        let output = node.run_with(&["kubestrap", "certs", "renew", "all"], b"", PATIENCE)?.success()?;
        expirations_agree(node)?;
        let after = node.script(SERIALS)?.stdout;
        expect(before.lines().count() == 10, "there are not ten certificates", &before)?;
        let is_new = before.lines().zip(after.lines()).all(|(old, new)| old != new);
        expect(is_new, "not every certificate is another one", format!("{before}\n{after}"))?;
        expect(cluster.kubectl(&["get", "--raw", "/readyz"])?.stdout == "ok", "/readyz does not say ok", "")?;

        // What the user is told to do.
        let orders = output.stderr.lines().skip_while(|line| !line.trim_start().starts_with("cd /etc/kubernetes"));
        let orders: Vec<&str> = orders.take_while(|line| !line.is_empty()).collect();
        expect(!orders.is_empty(), "renew does not say what has to start again", &output)?;
        node.run_with(&["sh", "-euc", &orders.join("\n")], b"", PATIENCE)?.success()?;
        let cluster = Cluster::adopt(run, cluster.control_plane, cluster.join)?;
        wait_for("the API server with its new certificate", SETTLES, || {
            let now = self::served(&cluster)?;
            expect(now != served, "it shows the old one", now)?;
            expect(cluster.kubectl(&["get", "--raw", "/readyz"])?.stdout == "ok", "/readyz does not say ok", "")
        })?;
        cluster.lay_pod_network()?;
        cluster.wait_nodes_ready()?;
        for label in ["component=kube-controller-manager", "component=kube-scheduler", "component=etcd"] {
            cluster.wait_pods_ready("kube-system", label)?;
        }
        cluster.destroy()
    });
}

/// Serial numbers of what is renewed, a line each.
const SERIALS: &str = r"cd /etc/kubernetes
    for file in pki/apiserver*.crt pki/front-proxy-client.crt pki/etcd/[hps]*.crt; do
        openssl x509 -noout -serial -in $file
    done
    for file in admin.conf controller-manager.conf scheduler.conf; do
        sed -n 's/.*client-certificate-data: //p' $file | base64 -d | openssl x509 -noout -serial
    done";

/// Serial number of the certificate that the API server shows.
fn served(cluster: &Cluster) -> Result<String, Failure> {
    let server = format!("{}:6443", cluster.control_plane.address);
    let shown = here("openssl", &["s_client", "-connect", &server, "-showcerts"])?.stdout;
    let begin = shown.find("-----BEGIN").ok_or_else(|| Failure::new("the API server shows no certificate", &shown))?;
    let end = shown.find("-----END").unwrap_or(begin);
    Ok(shown[begin..end].to_owned())
}

/// kubeadm leaves the CA of kubeconfigs open, and what is left of a year depends on the second: all the rest is the same.
fn expirations_agree(node: &Node) -> Result<(), Failure> {
    let rows = |program: &str| -> Result<Vec<String>, Failure> {
        let output = node.ok(&[program, "certs", "check-expiration"])?;
        let rows = output.stdout.lines().filter(|line| line.contains(" UTC "));
        Ok(rows
            .map(|row| {
                let words: Vec<&str> = row.split_whitespace().collect();
                let (when, rest) = words.split_at(words.len().min(6));
                let rest = if row.contains(".conf") { &rest[rest.len() - 1..] } else { &rest[1..] };
                [when, rest].concat().join(" ")
            })
            .collect())
    };
    let (ours, kubeadms) = (rows("kubestrap")?, rows("kubeadm")?);
    expect(ours.len() == 13 && ours == kubeadms, "kubeadm sees it otherwise", format!("{ours:#?}\n{kubeadms:#?}"))
}
