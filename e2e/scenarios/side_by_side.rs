//! Configurations that the golden files do not have, each given to a real kubeadm 1.20.2 and to kubestrap on the same
//! node: files, modes and certificates mean the same. Every difference that is meant to be is in the table.

use crate::certificates::described;
use crate::{only_kubestrap, scenario};
use kubestrap_e2e::checkout;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::meaning::{self, Accepted, without_keys};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::tool::Tool;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every difference that is meant to be.
const ACCEPTED: &[Accepted] = &[Accepted {
    line: r#".hostPath.type: "" -> nothing"#,
    reason: "the API server reads both as: no check of what is there",
}];

/// The phases that write files, in an order that both tools take.
const PHASES: [&str; 5] = ["certs all", "kubeconfig all", "kubelet-start", "control-plane all", "etcd local"];

const CONFIG: &str = "/run/kubestrap-e2e/side-by-side.yaml";

/// All files that a tool has written, each with its mode before its text.
const COLLECT: &str = r#"
for root in /etc/kubernetes /srv /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env; do
    test -e $root && find $root -type f
done | while read -r file; do
    echo "== $(stat -c %a "$file") $file"; cat "$file"
done"#;

const CLEAN: &str = "systemctl stop kubelet; systemctl reset-failed kubelet
    find /etc/kubernetes /srv /var/lib/kubelet /var/lib/etcd -mindepth 1 -delete; rm -rf /var/lib/kubestrap";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn unusual_configurations_mean_to_kubestrap_what_they_mean_to_kubeadm() {
    if !only_kubestrap() {
        return;
    }
    scenario("unusual_configurations_mean_to_kubestrap_what_they_mean_to_kubeadm", |run| {
        let node = Node::create(run, "side-by-side")?;
        // Prepared by packages, or by an administrator who gives an external etcd's certificates.
        node.script("mkdir -p /etc/kubernetes/manifests")?;
        let scratch = run.record.state().join("side-by-side");
        let mut wrong = Vec::new();
        for (name, config) in configurations()? {
            node.write(CONFIG, &config, "0600")?;
            let kubeadm = written(&node, Tool::Kubeadm, &scratch)?;
            match written(&node, Tool::Kubestrap, &scratch) {
                Ok(ours) => {
                    wrong.extend(differences(&kubeadm, &ours)?.into_iter().map(|line| format!("{name}: {line}")))
                }
                Err(failure) => wrong.push(format!("{name}: {failure}")),
            }
            node.script(CLEAN)?;
        }
        node.destroy()?;
        expect(wrong.is_empty(), "kubestrap reads configurations differently", wrong.join("\n"))
    });
}

fn configurations() -> Result<Vec<(String, String)>, Failure> {
    let folder = checkout().join("testdata/side-by-side");
    let unreadable = |error| Failure::new(format!("cannot read {}", folder.display()), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)?.flatten() {
        let text = fs::read_to_string(entry.path()).map_err(unreadable)?;
        found.push((entry.file_name().to_string_lossy().into_owned(), text));
    }
    found.sort();
    expect(found.len() > 5, "there are too few configurations", folder.display())?;
    Ok(found)
}

/// What a tool's phases write, by path: the mode, then the text; of a certificate what openssl says.
fn written(node: &Node, tool: Tool, scratch: &Path) -> Result<BTreeMap<String, (String, String)>, Failure> {
    for phase in PHASES {
        let words: Vec<&str> = [tool.program(), "init", "phase"].into_iter().chain(phase.split(' ')).collect();
        node.ok(&[&words[..], &["--config", CONFIG]].concat())?;
    }
    let mut files = BTreeMap::new();
    for file in node.script(COLLECT)?.stdout.split("== ").skip(1) {
        let (head, text) = file.split_once('\n').unwrap_or_default();
        let (mode, path) = head.split_once(' ').unwrap_or_default();
        let text = if path.ends_with(".crt") { certificate(text, scratch)? } else { text.to_owned() };
        files.insert(path.to_owned(), (mode.to_owned(), text));
    }
    node.script(CLEAN)?;
    Ok(files)
}

fn certificate(text: &str, scratch: &Path) -> Result<String, Failure> {
    let path = scratch.with_extension("crt");
    fs::write(&path, text).map_err(|error| Failure::new(format!("cannot write {}", path.display()), error))?;
    Ok(described(&path.to_string_lossy())?.join("\n"))
}

type Written = BTreeMap<String, (String, String)>;

fn differences(kubeadm: &Written, ours: &Written) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for path in ours.keys().filter(|path| !kubeadm.contains_key(*path)) {
        lines.push(format!("{path}: only kubestrap writes it"));
    }
    for (path, (mode, text)) in kubeadm {
        let Some((our_mode, our_text)) = ours.get(path) else {
            lines.push(format!("{path}: only kubeadm writes it"));
            continue;
        };
        if mode != our_mode {
            lines.push(format!("{path}: mode {mode} -> {our_mode}"));
        }
        if path.ends_with(".yaml") || path.ends_with(".conf") {
            let value = |text: &str| meaning::yaml(Path::new(path), text).map(without_keys);
            lines.extend(meaning::differences(&value(text)?, &value(our_text)?).iter().map(|at| format!("{path}{at}")));
        } else if !path.ends_with(".key") && !path.ends_with(".pub") && text != our_text {
            lines.push(format!("{path}: {text} -> {our_text}"));
        }
    }
    Ok(meaning::unexpected(lines, ACCEPTED))
}
