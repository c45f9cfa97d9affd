//! Time and memory of kubestrap and kubeadm, measured one after the other on fresh nodes. Both are told; kubestrap must
//! not be slower, nor larger than it may be.

use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::{Node, kubestrap_program};
use kubestrap_e2e::run::Run;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE, Tool};

const MAXIMUM_MEMORY_KIB: u64 = 60 * 1024;
const MAXIMUM_PROGRAM_BYTES: u64 = 25 * 1024 * 1024;

/// Runs the command and looks at its peak memory until it ends: seconds, KiB, then what it printed.
const MEASURE: &str = r#"
started=$(date +%s.%N)
"$@" >/run/measured 2>/run/measured.err & pid=$!
while read -r hwm 2>/dev/null <<END && test -n "$hwm"
$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$pid/status 2>/dev/null)
END
do peak=$hwm; sleep 0.02; done
wait $pid || { cat /run/measured /run/measured.err >&2; exit 1; }
echo "$(echo "$started $(date +%s.%N)" | awk '{print $2 - $1}') $peak"
cat /run/measured"#;

#[derive(Debug)]
struct Measured {
    seconds: f64,
    kib: u64,
    stdout: String,
}

/// What one tool needs for its commands.
#[derive(Debug)]
struct Figures {
    init: Measured,
    join_at_once: Measured,
    join_later: Measured,
    reset: Measured,
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn kubestrap_is_not_slower_than_kubeadm_nor_larger_than_it_may_be() {
    if !only_kubestrap() {
        return;
    }
    scenario("kubestrap_is_not_slower_than_kubeadm_nor_larger_than_it_may_be", |run| {
        let program = kubestrap_program().ok_or_else(|| Failure::new("there is no kubestrap", ""))?;
        let bytes = std::fs::metadata(&program).map_or(0, |meta| meta.len());
        let shared = shared_cluster(run)?;
        let (mut ours, mut theirs) = (figures(run, Tool::Kubestrap, shared)?, figures(run, Tool::Kubeadm, shared)?);
        for _ in 0..2 {
            if ours.is_as_fast_as(&theirs) {
                break;
            }
            // Other work on this machine may have been in the way of one of them.
            say("measured again, because kubestrap was slower");
            ours = ours.best_of(figures(run, Tool::Kubestrap, shared)?);
            theirs = theirs.best_of(figures(run, Tool::Kubeadm, shared)?);
        }
        say(&format!("program: {:.1} MiB", bytes as f64 / 1048576.0));
        let rows = [
            ("init", &ours.init, &theirs.init),
            ("join at once", &ours.join_at_once, &theirs.join_at_once),
            ("join later", &ours.join_later, &theirs.join_later),
            ("reset", &ours.reset, &theirs.reset),
        ];
        let shown = |figure: &Measured| format!("{:>5.1} s {:>3} MiB", figure.seconds, figure.kib / 1024);
        say(&format!("{:<14} {:<16}  {}", "", "kubestrap", "kubeadm"));
        for (name, ours, theirs) in rows {
            say(&format!("{name:<14} {:<16}  {}", shown(ours), shown(theirs)));
        }
        for (name, ours, _) in rows {
            expect(ours.kib < MAXIMUM_MEMORY_KIB, format!("{name} needs too much memory"), shown(ours))?;
        }
        expect(bytes < MAXIMUM_PROGRAM_BYTES, "the program is too large", bytes)?;
        expect(ours.is_as_fast_as(&theirs), "init or join is slower than kubeadm's", format!("{ours:#?}\n{theirs:#?}"))
    });
}

impl Figures {
    /// Most of a join's time is the kubelet's, so that a tenth is noise. A join at once waits for the cluster.
    fn is_as_fast_as(&self, other: &Self) -> bool {
        self.init.seconds <= other.init.seconds && self.join_later.seconds <= other.join_later.seconds * 1.1
    }

    fn best_of(self, other: Self) -> Self {
        let best = |a: Measured, b: Measured| if a.seconds <= b.seconds { a } else { b };
        Self {
            init: best(self.init, other.init),
            join_at_once: best(self.join_at_once, other.join_at_once),
            join_later: best(self.join_later, other.join_later),
            reset: best(self.reset, other.reset),
        }
    }
}

/// The reset is the worker's in the shared cluster.
fn figures(run: &Run, tool: Tool, shared: &Cluster) -> Result<Figures, Failure> {
    let mut nodes = Node::create_all(run, &["timed-cp", "timed-1", "timed-2"])?.into_iter();
    let (Some(control_plane), Some(first), Some(second)) = (nodes.next(), nodes.next(), nodes.next()) else {
        return Err(Failure::new("there are no nodes", ""));
    };
    let mut words = vec![tool.program(), "init"];
    words.extend(tool.init_flags(&control_plane)?);
    if tool == Tool::Kubeadm {
        words.push("--skip-phases=preflight");
    }
    let init = measure(&control_plane, &words)?;
    let join_at_once = measure_join(tool, &first, &JoinCommand::parse(&init.stdout)?)?;
    control_plane.destroy()?;
    first.destroy()?;
    let join_later = measure_join(tool, &second, &shared.join)?;
    let reset = measure(&second, &[tool.program(), "reset", "--force"])?;
    shared.kubectl(&["delete", "node", &second.name, "--ignore-not-found"])?;
    second.destroy()?;
    Ok(Figures { init, join_at_once, join_later, reset })
}

fn measure_join(tool: Tool, node: &Node, join: &JoinCommand) -> Result<Measured, Failure> {
    let mut words = vec![tool.program(), "join"];
    words.extend(join.arguments.iter().map(String::as_str));
    if tool == Tool::Kubeadm {
        words.push("--ignore-preflight-errors=FileExisting-crictl");
    }
    measure(node, &words)
}

fn measure(node: &Node, words: &[&str]) -> Result<Measured, Failure> {
    let output = node.run_with(&[&["bash", "-uc", MEASURE, "bash"], words].concat(), b"", PATIENCE)?.success()?;
    let (first, rest) = output.stdout.split_once('\n').unwrap_or_default();
    let (seconds, kib) = first.split_once(' ').unwrap_or_default();
    match (seconds.parse(), kib.parse()) {
        (Ok(seconds), Ok(kib)) => Ok(Measured { seconds, kib, stdout: rest.to_owned() }),
        _ => Err(Failure::new("nothing was measured", &output)),
    }
}
