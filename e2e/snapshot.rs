//! Everything on a node that a tool may leave behind: files with mode, owner, digest and extended attributes, mounts,
//! links, chains and rules of iptables, processes, containers. Two snapshots, before `init` and after `reset` say, are
//! compared fact by fact.

use crate::failure::Failure;
use crate::nodes::Node;
use std::collections::BTreeMap;

/// Facts by name, such as "file /etc/hosts" → "f 644 0:0 42 sha256…".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub facts: BTreeMap<String, String>,
}

/// Roots of the file facts, and what changes below them without a tool's doing.
const ROOTS: &str =
    "/etc /opt /root /srv /home /usr /var /var/lib/kubelet /var/lib/etcd /var/log/pods /var/log/containers";
const PASSING: &str = "/var/log /var/cache /var/tmp /var/lib/containerd /var/lib/systemd /root/.cache";

/// Each line: the fact, a tab, its value. Digests come from one sha256sum for all files.
const FILES: &str = r#"
for path in $PASSING; do prune="${prune:-} -path $path -prune -o"; done
for root in $ROOTS; do test -e "$root" && present="${present:-} $root"; done
find $present -xdev $prune -printf 'file %p\t%y %m %U:%G %l\n'
find $present -xdev $prune -type f -print0 | xargs -0 -r sha256sum | sed 's/^\([0-9a-f]*\)  \(.*\)$/content \2\t\1/'
"#;

const REST: &str = r#"
findmnt --list --noheadings --output TARGET,FSTYPE | awk '{print "mount " $1 "\t" $2}'
ip -brief link | awk '{print "link " $1 "\t"}'
for table in filter nat mangle; do
    iptables-save -t $table 2>/dev/null | sed -n "s/^:\([^ ]*\) .*/chain $table \1\t/p; s/^-A \(.*\)/rule $table \1\t/p"
done
ip route | awk '{print "route " $0 "\t"}'
processes=$(ps -e -o comm=)  # before there are processes of this pipeline
echo "$processes" | sort | uniq -c | awk '{print "process " $2 "\t" $1}'
ctr -n k8s.io containers ls -q | awk '{print "container " $1 "\t"}'
for unit in kubelet containerd; do echo "unit $unit	$(systemctl is-enabled $unit)"; done
"#;

impl Snapshot {
    pub fn take(node: &Node) -> Result<Self, Failure> {
        let script = format!("ROOTS='{ROOTS}'; PASSING='{PASSING}'; {FILES} {REST}");
        let output = node.ok(&["bash", "-c", &script])?;
        let fact = |line: &str| line.split_once('\t').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let mut facts: BTreeMap<String, String> = output.stdout.lines().filter_map(fact).collect();
        facts.extend(attributes(node, facts.keys())?);
        Ok(Self { facts })
    }

    /// Only the facts whose name begins with one of these.
    pub fn only(&self, prefixes: &[&str]) -> Self {
        let wanted = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let facts = self.facts.iter().filter(|(name, _)| wanted(name));
        Self { facts: facts.map(|(name, value)| (name.clone(), value.clone())).collect() }
    }

    /// One line per fact that was added (+), removed (-) or changed (~) on the way from `self` to `later`.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, value) in &self.facts {
            match later.facts.get(name) {
                None => lines.push(format!("- {name} {value}")),
                Some(now) if now != value => lines.push(format!("~ {name} {value} -> {now}")),
                Some(_) => {}
            }
        }
        let added = later.facts.iter().filter(|(name, _)| !self.facts.contains_key(*name));
        lines.extend(added.map(|(name, value)| format!("+ {name} {value}")));
        lines
    }
}

/// Extended attributes of the files among the facts; nodes have no program that shows them. A file that is gone by now
/// has none.
fn attributes<'a>(node: &Node, facts: impl Iterator<Item = &'a String>) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    for path in facts.filter_map(|fact| fact.strip_prefix("file ")) {
        let here = node.seen_from_here(path)?;
        for name in xattr::list(&here).into_iter().flatten() {
            let value = xattr::get(&here, &name).ok().flatten().unwrap_or_default();
            let fact = format!("attribute {} of {path}", name.to_string_lossy());
            found.insert(fact, String::from_utf8_lossy(&value).into_owned());
        }
    }
    Ok(found)
}
