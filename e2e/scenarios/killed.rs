//! `init` and `join` killed again and again: the same command goes on where it was killed, until it is done. The points
//! are lines in the journal, chosen at random; E2E_SEED repeats a choice.

use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::{PATIENCE, Tool};
use std::time::SystemTime;

/// The journal of an unbroken `init` has about 140 lines, that of a `join` about 20. One point in each range.
const INIT: [(u64, u64); 4] = [(2, 40), (40, 70), (70, 100), (100, 136)];
const JOIN: [(u64, u64); 2] = [(2, 8), (8, 16)];

/// Runs a command until the journal has $1 lines, kills it at once, and says whether it came so far.
const KILL_AT: &str = r#"
lines=$1; shift; journal=/var/lib/kubestrap/journal
"$@" >/dev/null 2>&1 & pid=$!
while kill -0 $pid 2>/dev/null; do
    test -e $journal && test "$(wc -l <$journal)" -ge $lines && break
    sleep 0.005
done
kill -KILL $pid 2>/dev/null && echo killed || echo finished
wait $pid || true"#;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn init_goes_on_where_it_was_killed() {
    if !only_kubestrap() {
        return;
    }
    scenario("init_goes_on_where_it_was_killed", |run| {
        let node = Node::create(run, "init-killed")?;
        let mut command = vec!["kubestrap", "init"];
        command.extend(Tool::Kubestrap.init_flags(&node)?);
        kill_at(&node, &command, &INIT)?;
        let cluster = Cluster::init(run, Tool::Kubestrap, node)?;
        let ready = cluster.kubectl(&["get", "--raw", "/readyz"])?;
        expect(ready.stdout == "ok", "/readyz does not say ok", ready)?;
        let nodes = cluster.kubectl(&["get", "nodes", "--output", "name"])?;
        expect(nodes.stdout.trim() == "node/init-killed", "there is not one Node", nodes)?;
        same_files(&cluster.control_plane, &shared_cluster(run)?.control_plane)?;
        cluster.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn join_goes_on_where_it_was_killed() {
    if !only_kubestrap() {
        return;
    }
    scenario("join_goes_on_where_it_was_killed", |run| {
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "join-killed")?;
        let mut command = vec!["kubestrap", "join"];
        command.extend(cluster.join.arguments.iter().map(String::as_str));
        kill_at(&node, &command, &JOIN)?;
        cluster.join_again(Tool::Kubestrap, &node)?;
        cluster.kubectl(&["get", "node", &node.name])?;
        let worker = cluster.workers.first().ok_or_else(|| Failure::new("there is no worker", ""))?;
        same_files(&node, worker)?;
        cluster.kubectl(&["delete", "node", &node.name])?;
        node.destroy()
    });
}

fn kill_at(node: &Node, command: &[&str], ranges: &[(u64, u64)]) -> Result<(), Failure> {
    let mut random = Random::from_environment();
    for (from, to) in ranges {
        let lines = (from + random.next() % (to - from)).to_string();
        let output = node.run_with(&[&["sh", "-c", KILL_AT, "sh", &lines], command].concat(), b"", PATIENCE)?;
        let journal = node.ok(&["tail", "-n", "1", "/var/lib/kubestrap/journal"])?;
        say(&format!("{} at line {lines} of the journal: {:.110}", output.line(), journal.line()));
        expect(output.line() == "killed", "the command was over before it could be killed", output)?;
    }
    Ok(())
}

/// The names and modes of everything in /etc/kubernetes are those of a node whose making was not broken.
fn same_files(node: &Node, unbroken: &Node) -> Result<(), Failure> {
    let list = |node: &Node| Ok::<_, Failure>(node.script("find /etc/kubernetes -printf '%y %m %p\\n' | sort")?.stdout);
    let (ours, theirs) = (list(node)?, list(unbroken)?);
    expect(ours == theirs, "/etc/kubernetes is not as after an unbroken run", format!("{ours}\nunbroken:\n{theirs}"))
}

/// A sequence that E2E_SEED repeats (xorshift).
struct Random(u64);

impl Random {
    fn from_environment() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs() % 100_000);
        let seed = std::env::var("E2E_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
        say(&format!("E2E_SEED={seed}"));
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }
}
