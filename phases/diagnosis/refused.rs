//! A static Pod that the kubelet has refused. It says so once and never tries that Pod again, so that what its process has said
//! since it began counts, however long ago, and nothing of what an earlier one said.
//!
//! A kubelet that comes up under load knows of no disk yet, and refuses etcd, which asks for 100 MiB of it
//! (<https://github.com/kubernetes/kubernetes/issues/99305>). One that is started again tries again.

use super::rules::{Rule, first_fit, without_noise};
use crate::problem::Problem;
use crate::world::World;

/// What a newly started kubelet may take.
pub(super) const PASSES: &str = "static-pod-refused";

/// How many of the kubelet's lines are read; while it has no Node it writes ten each second.
const LINES: u32 = 600;

/// A refusal.
pub(super) struct Refusal {
    /// The process that has refused.
    pub(super) by: String,
    /// The cause.
    pub(super) problem: Problem,
}

/// Whether the kubelet that runs now has refused one of these components.
pub(super) fn look(components: &[&str], world: &World<'_>) -> Result<Option<Refusal>, Problem> {
    Ok(if components.is_empty() { None } else { find(components, &super::kubelet::journal(LINES, None, world)?) })
}

fn find(components: &[&str], log: &str) -> Option<Refusal> {
    let newest = log.lines().rev().find_map(process)?;
    let of_newest = log.lines().rev().filter(|line| process(line) == Some(newest)).map(without_noise);
    for line in of_newest {
        // etcd-n1_kube-system(uid), since 1.21 pod="kube-system/etcd-n1"
        let named = |name: &&&str| [' ', '/', '"'].iter().any(|before| line.contains(&format!("{before}{name}-")));
        if let (Some(component), Some(rule)) = (components.iter().find(named), first_fit(RULES, &line)) {
            let what = format!("the kubelet has refused the static Pod of {component}");
            let problem = rule.problem(&what, &line, &[]).at("journalctl -u kubelet");
            let problem = problem.fix("then run the same command again: it goes on from here");
            return Some(Refusal { by: newest.to_owned(), problem });
        }
    }
    None
}

/// The process in the head of klog's lines: `W1123 07:57:12.906173    2064 predicate.go:113] …`.
fn process(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let is_klog = words.next()?.strip_prefix(['I', 'W', 'E', 'F'])?.bytes().all(|byte| byte.is_ascii_digit());
    let number = words.nth(1)?;
    (is_klog && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// Sources: `pkg/kubelet/lifecycle/predicate.go`, `pkg/kubelet/preemption`.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule { id: PASSES, says: &["failed to admit pod", "ephemeral-storage"], after: 1,
        why: "it did not know the size of its disk when it came up, or has less than the Pod asks for, and does not try again what it has refused",
        fix: "see that there is space: df -h /var/lib/kubelet; then: systemctl restart kubelet" },
    Rule { id: "static-pod-no-room", says: &["failed to admit pod", "no set of running pods found"], after: 1,
        why: "the Pod asks for more than this machine has left; (res: …) in the line above names what, with how much is lacking",
        fix: "have it ask for less (resources.requests in a patch, --patches), or use a larger machine; then: systemctl restart kubelet" },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// From a kubelet 1.20.2 on a busy machine.
    const REFUSED: &str = "W1123 07:57:12.906173    2064 predicate.go:113] Failed to admit pod etcd-n1_kube-system(3f91f60a3066ad2f661cb14095d0fac6) - Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: ephemeral-storage, q: 104857600), ]\n";
    const GOES_ON: &str =
        "I1123 07:57:13.000000    2064 topology_manager.go:187] [topologymanager] Topology Admit Handler\n";
    const NEXT: &str = "I1123 07:58:00.000000    3064 server.go:411] Kubelet version: v1.20.2\n";
    const NEWER: &str = "E1123 07:57:12.906173    2064 predicate.go:113] \"Failed to admit pod, unexpected error while attempting to recover from admission failure\" pod=\"kube-system/kube-apiserver-n1\" err=\"preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 62000), ]\"\n";

    fn found(components: &[&str], log: &str) -> Option<(String, String)> {
        find(components, log).map(|refusal| (refusal.by, refusal.problem.id))
    }

    #[test]
    fn what_the_running_kubelet_has_refused_has_a_cause_and_what_one_before_has_refused_has_none() {
        let refused = |id: &str| Some(("2064".to_owned(), id.to_owned()));
        for (name, components, log, expected) in [
            ("refused", ["etcd"], [REFUSED, GOES_ON].concat(), refused(PASSES)),
            ("another component", ["kube-apiserver"], [REFUSED, GOES_ON].concat(), None),
            ("started again", ["etcd"], [REFUSED, GOES_ON, NEXT].concat(), None),
            ("no line", ["etcd"], String::new(), None),
            ("in newer words", ["kube-apiserver"], NEWER.to_owned(), refused("static-pod-no-room")),
            ("a stack below it", ["etcd"], [REFUSED, "goroutine 72 [select]:\n"].concat(), refused(PASSES)),
        ] {
            assert_eq!(found(&components, &log), expected, "{name}");
        }
    }
}
