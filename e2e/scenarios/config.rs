//! Configuration files: what `config migrate` and `config print` write, kubeadm 1.20.2 reads, and understands the same as
//! the file that it was made from. Done by a user without any rights, as none of these commands needs any.

use crate::{only_kubestrap, scenario};
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::meaning::{self, golden_text};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::{checkout, say};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Nobody's own folder, on a disk in memory.
const FOLDER: &str = "/run/kubestrap-e2e/config";

/// Runs a line of shell as nobody in nobody's folder.
fn as_nobody(node: &Node, line: &str) -> Result<Output, Failure> {
    let line = format!("cd {FOLDER} && exec setpriv --reuid=65534 --regid=65534 --clear-groups {line}");
    node.run(&["sh", "-c", &line])
}

fn a_node(run: &Run, name: &str) -> Result<Node, Failure> {
    let node = Node::create(run, name)?;
    node.script(&format!("mkdir -p {FOLDER}; chown 65534:65534 {FOLDER}; touch {FOLDER}/discovery.conf"))?;
    Ok(node)
}

/// A file of the checkout's test data.
fn test_data(path: &str) -> Result<String, Failure> {
    let path = checkout().join("testdata").join(path);
    fs::read_to_string(&path).map_err(|error| Failure::new(format!("cannot read {}", path.display()), error))
}

/// Documents of a text for `kubeadm init`, and those for `kubeadm join`: kubeadm 1.20 migrates one of both.
fn by_command(text: &str) -> Vec<String> {
    let (join, init): (Vec<&str>, Vec<&str>) =
        text.split("---\n").partition(|document| document.contains("kind: JoinConfiguration"));
    [init, join].into_iter().filter(|documents| !documents.is_empty()).map(|some| some.join("---\n")).collect()
}

/// What kubeadm makes of a file: each document by its kind, without what it has drawn at random.
fn understood(node: &Node, file: &str) -> Result<Value, Failure> {
    as_nobody(node, &format!("kubeadm config migrate --old-config {file} --new-config {file}.kubeadm"))?.success()?;
    let path = format!("{FOLDER}/{file}.kubeadm");
    let given = node.read(&format!("{FOLDER}/{file}"))?;
    let mut all = serde_json::Map::new();
    for text in node.read(&path)?.split("---\n") {
        let mut document = meaning::yaml(Path::new(&path), text)?;
        if !given.contains("token:") {
            document["bootstrapTokens"] = Value::Null;
        }
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        all.insert(kind, document);
    }
    Ok(Value::Object(all))
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn kubeadm_understands_migrated_files_as_it_understood_the_old_ones() {
    scenario("kubeadm_understands_migrated_files_as_it_understood_the_old_ones", |run| {
        if !only_kubestrap() {
            return Ok(());
        }
        let discovery = format!("{FOLDER}/discovery.conf");
        let other = test_data("config/full/v1beta2-other.yaml")?.replace("/etc/kubernetes/discovery.conf", &discovery);
        let files = [
            ("defaults", golden_text("print/init-defaults.yaml", &[])?),
            ("join", golden_text("print/join-defaults.yaml", &[])?),
            ("custom", golden_text("custom/input.yaml", &[])?),
            ("everything", test_data("config/full/v1beta2.yaml")?),
            ("other", other),
        ];
        let node = a_node(run, "config-1")?;
        let mut wrong = Vec::new();
        let parts = files.iter().flat_map(|(name, text)| by_command(text).into_iter().map(move |text| (name, text)));
        for (name, text) in parts {
            node.write(&format!("{FOLDER}/old.yaml"), &text, "0644")?;
            let migrate = "kubestrap config migrate";
            as_nobody(&node, &format!("{migrate} --old-config old.yaml --to v1beta4 --new-config newest.yaml"))?
                .success()?;
            as_nobody(&node, &format!("{migrate} --old-config newest.yaml --to v1beta2 --new-config back.yaml"))?
                .success()?;
            let differ = meaning::differences(&understood(&node, "old.yaml")?, &understood(&node, "back.yaml")?);
            say(&format!("{name:<12} {:>3} lines, {} differences", text.lines().count(), differ.len()));
            wrong.extend(differ.into_iter().map(|line| format!("{name}{line}")));
        }
        expect(wrong.is_empty(), "kubeadm understands migrated files otherwise", wrong.join("\n"))?;
        node.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn kubeadm_reads_printed_defaults_and_what_was_written_for_newer_releases() {
    scenario("kubeadm_reads_printed_defaults_and_what_was_written_for_newer_releases", |run| {
        if !only_kubestrap() {
            return Ok(());
        }
        let node = a_node(run, "config-2")?;
        let print = "kubestrap config print";
        for (file, command) in [
            (
                "init.yaml",
                format!("{print} init-defaults --component-configs KubeletConfiguration,KubeProxyConfiguration"),
            ),
            ("join.yaml", format!("{print} join-defaults")),
        ] {
            let printed = as_nobody(&node, &command)?.success()?;
            node.write(&format!("{FOLDER}/{file}"), &printed.stdout, "0644")?;
            understood(&node, file)?;
            as_nobody(&node, &format!("kubestrap config validate --config {file}"))?.success()?;
        }
        // Written for a newer release, in the words that v1beta2 has too.
        let newest =
            as_nobody(&node, &format!("{print} init-defaults --kubernetes-version v1.36.2"))?.success()?.stdout;
        let newest = newest.replace("kubernetesVersion: v1.36.2", "kubernetesVersion: v1.20.2") + "---\n";
        let newest = newest + "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 99\n";
        node.write(&format!("{FOLDER}/newest.yaml"), &newest, "0644")?;
        let migrated = as_nobody(&node, "kubestrap config migrate --old-config newest.yaml")?.success()?;
        node.write(&format!("{FOLDER}/older.yaml"), &migrated.stdout, "0644")?;
        let found = understood(&node, "older.yaml")?;
        let cluster = &found["ClusterConfiguration"];
        let is_kept =
            migrated.stdout.contains("maxPods: 99") && found["InitConfiguration"]["nodeRegistration"]["name"] == "node";
        expect(is_kept && cluster["kubernetesVersion"] == "v1.20.2", "something was lost", &migrated)?;
        expect(migrated.stderr.contains("timeouts.etcdAPICall"), "what was left out is not named", &migrated)?;
        node.destroy()
    });
}
