//! `undo` and `--restart`: a node on which a run was done, or broken off, is afterwards as before it; and a cluster in which
//! a command has made something. (`killed::control_plane` takes a `join --control-plane` back.)

use crate::killed::ends;
use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::chance::is_full;
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use kubestrap_e2e::snapshot::Snapshot;
use kubestrap_e2e::tool::{JoinCommand, KUBERNETES_VERSION, PATIENCE, Tool};

/// Files of other people where a run writes, and beside it.
const SENTINELS: [&str; 3] =
    ["/etc/kubernetes/notes.txt", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/notes.txt"];

/// Commands that make something in a cluster, and nothing on the node.
const IN_CLUSTER: [&[&str]; 2] =
    [&["kubestrap", "token", "create"], &["kubestrap", "init", "phase", "upload-certs", "--upload-certs"]];

/// Where the node says what kubestrap has made.
const OURS: [&str; 4] = ["file /etc/", "content /etc/", "file /var/lib/kubestrap", "content /var/lib/kubestrap"];

/// Gives the images of 1.20.2 the names of those of 1.22, the first release that knows RootlessControlPlane. A stand-in:
/// the components are those of 1.20.2, on a node whose runtime is not set up for 1.22's cgroup driver.
const AS_1_22: &str = r#"
tag() { ctr --namespace k8s.io images tag "k8s.gcr.io/$1" "k8s.gcr.io/$2" >/dev/null; }
for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do tag $name:v1.20.2 $name:v1.22.0; done
tag etcd:3.4.13-0 etcd:3.5.0-0
tag coredns:1.7.0 coredns/coredns:v1.8.4
tag pause:3.2 pause:3.5
printf -- '---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncgroupDriver: cgroupfs\n' \
    >>/run/kubestrap-e2e/init.yaml"#;
const FLAGS_1_22: [&str; 4] =
    ["--feature-gates", "RootlessControlPlane=true", "--ignore-preflight-errors", "KubeletVersion"];

/// What makes users and groups keeps the last state of its files beside them.
const BACKUPS: [&str; 6] = ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"];

/// Breaks a command off with SIGKILL once a file is there.
const KILL_WHEN: &str = r#"
path=$1; shift
"$@" >/dev/null 2>&1 & pid=$!
until [ -e "$path" ]; do kill -0 $pid 2>/dev/null || break; done
kill -KILL $pid 2>/dev/null && echo killed || echo finished
wait $pid || true"#;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_run_of_init_is_taken_back_whole_and_broken_off() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_run_of_init_is_taken_back_whole_and_broken_off", |run| {
        let node = Node::create(run, "init-undone")?;
        let before = prepared(&node)?;
        let flags = Tool::Kubestrap.init_flags(&node)?;
        let init = [&["kubestrap", "init"], &flags[..]].concat();

        node.run_with(&init, b"", PATIENCE)?.success()?;
        undo(&node, &before)?;

        let started = "/etc/kubernetes/manifests/kube-scheduler.yaml";
        let output = node.run_with(&[&["sh", "-c", KILL_WHEN, "sh", started], &init[..]].concat(), b"", PATIENCE)?;
        expect(output.line() == "killed", "init was over before it could be killed", output)?;
        let other = [&init[..], &["--service-dns-domain", "corp.local"]].concat();
        let refused = node.run_with(&other, b"", PATIENCE)?;
        let names_it = refused.stderr.contains("networking.dnsDomain: was cluster.local, is corp.local");
        expect(names_it, "another configuration is not refused by name", &refused)?;
        let status = node.ok(&["kubestrap", "status"])?;
        expect(status.stdout.contains("init of "), "status does not tell of the unfinished run", &status)?;

        let output = Tool::Kubestrap.init(&node, &["--service-dns-domain", "corp.local", "--restart"])?.success()?;
        let cluster = Cluster::adopt(run, node, JoinCommand::parse(&output.stdout)?)?;
        let config = cluster.kubectl(&["-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "yaml"])?;
        expect(config.stdout.contains("dnsDomain: corp.local"), "--restart has not begun anew", config)?;
        undo(&cluster.control_plane, &before)?;
        cluster.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn users_that_init_has_added_go_with_it() {
    if !only_kubestrap() {
        return;
    }
    if !is_full() {
        say("skipped: E2E_FULL=1 runs it");
        return;
    }
    scenario("users_that_init_has_added_go_with_it", |run| {
        let node = Node::create(run, "users-undone")?;
        let flags = Tool::Kubestrap.init_flags(&node)?.into_iter();
        node.script(AS_1_22)?;
        let before = prepared(&node)?;
        let flags = flags.map(|word| if word == KUBERNETES_VERSION { "v1.22.0" } else { word }).chain(FLAGS_1_22);
        let init: Vec<&str> = ["kubestrap", "init"].into_iter().chain(flags).collect();
        let output = node.run_with(&init, b"", PATIENCE)?.success()?;
        say(&format!("kubestrap init with users of its own: {:.1} s", output.took.as_secs_f32()));
        for (file, user) in [
            ("/var/lib/etcd", "kubeadm-etcd"),
            ("/etc/kubernetes/pki/apiserver.key", "kubeadm-kas"),
            ("/etc/kubernetes/controller-manager.conf", "kubeadm-kcm"),
            ("/etc/kubernetes/scheduler.conf", "kubeadm-ks"),
        ] {
            let owner = node.ok(&["stat", "--format=%U", file])?;
            expect(owner.line() == user, format!("{file} does not belong to {user}"), owner)?;
        }
        let processes = node.ok(&["ps", "-o", "user:20=", "-C", "kube-apiserver"])?;
        expect(processes.line() == "kubeadm-kas", "the API server runs as somebody else", processes)?;
        undo(&node, &before)?;
        node.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_run_of_join_is_taken_back() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_run_of_join_is_taken_back", |run| {
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "join-undone")?;
        let before = prepared(&node)?;
        cluster.join_again(Tool::Kubestrap, &node)?;
        undo(&node, &before)?;
        cluster.kubectl(&["delete", "node", &node.name])?;
        node.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn what_a_command_has_made_in_a_cluster_is_taken_back() {
    if !only_kubestrap() {
        return;
    }
    scenario("what_a_command_has_made_in_a_cluster_is_taken_back", |run| {
        let cluster = shared_cluster(run)?;
        let node = &cluster.control_plane;
        let before = (ends::of_cluster(cluster)?, Snapshot::take(node)?.only(&OURS));
        for command in IN_CLUSTER {
            let name = command[1..].join(" ");
            node.run_with(command, b"", PATIENCE)?.success()?;
            expect(ends::of_cluster(cluster)? != before.0, format!("{name} has made nothing"), "")?;
            let output = node.run_with(&UNDO, b"", PATIENCE)?.success()?;
            say(&format!("undo of {name}: {:.1} s", output.took.as_secs_f32()));
            ends::same(&format!("after {name} and undo, the cluster is"), &before.0, &ends::of_cluster(cluster)?)?;
            let mut left = before.1.differences(&Snapshot::take(node)?.only(&OURS));
            // It holds the number of the last process that had it.
            left.retain(|line| !line.contains(" /var/lib/kubestrap/lock "));
            expect(left.is_empty(), format!("{name} and undo have changed the node"), left.join("\n"))?;
        }
        Ok(())
    });
}

/// The node with things of others, and what it is then.
pub(crate) fn prepared(node: &Node) -> Result<Snapshot, Failure> {
    for path in SENTINELS {
        node.write(path, "mine: true\n", "0640")?;
        node.ok(&["chown", "1234:1234", path])?;
        node.set_attribute(path, "user.note", "mine")?;
    }
    Snapshot::take(node)
}

const UNDO: [&str; 3] = ["kubestrap", "undo", "--force"];

/// Takes the last run back: the node is as before.
pub(crate) fn undo(node: &Node, before: &Snapshot) -> Result<Output, Failure> {
    let output = node.run_with(&UNDO, b"", PATIENCE)?.success()?;
    let mut left = before.differences(&Snapshot::take(node)?);
    left.retain(|line| !is_of_others(line));
    expect(left.is_empty(), "undo did not restore the node", left.join("\n"))?;
    let unit = |node: &Node| node.run_with(&["systemctl", "is-active", "kubelet"], b"", PATIENCE);
    let state = unit(node)?;
    expect(state.line() != "active", "the kubelet still runs", state)?;
    Ok(output)
}

/// The kubelet's unit tries every 10 s whether there is a configuration, so it may be there, or have been there, by chance.
fn is_of_others(difference: &str) -> bool {
    let is_backup = |name| {
        let file = format!(" /etc/{name}-");
        difference.contains(&format!("{file} ")) || difference.ends_with(&file)
    };
    difference.contains("process kubelet") || BACKUPS.into_iter().any(is_backup)
}
