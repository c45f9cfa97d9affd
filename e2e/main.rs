//! The command behind `e2e/up`, `e2e/down` and `e2e/test`: makes a cluster to play with, takes it away, runs
//! commands on its nodes, and serves as the warden of a run.

use kubestrap_e2e::clean;
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::measure;
use kubestrap_e2e::nodes::{self, Node};
use kubestrap_e2e::run::{Record, Run};
use kubestrap_e2e::tool::Tool;
use kubestrap_e2e::{logs, many, prepare, say};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
usage: e2e up                      make a cluster of one control-plane node and two workers, and leave it running
       e2e down [RUN]              take it away (all that were left running, or one)
       e2e list                    show the runs and their nodes
       e2e shell [RUN/]NODE        a shell on a node
       e2e exec [RUN/]NODE -- CMD  run a command on a node
       e2e clean                   remove what runs that ended left behind
       e2e bench [FLAGS]           measure kubestrap and kubeadm side by side; see e2e/README.md
       e2e scale [--joins N] [--at-once N] [--without-crowd] [--out DIR]
                                   what many joins, and much in a cluster, cost
E2E_TOOL=kubeadm makes the cluster with kubeadm; E2E_KEEP=on-failure keeps the nodes of a failed start.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match &words[..] {
        ["up"] => up(),
        ["down"] => down(None),
        ["down", run] => down(Some(run)),
        ["list"] => list(),
        ["shell", node] => enter(node, &["bash", "-l"]),
        ["exec", node, "--", command @ ..] => enter(node, command),
        ["clean"] => clean::dead_runs(),
        ["bench", flags @ ..] => bench(flags),
        ["meter", "--", command @ ..] => measure::process::meter(command),
        ["scale", options @ ..] => scale(options),
        ["warden", run] => warden(run),
        ["world", name, "--", command @ ..] => many::world::enter(name, command),
        ["watched", "--", command @ ..] => many::watched::enter(command),
        _ => Err(Failure::new("this is not a command of e2e", USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn bench(flags: &[&str]) -> Result<(), Failure> {
    measure::bench(&this_program()?, flags)
}

fn this_program() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::new("cannot find the e2e program", error))
}

fn up() -> Result<(), Failure> {
    let tool = Tool::from_environment()?;
    if tool == Tool::Kubestrap && nodes::kubestrap_program().is_none() {
        return Err(Failure::new(
            "there is no kubestrap to make a cluster with",
            "cargo build --release, or set KUBESTRAP_BIN",
        ));
    }
    let prepared = prepare()?;
    let run = Run::begin(&this_program()?, &prepared)?;
    let started = Instant::now();
    say("a cluster of cp-1, worker-1 and worker-2 (usually 90 s)");
    let cluster = match make_cluster(&run, tool) {
        Ok(cluster) => cluster,
        Err(failure) => {
            let folder = logs::collect(&run, "up", &failure, None);
            say(&format!("logs are in {}", folder.display()));
            if matches!(std::env::var("E2E_KEEP").as_deref(), Ok("always" | "on-failure")) {
                run.keep()?;
            }
            return Err(failure);
        }
    };
    run.keep()?;
    say(&format!("Ready after {:.0} s", started.elapsed().as_secs_f32()));
    let shown = cluster.kubectl(&["get", "nodes,pods", "--all-namespaces", "--output", "wide"])?;
    let number = run.record.number;
    let _ = writeln!(
        std::io::stdout(),
        "{}\nUse it:   export KUBECONFIG={} PATH={}:$PATH\n          kubectl get nodes\n\
         A node:   e2e/exec {number}/cp-1 -- {tool} version\nEnd it:   e2e/down {number}",
        shown.stdout,
        cluster.kubeconfig().display(),
        run.record.prepared.join("bin").display(),
        tool = tool.program(),
    );
    Ok(())
}

/// Measures what many at once cost; the table goes to standard output, the JSON into the folder of `--out`.
fn scale(options: &[&str]) -> Result<(), Failure> {
    let crowd = many::Crowd { nodes: 1000, tokens: 5000, config_maps: 5000 };
    let mut extent = many::Extent { joins: 100, at_once: 50, crowd: Some(crowd), looks: 5 };
    let mut out = None;
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure::new(format!("{word} needs a value"), USAGE));
        let number = |text: &str| text.parse().map_err(|error| Failure::new(format!("{word}: {text}"), error));
        match *word {
            "--joins" => extent.joins = number(value()?)?,
            "--at-once" => extent.at_once = number(value()?)?,
            "--without-crowd" => extent.crowd = None,
            "--out" => out = Some(std::path::PathBuf::from(value()?)),
            _ => return Err(Failure::new(format!("scale has no option {word}"), USAGE)),
        }
    }
    let program = std::env::current_exe().map_err(|error| Failure::new("cannot find the e2e program", error))?;
    let run = Run::begin(&program, &prepare()?)?;
    if std::env::var("E2E_KEEP").as_deref() == Ok("always") {
        run.keep()?;
    }
    let report = many::measure(&run, &program, extent).inspect_err(|failure| {
        say(&format!("logs are in {}", logs::collect(&run, "scale", failure, None).display()));
    })?;
    let _ = write!(std::io::stdout(), "{}", report.text());
    if let Some(folder) = out {
        let failed =
            |error: &dyn std::fmt::Display| Failure::new(format!("cannot write to {}", folder.display()), error);
        let text = serde_json::to_string_pretty(&report).map_err(|error| failed(&error))?;
        std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
        std::fs::write(folder.join("scale.json"), text).map_err(|error| failed(&error))?;
    }
    report.check()
}

fn make_cluster(run: &Run, tool: Tool) -> Result<Cluster, Failure> {
    let cluster = Cluster::start(run, tool, "cp-1", &["worker-1", "worker-2"])?;
    say("nodes are Ready; the kubelet reports static Pods as Ready about a minute after their start");
    for component in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        cluster.wait_pods_ready("kube-system", &format!("component={component}"))?;
    }
    cluster.wait_pods_ready("kube-system", "")?;
    Ok(cluster)
}

fn down(number: Option<&str>) -> Result<(), Failure> {
    clean::dead_runs()?;
    for record in Record::all() {
        let chosen = number.is_none_or(|number| record.number.to_string() == number);
        if chosen && record.is_kept() {
            clean::remove(&record)?;
            say(&format!("run {} is gone", record.number));
        }
    }
    Ok(())
}

fn list() -> Result<(), Failure> {
    for record in Record::all() {
        let state = if record.is_kept() {
            "kept"
        } else if record.is_owned() {
            "running"
        } else {
            "dead"
        };
        let _ = writeln!(std::io::stdout(), "run {} ({state})", record.number);
        for name in nodes::names(&record) {
            let node = Node::load(&record, &name)?;
            let _ = writeln!(std::io::stdout(), "  {}/{name}  {}", record.number, node.address);
        }
    }
    Ok(())
}

/// Becomes the command, so that its terminal and its exit code are ours.
fn enter(node: &str, command: &[&str]) -> Result<(), Failure> {
    let records = Record::all();
    let (record, name) = match node.split_once('/') {
        Some((run, name)) => (records.iter().find(|record| record.number.to_string() == run), name),
        None => (records.last(), node),
    };
    let record = record.ok_or_else(|| Failure::new("there is no such run", USAGE))?;
    let mut arguments: Vec<String> = command.iter().map(ToString::to_string).collect();
    if let Ok(terminal) = std::env::var("TERM") {
        arguments.splice(0..0, ["env".to_owned(), format!("TERM={terminal}")]);
    }
    let error = Node::load(record, name)?.command(&arguments)?.exec();
    Err(Failure::new("cannot enter the node", error))
}

/// Waits until the run's owner ends: the other end of our standard input is open as long as it lives.
fn warden(run: &str) -> Result<(), Failure> {
    let number = run.parse().map_err(|error| Failure::new("a run is a number", error))?;
    let record = Record::load(number)?;
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    if record.is_kept() { Ok(()) } else { clean::remove(&record) }
}
