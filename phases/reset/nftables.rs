//! What kube-proxy makes in nftables mode, from 1.29 on: one table per family, named `kube-proxy`. Other tables stay.

use crate::counted;
use crate::problem::Problem;
use crate::world::{Change, Command, Facts, World};

const TABLE: &str = "kube-proxy";

/// What tells which tables there are. Where there is no `nft`, nobody can.
pub(super) fn question(facts: &Facts) -> Option<Command> {
    facts.programs.contains_key("nft").then(|| Command::new(&["nft", "list", "tables"]))
}

/// Removes those of the listed tables that are kube-proxy's.
pub(super) fn clean(listed: &str, world: &World<'_>) -> Result<(), Problem> {
    let families = families(listed);
    for family in &families {
        world.change(&Change::Run {
            command: Command::new(&["nft", "delete", "table", family, TABLE]),
            purpose: format!("remove the nftables table {family} {TABLE}"),
        })?;
    }
    if !families.is_empty() {
        world.note(&format!("{} removed", counted(families.len(), "nftables table")));
    }
    Ok(())
}

/// From lines such as `table ip kube-proxy`.
fn families(listed: &str) -> Vec<&str> {
    listed
        .lines()
        .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["table", family @ ("ip" | "ip6"), TABLE] => Some(family),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_of_kube_proxy_are_taken() {
        let listed =
            "table ip filter\ntable ip kube-proxy\ntable inet kube-proxy\ntable ip6 kube-proxy\ntable ip mine\n";
        assert_eq!(families(listed), ["ip", "ip6"]);
    }
}
