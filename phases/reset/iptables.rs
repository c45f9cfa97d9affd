//! Phase `clean-iptables`: removes the chains of kube-proxy and kubelet with the rules that lead into them, and what else
//! kube-proxy makes in the kernel (`nftables.rs`, `ipvs.rs`).
//!
//! Their chains are named `KUBE-…`; no other rule is touched. One `iptables-restore` per family removes them all at once,
//! so that no packet ever meets half a set. kube-proxy may have taken another variant of iptables than this machine's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{ipvs, nftables};
use crate::config::Reset;
use crate::counted;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, Command, World};

/// The phase.
pub struct CleanIptables;

impl Phase<Reset> for CleanIptables {
    fn name(&self) -> &'static str {
        "clean-iptables"
    }

    fn about(&self) -> &'static str {
        "removes what kube-proxy and kubelet made in iptables, nftables and IPVS"
    }

    fn run(&self, _job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        world.needs_running_system("remove iptables chains")?;
        let facts = world.host().facts()?;
        let mut removed = 0;
        for tool in tools(&facts.programs) {
            let saved = world.host().ask(&Command::new(&[&format!("{tool}-save")]))?;
            let (chains, input) = removal(&saved.stdout);
            if chains == 0 {
                continue;
            }
            removed += chains;
            let words = [format!("{tool}-restore"), "--noflush".to_owned(), "--wait=5".to_owned()].to_vec();
            world.change(&Change::Run {
                command: Command { words, input: Some(input) },
                purpose: format!("remove {} of kube-proxy and kubelet", counted(chains, &format!("{tool} chain"))),
            })?;
        }
        world.note(&format!("{} removed", counted(removed, "iptables chain")));
        nftables::clean(&facts, world)?;
        ipvs::clean(&facts, world)
    }
}

/// Names before `-save` and `-restore`: of both variants where both are there, otherwise of the one.
fn tools(programs: &BTreeMap<String, PathBuf>) -> Vec<String> {
    let variants: &[&str] = match ["iptables-legacy-save", "iptables-nft-save"].map(|name| programs.contains_key(name))
    {
        [true, true] => &["-legacy", "-nft"],
        _ if programs.contains_key("iptables") => &[""],
        _ => &[],
    };
    let of_variant = |variant: &&str| ["iptables", "ip6tables"].map(|family| format!("{family}{variant}"));
    variants.iter().flat_map(of_variant).collect()
}

/// From `iptables-save` to the input of `iptables-restore --noflush` that removes what is Kubernetes', and how many chains
/// that is. Naming a chain empties it; rules elsewhere that lead into it are deleted by their own text; then it can go.
fn removal(saved: &str) -> (usize, String) {
    let mut count = 0;
    let mut input = String::new();
    let mut table: Option<&str> = None;
    let mut chains: Vec<&str> = Vec::new();
    let mut rules: Vec<&str> = Vec::new();
    for line in saved.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = Some(name);
            chains.clear();
            rules.clear();
        } else if let Some(chain) = line.strip_prefix(':').and_then(|line| line.split(' ').next()) {
            if chain.starts_with("KUBE-") {
                chains.push(chain);
            }
        } else if let Some(rule) = line.strip_prefix("-A ") {
            let is_inside = rule.starts_with("KUBE-");
            let mut words = rule.split(' ');
            let leads_in = words.any(|word| word == "-j" || word == "-g")
                && words.next().is_some_and(|to| to.starts_with("KUBE-"));
            if leads_in && !is_inside {
                rules.push(rule);
            }
        } else if line == "COMMIT"
            && let Some(name) = table.take()
            && !chains.is_empty()
        {
            count += chains.len();
            input.push_str(&format!("*{name}\n"));
            chains.iter().for_each(|chain| input.push_str(&format!(":{chain} - [0:0]\n")));
            rules.iter().for_each(|rule| input.push_str(&format!("-D {rule}\n")));
            chains.iter().for_each(|chain| input.push_str(&format!("-X {chain}\n")));
            input.push_str("COMMIT\n");
        }
    }
    (count, input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kubernetes_chains_and_the_rules_into_them_are_removed() {
        let saved = "# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:MINE - [0:0]\n-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n-A PREROUTING -j MINE\n-A KUBE-SERVICES -j KUBE-SVC\n-A MINE -s 10.0.0.0/8 -j RETURN\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n";
        let (count, input) = removal(saved);
        assert_eq!(count, 1);
        assert_eq!(
            input,
            "*nat\n:KUBE-SERVICES - [0:0]\n-D PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n-X KUBE-SERVICES\nCOMMIT\n"
        );
    }

    #[test]
    fn nothing_to_remove_is_nothing_to_run() {
        assert_eq!(removal("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"), (0, String::new()));
    }
}
