//! Phase `clean-iptables`: removes the chains of kube-proxy and kubelet with the rules that lead into them, and what else
//! kube-proxy makes in the kernel (`nftables.rs`, `ipvs.rs`).
//!
//! Their chains are named `KUBE-…`; no other rule is touched. One `iptables-restore` per family removes them all at once,
//! so that no packet ever meets half a set. kube-proxy may have taken another variant of iptables than this machine's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{ipvs, nftables};
use crate::config::Reset;
use crate::counted;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, Command, Host, World};

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
        let mut tools = tools(&facts.programs);
        tools.retain(|tool| !has_no_tables(tool, world.host()));
        let (tables, sets) = (nftables::question(&facts), ipvs::question(&facts, world)?);
        let saves = tools.iter().map(|tool| Command::new(&[&format!("{tool}-save")]));
        let questions: Vec<Command> = saves.chain(tables.clone()).chain(sets.clone()).collect();
        let mut answers = world.host().ask_all(&questions)?.into_iter().map(|answer| answer.stdout);
        let mut removed = 0;
        let mut changes = Vec::new();
        for (tool, saved) in tools.iter().zip(&mut answers) {
            let (chains, input) = removal(&saved);
            if chains == 0 {
                continue;
            }
            removed += chains;
            let words = [format!("{tool}-restore"), "--noflush".to_owned(), "--wait=5".to_owned()].to_vec();
            changes.push(Change::Run {
                command: Command { words, input: Some(input) },
                purpose: format!("remove {} of kube-proxy and kubelet", counted(chains, &format!("{tool} chain"))),
            });
        }
        world.change_all(&changes)?;
        world.note(&format!("{} removed", counted(removed, "iptables chain")));
        let mut answer_to = |question: Option<Command>| question.and_then(|_| answers.next()).unwrap_or_default();
        nftables::clean(&answer_to(tables), world)?;
        ipvs::clean(&facts, &answer_to(sets), world)
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

/// Whether a tool of the legacy variant would save nothing: it saves the tables that the kernel lists in a file, which is
/// not there before the first of them is made.
fn has_no_tables(tool: &str, host: &dyn Host) -> bool {
    let path = match tool {
        "iptables-legacy" => "/proc/net/ip_tables_names",
        "ip6tables-legacy" => "/proc/net/ip6_tables_names",
        _ => return false,
    };
    // Where the file may not be read, the tool says what it can.
    host.read(Path::new(path)).is_ok_and(|names| names.unwrap_or_default().is_empty())
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
    use crate::world::Overlay;

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
    fn a_legacy_tool_is_asked_only_where_the_kernel_has_tables_of_its() {
        let names = "/proc/net/ip_tables_names";
        for (tool, overlay, expected) in [
            ("iptables-legacy", Overlay::default(), true),
            ("iptables-legacy", Overlay::default().with_file(names, "", 0o440), true),
            ("iptables-legacy", Overlay::default().with_file(names, "nat\nfilter\n", 0o440), false),
            ("ip6tables-legacy", Overlay::default().with_file(names, "nat\n", 0o440), true),
            ("iptables-nft", Overlay::default(), false),
            ("iptables", Overlay::default(), false),
        ] {
            assert_eq!(has_no_tables(tool, &overlay), expected, "{tool}");
        }
    }

    #[test]
    fn nothing_to_remove_is_nothing_to_run() {
        assert_eq!(removal("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"), (0, String::new()));
    }
}
