//! `init`: what a user finds on the first node and in the new cluster.

use crate::{scenario, shared_cluster, workload};
use kubestrap_e2e::cluster::{SETTLES, is_ready};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::wait::wait_for;
use std::collections::BTreeSet;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_api_server_says_that_it_is_ready() {
    scenario("the_api_server_says_that_it_is_ready", |run| {
        let output = shared_cluster(run)?.kubectl(&["get", "--raw", "/readyz"])?;
        expect(output.stdout == "ok", "/readyz does not say ok", output)
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_control_plane_pod_is_running_and_ready() {
    scenario("every_control_plane_pod_is_running_and_ready", |run| {
        let cluster = shared_cluster(run)?;
        for component in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
            let pod = format!("{component}-{}", cluster.control_plane.name);
            wait_for(&format!("Pod {pod} to be Running and Ready"), SETTLES, || {
                let found = cluster.object(&["--namespace", "kube-system", "get", "pod", &pod])?;
                let good = found["status"]["phase"] == "Running" && is_ready(&found);
                expect(good, "it is not", &found["status"])
            })?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn both_addons_become_ready() {
    scenario("both_addons_become_ready", |run| {
        let cluster = shared_cluster(run)?;
        cluster.wait_pods_ready("kube-system", "k8s-app=kube-proxy")?;
        cluster.wait_pods_ready("kube-system", "k8s-app=kube-dns")
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_key_and_kubeconfig_is_readable_by_root_only() {
    scenario("every_key_and_kubeconfig_is_readable_by_root_only", |run| {
        let script = r"find /etc/kubernetes /var/lib/kubelet/pki \( -name '*.key' -o -name '*.conf' -o -name '*.pem' \) \
            -type f ! -perm 0600 -printf '%m %u %p\n'";
        let open = shared_cluster(run)?.control_plane.script(script)?;
        expect(open.stdout.is_empty(), "these can be read by others", &open.stdout)
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_pods_of_a_deployment_land_on_both_workers() {
    scenario("the_pods_of_a_deployment_land_on_both_workers", |run| {
        let cluster = shared_cluster(run)?;
        let pods = workload::start(cluster)?;
        let workers: BTreeSet<&str> = cluster.workers.iter().map(|node| node.name.as_str()).collect();
        expect(workload::nodes(&pods) == workers, "the Pods are elsewhere", format!("{:?}", workload::nodes(&pods)))
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_service_answers_on_every_node_from_the_pods_of_all_nodes() {
    scenario("a_service_answers_on_every_node_from_the_pods_of_all_nodes", |run| {
        let cluster = shared_cluster(run)?;
        let expected: BTreeSet<String> = workload::start(cluster)?.into_iter().map(|pod| pod.name).collect();
        let address = workload::service_address(cluster)?;
        for node in cluster.nodes() {
            let mut answered = BTreeSet::new();
            wait_for(&format!("answers of all Pods through the Service on {}", node.name), SETTLES, || {
                let output =
                    node.ok(&["curl", "--silent", "--show-error", "--max-time", "2", &format!("http://{address}/")])?;
                answered.insert(output.line().to_owned());
                expect(answered == expected, "not all have answered", format!("{answered:?} of {expected:?}"))
            })?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn logs_can_be_read_and_pods_can_be_entered_on_every_worker() {
    scenario("logs_can_be_read_and_pods_can_be_entered_on_every_worker", |run| {
        let cluster = shared_cluster(run)?;
        for pod in workload::start(cluster)? {
            let logs = cluster.kubectl(&["logs", &pod.name])?;
            expect(logs.stdout.contains(&format!("{} serves on :8080", pod.name)), "the log is not the Pod's", logs)?;
            let name = cluster.kubectl(&["exec", &pod.name, "--", "hostname"])?;
            expect(name.line() == pod.name, "the command ran elsewhere", name)?;
        }
        Ok::<(), Failure>(())
    });
}
