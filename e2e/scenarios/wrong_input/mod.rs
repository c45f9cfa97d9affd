//! Wrong input: every mistake gets its own exit code and problem, with a way to go on, and leaves the node byte for
//! byte as it was. Each file has a table of mistakes; this one makes them and looks at the node before and after.

mod init;
mod join;

use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use kubestrap_e2e::snapshot::Snapshot;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// One mistake. Scripts run on the node as root.
#[derive(Debug, Clone, Default)]
struct Case {
    name: &'static str,
    /// Makes the node wrong; empty where only the command line is.
    before: String,
    /// The whole command, in a shell's words.
    command: String,
    code: i32,
    /// Id of the problem, or `problem/finding`.
    id: &'static str,
    /// Makes the node right again.
    after: String,
}

/// Every file with what cannot change unseen: inode, size and the times of its content and of its inode. Folders
/// without times, because the state folder may have come and gone.
const CHEAP_LOOK: &str = r"
roots='/etc /opt /root /srv /home /usr /var /var/lib/kubelet /var/lib/etcd'
find $roots -xdev \( -path /var/log -o -path /var/lib/systemd -o -path /var/lib/containerd -o -path /var/cache \) -prune -o \
    \( -type d -printf '%p %m %U:%G\n' \) -o -printf '%p %i %s %m %U:%G %T@ %C@ %l\n' | sort -u
iptables-save | sed -n 's/^:\([^ ]*\) .*/chain \1/p'
ip -brief link | awk '{print $1}'
findmnt --list --noheadings --output TARGET
ls -A /run/containerd/io.containerd.runtime.v2.task/k8s.io 2>/dev/null || true
systemctl is-enabled kubelet
";

/// A mistake that takes longer to be noticed is not noticed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes every mistake on the node. All that went wrong comes together, with the table of cases.
fn make_mistakes(node: &Node, cases: &[Case]) -> Result<(), Failure> {
    // Some folders appear when the first program asks for them.
    node.script("iptables-save; ctr -n k8s.io containers ls")?;
    let untouched = Snapshot::take(node)?;
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(failure) = make_mistake(node, case) {
            wrong.push(format!("{}: {failure}", case.name));
        }
    }
    let differ = untouched.differences(&Snapshot::take(node)?);
    wrong.extend(differ.into_iter().filter(|line| !passes(line)));
    expect(wrong.is_empty(), "mistakes were not refused as they should be", wrong.join("\n"))
}

fn make_mistake(node: &Node, case: &Case) -> Result<(), Failure> {
    node.script(&case.before)?;
    let outcome = run_and_look(node, &case.command);
    node.script(&case.after)?;
    let (output, changed) = outcome?;
    let last: Value = output.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let problem = &last["problem"];
    let ids = ids(problem);
    let told = if problem["findings"][0].is_object() { &problem["findings"][0] } else { problem };
    let what = told["what"].as_str().unwrap_or_else(|| output.stderr.lines().next().unwrap_or_default());
    let code = output.code.map_or_else(|| "-".to_owned(), |code| code.to_string());
    say(&format!("{:<34} {code:>3}  {:<48} {what}", case.name, ids.join(" ")));
    expect(output.code == Some(case.code), format!("the exit code is not {}", case.code), &output)?;
    expect(changed.is_empty(), "the node was changed", changed.join("\n"))?;
    expect(ids.iter().any(|id| id == case.id), format!("the problem is not {}", case.id), &output)?;
    expect(last["exit-code"] == case.code, "JSON has another exit code", &last)?;
    let helps = problem["fix"].as_array().is_some_and(|fixes| !fixes.is_empty()) && problem["why"] != "";
    expect(helps, "the problem lacks why or fix", problem)
}

/// The problem's id, or one `problem/finding` for each finding.
fn ids(problem: &Value) -> Vec<String> {
    let id = |value: &Value| value["id"].as_str().unwrap_or_default().to_owned();
    let findings = problem["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    if findings.is_empty() {
        return vec![id(problem)];
    }
    findings.iter().map(|finding| format!("{}/{}", id(problem), id(finding))).collect()
}

/// The command's words, and what is not on the node any more (-) or new there (+).
fn run_and_look(node: &Node, command: &str) -> Result<(Output, Vec<String>), Failure> {
    let look = || Ok(node.script(CHEAP_LOOK)?.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>());
    let before = look()?;
    let output = node.run_with(&["sh", "-c", &format!("exec {command} -o json")], b"", PATIENCE)?;
    let after = look()?;
    let gone = before.difference(&after).map(|line| format!("- {line}"));
    let new = after.difference(&before).map(|line| format!("+ {line}"));
    Ok((output, gone.chain(new).collect()))
}

/// The kubelet's unit tries every 10 s whether there is a configuration; whether it runs in this moment is chance.
fn passes(difference: &str) -> bool {
    difference.contains(" process kubelet") || difference.contains(" process (kubelet)")
}
