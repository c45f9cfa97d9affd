//! `--dry-run`: in an empty root without rights, network, init system, runtime and cluster, and on real nodes as root.
//! Every command ends well, lists what it would change, and leaves everything as it was.

use crate::{events, only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use kubestrap_e2e::wait::wait_for;
use serde_json::Value;
use std::collections::BTreeSet;

/// An endpoint that nobody can reach.
const JOIN: &str = "join 10.0.0.9:6443 --token abcdef.0123456789abcdef --discovery-token-unsafe-skip-ca-verification";

/// Makes a root with the program and its libraries, and nothing else. All of it belongs to the user who runs the program, so
/// that only the program itself keeps him from writing there.
const MAKE_BARE: &str = r#"
mkdir -p /srv/bare/proc
for file in /usr/bin/kubestrap $(ldd /usr/bin/kubestrap | grep -o '/[^ ]*'); do
    mkdir -p "/srv/bare$(dirname "$file")"; cp -L "$file" "/srv/bare$file"
done
chown -R 65534:65534 /srv/bare
"#;

/// Runs the program in it, mounted `rw` or `ro`: as nobody, with a network of its own that leads nowhere.
const IN_BARE: &str = r#"
mount --bind /srv/bare /srv/bare; mount -t proc proc /srv/bare/proc; mount -o "remount,bind,$1" /srv/bare; shift
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/chroot --userspec=65534:65534 /srv/bare /usr/bin/kubestrap "$@"
"#;

/// Every entry with what cannot change unseen, and the digest of every file.
const LOOK_AT_BARE: &str = r"
find /srv/bare -printf '%p %y %i %s %m %U:%G %T@ %C@ %l\n' | sort
find /srv/bare -type f -print0 | sort -z | xargs -0 sha256sum
";

/// On a node that runs, kubelet and Pods write all the time: what they write is left out.
const LOOK_AT_NODE: &str = r"
find /etc /opt /root /srv /home /usr /tmp /var/lib/kubestrap /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env \
    /var/lib/kubelet/pki -xdev -printf '%p %y %i %s %m %U:%G %T@ %C@ %l\n' 2>/dev/null | sort
find /etc /root /var/lib/kubestrap -xdev -type f -print0 | sort -z | xargs -0 sha256sum
find /var/lib -mindepth 1 -maxdepth 1 | sort
ctr -n k8s.io containers ls -q | sort
iptables-save | sed -n 's/^:\([^ ]*\) .*/chain \1/p' | grep -v KUBE-S | sort  # kube-proxy follows the Pods
systemctl show -p ActiveState,NRestarts,MainPID kubelet containerd
";

/// What a dry run could have sent: versions of what only people change, and generations of what controllers report on.
const OBJECTS: [(&str, &str); 2] = [
    ("secrets,configmaps,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,csr", "resourceVersion"),
    ("deployments,daemonsets,services,nodes,pods", "generation"),
];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_dry_run_works_without_root_or_anything_else_and_writes_nothing() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_dry_run_works_without_root_or_anything_else_and_writes_nothing", |run| {
        let node = Node::create(run, "dry")?;
        node.script(MAKE_BARE)?;
        let empty = node.script(LOOK_AT_BARE)?.stdout;
        in_bare(&node, "rw", "man /pages")?.success()?;
        let written = node.script(LOOK_AT_BARE)?.stdout;
        expect(empty != written, "the comparison does not see what the program writes", "")?;
        let before = node.script(&format!("rm -r /srv/bare/pages\n{LOOK_AT_BARE}"))?.stdout;
        for (command, expected) in [
            (
                "init",
                &["write /etc/kubernetes/manifests/kube-apiserver.yaml", "apply DaemonSet kube-system/kube-proxy"][..],
            ),
            (JOIN, &["write /var/lib/kubelet/config.yaml", "write /etc/kubernetes/kubelet.conf"]),
            ("reset", &[]),
            ("remove n2", &["delete Node n2"]),
            ("token create", &["apply Secret kube-system/bootstrap-token-"]),
            ("init phase kubelet-start", &["write /var/lib/kubelet/kubeadm-flags.env"]),
        ] {
            let text = rehearsed_in_bare(&node, "rw", command, "text")?.success()?;
            let name = command.split(" --").next().unwrap_or(command);
            say(&format!("{name:<26} {:.1} s, {} lines", text.took.as_secs_f32(), text.stdout.lines().count()));
            expect(text.stderr.contains("nothing was changed"), "it does not say that nothing was changed", &text)?;
            for line in expected {
                expect(text.stdout.contains(line), format!("the list lacks {line}"), &text)?;
            }
            holds_no_secret(&text)?;
            let json = rehearsed_in_bare(&node, "rw", command, "json")?.success()?;
            let last = rehearsed(&json)?;
            let is_empty = last["changes"].as_array().is_some_and(Vec::is_empty);
            expect(is_empty == expected.is_empty(), "JSON has another list", &last)?;
            holds_no_secret(&json)?;
        }
        let reset = rehearsed_in_bare(&node, "rw", "reset", "text")?.success()?;
        expect(reset.stderr.contains("there is nothing to remove"), "reset finds something", &reset)?;
        let after = node.script(LOOK_AT_BARE)?.stdout;
        expect(before == after, "the bare root was changed", differences(&before, &after))?;
        for command in ["init", JOIN, "reset"] {
            rehearsed_in_bare(&node, "ro", command, "text")?.success()?;
        }
        node.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_dry_run_on_a_node_changes_neither_node_nor_cluster() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_dry_run_on_a_node_changes_neither_node_nor_cluster", |run| {
        let cluster = shared_cluster(run)?;
        let join = format!("join {}", cluster.join.arguments.join(" "));
        let worker = &cluster.workers[0];
        cluster.wait_pods_ready("kube-system", "k8s-app=kube-dns")?;
        // The kubelet tells the cluster of a static Pod some time after it has started it.
        wait_for("the control plane's Pods to be known", SETTLES, || {
            let selected = ["--namespace", "kube-system", "get", "pods", "--selector", "tier=control-plane"];
            let pods = cluster.object(&selected)?;
            let count = pods["items"].as_array().map_or(0, Vec::len);
            expect(count == 4, format!("{count} are"), "")
        })?;
        for (node, command, expected) in [
            (
                &cluster.control_plane,
                "init --pod-network-cidr 10.244.0.0/16",
                "apply Secret kube-system/bootstrap-token-",
            ),
            (&cluster.control_plane, join.as_str(), ""),
            (&cluster.control_plane, "reset", "remove /etc/kubernetes/admin.conf"),
            (worker, "reset", "remove /etc/kubernetes/kubelet.conf"),
            (worker, join.as_str(), ""),
        ] {
            let before = look(cluster, node)?;
            let words = format!("kubestrap {command} --dry-run");
            let output = node.ok(&words.split(' ').collect::<Vec<_>>())?;
            let after = look(cluster, node)?;
            say(&format!("{:<10} {words:.30}: {:.1} s", node.name, output.took.as_secs_f32()));
            expect(before == after, format!("{words} changed something"), differences(&before, &after))?;
            expect(output.stdout.contains(expected), format!("the list lacks {expected}"), &output)?;
            holds_no_secret(&output)?;
        }
        Ok::<(), Failure>(())
    });
}

fn rehearsed_in_bare(node: &Node, mode: &str, command: &str, form: &str) -> Result<Output, Failure> {
    in_bare(node, mode, &format!("{command} --dry-run -o {form}"))
}

fn in_bare(node: &Node, mode: &str, command: &str) -> Result<Output, Failure> {
    let unshared = ["unshare", "--net", "--mount", "--pid", "--fork", "sh", "-ec", IN_BARE, "sh", mode];
    node.run(&[&unshared[..], &command.split(' ').collect::<Vec<_>>()].concat())
}

/// The last event, which has the list.
pub(crate) fn rehearsed(output: &Output) -> Result<Value, Failure> {
    let found = events::of(output)?.into_iter().rfind(|event| event["event"] == "dry-run");
    found.ok_or_else(|| Failure::new("there is no event dry-run", output))
}

/// The join command that `init` ends with has the token; it is meant to be seen.
fn holds_no_secret(output: &Output) -> Result<(), Failure> {
    for secret in ["PRIVATE KEY", "client-key-data", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVk"] {
        expect(!output.stdout.contains(secret), format!("the list shows a secret: {secret}"), &output.command)?;
    }
    Ok(())
}

/// Node and cluster together.
fn look(cluster: &Cluster, node: &Node) -> Result<String, Failure> {
    let mut text = node.script(LOOK_AT_NODE)?.stdout;
    for (kinds, field) in OBJECTS {
        text.push_str(&objects(cluster, kinds, field)?);
    }
    Ok(text)
}

/// A line per object, with one field of its metadata.
pub(crate) fn objects(cluster: &Cluster, kinds: &str, field: &str) -> Result<String, Failure> {
    let line =
        r#"{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} FIELD {.spec.unschedulable}{"\n"}{end}"#;
    let form = format!("jsonpath={}", line.replace("FIELD", &format!("{{.metadata.{field}}}")));
    Ok(cluster.kubectl(&["get", kinds, "--all-namespaces", "--output", &form])?.stdout)
}

/// Lines that are gone and lines that are new.
pub(crate) fn differences(before: &str, after: &str) -> String {
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) = (before.lines().collect(), after.lines().collect());
    let gone = before.difference(&after).map(|line| format!("- {line}"));
    let new = after.difference(&before).map(|line| format!("+ {line}"));
    gone.chain(new).collect::<Vec<_>>().join("\n")
}
